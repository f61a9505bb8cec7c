/**
 * Small random clusters with planted faults, and a naive predictor that knows nothing of src/model: it asks the cluster itself,
 * which is a few plain tables, and never its API objects. From what it says come the facts that a run would have gathered.
 */
import type { Code } from '../../src/catalog/codes.ts';
import { seen, unseen } from '../../src/facts/fact.ts';
import { type Connection, factNames, type FactName, type Facts, type NodeRules } from '../../src/facts/facts.ts';
import type { EndpointSlice, NetworkPolicy, Pod, Service, Workload } from '../../src/facts/objects.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const base = recordingOf('policy-wrong-label').facts;
const dnsIp = '10.96.0.10';
const virtualIp = '10.96.7.7';
const namespace = 'shop';
const nodeNames = ['node1', 'node2', 'node3'] as const;
type NodeName = (typeof nodeNames)[number];

interface PodSpec {
  name: string;
  address: string;
  node: NodeName;
  /** What its program listens on; empty: it does not run. */
  listens: { address: string; port: number }[];
  /** What keeps it from being ready. */
  trouble: 'readiness-failing' | 'image-pull-failing' | 'container-crashing' | 'pods-unschedulable' | 'node-not-ready' | null;
}

/** A cluster as it is: what is written in its objects, and what its machines do. */
export interface Cluster {
  headless: boolean;
  selector: Record<string, string>;
  servicePort: number;
  targetPort: number | string;
  /** Name and number of the containers' port. */
  containerPort: { name: string; number: number };
  excluded: boolean;
  local: boolean;
  replicas: number;
  pods: PodSpec[];
  client: NodeName;
  policies: NetworkPolicy[];
  /** Who is kept from whom, as the plug-in does it: `egress`, `ingress`, `dns`. */
  closed: Set<'egress' | 'ingress' | 'dns'>;
  /** Nodes whose rules for the Service's address are wrong: where they send packets; null: there are none. */
  rules: Partial<Record<NodeName, string[] | null>>;
  /** Pairs of nodes between which packets are dropped. */
  cut: Set<string>;
  down: Set<NodeName>;
  dnsPodsReady: boolean;
  dnsSelects: boolean;
  planted: Code[];
}

type Draw = (n: number) => number;

const podLabels = { app: 'shop' };
const addressOf = (i: number, node: NodeName) => `10.244.${nodeNames.indexOf(node) + 1}.${20 + i}`;

function healthy(draw: Draw): Cluster {
  const replicas = 1 + draw(3);
  const port = [80, 8000, 9000][draw(3)] ?? 80;
  const headless = draw(5) === 0;
  // A headless Service is right where its own port is the program's.
  const program = headless ? port : ([8080, 3000, 5000][draw(3)] ?? 8080);
  const pods = Array.from({ length: replicas }, (_, i): PodSpec => {
    const node = nodeNames[draw(3)] ?? 'node1';
    return { name: `shop-${i}`, address: addressOf(i, node), node, listens: [{ address: '0.0.0.0', port: program }], trouble: null };
  });
  return {
    headless,
    selector: podLabels,
    servicePort: port,
    targetPort: draw(2) === 0 ? 'http' : program,
    containerPort: { name: 'http', number: program },
    excluded: false,
    local: false,
    replicas,
    pods,
    client: nodeNames[draw(3)] ?? 'node1',
    policies: draw(3) === 0 ? [policy('lets-in', 'ingress', { app: 'client' })] : [],
    closed: new Set(),
    rules: {},
    cut: new Set(),
    down: new Set(),
    dnsPodsReady: true,
    dnsSelects: true,
    planted: [],
  };
}

const meta = (name: string) => ({ name, namespace, uid: name, labels: {}, ownerReferences: [], owners: [], history: [] });
const selectorOf = (matchLabels: Record<string, string>) => ({ matchLabels, matchExpressions: [] });

/** A policy for the Service's pods (ingress) or the client (egress) that allows only pods with these labels. */
function policy(name: string, direction: 'ingress' | 'egress', allowed: Record<string, string> | 'dns' | null): NetworkPolicy {
  const dns = { to: [{ namespaceSelector: selectorOf({ 'kubernetes.io/metadata.name': 'kube-system' }) }], ports: [] };
  const peers = allowed === null || allowed === 'dns' ? [] : [{ podSelector: selectorOf(allowed) }];
  return {
    metadata: meta(name),
    spec: {
      podSelector: selectorOf(direction === 'ingress' ? podLabels : { app: 'client' }),
      policyTypes: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      ingress: direction === 'ingress' && peers.length > 0 ? [{ from: peers, ports: [] }] : [],
      egress: direction === 'egress' ? [...(allowed === 'dns' ? [dns] : []), ...(peers.length > 0 ? [{ to: peers, ports: [] }] : [])] : [],
    },
  };
}

/** Plants a fault, or answers false where this cluster has no place for it. */
type Fault = (c: Cluster, draw: Draw) => boolean;

const troubled =
  (trouble: NonNullable<PodSpec['trouble']>): Fault =>
  (c) => {
    if (c.pods.length === 0 || c.pods.some((p) => p.trouble)) return false;
    for (const p of c.pods) {
      p.trouble = trouble;
      if (trouble !== 'readiness-failing') p.listens = [];
      if (trouble === 'node-not-ready') c.down.add(p.node);
    }
    return trouble !== 'node-not-ready' || !c.down.has(c.client);
  };

const faults: Partial<Record<Code, Fault>> = {
  'selector-mismatch': (c) => {
    c.selector = { app: 'shopp' };
    return c.replicas > 0;
  },
  'no-replicas': (c) => {
    c.replicas = 0;
    c.pods = [];
    return c.selector === podLabels;
  },
  'named-port-missing': (c) => {
    if (typeof c.targetPort !== 'string') return false;
    c.targetPort = 'web';
    return true;
  },
  'target-port-not-listening': (c) => {
    if (c.headless || typeof c.targetPort === 'string' || c.pods.some((p) => p.listens.some((l) => l.address !== '0.0.0.0'))) return false;
    c.targetPort += 7;
    return true;
  },
  'headless-port-mismatch': (c) => {
    if (!c.headless || typeof c.targetPort === 'string') return false;
    c.servicePort += 1;
    return true;
  },
  'listens-on-loopback': (c) => {
    if (c.targetPort !== 'http' && c.targetPort !== c.containerPort.number) return false;
    if (c.headless && c.servicePort !== c.containerPort.number) return false;
    for (const p of c.pods) p.listens = p.listens.map((l) => ({ ...l, address: '127.0.0.1' }));
    return c.pods.some((p) => p.listens.length > 0);
  },
  'readiness-failing': troubled('readiness-failing'),
  'image-pull-failing': troubled('image-pull-failing'),
  'container-crashing': troubled('container-crashing'),
  'pods-unschedulable': troubled('pods-unschedulable'),
  'node-not-ready': troubled('node-not-ready'),
  'policy-denies-ingress': (c) => {
    c.policies = [...c.policies.filter((p) => p.metadata.name !== 'lets-in'), policy('default-deny', 'ingress', null)];
    c.closed.add('ingress');
    return !c.closed.has('egress');
  },
  'policy-denies-egress': (c) => {
    if (c.closed.size > 0) return false;
    c.policies = [...c.policies, policy('client-dns-only', 'egress', 'dns')];
    c.closed.add('egress');
    return true;
  },
  'policy-denies-dns': (c) => {
    if (c.closed.has('egress')) return false;
    c.policies = [...c.policies, policy('client-shop-only', 'egress', podLabels)];
    c.closed.add('dns');
    return true;
  },
  'kube-proxy-rules-missing': (c) => {
    if (c.headless || c.excluded || c.client in c.rules) return false;
    c.rules = { ...c.rules, [c.client]: null };
    return true;
  },
  'kube-proxy-rules-stale': (c) => {
    if (c.headless || c.excluded || c.client in c.rules) return false;
    c.rules = { ...c.rules, [c.client]: ['10.244.9.9:8080'] };
    return true;
  },
  'service-excluded-from-proxy': (c) => {
    if (c.headless || c.client in c.rules) return false;
    c.excluded = true;
    return true;
  },
  'local-policy-no-endpoint': (c) => {
    if (c.headless || c.excluded || c.pods.some((p) => p.node === c.client)) return false;
    c.local = true;
    return c.pods.length > 0;
  },
  'cross-node-unreachable': (c) => {
    const far = c.pods.filter((p) => p.node !== c.client);
    const [first] = far;
    if (!first) return false;
    c.cut.add(`${c.client} ${first.node}`);
    return true;
  },
  'dns-pods-down': (c) => {
    c.dnsPodsReady = false;
    return c.dnsSelects;
  },
  'dns-service-broken': (c) => {
    c.dnsSelects = false;
    return c.dnsPodsReady;
  },
};
export const plantable = Object.keys(faults) as Code[];

/** A cluster with up to three faults; those for which it has no place are left out. */
export function clusterOf(draw: Draw): Cluster {
  for (;;) {
    const cluster = healthy(draw);
    const wanted = draw(8) === 0 ? 0 : 1 + draw(3);
    let fits = true;
    for (let i = 0; i < wanted; i++) {
      const code = plantable[draw(plantable.length)] as Code;
      if (cluster.planted.includes(code)) continue;
      if (!faults[code]?.(cluster, draw)) {
        fits = false;
        break;
      }
      cluster.planted.push(code);
    }
    if (fits) return cluster;
  }
}

// --- The naive predictor: tables of the cluster, asked one after the other.

/** The pods that the Service's requests can get to. */
export const reachable = (c: Cluster): PodSpec[] =>
  c.selector['app'] === 'shop' && (typeof c.targetPort === 'number' || c.targetPort === 'http') ? c.pods.filter((p) => p.trouble === null) : [];

const programPort = (c: Cluster): number => (typeof c.targetPort === 'number' ? c.targetPort : c.containerPort.number);
/** The port on a pod to which clients connect. */
const dialled = (c: Cluster): number => (c.headless ? c.servicePort : programPort(c));

type Outcome = Connection['outcome'];

function toPod(c: Cluster, pod: PodSpec): Outcome {
  if (c.closed.has('egress')) return 'timed-out';
  if (c.cut.has(`${c.client} ${pod.node}`)) return 'timed-out';
  if (c.closed.has('ingress')) return 'timed-out';
  return pod.listens.some((l) => l.port === dialled(c) && l.address === '0.0.0.0') ? 'answered' : 'refused';
}

const backendsOn = (c: Cluster, node: NodeName): PodSpec[] => reachable(c).filter((p) => !c.local || p.node === node);

function toVirtualIp(c: Cluster, draw: Draw): Outcome {
  if (c.excluded) return 'timed-out';
  if (c.client in c.rules) return 'timed-out';
  const to = backendsOn(c, c.client);
  const chosen = to[draw(Math.max(1, to.length))];
  return chosen ? toPod(c, chosen) : c.local && reachable(c).length > 0 ? 'timed-out' : 'refused';
}

const lookup = (c: Cluster): Outcome => (c.closed.has('dns') || !c.dnsPodsReady || !c.dnsSelects ? 'dns-timed-out' : 'answered');

/** DNS answers with the virtual IP, or with the ready pods, whatever their ports. */
const answersOf = (c: Cluster): string[] =>
  c.headless ? c.pods.filter((p) => p.trouble === null && c.selector['app'] === 'shop').map((p) => p.address) : [virtualIp];

/** Faults of which nothing can be seen while another one is there: what it breaks comes later on the way. */
export function hidden(c: Cluster): Set<Code> {
  const has = (code: Code) => c.planted.includes(code);
  const gone = new Set<Code>();
  const hide = (...codes: Code[]) => codes.forEach((x) => gone.add(x));
  if (has('selector-mismatch'))
    hide('named-port-missing', 'readiness-failing', 'image-pull-failing', 'container-crashing', 'pods-unschedulable', 'node-not-ready', 'no-replicas');
  if (c.pods.length === 0) hide('named-port-missing', 'readiness-failing', 'image-pull-failing', 'container-crashing', 'pods-unschedulable', 'node-not-ready');
  if (reachable(c).length === 0) {
    hide('target-port-not-listening', 'headless-port-mismatch', 'listens-on-loopback');
    hide('kube-proxy-rules-missing', 'local-policy-no-endpoint', 'cross-node-unreachable');
  }
  // Policies are judged for pods that are not ready, too; those without an address, or without the port, are no endpoints.
  const isListed = !has('selector-mismatch') && !has('named-port-missing') && c.pods.some((p) => p.trouble !== 'pods-unschedulable');
  if (reachable(c).length === 0 && !isListed) hide('policy-denies-ingress', 'policy-denies-egress');
  // Of a port that nobody dials it does not matter on which address the program has it.
  if (has('headless-port-mismatch')) hide('listens-on-loopback');
  // A node without an endpoint of its own has to drop the packets anyway.
  if (has('local-policy-no-endpoint')) hide('kube-proxy-rules-missing');
  return gone;
}

// --- The facts of a run

const ready = (status: 'True' | 'False' | 'Unknown', reason = '') => [{ type: 'Ready', status, reason, message: '', lastTransitionTime: '' }];

function podObject(c: Cluster, p: PodSpec): Pod {
  const running = { running: { startedAt: '' } };
  const container = { name: 'web', ready: p.trouble === null, started: true, restartCount: 0, image: 'shop:1', state: running, lastState: {} };
  const status = {
    'image-pull-failing': { ...container, ready: false, state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } } },
    'container-crashing': {
      ...container,
      ready: false,
      restartCount: 4,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    },
    'readiness-failing': { ...container, ready: false },
    'node-not-ready': { ...container, ready: true },
    'pods-unschedulable': container,
  };
  const placed = p.trouble !== 'pods-unschedulable';
  return {
    metadata: { ...meta(p.name), labels: podLabels, ownerReferences: [{ kind: 'ReplicaSet', name: 'shop-1', controller: true }] },
    spec: {
      containers: [
        {
          name: 'web',
          image: 'shop:1',
          ports: [{ name: c.containerPort.name, containerPort: c.containerPort.number, protocol: 'TCP' }],
          portHints: [],
          ...(p.trouble === 'readiness-failing' && {
            readinessProbe: { httpGet: { path: '/', port: 1 }, initialDelaySeconds: 0, periodSeconds: 1, failureThreshold: 3 },
          }),
        },
      ],
      initContainers: [],
      nodeSelector: {},
      tolerations: [],
      ...(placed && { nodeName: p.node }),
      hostNetwork: false,
      dnsPolicy: 'ClusterFirst',
      readinessGates: [],
    },
    status: {
      phase: placed && p.trouble !== 'image-pull-failing' ? 'Running' : 'Pending',
      podIP: placed ? p.address : undefined,
      podIPs: placed ? [{ ip: p.address }] : [],
      conditions: placed
        ? ready(p.trouble === null ? 'True' : 'False')
        : [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' }],
      containerStatuses: placed ? [p.trouble === null ? container : status[p.trouble]] : [],
      initContainerStatuses: [],
    },
  };
}

function serviceObject(c: Cluster): Service {
  const address = c.headless ? 'None' : virtualIp;
  return {
    metadata: { ...meta('shop'), labels: c.excluded ? { 'service.kubernetes.io/service-proxy-name': 'other' } : {} },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ports: [{ name: 'http', protocol: 'TCP', port: c.servicePort, targetPort: c.targetPort }],
      selector: c.selector,
      externalIPs: [],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: c.local ? 'Local' : 'Cluster',
      publishNotReadyAddresses: false,
      loadBalancerSourceRanges: [],
    },
    status: { loadBalancer: { ingress: [] } },
  };
}

/** As the EndpointSlice controller writes it: pods without an address or without the named port are left out. */
function sliceObjects(c: Cluster): EndpointSlice[] {
  const placed = c.selector['app'] === 'shop' ? c.pods.filter((p) => p.trouble !== 'pods-unschedulable') : [];
  const named = typeof c.targetPort === 'number' || c.targetPort === c.containerPort.name;
  return [
    {
      metadata: {
        ...meta('shop-abc'),
        labels: { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io', 'kubernetes.io/service-name': 'shop' },
      },
      addressType: 'IPv4',
      ports: named ? [{ name: 'http', protocol: 'TCP', port: programPort(c) }] : [],
      endpoints: placed.map((p) => ({
        addresses: [p.address],
        conditions: { ready: p.trouble === null, serving: p.trouble === null, terminating: false },
        nodeName: p.node,
        targetRef: { kind: 'Pod', name: p.name, namespace },
      })),
    },
  ];
}

type Handling = NonNullable<NodeRules['modes'][string][string]['pod']>;
const plain = { byDefault: false, masquerade: false, affinitySeconds: null, sourceRanges: [], foreign: [], unread: [] };
const forward = (to: string[]): Handling => ({
  ...plain,
  verdict: 'backends',
  backends: to.toSorted().map((x) => ({ to: x, percent: Math.round(1000 / to.length) / 10 })),
});
const none: Handling = { ...plain, verdict: 'not-handled', byDefault: true, backends: [] };
const rejected: Handling = { ...plain, verdict: 'rejected', backends: [] };
const dropped: Handling = { ...plain, verdict: 'dropped', backends: [] };

function rulesFact(c: Cluster): Facts['nodeRules'] {
  const dnsBackends = valueOf(base.dnsSlices)
    .flatMap((s) => s.endpoints.flatMap((e) => e.addresses))
    .map((a) => `${a}:53`);
  const dns = c.dnsPodsReady && c.dnsSelects ? forward(dnsBackends) : rejected;
  const own = (node: NodeName): Handling => {
    const wrong = c.rules[node];
    if (wrong !== undefined) return wrong ? forward(wrong) : none;
    const to = backendsOn(c, node).map((p) => `${p.address}:${programPort(c)}`);
    return to.length > 0 ? forward(to) : reachable(c).length > 0 ? dropped : rejected;
  };
  const up = nodeNames.filter((n) => !c.down.has(n));
  const modeOf = (node: NodeName) => ({
    ...(!c.headless && !c.excluded && { [`${virtualIp}:${c.servicePort}/TCP`]: { pod: own(node), node: own(node) } }),
    [`${dnsIp}:53/UDP`]: { pod: dns, node: dns },
  });
  return seen(Object.fromEntries(up.map((n) => [n, seen({ from: `pod kube-proxy-${n}`, modes: { iptables: modeOf(n) } })])));
}

function connectionsFact(c: Cluster, draw: Draw): Facts['connections'] {
  const what = 'real connections from the client';
  if (reachable(c).length === 0) return unseen('not-needed', what, 'there is no endpoint to connect to');
  if (c.down.has(c.client)) return unseen('not-possible', what, 'the node is not ready');
  const made = (c1: Pick<Connection, 'kind' | 'hop' | 'target' | 'servicePort' | 'outcome'> & Partial<Connection>): Connection => ({
    pod: null,
    node: null,
    latencyMs: 1,
    detail: '',
    answers: [],
    ...c1,
  });
  const name = lookup(c);
  const list: Connection[] = [
    made({
      kind: 'dns',
      hop: 'name',
      target: `shop.${namespace}.svc.cluster.local`,
      servicePort: null,
      outcome: name,
      answers: name === 'answered' ? answersOf(c) : [],
    }),
    ...(c.headless
      ? []
      : [made({ kind: 'tcp', hop: 'virtual-ip', target: `${virtualIp}:${c.servicePort}`, servicePort: c.servicePort, outcome: toVirtualIp(c, draw) })]),
    ...reachable(c).map((p) =>
      made({ kind: 'tcp', hop: 'endpoint', target: `${p.address}:${dialled(c)}`, servicePort: c.servicePort, pod: p.name, node: p.node, outcome: toPod(c, p) }),
    ),
  ];
  return seen({
    from: 'pod/client',
    standIn: false,
    node: c.client,
    endpointsTotal: reachable(c).length,
    resolvConf: `search ${namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver ${dnsIp}\noptions ndots:5\n`,
    list,
  });
}

const clientPod = (c: Cluster): Pod => ({
  ...podObject(c, { name: 'client', address: '10.244.8.8', node: c.client, listens: [], trouble: null }),
  metadata: { ...meta('client'), labels: { app: 'client' } },
});

function workloadObject(c: Cluster): Workload {
  const placed = c.pods.filter((p) => p.trouble === null).length;
  return {
    metadata: { ...meta('shop'), labels: podLabels },
    spec: {
      replicas: c.replicas,
      selector: selectorOf(podLabels),
      template: {
        metadata: { labels: podLabels },
        spec: podObject(c, c.pods[0] ?? { name: 'x', address: '', node: 'node1', listens: [], trouble: null }).spec,
      },
    },
    status: { replicas: c.pods.length, readyReplicas: placed, conditions: [] },
  };
}

const dnsPodsOf = (c: Cluster): Pod[] =>
  valueOf(base.dnsPods).map((p) =>
    c.dnsPodsReady
      ? p
      : {
          ...p,
          status: {
            ...p.status,
            conditions: ready('False'),
            containerStatuses: p.status.containerStatuses.map((s) => ({ ...s, ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } })),
          },
        },
  );

/** All facts of a run in which nothing is refused. */
export function factsOf(c: Cluster, draw: Draw): Facts {
  const unneeded = Object.fromEntries(factNames.map((n) => [n, unseen('not-needed', n, 'it was not needed')])) as unknown as Facts;
  const connections = connectionsFact(c, draw);
  const failing = connections.seen ? connections.value.list.filter((x) => x.outcome !== 'answered') : [];
  const service = serviceObject(c);
  const dns = valueOf(base.dnsService) as Service;
  const client = clientPod(c);
  const answers = answersOf(c);
  const pods = c.pods.map((p) => podObject(c, p));
  const lostTo = [
    ...new Map(
      c.pods
        .filter((p) => p.node !== c.client && failing.some((f) => f.hop === 'endpoint' && f.pod === p.name && f.outcome === 'timed-out'))
        .map((p) => [p.node, p]),
    ).values(),
  ];
  return {
    ...unneeded,
    target: seen({ namespace, name: 'shop', from: { kind: 'pod', namespace, name: 'client' }, probe: 'auto', nodes: 10, matrix: false }),
    service: seen(service),
    slices: seen(sliceObjects(c)),
    pods: seen([...pods, client]),
    deployments: seen([workloadObject(c)]),
    replicaSets: seen([]),
    statefulSets: seen([]),
    daemonSets: seen([]),
    events: seen(
      c.pods
        .filter((p) => p.trouble === 'readiness-failing')
        .map((p) => ({
          metadata: meta(`${p.name}.1`),
          involvedObject: { kind: 'Pod', name: p.name, namespace },
          reason: 'Unhealthy',
          message: 'Readiness probe failed: HTTP probe failed with statuscode: 503',
          type: 'Warning',
        })),
    ),
    client: seen({
      kind: 'pod',
      namespace,
      name: 'client',
      node: c.client,
      labels: { app: 'client' },
      addresses: ['10.244.8.8'],
      hostNetwork: false,
      pod: client,
    }),
    namespaces: seen({
      [namespace]: seen({ metadata: { ...meta(namespace), labels: { 'kubernetes.io/metadata.name': namespace } }, status: { conditions: [] } }),
    }),
    policies: seen({ [namespace]: seen(c.policies), 'kube-system': seen([]) }),
    pluginPolicies: seen({}),
    networkDaemons: base.networkDaemons,
    nodes: seen(
      valueOf(base.nodes).map((n) =>
        c.down.has(n.metadata.name as NodeName) ? { ...n, status: { ...n.status, conditions: ready('Unknown', 'NodeStatusUnknown') } } : n,
      ),
    ),
    dnsService: seen(c.dnsSelects ? dns : { ...dns, spec: { ...dns.spec, selector: { 'k8s-app': 'core-dns' } } }),
    dnsSlices: seen(c.dnsPodsReady && c.dnsSelects ? valueOf(base.dnsSlices) : []),
    dnsPods: seen(dnsPodsOf(c)),
    dnsWorkload: base.dnsWorkload,
    corefile: base.corefile,
    corefileCustom: base.corefileCustom,
    nodeLocalPods: base.nodeLocalPods,
    dnsAnswers: c.dnsPodsReady
      ? seen(
          Object.fromEntries(
            valueOf(base.dnsPods).map((p) => [
              p.metadata.name,
              seen({ question: `shop.${namespace}.svc.cluster.local A`, rcode: 'NOERROR', addresses: answers, cname: null, latencyMs: 1, srv: [], more: [] }),
            ]),
          ),
        )
      : unneeded.dnsAnswers,
    proxyPods: base.proxyPods,
    proxyWorkload: base.proxyWorkload,
    proxyMode: base.proxyMode,
    ciliumPods: base.ciliumPods,
    nodeRules: rulesFact(c),
    connections,
    listeners:
      failing.length > 0
        ? seen(
            Object.fromEntries(reachable(c).map((p) => [p.name, seen({ sockets: p.listens.map((l) => ({ protocol: 'tcp' as const, ...l })), forwarded: {} })])),
          )
        : unneeded.listeners,
    routes:
      lostTo.length > 0
        ? seen(
            Object.fromEntries(
              lostTo.map((p) => {
                const routeWorks = !c.cut.has(`${c.client} ${p.node}`);
                const route = routeWorks ? `${p.address} via 10.77.0.1` : `blackhole ${p.address}`;
                return [`${c.client} → ${p.address}`, seen({ node: c.client, to: p.address, route, leads: routeWorks })];
              }),
            ),
          )
        : unneeded.routes,
  };
}

/** Evidence that a run can be refused. */
export const hideable: readonly FactName[] = [
  'pods',
  'slices',
  'policies',
  'nodes',
  'events',
  'deployments',
  'dnsService',
  'dnsPods',
  'dnsSlices',
  'nodeRules',
  'connections',
  'listeners',
  'routes',
  'proxyPods',
  'dnsAnswers',
  'namespaces',
];
