/** kube-proxy's pods as they would be after a change of its DaemonSet, or after a restart. */
import type { Change } from '../catalog/finding.ts';
import { type Fact, seen, valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import { keptOff } from '../facts/scheduling.ts';
import { isReady } from '../facts/selectors.ts';
import { put } from './objects.ts';
import { isStillBroken, readyPod, statusOf } from './pods.ts';

/** What an earlier kube-proxy reported says nothing of the one that runs in its place. */
function withoutReports(facts: Facts, restarted: ReadonlySet<string>): Facts {
  const pods = (valueOf(facts.proxyPods) ?? []).filter((p) => restarted.has(p.spec.nodeName ?? '')).map((p) => p.metadata.name);
  const without = <T>(fact: Fact<Record<string, T>>, names: readonly string[]): Fact<Record<string, T>> =>
    fact.seen ? seen(Object.fromEntries(Object.entries(fact.value).filter(([key]) => !names.includes(key)))) : fact;
  return { ...facts, proxyHealth: without(facts.proxyHealth, [...restarted]), proxyLogs: without(facts.proxyLogs, pods) };
}

/** The nodes on which kube-proxy would run again after the changes, and the facts with its pods there. */
export function withProxies(before: Facts, after: Facts, changes: readonly Change[]): { facts: Facts; restarted: Set<string> } {
  const restarted = new Set<string>();
  const pods = valueOf(before.proxyPods);
  const workload = valueOf(after.proxyWorkload);
  const own = changes.filter(
    (c) => c.namespace === 'kube-system' && (c.name === 'kube-proxy' || pods?.some((p) => c.how === 'restart' && p.metadata.name === c.name)),
  );
  if (own.length === 0 || !pods) return { facts: after, restarted };
  for (const c of own) if (c.how === 'restart') restarted.add(pods.find((p) => p.metadata.name === c.name)?.spec.nodeName ?? '');
  const was = valueOf(before.proxyWorkload);
  if (!workload || !was || !own.some((c) => c.kind === 'daemonset')) return { facts: withoutReports(after, restarted), restarted };
  const nodes = (valueOf(after.nodes) ?? []).filter(isReady);
  const next = nodes
    .filter((n) => keptOff(workload.spec.template.spec, n) === undefined)
    .map((n, i) => {
      const old = pods.find((p) => p.spec.nodeName === n.metadata.name);
      if (old && isStillBroken(old, was.spec.template.spec, workload.spec.template.spec, nodes)) return old;
      restarted.add(n.metadata.name);
      return readyPod(workload, 'DaemonSet', i, old, n);
    });
  const facts = put(put(after, 'proxyPods', next), 'proxyWorkload', { ...workload, status: statusOf(next.length) });
  return { facts: withoutReports(facts, restarted), restarted };
}
