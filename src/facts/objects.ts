/**
 * The parts of Kubernetes' objects that the checks read. A schema keeps what it names and drops the rest, so that
 * environment variables, annotations and commands never get into the facts or a capture.
 * Field meanings: Kubernetes API reference, v1.35.
 */
import * as v from 'valibot';
import { redact } from './redact.ts';
import { historyOf, ownersOf } from './tracked.ts';

const text = v.string();
const optionalText = v.optional(text);
const labels = v.nullish(v.record(text, text), {});
const list = <T extends v.GenericSchema>(item: T) => v.nullish(v.array(item), []);
const intOrString = v.union([v.number(), text]);

const ownerReference = v.object({ kind: text, name: text, uid: optionalText, controller: v.optional(v.boolean()) });

export const meta = v.object({
  name: text,
  namespace: v.optional(text, ''),
  uid: optionalText,
  labels,
  creationTimestamp: v.nullish(text),
  deletionTimestamp: v.nullish(text),
  generation: v.optional(v.number()),
  ownerReferences: list(ownerReference),
});

const owner = v.object({ name: text, reverts: v.boolean() });
export const fieldChange = v.object({ manager: text, operation: text, time: text, fields: list(text) });

/** Kubernetes documentation, "Well-Known Labels, Annotations and Taints": deprecated or removed. */
const obsoleteAnnotations = [
  'service.alpha.kubernetes.io/tolerate-unready-endpoints',
  'service.kubernetes.io/topology-aware-hints',
  'service.alpha.kubernetes.io/topology-aware-hints',
];

/** Metadata of objects that a fix may change: who owns them, and who set their fields when. Annotations and managedFields themselves are dropped. */
const tracked = v.pipe(
  v.object({
    ...meta.entries,
    annotations: v.nullish(v.record(text, text)),
    managedFields: v.nullish(
      v.array(
        v.object({ manager: optionalText, operation: optionalText, time: v.nullish(text), subresource: optionalText, fieldsV1: v.optional(v.unknown()) }),
      ),
    ),
    owners: v.optional(v.array(owner)),
    history: v.optional(v.array(fieldChange)),
    /** Of a ReplicaSet: which revision of its Deployment it is; an annotation of the Deployment's controller. */
    revision: v.optional(v.number()),
    /** Which causes of a Service are known and accepted, and why: its annotation `k8s-doctor/ignore`. */
    accepted: optionalText,
    /** Annotations of it by which Services were once set up, and that nothing reads any more. */
    obsolete: v.exactOptional(v.array(text)),
  }),
  v.transform(({ annotations, managedFields, owners, history, revision, accepted, obsolete, ...kept }) => {
    const old = obsolete ?? obsoleteAnnotations.filter((key) => annotations?.[key] !== undefined);
    const number = revision ?? Number(annotations?.['deployment.kubernetes.io/revision'] ?? NaN);
    return {
      ...kept,
      owners: owners ?? ownersOf({ ...kept, annotations, managedFields }),
      history: history ?? historyOf(managedFields),
      ...(Number.isFinite(number) && { revision: number }),
      ...(old.length > 0 && { obsolete: old }),
      ...((accepted ?? annotations?.['k8s-doctor/ignore']) !== undefined && { accepted: accepted ?? annotations?.['k8s-doctor/ignore'] }),
    };
  }),
);

export const condition = v.object({
  type: text,
  status: text,
  reason: v.nullish(text),
  message: v.nullish(text),
  lastTransitionTime: v.nullish(text),
});

const protocol = v.optional(v.picklist(['TCP', 'UDP', 'SCTP']), 'TCP');

export const servicePort = v.object({
  name: v.optional(text, ''),
  protocol,
  appProtocol: v.exactOptional(text),
  port: v.number(),
  targetPort: v.optional(intOrString),
  nodePort: v.optional(v.number()),
});

export const service = v.object({
  metadata: tracked,
  spec: v.object({
    type: v.optional(v.picklist(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']), 'ClusterIP'),
    clusterIP: optionalText,
    clusterIPs: list(text),
    ports: list(servicePort),
    selector: v.nullish(v.record(text, text)),
    externalName: optionalText,
    externalIPs: list(text),
    ipFamilies: list(text),
    sessionAffinity: optionalText,
    sessionAffinityConfig: v.nullish(v.object({ clientIP: v.nullish(v.object({ timeoutSeconds: v.nullish(v.number()) })) })),
    internalTrafficPolicy: optionalText,
    externalTrafficPolicy: optionalText,
    publishNotReadyAddresses: v.optional(v.boolean(), false),
    loadBalancerSourceRanges: list(text),
    healthCheckNodePort: v.optional(v.number()),
    loadBalancerClass: optionalText,
  }),
  status: v.optional(
    v.object({
      loadBalancer: v.optional(v.object({ ingress: list(v.object({ ip: optionalText, hostname: optionalText, ipMode: v.nullish(text) })) }), {}),
    }),
    {},
  ),
});

export const endpointSlice = v.object({
  metadata: meta,
  /** When the last change of a pod or the Service was seen that the slice followed; an annotation of its controller's. */
  changed: v.exactOptional(text),
  addressType: text,
  endpoints: list(
    v.object({
      addresses: v.array(text),
      conditions: v.optional(
        v.object({
          ready: v.nullish(v.boolean()),
          serving: v.nullish(v.boolean()),
          terminating: v.nullish(v.boolean()),
        }),
        {},
      ),
      nodeName: v.nullish(text),
      zone: v.nullish(text),
      targetRef: v.nullish(v.object({ kind: optionalText, name: optionalText, namespace: optionalText, uid: optionalText })),
      hints: v.nullish(v.object({ forZones: list(v.object({ name: text })), forNodes: list(v.object({ name: text })) })),
    }),
  ),
  ports: list(v.object({ name: v.nullish(text, ''), protocol: v.nullish(v.picklist(['TCP', 'UDP', 'SCTP']), 'TCP'), port: v.nullish(v.number()) })),
});

const containerPort = v.object({ name: v.optional(text, ''), containerPort: v.number(), protocol });

const probe = v.object({
  httpGet: v.optional(v.object({ path: v.pipe(v.optional(text, '/'), v.transform(redact)), port: intOrString, scheme: optionalText })),
  tcpSocket: v.optional(v.object({ port: intOrString })),
  grpc: v.optional(v.object({ port: v.number() })),
  exec: v.optional(v.object({})),
  initialDelaySeconds: v.optional(v.number(), 0),
  periodSeconds: v.optional(v.number(), 10),
  failureThreshold: v.optional(v.number(), 3),
});

const speaksOfPorts = /port|listen|bind|addr|http|serve|^-p$|^-l$/i;

/** Numbers that a word names as a port: `--http-port=8080`, `0.0.0.0:8080`; not those in a URL's password. */
const portsInWord = (word: string): number[] =>
  Array.from(word.matchAll(/(?:(?:port|listen|bind|addr\w*|http)\W{0,3}|:)(\d{2,5})(?![\w.@])/gi), (m) => Number(m[1]));

/** Ports that a command names, and variables that are called after one (`PORT`, `LISTEN_ADDR`). Nothing else of them is kept: they may hold secrets. */
function portsNamed(command: readonly string[], env: readonly { name: string; value?: string | undefined }[]): number[] {
  const all = command.flatMap((c) => c.split(/[\s;|&"']+/).filter(Boolean));
  // A number by itself is a port after a word about ports, or where no option takes it.
  const alone = all.filter((w, i) => /^\d{2,5}$/.test(w) && (speaksOfPorts.test(all[i - 1] ?? '') || !all[i - 1]?.startsWith('-'))).map(Number);
  const ofEnv = env
    .filter((e) => /PORT|LISTEN|BIND|ADDR/i.test(e.name))
    .flatMap((e) => (/^\d{2,5}$/.test(e.value ?? '') ? [Number(e.value)] : portsInWord(e.value ?? '')));
  return [...new Set([...all.flatMap(portsInWord), ...alone, ...ofEnv].filter((n) => n > 0 && n < 65536))].slice(0, 8);
}

const quantities = v.nullish(v.record(text, v.pipe(v.union([text, v.number()]), v.transform(String))), {});

/** What a container asks for and may use, by resource. */
export const resourceList = v.optional(v.object({ requests: quantities, limits: quantities }));

const words = v.nullish(v.array(text), []);
const container = v.pipe(
  v.object({
    name: text,
    image: v.optional(text, ''),
    restartPolicy: optionalText,
    ports: list(containerPort),
    readinessProbe: v.optional(probe),
    startupProbe: v.optional(probe),
    resources: resourceList,
    command: words,
    args: words,
    env: v.nullish(v.array(v.object({ name: text, value: optionalText })), []),
    portHints: v.optional(v.array(v.number())),
    lifecycle: v.exactOptional(v.object({ preStop: v.exactOptional(v.object({})) })),
  }),
  // Of a command and of variables nothing is kept but the numbers that may be ports.
  v.transform(({ command, args, env, portHints, ...kept }) => ({ ...kept, portHints: portHints ?? portsNamed([...command, ...args], env) })),
);

const nodeSelectorTerm = v.object({
  matchExpressions: list(v.object({ key: text, operator: v.picklist(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']), values: list(text) })),
});

export const podSpec = v.object({
  containers: v.array(container),
  initContainers: list(container),
  nodeSelector: v.nullish(v.record(text, text), {}),
  tolerations: list(v.object({ key: optionalText, operator: optionalText, value: optionalText, effect: optionalText })),
  affinity: v.nullish(
    v.object({
      nodeAffinity: v.nullish(v.object({ requiredDuringSchedulingIgnoredDuringExecution: v.nullish(v.object({ nodeSelectorTerms: list(nodeSelectorTerm) })) })),
    }),
  ),
  nodeName: optionalText,
  hostNetwork: v.optional(v.boolean(), false),
  dnsPolicy: v.optional(text, 'ClusterFirst'),
  dnsConfig: v.nullish(
    v.object({
      nameservers: list(text),
      searches: list(text),
      options: list(v.object({ name: optionalText, value: v.nullish(text) })),
    }),
  ),
  hostAliases: v.nullish(v.array(v.object({ ip: text, hostnames: list(text) }))),
  hostname: optionalText,
  subdomain: optionalText,
  enableServiceLinks: v.exactOptional(v.boolean()),
  readinessGates: list(v.object({ conditionType: text })),
});

const terminated = v.object({
  exitCode: v.number(),
  signal: v.optional(v.number()),
  reason: v.nullish(text),
  message: v.nullish(text),
  finishedAt: v.nullish(text),
});
export const containerState = v.object({
  waiting: v.nullish(v.object({ reason: v.nullish(text), message: v.nullish(text) })),
  running: v.nullish(v.object({ startedAt: v.nullish(text) })),
  terminated: v.nullish(terminated),
});

const containerStatus = v.object({
  name: text,
  ready: v.optional(v.boolean(), false),
  started: v.nullish(v.boolean()),
  restartCount: v.optional(v.number(), 0),
  image: v.optional(text, ''),
  state: v.optional(containerState, {}),
  lastState: v.optional(containerState, {}),
});

export const pod = v.object({
  metadata: meta,
  spec: podSpec,
  status: v.object({
    phase: v.optional(text, 'Unknown'),
    reason: v.nullish(text),
    message: v.nullish(text),
    podIP: optionalText,
    podIPs: list(v.object({ ip: text })),
    hostIP: optionalText,
    startTime: v.nullish(text),
    conditions: list(condition),
    containerStatuses: list(containerStatus),
    initContainerStatuses: list(containerStatus),
  }),
});

const reached = v.object({ restartPolicy: optionalText, ports: list(containerPort) });
/** The parts of a pod that policies read: of many pods this is much less than the whole. */
export const podForPolicies = v.object({
  metadata: v.object({ name: text, namespace: v.optional(text, ''), labels }),
  spec: v.object({ containers: v.array(reached), initContainers: list(reached), nodeName: optionalText, hostNetwork: v.optional(v.boolean(), false) }),
  status: v.object({ phase: v.optional(text, 'Unknown'), podIP: optionalText, podIPs: list(v.object({ ip: text })) }),
});

/** matchLabels and matchExpressions, as `metav1.LabelSelector` has them. */
export const labelSelector = v.object({
  matchLabels: labels,
  matchExpressions: list(v.object({ key: text, operator: v.picklist(['In', 'NotIn', 'Exists', 'DoesNotExist']), values: list(text) })),
});

/** Deployment, ReplicaSet, StatefulSet and DaemonSet: what they have in common. */
export const workload = v.object({
  metadata: tracked,
  spec: v.object({
    replicas: v.nullish(v.number()),
    selector: v.optional(labelSelector),
    minReadySeconds: v.exactOptional(v.number()),
    progressDeadlineSeconds: v.exactOptional(v.number()),
    /** Of a Deployment. */
    paused: v.exactOptional(v.boolean()),
    /** Of a StatefulSet. */
    podManagementPolicy: v.exactOptional(text),
    /** Of a StatefulSet or a DaemonSet. */
    updateStrategy: v.exactOptional(v.object({ type: v.exactOptional(text), rollingUpdate: v.nullish(v.object({ partition: v.exactOptional(v.number()) })) })),
    /** Of a Deployment. */
    strategy: v.exactOptional(
      v.object({
        type: v.exactOptional(text),
        rollingUpdate: v.exactOptional(v.object({ maxUnavailable: v.exactOptional(intOrString), maxSurge: v.exactOptional(intOrString) })),
      }),
    ),
    template: v.object({ metadata: v.optional(v.object({ labels }), {}), spec: podSpec }),
  }),
  status: v.optional(
    v.object({
      replicas: v.nullish(v.number()),
      readyReplicas: v.nullish(v.number()),
      updatedReplicas: v.nullish(v.number()),
      updateRevision: v.nullish(text),
      desiredNumberScheduled: v.nullish(v.number()),
      updatedNumberScheduled: v.nullish(v.number()),
      numberReady: v.nullish(v.number()),
      conditions: list(condition),
    }),
    {},
  ),
});

/** policy/v1. */
export const disruptionBudget = v.object({
  metadata: meta,
  spec: v.object({ minAvailable: v.exactOptional(intOrString), maxUnavailable: v.exactOptional(intOrString), selector: v.nullish(labelSelector) }),
  status: v.optional(
    v.object({
      disruptionsAllowed: v.optional(v.number(), 0),
      currentHealthy: v.optional(v.number(), 0),
      desiredHealthy: v.optional(v.number(), 0),
      expectedPods: v.optional(v.number(), 0),
    }),
    {},
  ),
});

export const event = v.object({
  metadata: meta,
  involvedObject: v.object({ kind: optionalText, name: optionalText, namespace: optionalText, uid: optionalText }),
  reason: v.nullish(text, ''),
  message: v.nullish(text, ''),
  type: v.nullish(text, ''),
  count: v.nullish(v.number()),
  lastTimestamp: v.nullish(text),
  eventTime: v.nullish(text),
  series: v.nullish(v.object({ lastObservedTime: v.nullish(text) })),
});

export const namespace = v.object({ metadata: meta, status: v.optional(v.object({ phase: optionalText, conditions: list(condition) }), {}) });

export const node = v.object({
  metadata: meta,
  spec: v.optional(
    v.object({
      podCIDRs: list(text),
      unschedulable: v.optional(v.boolean(), false),
      taints: list(v.object({ key: text, value: v.optional(text, ''), effect: text })),
    }),
    {},
  ),
  status: v.optional(
    v.object({
      conditions: list(condition),
      addresses: list(v.object({ type: text, address: text })),
      images: list(v.object({ names: list(text) })),
      nodeInfo: v.optional(v.object({ kubeletVersion: v.optional(text, '') })),
      allocatable: quantities,
    }),
    {},
  ),
});

const policyPort = v.object({
  protocol: v.optional(v.picklist(['TCP', 'UDP', 'SCTP']), 'TCP'),
  port: v.optional(intOrString),
  endPort: v.optional(v.number()),
});
const policyPeer = v.object({
  podSelector: v.optional(labelSelector),
  namespaceSelector: v.optional(labelSelector),
  ipBlock: v.optional(v.object({ cidr: text, except: list(text) })),
});

export const networkPolicy = v.object({
  metadata: tracked,
  spec: v.object({
    podSelector: v.optional(labelSelector, {}),
    policyTypes: list(text),
    ingress: list(v.object({ from: list(policyPeer), ports: list(policyPort) })),
    egress: list(v.object({ to: list(policyPeer), ports: list(policyPort) })),
  }),
});

/** The names of a policy of any kind. */
export const policyMeta = v.object({ name: text, namespace: v.optional(text, '') });

/** A policy of a kind that plug-ins define: its own room reads it, so its spec is kept whole. */
export const pluginPolicy = v.object({
  apiVersion: text,
  kind: text,
  metadata: policyMeta,
  spec: v.optional(v.looseObject({})),
  specs: v.optional(v.array(v.looseObject({}))),
});

export const configMap = v.object({ metadata: tracked, data: v.nullish(v.record(text, text), {}) });

export type DisruptionBudget = v.InferOutput<typeof disruptionBudget>;
export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type Service = v.InferOutput<typeof service>;
export type ServicePort = v.InferOutput<typeof servicePort>;
export type EndpointSlice = v.InferOutput<typeof endpointSlice>;
export type Pod = v.InferOutput<typeof pod>;
export type Condition = v.InferOutput<typeof condition>;
export type PodForPolicies = v.InferOutput<typeof podForPolicies>;
export type ContainerStatus = v.InferOutput<typeof containerStatus>;
export type Workload = v.InferOutput<typeof workload>;
export type Event = v.InferOutput<typeof event>;
export type Namespace = v.InferOutput<typeof namespace>;
export type Node = v.InferOutput<typeof node>;
export type LabelSelector = v.InferOutput<typeof labelSelector>;
export type NetworkPolicy = v.InferOutput<typeof networkPolicy>;
export type PluginPolicy = v.InferOutput<typeof pluginPolicy>;
export type ConfigMap = v.InferOutput<typeof configMap>;
