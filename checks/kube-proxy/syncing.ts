import { type Fact, seen } from '../../src/facts/fact.ts';
import type { ProxyHealth } from '../../src/facts/facts.ts';
import type { EndpointSlice, Service } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, judged, skip } from '../check.ts';
import { some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { clientNode, restartOn } from './nodes.ts';

/** Errors of kube-proxy that leave its rules as they were (pkg/proxy/iptables, pkg/proxy/nftables, client-go's reflector). */
const failure =
  /^E.*(Failed to execute iptables|iptables-restore|nftables sync failed|nft failed|Sync failed|Failed to ensure (chain|jump)|Failed to (list|watch)|failed to (list|watch))/;
/** kube-proxy writes its rules at most a second after a change, and a large cluster's in some seconds. */
const patienceS = 3;
/** So long nothing at all may hold it up, whatever it logs. */
const hangsS = 30;
const shown = 2;

const seconds = (time: string | null | undefined): number => (time ? Date.parse(time) / 1000 : 0);
const asTime = (s: number): string => new Date(s * 1000).toISOString();

/** When the Service, or its endpoints, changed last; seconds since 1970. */
const changedAt = (service: Service, slices: readonly EndpointSlice[]): number =>
  Math.max(seconds(service.metadata.creationTimestamp), ...slices.map((s) => seconds(s.changed)));

/** Entries of a log: a line with those that belong to it (klog writes what a program said over several lines). */
const entriesOf = (log: string): string[] =>
  log.split('\n').reduce<string[]>((entries, line) => {
    if (/^\s/.test(line) && entries.length > 0) entries.push(`${entries.pop()} ${line.trim()}`);
    else entries.push(line);
    return entries;
  }, []);

/** Of errors that repeat, the last. */
const distinct = (errors: readonly string[]): string[] => [...new Map(errors.map((e) => [e.slice(e.indexOf('] ')), e])).values()];

/** What shows that a kube-proxy does not write its rules; empty where nothing does. */
function signs(health: Fact<ProxyHealth> | undefined, errors: readonly string[], changed: number): string[] {
  // An old error stays at the end of a log whose proxy has nothing to say since: only what repeats is worth a word.
  if (!health?.seen || health.value.askedAt === null) return errors.length > 1 ? [`its log holds ${errors.length} failed attempts`] : [];
  const { askedAt, syncs, failures, healthz } = health.value;
  const fails = failures > 0 || errors.length > 0 || healthz === 503;
  const late = syncs.filter(({ written, queued }) => {
    const since = Math.max(queued, changed);
    const waits = askedAt - since;
    return written < since && waits > (fails ? patienceS : hangsS) && (queued > written || fails);
  });
  return late.map(({ family, written, queued }) =>
    written > 0
      ? `${family} rules were written last at ${asTime(written)}, and have to be written since ${asTime(queued > written ? queued : changed)}`
      : `${family} rules were never written since it started`,
  );
}

/** The kube-proxies of nodes whose rules are not right: do they write rules at all? */
export const syncing = check({
  id: 'kube-proxy/syncing',
  title: 'kube-proxy writes its rules as things change',
  needs: ['service', 'slices', 'proxyPods', 'proxyLogs'],
  uses: ['proxyHealth', 'client', 'connections'],
  codes: ['kube-proxy-not-syncing'],
  run({ service, slices, proxyPods, proxyLogs, proxyHealth, client, connections }) {
    if (!service) return skip('the Service is not known');
    const here = clientNode(client, connections);
    const changed = changedAt(service, slices);
    const failing: { node: string; evidence: Evidence[]; confirmed: boolean }[] = [];
    const silent: string[] = [];
    for (const proxy of proxyPods) {
      const node = proxy.spec.nodeName ?? '';
      const log = proxyLogs[proxy.metadata.name];
      const errors = (log?.seen ? entriesOf(log.value) : []).filter((l) => failure.test(l));
      const health = proxyHealth.seen ? proxyHealth.value[node] : undefined;
      const found = signs(health, errors, changed);
      if (found.length > 0)
        failing.push({
          node,
          confirmed: health?.seen === true,
          evidence: [
            ...found.map((text) => ({ source: `kube-proxy on ${node}`, text })),
            ...(health?.seen && health.value.healthz !== null && health.value.healthz !== 200
              ? [{ source: '/healthz', text: `answers ${health.value.healthz}` }]
              : []),
            ...(health?.seen && health.value.failures > 0 ? [{ source: '/metrics', text: `${health.value.failures} attempts to write rules failed` }] : []),
            ...distinct(errors)
              .slice(-shown)
              .map((text) => ({ source: `log of ${proxy.metadata.name}`, text })),
          ],
        });
      else if (health?.seen && health.value.healthz === null) silent.push(node);
    }
    const findings: Draft<'kube-proxy-not-syncing'>[] = [];
    const names = failing.map((f) => f.node);
    const [first] = failing;
    const confirmed = failing.every((f) => f.confirmed);
    if (first)
      findings.push({
        code: 'kube-proxy-not-syncing',
        severity: confirmed ? 'error' : 'warning',
        confidence: confirmed ? 'confirmed' : 'likely',
        scope: here === null || names.includes(here) ? 'all' : 'part',
        object: { kind: 'DaemonSet', namespace: 'kube-system', name: 'kube-proxy' },
        message: confirmed
          ? `kube-proxy on ${some(names)} runs, but fails to write its rules: Services that changed since are not led where they ought to`
          : `kube-proxy on ${some(names)} has logged that it could not write its rules; whether it still can't was not seen`,
        evidence: failing.flatMap((f) => f.evidence).slice(0, 8),
        fix: [
          {
            text: `See what fails on ${first.node}, and mend it`,
            command: kubectl('kube-system', 'logs', '-l', 'k8s-app=kube-proxy', '--tail=20', '--prefix'),
          },
          ...restartOn(first.node, seen(proxyPods)),
        ],
      });
    if (silent.length > 0)
      findings.push({
        code: 'kube-proxy-not-syncing',
        severity: 'warning',
        confidence: 'likely',
        scope: here === null || silent.includes(here) ? 'all' : 'part',
        object: { kind: 'DaemonSet', namespace: 'kube-system', name: 'kube-proxy' },
        message: `kube-proxy on ${some(silent)} does not answer on its health port, though its pod runs: it hangs, or it is not allowed to listen there`,
        evidence: silent.map((node) => ({ source: '/healthz', text: `no answer on ${node}` })),
        fix: restartOn(silent[0] ?? '', seen(proxyPods)),
      });
    return judged('the proxies that were asked write their rules', findings);
  },
});
