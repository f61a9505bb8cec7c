import type { Connection } from '../../src/facts/facts.ts';
import { connectionKey, isHeadless } from '../../src/facts/selectors.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { outcomeText, probeEvidence, serviceRef } from '../format.ts';

const answers = (c: Connection) => c.outcome === 'answered';

/** Which server fails, or which protocol to it, as the servers' own answers show. */
function whereItFails(servers: readonly Connection[]): string {
  const virtual = servers.filter((c) => c.pod === null);
  const pods = servers.filter((c) => c.pod !== null);
  const over = (list: readonly Connection[], protocol: 'UDP' | 'TCP') => list.filter((c) => c.target.endsWith(`/${protocol}`));
  if (servers.length === 0) return '';
  if (over(servers, 'TCP').some(answers) && over(servers, 'UDP').length > 0 && !over(servers, 'UDP').some(answers))
    return '; over TCP it does: UDP packets are lost';
  if (!virtual.some(answers) && pods.length > 0 && pods.every(answers))
    return "; each DNS pod answers directly: the rules for DNS's virtual IP on the client's node are wrong";
  const bad = [...new Set(pods.filter((c) => !answers(c)).map((c) => c.pod))];
  const good = new Set(pods.filter(answers).map((c) => c.pod));
  if (bad.length > 0 && good.size > 0) return `; asked one by one, ${bad.join(', ')} ${bad.length === 1 ? 'fails' : 'fail'} and the others answer`;
  return '';
}

export const name = check({
  id: 'path/name',
  title: 'The name resolves for the client',
  needs: ['target', 'service', 'connections'],
  codes: ['name-not-resolving'],
  run({ target, service, connections }) {
    if (!service) return skip('the Service does not exist');
    if (target.from.kind === 'external') return skip('the client is outside the cluster');
    const lookups = connections.list.filter((c) => c.hop === 'name');
    if (lookups.length === 0) return unknown('no tool at hand could look the name up');
    const expected = service.spec.clusterIPs;
    const resolves = (c: Connection) => c.outcome === 'answered';
    // Another address than the Service's is as bad as none.
    const isRight = (c: Connection) =>
      resolves(c) && (service.spec.type === 'ExternalName' || isHeadless(service) || c.answers.some((x) => expected.includes(x)));
    const wrong = lookups.filter((c) => !isRight(c));
    const [looked] = wrong;
    if (!looked) return judged([], lookups.map((c) => `${c.target} → ${c.answers.join(', ')}`).join('; '));
    const servers = connections.list.filter((c) => c.hop === 'dns-server');
    return judged([
      {
        code: 'name-not-resolving',
        severity: 'error',
        confidence: 'confirmed',
        scope: wrong.length === lookups.length ? 'all' : 'part',
        object: serviceRef(target),
        message: resolves(looked)
          ? `The name ${looked.target} resolves to ${looked.answers.join(', ')}, not to ${expected.join(', ')}`
          : `The name ${looked.target} does not resolve for the client: ${outcomeText(looked.outcome)}${whereItFails(servers)}`,
        evidence: [
          probeEvidence(connections.from, looked),
          ...servers.slice(0, 6).map((c) => probeEvidence(connections.from, c)),
          ...(looked.detail ? [{ source: 'probe', text: looked.detail }] : []),
          ...(connections.resolvConf ? [{ source: 'resolv.conf', text: connections.resolvConf.trim().replace(/\s*\n\s*/g, '; ') }] : []),
        ],
        fix: [],
        failed: wrong.map(connectionKey),
      },
    ]);
  },
});
