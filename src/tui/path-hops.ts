/** The packet's path as hops to draw: from the checks so far, or from the whole diagnosis. */
import { hopOf, hopsOf } from '../diagnose/diagnose.ts';
import type { Diagnosis, Hop } from '../diagnose/diagnosis.ts';
import type { Progress } from '../diagnose/progress.ts';
import type { DrawnHop } from './components/path-line.tsx';
import type { Result } from './session.ts';

const labels: Record<Hop['hop'], string> = {
  client: 'client',
  dns: 'DNS',
  'virtual IP': 'Service',
  'proxy rules': 'rules',
  policy: 'policy',
  endpoint: 'pods',
  container: 'port',
};

/** The hop at which the first cause breaks the connection; null where nothing does. */
export function failedHop({ verdict, checks }: Diagnosis): Hop['hop'] | null {
  const [cause] = verdict.causes;
  const check = cause && checks.find((c) => c.findings.some((f) => f.code === cause.code && f.message === cause.message));
  return (check && hopOf(check.id)) ?? null;
}

/** Names of hops in this diagnosis: those that are always shown, and those that are shown where there is room. */
function names({ service, client }: Diagnosis): { always: Partial<typeof labels>; roomy: Partial<typeof labels> } {
  const [port] = service.ports;
  const who = client?.name || client?.namespace || client?.kind;
  const [address] = service.clusterIPs;
  const always = { ...(who && { client: who.length > 18 ? `${who.slice(0, 17)}…` : who }), ...(port && { container: `:${port.targetPort}` }) };
  const roomy = { ...(address && address !== 'None' && { 'virtual IP': address }), ...(client?.node && { 'proxy rules': `${client.node} rules` }) };
  return { always, roomy };
}

const called = (hop: Hop['hop']) => ({ label: labels[hop], short: labels[hop] });

/** The hops of the path. Hops behind the failing one were not reached, and are not called good. */
export function drawnHops(progress: Progress, result: Result | null): DrawnHop[] {
  if (!result) {
    const reports = progress.flatMap((s) => s.reports);
    const open = new Set(
      progress
        .flatMap((s) => s.checks)
        .filter((id) => !reports.some((r) => r.id === id))
        .map(hopOf),
    );
    // A fault is shown at once; a good hop only when all its checks are done.
    const known = (h: Hop) => (h.state === 'none' || (h.state === 'ok' && open.has(h.hop)) ? null : h.state);
    const stops = hopsOf(reports).map((h): DrawnHop => ({ ...called(h.hop), state: known(h), breaks: false }));
    return [{ ...called('client'), state: 'ok', breaks: false }, ...stops];
  }
  const { diagnosis } = result;
  const own = names(diagnosis);
  const at = failedHop(diagnosis);
  const index = diagnosis.path.findIndex((h) => h.hop === at);
  return diagnosis.path.map((h, i) => {
    const short = own.always[h.hop] ?? labels[h.hop];
    const name = { short, label: own.roomy[h.hop] ?? short };
    if (index < 0) return { ...name, state: h.state, breaks: false };
    // Before the failing hop: what failed there failed because of it.
    if (i < index) return { ...name, state: h.state === 'failed' ? 'none' : h.state, breaks: false };
    return { ...name, state: i === index ? h.state : null, breaks: i === index };
  });
}
