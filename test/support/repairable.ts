/** Scenarios that a change of objects repairs, so that `fix` is held to it: those of this folder, and of ../shared where it exists. */
const here = `
  canary-other-port canary-wrong-port client-curl-only client-deployment-dns-default client-without-shell-held-back
  dns-corefile-misspelt dns-loop dns-one-replica-odd dns-other-zone dns-service-selector dns-without-kubernetes dns-without-rights
  endpoint-port-name-mismatch excluded-from-proxy headless-nobody-ready headless-port-named headless-port-refused image-tag-slip
  internal-policy-local limit-range node-port-local-part node-selector mesh-denies-account mesh-egress-registry-only mesh-egress-unnamed mesh-http-fields-on-tcp mesh-rule-disables mesh-rule-without-sidecar
  mesh-wrong-port one-of-three-hangs one-port-of-two pod-security-refused
  policy-block-with-exception policy-both-ways policy-client-on-host-network policy-dns-tcp-only policy-egress-to-service-ip
  policy-guards-dns policy-in-wrong-namespace policy-named-port-differs policy-namespace-without-label policy-node-addresses
  policy-one-of-three policy-other-protocol policy-range-too-short policy-service-port policy-wrong-label port-named-in-arguments
  port-named-in-environment protocol-mismatch proxy-absent-on-one-node proxy-kept-off-by-label quota-exceeded readiness-gate
  rollout-crashes rules-flushed rules-for-dns-missing rules-stale selector-extra-label selector-letter-case selector-namesake
  selector-overlap selector-pod-template-hash service-account-missing slice-left-behind startup-probe two-faults udp-nothing-listens`;
const shared = `
  coredns-scaled-down kube-proxy-absent named-port-missing policy-default-deny policy-egress policy-egress-dns readiness-wrong-path
  scaled-to-zero selector-typo target-port-wrong unschedulable`;

export const repairable: readonly string[] = `${here} ${shared}`.split(/\s+/).filter(Boolean);
