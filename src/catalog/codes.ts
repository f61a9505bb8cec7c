/** The issue table as on-call people know it, and the codes under each of its rows. Codes are never renamed. */
export const issues = {
  selector: { issue: 'Selector mismatch', symptom: 'Empty endpoints', resolution: 'Correct pod labels or service selector' },
  ports: { issue: 'Wrong ports', symptom: 'Connection refused', resolution: 'Verify targetPort matches container port' },
  pods: { issue: 'Pods not ready', symptom: 'Endpoint exists but traffic fails', resolution: 'Check readiness probe' },
  policy: { issue: 'Network policy blocking', symptom: 'Connection timeout', resolution: 'Review NetworkPolicy objects' },
  proxy: { issue: 'kube-proxy issues', symptom: 'Service IP works, DNS fails', resolution: 'Restart kube-proxy, check CoreDNS' },
  dns: { issue: 'DNS failing', symptom: 'The name does not resolve', resolution: "Check CoreDNS and the pod's resolv.conf" },
  external: {
    issue: 'External access',
    symptom: 'Works inside the cluster, not from outside',
    resolution: 'Check the load balancer, node ports and traffic policies',
  },
  definition: {
    issue: 'Service definition',
    symptom: 'There is nothing to connect to',
    resolution: 'Correct the Service or its hand-written endpoints',
  },
  network: {
    issue: 'Node network',
    symptom: 'Works on one node, not from another',
    resolution: 'Check routes, CNI and MTU between the nodes',
  },
  /** Not in the on-call table: what a connection showed, where no known cause explains it. */
  unexplained: {
    issue: 'Connection failing',
    symptom: 'The objects look right, the connection fails',
    resolution: 'Look below Kubernetes: routes, firewalls, the CNI plug-in, the program itself',
  },
} as const;

export type IssueKey = keyof typeof issues;

export const codes = {
  'selector-mismatch': 'selector',
  'selector-overlap': 'selector',
  'target-port-not-listening': 'ports',
  'named-port-missing': 'ports',
  'listens-on-loopback': 'ports',
  'protocol-mismatch': 'ports',
  'service-port-missing': 'ports',
  'headless-port-mismatch': 'ports',
  'tls-port-plain-http': 'ports',
  'readiness-failing': 'pods',
  'readiness-gate-unmet': 'pods',
  'pods-unschedulable': 'pods',
  'pods-quota-exceeded': 'pods',
  'pods-refused': 'pods',
  'image-pull-failing': 'pods',
  'container-crashing': 'pods',
  'out-of-memory': 'pods',
  'container-config-error': 'pods',
  'pod-starting': 'pods',
  'no-replicas': 'pods',
  'rollout-stalled': 'pods',
  'endpoint-hangs': 'pods',
  'node-not-ready': 'pods',
  'policy-denies-ingress': 'policy',
  'policy-denies-egress': 'policy',
  'policy-denies-dns': 'policy',
  'policy-not-enforced': 'policy',
  'kube-proxy-down': 'proxy',
  'kube-proxy-not-syncing': 'proxy',
  'kube-proxy-rules-missing': 'proxy',
  'kube-proxy-rules-stale': 'proxy',
  'service-excluded-from-proxy': 'proxy',
  'conntrack-stale': 'proxy',
  'dns-pods-down': 'dns',
  'dns-config-invalid': 'dns',
  'dns-service-broken': 'dns',
  'dns-pod-config': 'dns',
  'dns-zone-mismatch': 'dns',
  'dns-wrong-answer': 'dns',
  'dns-upstream-failing': 'dns',
  'load-balancer-pending': 'external',
  'local-policy-no-endpoint': 'external',
  'source-ranges-deny': 'external',
  'service-not-found': 'definition',
  'being-deleted': 'definition',
  'external-name-broken': 'definition',
  'endpoints-missing': 'definition',
  'endpoints-stale': 'definition',
  'endpoint-port-name-mismatch': 'definition',
  'ip-family-mismatch': 'definition',
  'manual-endpoint-unreachable': 'definition',
  'cross-node-unreachable': 'network',
  'mtu-blackhole': 'network',
  'conntrack-full': 'network',
  // Symptoms, which an object or a connection shows. They become causes only where nothing explains them.
  'no-ready-endpoints': 'definition',
  'name-not-resolving': 'dns',
  'virtual-ip-failing': 'unexplained',
  'endpoint-failing': 'unexplained',
  'node-port-failing': 'external',
  'health-check-failing': 'external',
  'load-balancer-failing': 'external',
  // Requested by --http: the connection works, and the answer over it is an error.
  'http-failing': 'pods',
} as const satisfies Record<string, IssueKey>;

export type Code = keyof typeof codes;

/** The row of the issue table that has the code. */
export const issueOf = (code: Code) => issues[codes[code]];
