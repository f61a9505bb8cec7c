/**
 * Connections from outside the cluster: from this machine to the load balancer; and, because nothing is nearer from inside,
 * to each node's port and health check from another node's network.
 */
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Connection, Connections } from '../facts/facts.ts';
import { type Endpoint, familiesOf, familyOf, isReady } from '../facts/selectors.ts';
import type { Node, Service, ServicePort } from '../facts/objects.ts';
import { chooseImage, runDebugPod } from '../probes/debug-pod.ts';
import { buildScript, readRecords, type Task } from '../probes/script.ts';
import { hostPort } from '../proxy/model.ts';
import { type Context, fromFailure } from './collector.ts';
import { toLoadBalancer } from './load-balancer-connections.ts';
import { connectionsOf, type Planned } from './connection-plan.ts';

/** Of larger clusters the nodes of the endpoints and a few others are tried. */
const maxNodes = 8;

/** The node's first address of each family in which the Service has addresses: kube-proxy opens node ports in these. */
const addressesOf = (node: Node, service: Service): string[] =>
  familiesOf(service).flatMap((family) => node.status.addresses.find((a) => a.type === 'InternalIP' && familyOf(a.address) === family)?.address ?? []);

/** What load balancers ask each node: whether it has an endpoint (Service API, spec.healthCheckNodePort). */
const healthChecks = (service: Service, nodes: readonly Node[]): Planned[] =>
  nodes.flatMap((node): Planned[] => {
    const port = service.spec.healthCheckNodePort;
    const [address] = addressesOf(node, service);
    if (!port || address === undefined) return [];
    const task: Task = { kind: 'http', host: address, port, tls: false, name: 'k8s-doctor', path: '/healthz' };
    return [{ task, hop: 'health-check', target: hostPort(address, port), servicePort: null, pod: null, node: node.metadata.name }];
  });

/** Each node port on each node, in each family. */
const nodePorts = (service: Service, ports: readonly ServicePort[], nodes: readonly Node[]): Planned[] =>
  ports.flatMap(({ port, nodePort, protocol }) =>
    nodes.flatMap((node) =>
      addressesOf(node, service).flatMap((host): Planned[] => {
        if (!nodePort || protocol === 'SCTP') return [];
        const task: Task = { kind: protocol === 'UDP' ? 'udp' : 'tcp', host, port: nodePort };
        return [{ task, hop: 'node-port', target: hostPort(host, nodePort), servicePort: port, pod: null, node: node.metadata.name }];
      }),
    ),
  );

/**
 * Connects to the load balancer, the node ports and the nodes' health checks. A node reaches its own port by other rules than
 * a stranger does, so a second node tries the first one's.
 */
export async function externalConnections(
  context: Context,
  service: Service,
  ports: readonly ServicePort[],
  endpoints: readonly Endpoint[],
  nodes: readonly Node[] | undefined,
): Promise<Fact<Connections>> {
  const [balanced, onNodes] = await Promise.all([toLoadBalancer(service, ports), toNodes(context, service, ports, endpoints, nodes)]);
  // Where node ports could not be tried, the load balancer's result still counts.
  if (!onNodes.seen && balanced.length === 0) return onNodes;
  const own = onNodes.seen ? onNodes.value : { from: 'this machine', list: [] };
  return seen({ from: own.from, standIn: true, node: null, list: [...balanced, ...own.list], endpointsTotal: 0, resolvConf: null });
}

async function toNodes(
  context: Context,
  service: Service,
  ports: readonly ServicePort[],
  endpoints: readonly Endpoint[],
  nodes: readonly Node[] | undefined,
): Promise<Fact<Pick<Connections, 'from' | 'list'>>> {
  const what = 'connections from outside';
  if (!ports.some((p) => p.nodePort)) return unseen('not-possible', what, 'the Service has no node port, and no load balancer with an address');
  const withEndpoint = new Set(endpoints.filter((e) => e.ready).map((e) => e.node));
  const up = (nodes ?? []).filter(isReady).toSorted((a, b) => Number(withEndpoint.has(b.metadata.name)) - Number(withEndpoint.has(a.metadata.name)));
  const chosen = up.slice(0, maxNodes);
  // Nodes without an endpoint are the best vantage points: they are not involved in the Service.
  const [first, second] = up.toReversed();
  if (!first || !second) return unseen('not-possible', what, 'it takes two nodes that are known and ready, one to connect to the other');
  const image = context.image ?? chooseImage([first, second].map((n) => (n.status.images ?? []).flatMap((i) => i.names)));
  const runs = await Promise.all(
    [first, second].map(async (vantage): Promise<Fact<Connection[]>> => {
      const strangers = chosen.filter((n) => (n === first) === (vantage === second));
      const mine = [...nodePorts(service, ports, strangers), ...healthChecks(service, strangers)];
      if (mine.length === 0) return seen([]);
      const ran = await runDebugPod(
        context.cluster,
        context.janitor,
        {
          namespace: context.target.namespace,
          image,
          owner: context.owner,
          node: vantage.metadata.name,
          hostNetwork: true,
          script: buildScript(
            mine.map((p) => p.task),
            { tries: 1, settleS: 0 },
          ),
        },
        context.signal,
        context.progress,
      );
      if (!ran.ok) return fromFailure(ran.failure);
      return seen(connectionsOf(mine, readRecords(ran.value.output)));
    }),
  );
  const failure = runs.find((r) => !r.seen);
  if (failure && !failure.seen) return failure;
  return seen({ from: `debug pods (${first.metadata.name}, ${second.metadata.name})`, list: runs.flatMap((r) => (r.seen ? r.value : [])) });
}
