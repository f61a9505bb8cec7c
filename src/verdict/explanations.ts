import type { Code } from '../catalog/codes.ts';

/** What a connection shows while its cause is not known. */
export const symptoms = [
  'no-ready-endpoints',
  'name-not-resolving',
  'virtual-ip-failing',
  'endpoint-failing',
  'node-port-failing',
  'health-check-failing',
  'load-balancer-failing',
] as const satisfies Code[];
export type Symptom = (typeof symptoms)[number];

/** Explained by a fault of another pod, too: a pod that is only starting is less decisive than one that has failed. */
export const mild: readonly Code[] = ['pod-starting'];

const unreachable = ['endpoint-failing', 'virtual-ip-failing', 'cross-node-unreachable', 'manual-endpoint-unreachable'] as const;
const notServing = ['no-ready-endpoints', 'endpoint-failing', 'virtual-ip-failing', 'rollout-stalled', 'endpoints-stale'] as const;

/**
 * Which finding explains which: where the left one exists, those on the right follow from it and are not causes themselves.
 * A cause of certain pods explains only findings of the same pods.
 */
const inside: Partial<Record<Code, readonly Code[]>> = {
  'selector-mismatch': ['no-ready-endpoints', 'virtual-ip-failing'],
  'selector-overlap': ['endpoint-failing', 'virtual-ip-failing', 'target-port-not-listening', 'listens-on-loopback', 'named-port-missing', 'readiness-failing'],
  'target-port-not-listening': ['endpoint-failing', 'virtual-ip-failing'],
  'listens-on-loopback': ['endpoint-failing', 'virtual-ip-failing'],
  'protocol-mismatch': ['endpoint-failing', 'virtual-ip-failing', 'no-ready-endpoints'],
  'named-port-missing': ['no-ready-endpoints', 'virtual-ip-failing', 'endpoints-missing'],
  'endpoint-port-name-mismatch': ['no-ready-endpoints', 'virtual-ip-failing'],
  'service-port-missing': ['virtual-ip-failing', 'no-ready-endpoints'],
  'service-not-found': ['name-not-resolving'],
  'endpoints-missing': ['no-ready-endpoints', 'virtual-ip-failing'],
  'endpoints-stale': ['no-ready-endpoints', 'endpoint-failing', 'virtual-ip-failing'],
  'manual-endpoint-unreachable': ['virtual-ip-failing'],
  'external-name-broken': ['name-not-resolving'],
  'no-replicas': ['no-ready-endpoints', 'virtual-ip-failing'],
  'pods-quota-exceeded': notServing,
  'pods-refused': notServing,
  'pods-unschedulable': notServing,
  'image-pull-failing': [...notServing, 'readiness-failing', 'pod-starting'],
  'container-config-error': [...notServing, 'pod-starting'],
  'out-of-memory': [...notServing, 'readiness-failing', 'pod-starting', 'container-crashing', 'target-port-not-listening'],
  'container-crashing': [...notServing, 'readiness-failing', 'pod-starting', 'target-port-not-listening'],
  'readiness-failing': notServing,
  'readiness-gate-unmet': notServing,
  'pod-starting': notServing,
  'rollout-stalled': ['no-ready-endpoints', 'virtual-ip-failing'],
  'node-not-ready': [...notServing, ...unreachable, 'readiness-failing', 'container-crashing', 'kube-proxy-down'],
  'policy-denies-ingress': unreachable,
  'policy-denies-egress': unreachable,
  'policy-denies-dns': ['name-not-resolving'],
  'local-policy-no-endpoint': ['virtual-ip-failing'],
  'service-excluded-from-proxy': ['virtual-ip-failing', 'kube-proxy-rules-missing'],
  'kube-proxy-down': ['virtual-ip-failing', 'name-not-resolving', 'kube-proxy-rules-missing', 'kube-proxy-rules-stale'],
  'kube-proxy-not-syncing': ['virtual-ip-failing', 'name-not-resolving', 'kube-proxy-rules-missing', 'kube-proxy-rules-stale'],
  // The DNS address is a Service's too.
  'kube-proxy-rules-missing': ['virtual-ip-failing', 'name-not-resolving'],
  'kube-proxy-rules-stale': ['virtual-ip-failing', 'name-not-resolving'],
  'conntrack-full': ['virtual-ip-failing', 'endpoint-failing', 'name-not-resolving'],
  'dns-pods-down': ['name-not-resolving', 'dns-wrong-answer'],
  'dns-service-broken': ['name-not-resolving'],
  'dns-config-invalid': ['dns-pods-down', 'name-not-resolving', 'dns-wrong-answer'],
  'dns-zone-mismatch': ['name-not-resolving', 'dns-wrong-answer'],
  'dns-pod-config': ['name-not-resolving'],
  'dns-wrong-answer': ['name-not-resolving'],
  'dns-upstream-failing': ['name-not-resolving'],
  'cross-node-unreachable': ['endpoint-failing', 'virtual-ip-failing', 'manual-endpoint-unreachable'],
  'endpoint-failing': ['virtual-ip-failing'],
  // A connection that loses packets explains requests over it without an answer.
  'mtu-blackhole': ['http-failing', 'endpoint-hangs'],
  'endpoint-hangs': ['http-failing'],
  'tls-port-plain-http': ['http-failing'],
};

/** A cause for which the virtual IP fails makes node ports and load balancers fail, too; a failing node port makes its load balancer fail. */
const fromOutside = ['node-port-failing', 'health-check-failing', 'load-balancer-failing'] as const;
export const explains: typeof inside = {
  ...Object.fromEntries(Object.entries(inside).map(([cause, shown]) => [cause, shown.includes('virtual-ip-failing') ? [...shown, ...fromOutside] : shown])),
  'source-ranges-deny': ['load-balancer-failing'],
  'node-port-failing': ['load-balancer-failing', 'health-check-failing'],
  'health-check-failing': ['load-balancer-failing'],
};
