import { type Fact, seen, unreadOf } from '../../src/facts/fact.ts';
import type { ProxyHealth } from '../../src/facts/facts.ts';
import type { EndpointSlice, Pod, Service } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, judgedUnless, skip } from '../check.ts';
import { some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { clientNode, restartOn } from './nodes.ts';

/** Errors of kube-proxy that leave its rules as they were (pkg/proxy/iptables, pkg/proxy/nftables, client-go's reflector). */
const failure =
  /^E.*(Failed to execute iptables|iptables-restore|nftables sync failed|nft failed|Sync failed|Failed to ensure (chain|jump)|Failed to (list|watch)|failed to (list|watch))/;
/** kube-proxy writes its rules at most a second after a change, and a large cluster's in some seconds. */
const patienceS = 3;
/** Whatever it logs, it may not be late by more than this. */
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

/** Each error once: of a repeated one the last. */
const distinct = (errors: readonly string[]): string[] => [...new Map(errors.map((e) => [e.slice(e.indexOf('] ')), e])).values()];

/** The signs that a kube-proxy does not write its rules; empty where there are none. */
function signs(health: Fact<ProxyHealth> | undefined, errors: readonly string[], changed: number): string[] {
  // An old error stays the last line of a quiet proxy's log: only repeated errors count.
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
      ? `${family} rules: last written at ${asTime(written)}, changes are waiting since ${asTime(queued > written ? queued : changed)}`
      : `${family} rules: not written since it started`,
  );
}

const object = { kind: 'DaemonSet', namespace: 'kube-system', name: 'kube-proxy' };

/** A proxy that does not write its rules. */
interface Failing {
  node: string;
  evidence: Evidence[];
  confirmed: boolean;
}

function failingOf(proxy: Pod, log: Fact<string> | undefined, health: Fact<ProxyHealth> | undefined, changed: number): Failing | undefined {
  const node = proxy.spec.nodeName ?? '';
  const errors = (log?.seen ? entriesOf(log.value) : []).filter((l) => failure.test(l));
  const found = signs(health, errors, changed);
  if (found.length === 0) return undefined;
  const asked = health?.seen ? health.value : undefined;
  return {
    node,
    confirmed: asked !== undefined,
    evidence: [
      ...found.map((text) => ({ source: `kube-proxy on ${node}`, text })),
      ...(asked && asked.healthz !== null && asked.healthz !== 200 ? [{ source: '/healthz', text: `answers ${asked.healthz}` }] : []),
      ...(asked && asked.failures > 0 ? [{ source: '/metrics', text: `${asked.failures} attempts to write rules failed` }] : []),
      ...distinct(errors)
        .slice(-shown)
        .map((text) => ({ source: `log of ${proxy.metadata.name}`, text })),
    ],
  };
}

function notWriting(failing: readonly [Failing, ...Failing[]], here: string | null, proxyPods: Pod[]): Draft<'kube-proxy-not-syncing'> {
  const names = failing.map((f) => f.node);
  const [first] = failing;
  const confirmed = failing.every((f) => f.confirmed);
  return {
    code: 'kube-proxy-not-syncing',
    severity: confirmed ? 'error' : 'warning',
    confidence: confirmed ? 'confirmed' : 'likely',
    scope: here === null || names.includes(here) ? 'all' : 'part',
    object,
    message: confirmed
      ? `kube-proxy on ${some(names)} runs, but fails to write its rules: changes to Services since then have no effect`
      : `kube-proxy on ${some(names)} logged that it could not write its rules; its present state could not be read`,
    evidence: failing.flatMap((f) => f.evidence).slice(0, 8),
    nodes: names,
    fix: [
      {
        text: `Read the log of kube-proxy on ${first.node}, and repair what fails there`,
        command: kubectl('kube-system', 'logs', '-l', 'k8s-app=kube-proxy', '--tail=20', '--prefix'),
      },
      ...restartOn([first.node], seen(proxyPods)),
    ],
  };
}

const notAnswering = (silent: readonly string[], here: string | null, proxyPods: Pod[]): Draft<'kube-proxy-not-syncing'> => ({
  code: 'kube-proxy-not-syncing',
  severity: 'warning',
  confidence: 'likely',
  scope: here === null || silent.includes(here) ? 'all' : 'part',
  object,
  message: `kube-proxy on ${some(silent)} does not answer on its health port, although its pod runs: it hangs, or it cannot listen there`,
  evidence: silent.map((node) => ({ source: '/healthz', text: `no answer on ${node}` })),
  fix: restartOn(silent, seen(proxyPods)),
});

/** The kube-proxies of nodes whose rules are not right: do they write rules at all? */
export const syncing = check({
  id: 'kube-proxy/syncing',
  title: 'kube-proxy writes rules when Services change',
  needs: ['service', 'slices', 'proxyPods', 'proxyLogs'],
  uses: ['proxyHealth', 'client', 'connections'],
  codes: ['kube-proxy-not-syncing'],
  run({ service, slices, proxyPods, proxyLogs, proxyHealth, client, connections }) {
    if (!service) return skip('the Service is not known');
    const here = clientNode(client, connections);
    const changed = changedAt(service, slices);
    const healthOf = (p: Pod) => (proxyHealth.seen ? proxyHealth.value[p.spec.nodeName ?? ''] : undefined);
    const judgedPods = proxyPods.map((p) => ({ pod: p, health: healthOf(p), found: failingOf(p, proxyLogs[p.metadata.name], healthOf(p), changed) }));
    const [first, ...others] = judgedPods.flatMap((j) => j.found ?? []);
    const silent = judgedPods.flatMap((j) => (!j.found && j.health?.seen && j.health.value.healthz === null ? [j.pod.spec.nodeName ?? ''] : []));
    const unread = unreadOf(...judgedPods.flatMap((j) => (j.health ? [j.health] : [])), ...(proxyHealth.seen ? [] : [proxyHealth]));
    return judgedUnless(
      unread,
      [...(first ? [notWriting([first, ...others], here, proxyPods)] : []), ...(silent.length > 0 ? [notAnswering(silent, here, proxyPods)] : [])],
      'kube-proxy writes its rules',
    );
  },
});
