/**
 * What is known of the cluster in one run: each fact fetched once, seen or unseen with the reason.
 * The schemas are also the form of a capture file; the types are read off them.
 */
import * as v from 'valibot';
import { type Fact, unseenReasons } from './fact.ts';
import * as e from './extension.ts';
import * as f from './front.ts';
import * as m from './mesh.ts';
import * as o from './objects.ts';

const grant = v.object({
  apiGroups: v.array(v.string()),
  resources: v.array(v.string()),
  verbs: v.array(v.string()),
  resourceNames: v.exactOptional(v.array(v.string())),
  namespace: v.exactOptional(v.string()),
});

const unseenSchema = v.object({
  seen: v.literal(false),
  reason: v.picklist(unseenReasons),
  what: v.string(),
  why: v.string(),
  grant: v.exactOptional(grant),
});

const fact = <T extends v.GenericSchema>(value: T) => v.variant('seen', [v.object({ seen: v.literal(true), value }), unseenSchema]);
/** A fact for each of several things (a namespace, a pod, a node), so that unseen is as fine as the thing. */
const each = <T extends v.GenericSchema>(value: T) => v.record(v.string(), fact(value));

/** Whose connection is diagnosed, as asked for. `name` is empty for `namespace` and `external`. */
const clientRef = v.object({
  kind: v.picklist(['pod', 'workload', 'namespace', 'node', 'external']),
  namespace: v.string(),
  name: v.string(),
  /** For `workload`: deployments, statefulsets, daemonsets or replicasets. */
  resource: v.exactOptional(v.string()),
});

/** The question that the diagnosis answers. */
export const target = v.object({
  namespace: v.string(),
  name: v.string(),
  /** Service port, by name or number; absent: all of them. */
  port: v.exactOptional(v.string()),
  from: clientRef,
  probe: v.picklist(['auto', 'none', 'debug-pod', 'ephemeral']),
  /** Of how many nodes the rules are read: the client's first, then those of the endpoints. */
  nodes: v.optional(v.union([v.picklist(['all', 'client']), v.number()]), 10),
  /** Path of a GET that the virtual IPs and endpoints are asked for. */
  http: v.exactOptional(v.string()),
  /** Each node is to try each endpoint. */
  matrix: v.optional(v.boolean(), false),
  /** What could be better, besides what is wrong, is asked for, too. */
  advice: v.exactOptional(v.literal(true)),
  /** What is in front of the Service, where the question began there: an Ingress, a route, a URL, or what makes the API server call it. */
  front: v.exactOptional(
    v.object({
      kind: v.picklist(['ingress', 'route', 'url', 'webhook', 'apiservice']),
      /** Empty for what belongs to no namespace. */
      namespace: v.string(),
      /** Empty for a URL. */
      name: v.string(),
      scheme: v.exactOptional(v.picklist(['http', 'https'])),
      host: v.exactOptional(v.string()),
      path: v.exactOptional(v.string()),
    }),
  ),
  /** The domain of a DNS name as it was typed (`cluster.local`), where it had one. */
  domain: v.exactOptional(v.string()),
});

/** The client as it was found. `pod` is null where a debug pod replaces it. */
const client = v.object({
  kind: v.picklist(['pod', 'debug-pod', 'node', 'external']),
  namespace: v.string(),
  name: v.string(),
  node: v.nullable(v.string()),
  labels: v.record(v.string(), v.string()),
  addresses: v.array(v.string()),
  hostNetwork: v.boolean(),
  pod: v.nullable(o.pod),
});

const outcomes = ['answered', 'refused', 'timed-out', 'reset', 'no-route', 'no-answer', 'name-not-found', 'dns-timed-out', 'dns-failed'] as const;

/** One connection that was made for real. */
const connection = v.object({
  kind: v.picklist(['dns', 'tcp', 'udp']),
  /** What was reached for: the Service's name, one DNS server with that name, the virtual IP, one endpoint directly, the targetPort of a headless Service's endpoint where clients connect to another port, an endpoint with more than a packet can hold, what `--http` asks for by HTTP, a node's port, what a node answers load balancers that ask after it, or the load balancer. */
  hop: v.picklist(['name', 'dns-server', 'virtual-ip', 'endpoint', 'target-port', 'payload', 'http', 'node-port', 'health-check', 'load-balancer']),
  /** `address:port`, or the name that was looked up. */
  target: v.string(),
  /** The Service port (its number) that this connection belongs to; null for a name. */
  servicePort: v.nullable(v.number()),
  /** The endpoint's pod, where it is one. */
  pod: v.nullable(v.string()),
  node: v.nullable(v.string()),
  outcome: v.picklist(outcomes),
  /** Milliseconds; null where the tool does not measure it. */
  latencyMs: v.nullable(v.number()),
  detail: v.string(),
  /** The addresses that a name resolved to. */
  answers: v.array(v.string()),
  /** Where it was made from, where that is not where the others were. */
  from: v.exactOptional(v.string()),
  /** Of an HTTP answer. */
  status: v.exactOptional(v.number()),
});

const connections = v.object({
  /** Where they were made from: `pod/checkout`, `debug pod k8s-doctor-x2b (node2)`. */
  from: v.string(),
  /** True where another pod was used instead of the client. */
  standIn: v.boolean(),
  node: v.nullable(v.string()),
  list: v.array(connection),
  /** How many endpoints there were, where not all were tried. */
  endpointsTotal: v.number(),
  resolvConf: v.nullable(v.string()),
});

/** Connections from many nodes to many endpoints. */
const matrix = v.object({
  /** Of so many nodes that are ready; fewer of them were asked where there are many. */
  nodesTotal: v.number(),
  endpointsTotal: v.number(),
  rows: v.array(
    v.object({
      node: v.string(),
      /** Why no connection was made from there; empty where some were. */
      problem: v.string(),
      list: v.array(connection),
    }),
  ),
});

/** How a node sends packets to an address. */
const route = v.object({
  node: v.string(),
  to: v.string(),
  /** As ip-route(8) lists it; `none` where there is none. */
  route: v.string(),
  /** False where packets are dropped: no route, or one of type blackhole, unreachable, prohibit. */
  leads: v.boolean(),
  /** The routing rule that decides before the main table, as ip-rule(8) lists it; `table` is null where the rule itself drops packets. */
  rule: v.optional(v.object({ priority: v.number(), text: v.string(), table: v.nullable(v.string()) })),
});

/** Whether a node lets packets through: to its pods and from them, and to itself. */
const forwarding = v.object({
  /** The kernel's switch, by family (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding); null where it was not read. */
  isOn: v.object({ IPv4: v.nullable(v.boolean()), IPv6: v.nullable(v.boolean()) }),
  /** Of the packets without an answer, those that its firewall stops, with the rule or the policy that does. */
  stopped: v.array(
    v.object({
      from: v.string(),
      to: v.string(),
      port: v.number(),
      protocol: v.picklist(['TCP', 'UDP', 'SCTP']),
      /** FORWARD for what it passes on, INPUT for what is sent to the node itself. */
      chain: v.picklist(['FORWARD', 'INPUT']),
      how: v.picklist(['drop', 'reject']),
      rule: v.string(),
    }),
  ),
});

const socket = v.object({ protocol: v.picklist(['tcp', 'udp']), address: v.string(), port: v.number() });
const listeners = v.object({
  /** Read from /proc/net of the pod; null where the pod's image has nothing to read it with. */
  sockets: v.nullable(v.array(socket)),
  /** What a port-forward, which connects to the pod's loopback, found on each port. */
  forwarded: v.record(v.string(), v.picklist(['answered', 'refused'])),
});

const dnsReply = v.object({
  /** The name that was asked for, with its type. */
  question: v.string(),
  rcode: v.string(),
  addresses: v.array(v.string()),
  cname: v.nullable(v.string()),
  latencyMs: v.number(),
  /** Of SRV records: `target:port`. */
  srv: v.optional(v.array(v.string()), []),
});
const dnsAnswer = v.object({
  ...dnsReply.entries,
  /** Further questions, asked over the same stream: SRV of named ports, names of pods, the root for the upstream. */
  more: v.optional(v.array(dnsReply), []),
});

const handling = v.object({
  verdict: v.picklist(['backends', 'rejected', 'dropped', 'not-handled']),
  byDefault: v.boolean(),
  backends: v.array(v.object({ to: v.string(), percent: v.number() })),
  masquerade: v.nullable(v.boolean()),
  affinitySeconds: v.nullable(v.number()),
  sourceRanges: v.array(v.string()),
  foreign: v.optional(v.array(v.string()), []),
  unread: v.array(v.string()),
});
/** What one node's rules do with the Service's packets. */
const nodeRules = v.object({
  /** By whom they were read: `pod kube-proxy-x7`. */
  from: v.string(),
  /** By the kind of rules that the node has (iptables, nftables, ipvs, cilium); by `address:port/protocol`; by where a packet starts. */
  modes: v.record(
    v.string(),
    v.record(v.string(), v.object({ pod: v.exactOptional(handling), node: v.exactOptional(handling), outside: v.exactOptional(handling) })),
  ),
});

/** What a kube-proxy reports about itself; times in seconds since 1970, by the node's own clock. */
const proxyHealth = v.object({
  /** Status of /healthz; null where it does not answer. */
  healthz: v.nullable(v.number()),
  /** When it was asked; null where the answer has no date. */
  askedAt: v.nullable(v.number()),
  /** For each family of addresses: when rules were written last, and when a change last asked for it. */
  syncs: v.array(v.object({ family: v.string(), written: v.number(), queued: v.number() })),
  /** Attempts to write rules that failed since it started. */
  failures: v.number(),
  /** Its answer at /proxyMode. */
  mode: v.optional(v.nullable(v.string()), null),
});

/** A node's table of connections. */
const conntrack = v.object({
  count: v.number(),
  max: v.number(),
  /** The backends of UDP entries for the Service. */
  udp: v.array(v.object({ to: v.string(), backend: v.string() })),
});

/** What is in front of Services: each list is a fact of its own. Kinds that the cluster does not serve are empty lists. */
const front = v.object({
  ingresses: fact(v.array(f.ingress)),
  ingressClasses: fact(v.array(f.ingressClass)),
  routes: fact(v.array(f.route)),
  gateways: fact(v.array(f.gateway)),
  gatewayClasses: fact(v.array(f.gatewayClass)),
  referenceGrants: fact(v.array(f.referenceGrant)),
  namespaces: fact(v.array(o.namespace)),
  services: fact(v.array(o.service)),
  /** By `namespace/name` of those that are named for TLS: whether there is one. What is in it is never read. */
  secrets: each(v.boolean()),
  /** The pods that take the requests, and the Service before them; null where they were not found. */
  proxy: fact(
    v.nullable(v.object({ controller: v.string(), service: v.nullable(v.object({ namespace: v.string(), name: v.string() })), pods: v.array(o.pod) })),
  ),
});

/** What a server's certificate says of itself; times in ISO 8601. */
const certificate = v.object({ names: v.array(v.string()), from: v.string(), to: v.string(), issuer: v.string() });

/** What came back for a request through the proxy. */
const frontAnswer = v.object({
  /** Through which pod, or which address. */
  via: v.string(),
  /** When it was sent, ISO 8601. */
  at: v.string(),
  url: v.string(),
  /** Null: no answer came. */
  status: v.nullable(v.number()),
  /** Why none came. */
  error: v.string(),
  /** Those that show who answered. */
  headers: v.record(v.string(), v.string()),
  /** The first characters of an answer that is an error. */
  body: v.string(),
  certificate: v.nullable(certificate),
  /** The same request, asked of an endpoint directly. */
  direct: v.nullable(v.object({ pod: v.string(), status: v.nullable(v.number()), error: v.string() })),
});

/** Webhooks and APIServices of one name, which make the API server call Services. */
const extension = v.object({
  webhooks: fact(v.array(e.webhookConfiguration)),
  apiService: fact(v.nullable(e.apiService)),
  /** The names of those that there are, where there is none of that name. */
  names: v.array(v.string()),
  /** By `namespace/name` of those that are called; null: there is none. */
  services: each(v.nullable(o.service)),
  /** Addresses of the API servers. */
  apiServers: fact(v.array(v.string())),
});

/** The certificate of a program that the API server calls, and whether caBundle verifies it. */
const servedCertificate = v.object({
  /** The webhook or APIService. */
  of: v.string(),
  service: v.string(),
  pod: v.string(),
  port: v.number(),
  /** When it was asked, ISO 8601. */
  at: v.string(),
  /** Why there was no handshake; empty where there was one. */
  error: v.string(),
  /** The code with which OpenSSL refuses it; empty: it is verified. */
  refused: v.string(),
  certificate: v.nullable(certificate),
});

/** What the API server answered to a request for which it has to call. */
const apiServerCall = v.object({
  /** `a dry run of creating one of configmaps in namespace shop`. */
  asked: v.string(),
  /** The webhooks that it is for, or the APIService. */
  of: v.array(v.string()),
  /** Null: it could not be asked in this way, and `message` says why. */
  succeeded: v.nullable(v.boolean()),
  message: v.string(),
});

/** What a service mesh has to say about the Service. Kinds that the cluster does not serve are empty lists. */
const mesh = v.object({
  peerAuthentications: fact(v.array(m.peerAuthentication)),
  authorizations: fact(v.array(m.istioAuthorization)),
  destinationRules: fact(v.array(m.destinationRule)),
  virtualServices: fact(v.array(m.virtualService)),
  sidecars: fact(v.array(m.sidecar)),
  servers: fact(v.array(m.linkerdServer)),
  linkerdAuthorizations: fact(v.array(m.linkerdAuthorization)),
  meshTls: fact(v.array(m.meshTlsAuthentication)),
  networks: fact(v.array(m.networkAuthentication)),
  serverAuthorizations: fact(v.array(m.serverAuthorization)),
  injectors: fact(v.array(m.injector)),
  /** The pods that the Service selects. */
  pods: fact(v.array(m.meshPod)),
  /** The client, where it is a pod. */
  client: fact(v.nullable(m.meshPod)),
  /** By `namespace/name` of the Services that VirtualServices send to: whether there is one. */
  destinations: each(v.boolean()),
});

export const factSchemas = {
  /** Gathered where the question began at a webhook or an APIService. */
  extension: fact(extension),
  servedCertificates: fact(v.array(servedCertificate)),
  apiServerCalls: fact(v.array(apiServerCall)),
  /** Gathered where the question began in front of the Service. */
  front: fact(front),
  frontAnswers: fact(v.array(frontAnswer)),
  target: fact(target),
  service: fact(v.nullable(o.service)),
  /** Services with a like name, gathered where the one asked for does not exist. */
  nearServices: fact(v.array(v.object({ namespace: v.string(), name: v.string() }))),
  slices: fact(v.array(o.endpointSlice)),
  pods: fact(v.array(o.pod)),
  /** Pods of other namespaces that the Service's selector would match, gathered where none of its own does. */
  strayPods: fact(v.array(v.object({ namespace: v.string(), name: v.string() }))),
  deployments: fact(v.array(o.workload)),
  replicaSets: fact(v.array(o.workload)),
  statefulSets: fact(v.array(o.workload)),
  daemonSets: fact(v.array(o.workload)),
  events: fact(v.array(o.event)),
  /** Gathered for advice. */
  disruptionBudgets: fact(v.array(o.disruptionBudget)),
  /** By container (`pod/container`): the last lines of those that ended badly. */
  podLogs: fact(each(v.string())),
  client: fact(v.nullable(client)),
  namespaces: fact(each(v.nullable(o.namespace))),
  policies: fact(each(v.array(o.networkPolicy))),
  /** Policies of the kinds that plug-ins define, by kind and namespace: `AdminNetworkPolicy`, `CiliumNetworkPolicy in shop`. */
  pluginPolicies: fact(each(v.array(o.pluginPolicy))),
  /** The DaemonSets of the cluster, which show its network plug-in; gathered where there are policies, or no kube-proxy. */
  networkDaemons: fact(v.array(v.object({ namespace: v.string(), name: v.string(), images: v.array(v.string()) }))),
  /** null: the cluster serves no kinds of a mesh. */
  mesh: fact(v.nullable(mesh)),
  nodes: fact(v.array(o.node)),
  /** By node and resource: what its pods ask for together, in CPUs and bytes; gathered where a pod finds no room. */
  nodeRequests: fact(v.record(v.string(), v.record(v.string(), v.number()))),
  /** What programs answer to requests like those of their probes, where a probe fails: status, or null without an answer. */
  probeAnswers: fact(v.array(v.object({ pod: v.string(), scheme: v.string(), port: v.number(), path: v.string(), status: v.nullable(v.number()) }))),
  dnsService: fact(v.nullable(o.service)),
  dnsSlices: fact(v.array(o.endpointSlice)),
  dnsPods: fact(v.array(o.pod)),
  dnsWorkload: fact(v.nullable(o.workload)),
  /** null: there is no ConfigMap `coredns` with a Corefile. */
  corefile: fact(v.nullable(v.string())),
  /** Who set which part of the ConfigMap coredns when. */
  corefileHistory: fact(v.array(o.fieldChange)),
  /** The ConfigMap coredns-custom, whose files a Corefile may import; null: there is none. */
  corefileCustom: fact(v.nullable(v.record(v.string(), v.string()))),
  /** Pods of NodeLocal DNSCache, one on each node where there is one. */
  nodeLocalPods: fact(v.array(o.pod)),
  /** By DNS pod. */
  dnsLogs: fact(each(v.string())),
  dnsAnswers: fact(each(dnsAnswer)),
  proxyPods: fact(v.array(o.pod)),
  proxyWorkload: fact(v.nullable(o.workload)),
  /** What the ConfigMap of kube-proxy asks for: `iptables` (also where it is left open), `nftables`, `ipvs`; null: there is none. */
  proxyMode: fact(v.nullable(v.string())),
  ciliumPods: fact(v.array(o.pod)),
  /** By node. */
  nodeRules: fact(each(nodeRules)),
  /** By node, read a moment later where the first reading was wrong or connections deny it. */
  nodeRulesLater: fact(each(nodeRules)),
  /** By kube-proxy pod: its last lines, where its rules are not right. */
  proxyLogs: fact(each(v.string())),
  /** By node, where its rules are not right. */
  proxyHealth: fact(each(proxyHealth)),
  /** By node. */
  conntrack: fact(each(conntrack)),
  connections: fact(connections),
  /** What `--http` asks for, asked of the endpoints' pods and of the Service by the API server. */
  viaApiServer: fact(v.array(connection)),
  matrix: fact(matrix),
  /** By `node → address`, for the nodes between which packets got lost. */
  routes: fact(each(route)),
  /** By node, for those that packets went through which got no answer. */
  forwarding: fact(each(forwarding)),
  /** By pod. */
  listeners: fact(each(listeners)),
  /** The selectors of the namespace's other Services, read where a fix replaces pods. */
  otherServices: fact(v.array(v.object({ name: v.string(), selector: v.record(v.string(), v.string()) }))),
  /** The API server's answer to a dry run of each fix, by command; nothing was changed. */
  dryRuns: fact(v.record(v.string(), v.object({ accepted: v.boolean(), message: v.string() }))),
};

export type FactName = keyof typeof factSchemas;
export type FactTypes = {
  [K in FactName]: v.InferOutput<(typeof factSchemas)[K]> extends infer F ? (F extends { seen: true; value: infer T } ? T : never) : never;
};
export type Facts = { [K in FactName]: Fact<FactTypes[K]> };

export type Target = v.InferOutput<typeof target>;
export type Certificate = v.InferOutput<typeof certificate>;
export type ClientRef = v.InferOutput<typeof clientRef>;
export type Client = v.InferOutput<typeof client>;
export type Connection = v.InferOutput<typeof connection>;
export type Connections = v.InferOutput<typeof connections>;
export type Route = v.InferOutput<typeof route>;
export type Forwarding = v.InferOutput<typeof forwarding>;
export type Matrix = v.InferOutput<typeof matrix>;
export type Listeners = v.InferOutput<typeof listeners>;
export type Socket = v.InferOutput<typeof socket>;
export type DnsAnswer = v.InferOutput<typeof dnsAnswer>;
export type DnsReply = v.InferOutput<typeof dnsReply>;
export type ProxyHealth = v.InferOutput<typeof proxyHealth>;
export type Conntrack = v.InferOutput<typeof conntrack>;
export type NodeRules = v.InferOutput<typeof nodeRules>;

export const factNames = Object.keys(factSchemas) as FactName[];
