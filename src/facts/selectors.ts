import type { Connection, Connections } from './facts.ts';
import type { ContainerStatus, EndpointSlice, LabelSelector, Node, Pod, Service } from './objects.ts';
import { derived } from './derived.ts';

export type Labels = Record<string, string>;

/** As `ipFamilies` of a Service and `addressType` of an EndpointSlice write it. */
export type Family = 'IPv4' | 'IPv6';
export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function splitTarget(target: string): { address: string; port: number } {
  const at = target.lastIndexOf(':');
  return { address: target.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(target.slice(at + 1)) };
}

interface Restarting {
  restartPolicy?: string | null | undefined;
}

/** Init containers that go on running beside the others (Kubernetes documentation, "Sidecar Containers"). */
export const isSidecar = ({ restartPolicy }: Restarting): boolean => restartPolicy === 'Always';

/** The containers that run as long as their pod: its own and its sidecars. Each of them may be the one that serves. */
export const lasting = <C extends Restarting>({ containers, initContainers }: { containers: readonly C[]; initContainers: readonly C[] }): C[] => [
  ...containers,
  ...initContainers.filter(isSidecar),
];

/** The numbers of the ports that a pod's containers declare, which is only documentation: a program may listen elsewhere. */
export const declaredPorts = ({ spec }: Pod, protocol: string): number[] =>
  lasting(spec).flatMap((c) => c.ports.filter((p) => p.protocol === protocol).map((p) => p.containerPort));

/** The ports that its readiness probes connect to: numbers, or names of declared ones. */
export const probedPorts = ({ spec }: Pod): (number | string)[] =>
  lasting(spec).flatMap(({ readinessProbe: probe }) => [probe?.httpGet?.port, probe?.tcpSocket?.port, probe?.grpc?.port].filter((p) => p !== undefined));

export const isSidecarIn = ({ spec }: Pod, container: string): boolean => spec.initContainers.some((c) => c.name === container && isSidecar(c));

/** The states of those containers; the sidecars first, the others wait for them. */
export const lastingStatuses = (pod: Pod): ContainerStatus[] => [
  ...pod.status.initContainerStatuses.filter((s) => isSidecarIn(pod, s.name)),
  ...pod.status.containerStatuses,
];

/** A Service's selector against labels: every pair must be there. An empty or absent selector selects nothing (Service API, `spec.selector`). */
export const selects = (selector: Labels | null | undefined, labels: Labels): boolean =>
  selector != null && Object.keys(selector).length > 0 && Object.entries(selector).every(([k, x]) => labels[k] === x);

interface AnySelector {
  matchLabels?: Labels | null | undefined;
  matchExpressions?: LabelSelector['matchExpressions'] | null | undefined;
}

/** A label may be called `constructor`: only what is the object's own is a label. */
const labelOf = (labels: Labels, key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);

function isMet({ operator, values }: LabelSelector['matchExpressions'][number], have: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return have !== undefined && values.includes(have);
    case 'NotIn':
      return have === undefined || !values.includes(have);
    case 'Exists':
      return have !== undefined;
    case 'DoesNotExist':
      return have === undefined;
  }
}

/** A `metav1.LabelSelector` against labels: all requirements must hold; an empty one selects everything. */
export function matchesLabels(selector: AnySelector, labels: Labels): boolean {
  for (const key in selector.matchLabels) if (labelOf(labels, key) !== selector.matchLabels[key]) return false;
  for (const e of selector.matchExpressions ?? []) if (!isMet(e, labelOf(labels, e.key))) return false;
  return true;
}

/** The first requirement of a selector that labels don't meet, in words; undefined where all are met. */
export function firstMismatch(selector: AnySelector, labels: Labels): string | undefined {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const have = labelOf(labels, key);
    if (have !== value) return `wants ${key}=${value}, ${have === undefined ? `there is no label ${key}` : `it has ${key}=${have}`}`;
  }
  for (const e of selector.matchExpressions ?? []) {
    const have = labelOf(labels, e.key);
    if (!isMet(e, have))
      return `wants ${e.key} ${e.operator}${e.values.length ? ` (${e.values.join(', ')})` : ''}, ${have === undefined ? 'it is absent' : `it is ${have}`}`;
  }
  return undefined;
}

/** Labels that controllers give to each pod, or each rollout, of its own. */
const generated =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|controller-uid|job-name|statefulset\.kubernetes\.io\/pod-name|apps\.kubernetes\.io\/pod-index|batch\.kubernetes\.io\/.*)$/;

/** The labels that a person gave; the others identify one pod, or one rollout. */
export const ownLabels = (labels: Labels): Labels => Object.fromEntries(Object.entries(labels).filter(([k]) => !generated.test(k)));

export const labelText = (labels: Labels | null | undefined): string =>
  Object.entries(labels ?? {})
    .map(([k, x]) => `${k}=${x}`)
    .join(',');

/** Finished pods keep their address for a while, but nothing is sent to them. */
export const isFinished = (pod: { status: { phase: string } }): boolean => pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';

/** Of a pod or a node: what its conditions say. */
export const isReady = ({ status }: Pick<Pod | Node, 'status'>): boolean => status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

export const kubeletVersionsOf = derived((nodes: readonly Node[]): readonly string[] => nodes.map((n) => n.status.nodeInfo?.kubeletVersion ?? ''));

const selectedBy = derived((service: Service) =>
  derived((pods: readonly Pod[]) =>
    pods.filter((p) => selects(service.spec.selector, p.metadata.labels ?? {}) && !isFinished(p) && !p.metadata.deletionTimestamp),
  ),
);

/** The pods of a Service: selected, not finished, not being deleted. */
export const podsOf = (service: Service, pods: readonly Pod[]): readonly Pod[] => selectedBy(service)(pods);

export interface Endpoint {
  address: string;
  /** Number of the port on the endpoint; null where the slice names none. */
  port: number | null;
  portName: string;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  ready: boolean;
  serving: boolean;
  terminating: boolean;
  node: string | null;
  pod: string | null;
  slice: string;
}

/** The labels by which the slices of Kubernetes' own controller are known. */
export const byController = { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' } as const;

/** Whether Kubernetes' own controller wrote a slice, and not a person or another controller (well-known label managed-by). */
export const isGenerated = (slice: EndpointSlice): boolean =>
  Object.entries(byController).every(([label, controller]) => slice.metadata.labels[label] === controller);

/**
 * The endpoints of slices, one for each address and port. A condition that is unknown counts as true for `ready` and
 * `serving`, as the API says that consumers must read it (discovery.k8s.io/v1, EndpointConditions).
 */
export const endpointsOf = derived((slices: readonly EndpointSlice[]): readonly Endpoint[] =>
  slices.flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((e) =>
      e.addresses.flatMap((address) =>
        ((slice.ports ?? []).length > 0 ? (slice.ports ?? []) : [{ name: '', protocol: 'TCP' as const, port: null }]).map((p) => ({
          address,
          port: p.port ?? null,
          portName: p.name ?? '',
          protocol: p.protocol ?? ('TCP' as const),
          ready: e.conditions?.ready ?? true,
          serving: e.conditions?.serving ?? e.conditions?.ready ?? true,
          terminating: e.conditions?.terminating ?? false,
          node: e.nodeName ?? null,
          pod: e.targetRef?.kind === 'Pod' || e.targetRef?.kind === undefined ? (e.targetRef?.name ?? null) : null,
          slice: slice.metadata.name,
        })),
      ),
    ),
  ),
);

export const isHeadless = (service: Service): boolean => service.spec.clusterIP === 'None';

/** The families in which a Service has addresses (Service API, spec.ipFamilies). */
export const familiesOf = ({ spec }: Service): Family[] => {
  const own = spec.clusterIPs.filter((a) => a !== 'None').map(familyOf);
  return own.length > 0 ? own : (spec.ipFamilies ?? []).map((f) => (f === 'IPv6' ? 'IPv6' : 'IPv4'));
};

/** The Service's ports that were asked about. Undefined where `port` names none of them. */
export function portsAsked(service: Service, port: string | undefined): Service['spec']['ports'] | undefined {
  const ports = service.spec.ports ?? [];
  if (port === undefined) return ports;
  const found = ports.filter((p) => p.name === port || String(p.port) === port);
  return found.length > 0 ? found : undefined;
}

/**
 * The endpoints that requests to a Service port are sent to now: those of the port's name that are ready, or, where none
 * is, those that still serve while they terminate (Kubernetes documentation, "Traffic to terminating endpoints").
 */
export function targetsOf(port: { name: string; protocol: string }, endpoints: readonly Endpoint[]): Endpoint[] {
  const named = endpoints.filter((e) => e.portName === port.name && e.protocol === port.protocol);
  const ready = named.filter((e) => e.ready);
  return ready.length > 0 ? ready : named.filter((e) => e.serving && e.terminating);
}

/**
 * The port of an endpoint that clients connect to. A headless Service has no virtual IP that could translate its port: its name
 * resolves to the pods, and clients use the Service's own port there. null where the EndpointSlice names no port.
 */
export const dialledPort = (service: Service, port: { port: number }, endpoint: Pick<Endpoint, 'port'>): number | null =>
  isHeadless(service) ? port.port : endpoint.port;

/** Names one connection of a run. */
export const connectionKey = (c: Pick<Connection, 'kind' | 'hop' | 'target' | 'servicePort' | 'from'>): string =>
  [c.from ?? '', c.hop, c.kind, c.target, c.servicePort ?? ''].join(' ');

/** The connection did not fail; over UDP silence proves nothing. */
export const isGood = (c: Pick<Connection, 'outcome'>): boolean => c.outcome === 'answered' || c.outcome === 'no-answer';

/** The packet was lost; a refusal is an answer of the other side. */
export const isLost = (c: Pick<Connection, 'outcome'>): boolean => c.outcome === 'timed-out' || c.outcome === 'no-route';

/** Whether every endpoint of a Service port answers the client directly while its virtual IP does not: only the rules of the client's node are between. */
export function virtualIpAloneFails({ list }: Connections): boolean {
  const failing = list.filter((c) => c.hop === 'virtual-ip' && !isGood(c)).map((c) => c.servicePort);
  return failing.some((port) => {
    const direct = list.filter((c) => c.hop === 'endpoint' && c.servicePort === port);
    return direct.length > 0 && direct.every((c) => c.outcome === 'answered');
  });
}
