import { isReady } from '../../src/facts/selectors.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, judged, unknown } from '../check.ts';
import { plural, probeEvidence, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { logLines } from './evidence.ts';

export const replicas = check({
  id: 'dns/replicas',
  title: "The cluster's DNS pods run and answer",
  needs: ['dnsPods'],
  uses: ['dnsWorkload', 'dnsService', 'dnsAnswers', 'dnsLogs', 'connections'],
  codes: ['dns-pods-down'],
  run({ dnsPods, dnsWorkload, dnsService, dnsAnswers, dnsLogs, connections }) {
    const live = dnsPods.filter((p) => !p.metadata.deletionTimestamp);
    const ready = live.filter(isReady);
    const workload = dnsWorkload.seen ? dnsWorkload.value : null;
    if (live.length === 0 && !workload && !(dnsService.seen && dnsService.value))
      return unknown('this cluster has another DNS than CoreDNS in kube-system, which is not judged');
    const object = { kind: 'Deployment', namespace: 'kube-system', name: workload?.metadata.name ?? 'coredns' };
    const logs = (pod: string): Evidence[] =>
      logLines(dnsLogs, (l) => /ERROR|FATAL|panic|plugin\/|Error/i.test(l), 3)
        .filter(({ key }) => key.startsWith(`${pod}/`))
        .map(({ line }) => ({ source: 'log', text: `${pod}: ${line}` }));
    // Without its rights CoreDNS starts, waits for the API, and knows no Service.
    const refusal = /cannot (?:list|watch) resource "([a-z]+)"/;
    const refused = refusal.exec(logLines(dnsLogs, (l) => refusal.test(l), 1)[0]?.line ?? '')?.[1];
    const mayNot = refused === undefined ? '' : `; CoreDNS may not list ${refused} (RBAC)`;
    const restarts = (p: Pod) => p.status.containerStatuses.reduce((n, s) => n + s.restartCount, 0);
    const findings: Draft<'dns-pods-down'>[] = [];
    if (ready.length === 0) {
      const zero = workload?.spec.replicas === 0;
      findings.push({
        code: 'dns-pods-down',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object,
        message: zero
          ? `No DNS server runs: Deployment "${object.name}" in kube-system is scaled to zero replicas`
          : live.length === 0
            ? 'No DNS pod exists in kube-system'
            : `None of ${plural(live.length, 'DNS pod')} is ready (${some(live.map((p) => p.metadata.name))})${mayNot}`,
        evidence: [
          {
            source: 'deployments',
            text: `${object.name}: spec.replicas ${workload?.spec.replicas ?? 'unknown'}, ready ${workload?.status.readyReplicas ?? 0}`,
          },
          ...live.slice(0, 3).map((p) => ({
            source: 'pods',
            text: `${p.metadata.name}: ${p.status.containerStatuses.map((s) => s.state.waiting?.reason ?? s.lastState.terminated?.reason ?? (s.ready ? 'ready' : 'not ready')).join(', ') || p.status.phase}${restarts(p) > 0 ? `, ${plural(restarts(p), 'restart')}` : ''}`,
          })),
          ...live.slice(0, 1).flatMap((p) => logs(p.metadata.name)),
        ],
        fix:
          zero || live.length === 0
            ? [{ text: 'Scale CoreDNS up', command: kubectl('kube-system', 'scale', `deployment/${object.name}`, '--replicas=2') }]
            : refused !== undefined
              ? [
                  {
                    text: 'Give CoreDNS its rights again',
                    command: 'kubectl create clusterrolebinding system:coredns --clusterrole=system:coredns --serviceaccount=kube-system:coredns',
                  },
                ]
              : [{ text: 'Read why CoreDNS does not start', command: kubectl('kube-system', 'logs', live[0]?.metadata.name ?? '', '--previous') }],
      });
    } else if (dnsAnswers.seen) {
      const silent = ready.filter((p) => {
        const a = dnsAnswers.value[p.metadata.name];
        return a && !a.seen && (a.reason === 'unreachable' || a.reason === 'malformed') && a.why !== '';
      });
      if (silent.length > 0) {
        findings.push({
          code: 'dns-pods-down',
          severity: 'error',
          confidence: 'confirmed',
          scope: silent.length === ready.length ? 'all' : 'part',
          object,
          message: `${silent.length} of ${plural(ready.length, 'ready DNS pod')} ${silent.length === 1 ? 'does' : 'do'} not answer (${some(silent.map((p) => p.metadata.name))})`,
          evidence: silent.flatMap((p) => {
            const a = dnsAnswers.value[p.metadata.name];
            return [{ source: 'dns', text: `${p.metadata.name}: ${a && !a.seen ? a.why : ''}` }, ...logs(p.metadata.name)];
          }),
          fix: [{ text: 'Replace the pods that do not answer', command: kubectl('kube-system', 'delete', 'pod', ...silent.map((p) => p.metadata.name)) }],
        });
      }
    }
    // Asked by the client itself: one that is silent for it, while others answer, costs a share of all lookups.
    const asked = connections.seen ? connections.value.list.filter((c) => c.hop === 'dns-server' && c.target.endsWith('/UDP') && c.pod !== null) : [];
    const lost = asked.filter((c) => c.outcome === 'dns-timed-out' && ready.some((p) => p.metadata.name === c.pod));
    const known = findings.some((f) => f.severity === 'error');
    if (connections.seen && !known && lost.length > 0 && asked.some((c) => c.outcome === 'answered')) {
      const names = [...new Set(lost.map((c) => c.pod ?? ''))];
      const forwarded = names.filter((n) => dnsAnswers.seen && dnsAnswers.value[n]?.seen);
      findings.push({
        code: 'dns-pods-down',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'part',
        object,
        message: `${names.length} of ${plural(asked.length, 'DNS replica')} ${names.length === 1 ? 'does' : 'do'} not answer the client (${some(names)}), while the others do: about ${names.length} in ${asked.length} lookups is lost${forwarded.length > 0 ? '; asked on its own loopback it answers, so the way to it is at fault' : ''}`,
        evidence: asked.slice(0, 6).map((c) => probeEvidence(connections.value.from, c)),
        fix: [{ text: 'Look at the network of the node that it runs on, or move it away', command: kubectl('kube-system', 'delete', 'pod', ...names) }],
      });
    }
    const waiting = live.filter((p) => !isReady(p));
    if (ready.length > 0 && waiting.length > 0) {
      findings.push({
        code: 'dns-pods-down',
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object,
        message: `${waiting.length} of ${plural(live.length, 'DNS pod')} ${waiting.length === 1 ? 'is' : 'are'} not ready (${some(waiting.map((p) => p.metadata.name))}); the others serve`,
        evidence: waiting.slice(0, 2).flatMap((p) => [{ source: 'pods', text: `${p.metadata.name} is not ready` }, ...logs(p.metadata.name)]),
        fix: [{ text: 'See what it waits for', command: kubectl('kube-system', 'describe', 'pod', waiting[0]?.metadata.name ?? '') }],
      });
    }
    return judged(`${ready.length} of ${plural(live.length, 'DNS pod')} ready`, findings);
  },
});
