/** Corrections of a probe that a request like it has shown to succeed. */
import type { Fact } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { Pod } from '../../src/facts/objects.ts';
import type { Fix } from '../check.ts';
import { containersPatch, nameOf, type Owner } from './owner.ts';

type Probe = NonNullable<Pod['spec']['containers'][number]['readinessProbe']>;

/** The kubelet takes these for success (Kubernetes documentation, "Configure Probes", HTTP probes). */
const succeeds = (status: number | null): boolean => status !== null && status >= 200 && status < 400;

/** The same path on another port first, then another path: the fewer differences, the more likely it is what was meant. */
export function probeFix(
  owner: Owner | undefined,
  pod: Pod,
  container: string,
  kind: 'readiness' | 'startup',
  probe: Probe | undefined,
  answers: Fact<FactTypes['probeAnswers']>,
): Fix[] {
  if (!owner || !probe || !answers.seen) return [];
  const own = answers.value.filter((a) => a.pod === pod.metadata.name && succeeds(a.status));
  const asked = probe.httpGet?.path;
  const [best] = own.toSorted(
    (a, b) => Number(a.path !== asked) - Number(b.path !== asked) || Number(a.port !== probe.httpGet?.port) - Number(b.port !== probe.httpGet?.port),
  );
  const change = (next: object, text: string): Fix[] => [
    containersPatch(owner, `${text}: container "${container}" of ${nameOf(owner)}`, new Map([[container, { [`${kind}Probe`]: next }]])),
  ];
  if (probe.httpGet && best) {
    const said = `GET ${best.path} on port ${best.port} (HTTP ${best.status})`;
    return change({ httpGet: { path: best.path, port: best.port } }, `Make the ${kind} probe ask ${said}`);
  }
  const open = [...new Set(answers.value.filter((a) => a.pod === pod.metadata.name && a.status !== null).map((a) => a.port))];
  const port = open.find((p) => p === probe.httpGet?.port) ?? open[0];
  if (port === undefined || (!probe.tcpSocket && !probe.httpGet)) return [];
  const none = probe.httpGet ? `, since no usual path answers with success` : '';
  const fixes = change({ ...(probe.httpGet && { httpGet: null }), tcpSocket: { port } }, `Make the ${kind} probe connect to port ${port}${none}`);
  return fixes.map((f) => ({ ...f, assumes: 'the program is ready when it accepts connections' }));
}
