/** Connections from outside of the cluster, as near as one gets from within: to each node's port, from another node's network. */
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Connection, Connections } from '../facts/facts.ts';
import type { Endpoint } from '../facts/selectors.ts';
import type { Node, ServicePort } from '../facts/objects.ts';
import { chooseImage, runDebugPod } from '../probes/debug-pod.ts';
import { read as readRecord } from '../probes/outcome.ts';
import { buildScript, readRecords, type Task } from '../probes/script.ts';
import { hostPort } from '../proxy/model.ts';
import { type Context, fromFailure } from './collector.ts';

/** Of larger clusters the nodes of the endpoints and a few others are tried. */
const maxNodes = 8;

const addressOf = (node: Node): string | undefined => node.status.addresses.find((a) => a.type === 'InternalIP')?.address;
const isUp = (node: Node): boolean => node.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True');

type Planned = { task: Task } & Pick<Connection, 'hop' | 'target' | 'servicePort' | 'pod' | 'node'>;

/** Each node port on each node. */
const planned = (ports: readonly ServicePort[], nodes: readonly Node[]): Planned[] =>
  ports.flatMap((port) =>
    nodes.flatMap((node): Planned[] => {
      const address = addressOf(node);
      if (!port.nodePort || address === undefined || port.protocol === 'SCTP') return [];
      const kind = port.protocol === 'UDP' ? 'udp' : 'tcp';
      const target = hostPort(address, port.nodePort);
      return [{ task: { kind, host: address, port: port.nodePort }, hop: 'node-port', target, servicePort: port.port, pod: null, node: node.metadata.name }];
    }),
  );

/**
 * Connects to the node ports. A node reaches its own port by other rules than a stranger does, so a second node tries the
 * first one's. What a load balancer in front does is not seen from here.
 */
export async function fromOutside(
  context: Context,
  ports: readonly ServicePort[],
  endpoints: readonly Endpoint[],
  nodes: readonly Node[] | undefined,
): Promise<Fact<Connections>> {
  const what = 'connections from outside';
  if (!ports.some((p) => p.nodePort))
    return unseen('not-possible', what, 'the Service has no node port, and its load balancer is not reached from within the cluster');
  const withEndpoint = new Set(endpoints.filter((e) => e.ready).map((e) => e.node));
  const up = (nodes ?? []).filter(isUp).toSorted((a, b) => Number(withEndpoint.has(b.metadata.name)) - Number(withEndpoint.has(a.metadata.name)));
  const chosen = up.slice(0, maxNodes);
  // Nodes without an endpoint look on, where there are any: they are the strangers.
  const [first, second] = up.toReversed();
  if (!first || !second) return unseen('not-possible', what, 'it takes two nodes that are known and ready, one to connect to the other');
  const image = context.image ?? chooseImage([first, second].map((n) => (n.status.images ?? []).flatMap((i) => i.names)));
  const runs = await Promise.all(
    [first, second].map(async (vantage): Promise<Fact<Connection[]>> => {
      const mine = planned(
        ports,
        chosen.filter((n) => (n === first) === (vantage === second)),
      );
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
      const records = new Map(readRecords(ran.value.output).map((r) => [r.id, r]));
      return seen(
        mine.flatMap(({ task, ...p }, i): Connection[] => {
          const record = records.get(String(i));
          const reading = record && readRecord(task, record);
          return reading ? [{ kind: task.kind === 'udp' ? 'udp' : 'tcp', ...p, ...reading }] : [];
        }),
      );
    }),
  );
  const failure = runs.find((r) => !r.seen);
  if (failure && !failure.seen) return failure;
  return seen({
    from: `debug pods (${first.metadata.name}, ${second.metadata.name})`,
    standIn: true,
    node: null,
    list: runs.flatMap((r) => (r.seen ? r.value : [])),
    endpointsTotal: 0,
    resolvConf: null,
  });
}
