import { derived } from '../../src/facts/derived.ts';
import type { Node, Pod, Workload } from '../../src/facts/objects.ts';
import { keptOff } from '../../src/facts/scheduling.ts';
import { isHeadless, isReady, kubeletVersionsOf } from '../../src/facts/selectors.ts';
import { replacementOf } from '../../src/proxy/replacement.ts';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { kubectl, patch } from '../fix.ts';
import { plural, some } from '../format.ts';
import { platformIn } from '../platform.ts';
import { clientNode } from './nodes.ts';

/** What is known of kube-proxy's pods. */
interface Proxies {
  workload: Workload | null;
  pods: readonly Pod[];
  /** Names of nodes with a ready pod. */
  ready: ReadonlySet<string>;
  /** Names of ready nodes without one. */
  without: string[];
  desired: number;
  missing: number;
  /** Why the DaemonSet has no pod on some of them, by node. */
  keptOff: { node: string; why: string; field: string; key: string }[];
}

/** The nodes that the DaemonSet's own pod template keeps its pods off. */
const nodesKeptOff = (workload: Workload | null, pods: readonly Pod[], nodes: readonly Node[], without: readonly string[]): Proxies['keptOff'] =>
  nodes
    .filter((n) => without.includes(n.metadata.name) && !pods.some((p) => p.spec.nodeName === n.metadata.name))
    .flatMap((n) => {
      const found = workload && keptOff(workload.spec.template.spec, n);
      return found ? [{ node: n.metadata.name, ...found }] : [];
    });

/** What lets the DaemonSet run on these nodes again: its selector without the label, or a toleration. */
function letBack([first]: Proxies['keptOff']): Draft['fix'] {
  if (!first) return [];
  const object = 'daemonset/kube-proxy';
  if (first.field === 'nodeSelector')
    return [
      patch(`Remove ${first.key} from the nodeSelector of DaemonSet "kube-proxy"`, 'kube-system', object, {
        spec: { template: { spec: { nodeSelector: { [first.key]: null } } } },
      }),
    ];
  if (first.field === 'affinity')
    return [
      {
        ...patch(`Remove the required nodeAffinity of DaemonSet "kube-proxy": ${first.why}`, 'kube-system', object, {
          spec: { template: { spec: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: null } } } } },
        }),
        assumes: 'nothing else handles Services on the nodes that it kept away',
      },
    ];
  return [
    patch(`Let DaemonSet "kube-proxy" tolerate every taint, as its manifest does`, 'kube-system', object, {
      spec: { template: { spec: { tolerations: [{ operator: 'Exists' }] } } },
    }),
  ];
}

const stateOf = (p: Pod): string =>
  p.status.containerStatuses.map((s) => s.state.waiting?.reason ?? s.lastState.terminated?.reason ?? 'not ready').join(', ') || p.status.phase;

function evidenceOf({ workload, pods, without, desired, keptOff: kept }: Proxies): Evidence[] {
  const broken = pods.filter((p) => !isReady(p));
  return [
    {
      source: 'daemonsets',
      text: workload ? `kube-proxy: ${workload.status.numberReady ?? 0} ready of ${desired} wanted` : 'the DaemonSet kube-proxy does not exist',
    },
    ...(without.length > 0 ? [{ source: 'pods', text: `no ready kube-proxy pod on ${some(without, 6)}` }] : []),
    ...kept.slice(0, 3).map((k) => ({ source: 'daemonsets', text: k.why })),
    ...broken.slice(0, 3).map((p) => ({ source: 'pods', text: `${p.metadata.name} on ${p.spec.nodeName}: ${stateOf(p)}` })),
  ];
}

function down(proxies: Proxies, here: string | null): Draft<'kube-proxy-down'> {
  const { workload, ready, without, desired, missing, keptOff: kept } = proxies;
  const why = kept[0] ? `: ${kept[0].why}` : '';
  const isNone = ready.size === 0;
  return {
    code: 'kube-proxy-down',
    severity: 'error',
    confidence: 'confirmed',
    scope: isNone || (here !== null && without.includes(here)) ? 'all' : 'part',
    object: { kind: 'DaemonSet', namespace: 'kube-system', name: 'kube-proxy' },
    message: isNone
      ? `kube-proxy runs on no node, so nothing writes the rules for Service addresses${why}`
      : `kube-proxy does not run on ${some(without) || plural(missing, 'node')}, so the rules there are not updated${why}`,
    evidence: evidenceOf(proxies),
    ...(!isNone && without.length > 0 && { nodes: without }),
    fix:
      kept.length > 0
        ? letBack(kept)
        : workload && desired === 0
          ? [
              {
                text: 'Correct the nodeSelector of DaemonSet "kube-proxy": it matches no node',
                command: kubectl('kube-system', 'describe', 'daemonset', 'kube-proxy'),
              },
            ]
          : [
              { text: 'Restart kube-proxy', command: kubectl('kube-system', 'rollout', 'restart', 'daemonset/kube-proxy') },
              { text: 'Find out why its pods do not start', command: kubectl('kube-system', 'describe', 'pods', '-l', 'k8s-app=kube-proxy') },
            ],
  };
}

/** `; restarted: node2 3 times`, or nothing. */
function restartText(pods: readonly Pod[]): string {
  const restarts = pods
    .map((p) => [p.spec.nodeName ?? '', p.status.containerStatuses.reduce((n, s) => n + s.restartCount, 0)] as const)
    .filter(([, n]) => n > 0);
  return restarts.length > 0 ? `; restarted: ${some(restarts.map(([node, n]) => `${node} ${n} times`))}` : '';
}

/** Names of the nodes with a kube-proxy that is ready. */
const readyOn = derived(
  (pods: readonly Pod[]): ReadonlySet<string> => new Set(pods.filter((p) => isReady(p) && !p.metadata.deletionTimestamp).map((p) => p.spec.nodeName ?? '')),
);

/** Names of the other nodes. One that is not ready itself is another fault; the state of its kube-proxy is not known. */
const withoutProxy = derived((pods: readonly Pod[]) =>
  derived((nodes: readonly Node[]): string[] => nodes.filter((n) => !readyOn(pods).has(n.metadata.name) && isReady(n)).map((n) => n.metadata.name)),
);

export const running = check({
  id: 'kube-proxy/running',
  title: 'kube-proxy runs on each node',
  needs: ['service', 'proxyPods', 'proxyWorkload'],
  uses: ['nodes', 'client', 'connections', 'ciliumPods', 'networkDaemons'],
  codes: ['kube-proxy-down'],
  run({ service, proxyPods: pods, proxyWorkload: workload, nodes, client, connections, ciliumPods, networkDaemons }) {
    if (service && (isHeadless(service) || service.spec.type === 'ExternalName')) return skip('the Service has no virtual IP');
    if (!workload && pods.length === 0) {
      const found = replacementOf(
        ciliumPods.seen && ciliumPods.value.length > 0,
        networkDaemons.seen ? networkDaemons.value.map((d) => d.name) : [],
        nodes.seen ? kubeletVersionsOf(nodes.value) : [],
      );
      const platform = platformIn({ nodes, networkDaemons, connections });
      const own = platform?.services;
      if (own && (found?.judged || own.isKubeProxy)) return judged([], `${own.by} handles Services (${platform.name})`);
      if (own) return unknown(`${own.by} handles Services on ${platform.name}: ${own.look}`);
      if (found?.judged) return judged([], `${found.name} handles Services`);
      return unknown(`${found ? found.name : 'another program'} handles Services here instead of kube-proxy, which is not judged`);
    }
    const ready = readyOn(pods);
    const without = nodes.seen ? withoutProxy(pods)(nodes.value) : [];
    const desired = workload?.status.desiredNumberScheduled ?? pods.length;
    // Its DaemonSet may leave nodes out, and a node that is not ready itself looks the same as one on which kube-proxy fails.
    if (!nodes.seen && ready.size > 0) return unknown(`kube-proxy is ready on ${ready.size} of ${plural(desired, 'node')}; ${nodes.what}: ${nodes.why}`);
    const missing = nodes.seen ? without.length : Math.max(1, desired);
    if (missing > 0)
      return judged([
        down(
          { workload, pods, ready, without, desired, missing, keptOff: nodesKeptOff(workload, pods, nodes.seen ? nodes.value : [], without) },
          clientNode(client, connections),
        ),
      ]);
    return judged([], `kube-proxy is ready on all ${plural(nodes.seen ? nodes.value.length : 0, 'node')}${restartText(pods)}`);
  },
});
