import type { Code } from '../catalog/codes.ts';
import type { Draft } from '../catalog/finding.ts';

/**
 * What Kubernetes makes of what, in order. A fault in one group shows as the faults in all later groups of its chain, which are
 * then not causes themselves. What faults do to connections is not here: src/model predicts it from the facts.
 */
const chains: readonly (readonly (readonly Code[])[])[] = [
  // A pod's life, up to its place among the endpoints.
  [
    ['node-not-ready', 'template-not-applied'],
    ['image-pull-failing', 'container-config-error'],
    ['out-of-memory'],
    ['container-crashing'],
    ['readiness-failing', 'readiness-gate-unmet'],
    ['pod-starting'],
    ['rollout-stalled'],
    ['endpoints-stale'],
    ['no-ready-endpoints'],
  ],
  // Pods that are not created, or not placed.
  [
    ['pods-quota-exceeded', 'pods-refused', 'pods-unschedulable', 'no-replicas'],
    ['rollout-stalled'],
    ['endpoints-stale', 'endpoints-missing'],
    ['no-ready-endpoints'],
  ],
  // The new template may be one whose pods have a place.
  [['template-not-applied'], ['pods-unschedulable']],
  // From the front to the request.
  [
    ['route-not-found', 'route-class-missing', 'route-controller-down'],
    ['gateway-not-ready'],
    ['route-not-attached'],
    ['route-overridden', 'route-backend-invalid', 'route-tls-invalid', 'service-not-found'],
    ['route-request-failing'],
  ],
  // From what makes the API server call a Service to the call.
  [['extension-not-found'], ['extension-backend-invalid', 'extension-certificate-invalid', 'service-not-found'], ['extension-call-failing']],
  // What goes away with its namespace.
  [
    ['being-deleted'],
    ['selector-mismatch', 'no-replicas', 'pods-refused', 'pod-starting', 'readiness-failing', 'container-crashing', 'image-pull-failing'],
    ['rollout-stalled'],
    ['endpoints-stale', 'endpoints-missing'],
    ['no-ready-endpoints'],
  ],
  // What the Service selects, and its ports.
  [['selector-mismatch', 'service-port-missing'], ['no-ready-endpoints']],
  [['ip-family-mismatch'], ['endpoints-missing', 'endpoints-stale'], ['no-ready-endpoints']],
  [['named-port-missing', 'endpoint-port-name-mismatch', 'protocol-mismatch'], ['endpoints-missing'], ['no-ready-endpoints']],
  [['selector-overlap'], ['named-port-missing', 'readiness-failing', 'target-port-not-listening', 'listens-on-loopback', 'headless-port-mismatch']],
  [['out-of-memory'], ['container-crashing'], ['target-port-not-listening']],
  [['headless-port-mismatch'], ['target-port-not-listening']],
  // From the API to the rules of a node.
  [['node-not-ready'], ['kube-proxy-down'], ['kube-proxy-not-syncing'], ['kube-proxy-rules-missing', 'kube-proxy-rules-stale']],
  [['service-excluded-from-proxy'], ['kube-proxy-rules-missing']],
  // From the Corefile to the answer.
  [['dns-config-invalid'], ['dns-pods-down'], ['dns-wrong-answer']],
  [['dns-zone-mismatch'], ['dns-wrong-answer']],
  // From packets to the answer over a connection that is open.
  [['mtu-blackhole'], ['endpoint-hangs'], ['http-failing']],
  [['tls-port-plain-http'], ['http-failing']],
  // From the client's proxy to the pod's, and to the answer. A pod's proxy takes connections for a program that does not listen.
  [['mesh-sidecar-missing'], ['mesh-egress-blocked', 'mesh-tls-required', 'mesh-tls-mismatch', 'mesh-denies', 'mesh-route-broken'], ['http-failing']],
  [['target-port-not-listening', 'listens-on-loopback'], ['http-failing']],
];

/** All codes that follow from one. */
const followers = new Map<Code, Set<Code>>();
for (const chain of chains)
  chain.forEach((group, i) => {
    for (const code of group) {
      const known = followers.get(code) ?? new Set();
      for (const later of chain.slice(i + 1)) for (const c of later) known.add(c);
      followers.set(code, known);
    }
  });

export const followsFrom = (code: Code, cause: Code): boolean => followers.get(cause)?.has(code) ?? false;
/** What is wrong with the Service itself shows as a failed request in front of it. */
const inFront: readonly Code[] = ['route-request-failing', 'extension-call-failing'];

export const codesInChains: readonly Code[] = [...new Set(chains.flat(2))];

/** A pod that is only starting may be one of several that a fault concerns: it follows from faults of other pods, too. */
const mild: readonly Code[] = ['pod-starting'];

const covers = (all: readonly string[] | undefined, some: readonly string[] | undefined): boolean => !all || !some || some.every((x) => all.includes(x));

/** Several faults together, each of some pods, can leave a Service without a ready endpoint. */
const joint: readonly Code[] = ['no-ready-endpoints'];
const meets = (all: readonly string[] | undefined, some: readonly string[] | undefined): boolean => !all || !some || some.some((x) => all.includes(x));

/** Whether a finding shows what another one causes: later in a chain, and about the same pods and nodes. No pod or node named means all of them. */
export function isDerived(finding: Draft, cause: Draft): boolean {
  if (inFront.includes(finding.code)) return cause.scope === 'all' && !inFront.includes(cause.code);
  if (!followsFrom(finding.code, cause.code)) return false;
  if (mild.includes(finding.code)) return true;
  if (joint.includes(finding.code)) return meets(cause.pods, finding.pods);
  return covers(cause.pods, finding.pods) && covers(cause.nodes, finding.nodes);
}
