/** What would become of the connections of a run after a change: those that were made, and those that it makes possible. */
import type { Change } from '../catalog/finding.ts';
import { domainOf } from '../dns/corefile.ts';
import { clusterDomain, parseResolvConf } from '../dns/resolv-conf.ts';
import { seen, unseen, valueOf } from '../facts/fact.ts';
import type { Connection, Connections, Facts, Target } from '../facts/facts.ts';
import type { Service } from '../facts/objects.ts';
import { connectionKey, endpointsOf, isGood, portsAsked } from '../facts/selectors.ts';
import { kindOf, plan, speaksTls } from '../gather/connection-plan.ts';
import { programFaults } from '../model/pod-way.ts';
import { predict } from '../model/predict.ts';
import { type Attempt, type Fate, fits, type Stop } from '../model/prediction.ts';
import { type World, worldOf } from '../model/world.ts';

const outcomes: Record<Fate, Connection['outcome']> = {
  connects: 'answered',
  refused: 'refused',
  lost: 'timed-out',
  'not-found': 'name-not-found',
  failing: 'dns-failed',
  reset: 'reset',
};

const keyOf = (s: Stop) => [s.why, ...s.codes].join(' ');
/** A connection of the model, with what it takes for granted. */
interface Foreseen {
  connection: Connection;
  assumes: string[];
}

/** How a connection would go: as before where nothing on its way has changed, or as the facts decide. */
function foretold(
  attempt: Attempt & Pick<Connection, 'kind' | 'hop' | 'target' | 'servicePort'>,
  was: Connection | undefined,
  before: World,
  after: World,
): Foreseen {
  const { stops } = predict(after, attempt);
  const base: Omit<Connection, 'outcome'> = { ...attempt, latencyMs: was?.latencyMs ?? null, detail: '', answers: was?.answers ?? [] };
  // The answer of before is not that of after.
  delete base.status;
  const former = was ? predict(before, was).stops : [];
  const [had, has] = [former, stops].map((some) => new Set(some.map(keyOf)));
  const went = was !== undefined && isGood(was) && (was.status ?? 0) < 400;
  // What stopped nothing before does not stop it now.
  const end = stops.find((s) => (s.certain || s.likely) && !(went && had?.has(keyOf(s))));
  if (end) return { connection: { ...base, outcome: outcomes[end.fates[0] ?? 'lost'] }, assumes: [] };
  if (was && (went || !former.some((s) => fits(s, was) && !has?.has(keyOf(s))))) return { connection: was, assumes: [] };
  const answers = attempt.hop === 'name' ? (after.service?.spec.clusterIPs ?? []).filter((ip) => ip !== 'None') : [];
  const open = stops.filter((s) => s.codes.some((c) => (programFaults as readonly string[]).includes(c)));
  return {
    connection: { ...base, answers, outcome: 'answered' },
    assumes: open.length > 0 ? [`the program listens on port ${attempt.target.split(':').at(-1)}`] : [],
  };
}

/** What came over a connection says nothing where the connection itself had failed. */
const wasOpen = (made: readonly Connection[], { hop, target }: Connection): boolean =>
  (hop !== 'payload' && hop !== 'http') || made.some((c) => (c.hop === 'endpoint' || c.hop === 'virtual-ip') && c.target === target && isGood(c));

/** A program that serves one port is not taken to serve another one, too. */
function served(made: readonly Connection[], attempt: Attempt): boolean {
  return (
    attempt.hop === 'endpoint' &&
    made.some((c) => c.hop === 'endpoint' && c.pod === attempt.pod && c.servicePort === attempt.servicePort && isGood(c) && c.target !== attempt.target)
  );
}

const isDnsAsBefore = (before: Facts, after: Facts): boolean => (['dnsPods', 'dnsService', 'corefile'] as const).every((name) => before[name] === after[name]);

/** What was tried beside names, virtual IPs and endpoints, where it would be tried in the same way. */
function furtherOf(list: readonly Connection[], before: Facts, after: Facts): Connection[] {
  const [was, service] = [valueOf(before.service), valueOf(after.service)];
  const endpoints = endpointsOf(valueOf(after.slices) ?? []);
  const isThere = (c: Connection) => c.pod === null || endpoints.some((e) => e.pod === c.pod && c.target.startsWith(e.address));
  // A port that is named otherwise may be asked with or without TLS.
  const isTlsAsBefore = (c: Connection) => was != null && service != null && speaksTls(was, c.servicePort) === speaksTls(service, c.servicePort);
  return list.filter((c) => {
    switch (c.hop) {
      case 'dns-server':
        return isDnsAsBefore(before, after);
      case 'http':
        return isThere(c) && wasOpen(list, c) && isTlsAsBefore(c);
      case 'payload':
        return isThere(c) && wasOpen(list, c);
      case 'node-port':
      case 'load-balancer':
      case 'health-check':
        return true;
      default:
        return false;
    }
  });
}

/** What is planned for a client in the cluster: the name, the virtual IPs, each endpoint. Clients look names up under the domain of their own resolv.conf. */
function plannedFor(service: Service, target: Target, after: Facts, resolvConf: string | null | undefined): { attempts: Attempt[]; total: number } {
  const domain = (resolvConf == null ? undefined : clusterDomain(parseResolvConf(resolvConf))) ?? domainOf(valueOf(after.corefile));
  const { planned, total } = plan(service, target, endpointsOf(valueOf(after.slices) ?? []), domain, [], valueOf(after.client)?.addresses ?? []);
  const attempts = planned
    .filter((p) => p.hop === 'name' || p.hop === 'virtual-ip' || p.hop === 'endpoint')
    .map(({ task, ...p }): Attempt => ({ kind: kindOf(task), ...p }));
  return { attempts: valueOf(after.client)?.kind === 'external' ? [] : attempts, total };
}

const isReachable = (service: Service, target: Target, after: Facts): boolean =>
  (service.spec.type === 'ExternalName' || endpointsOf(valueOf(after.slices) ?? []).some((e) => e.ready || e.serving)) &&
  portsAsked(service, target.port) !== undefined;

/** The facts after a change with the connections that would be made then. Of what no model foretells (matrix, the API server's requests) nothing is said. */
export function withConnections(before: Facts, after: Facts, changes: readonly Change[]): { facts: Facts; assumes: string[] } {
  const facts: Facts = {
    ...after,
    matrix: unseen('not-asked', 'connections from every node', 'the model does not foretell it'),
    viaApiServer: unseen('not-needed', 'requests by the API server', 'the model does not foretell them'),
    dryRuns: unseen('not-needed', 'dry runs', 'nothing is tried'),
  };
  const [service, target, client, made] = [valueOf(after.service), valueOf(after.target), valueOf(after.client), valueOf(before.connections)];
  if (!service || !target || !client || (!made && !before.connections.seen && before.connections.reason !== 'not-needed')) return { facts, assumes: [] };
  if (!isReachable(service, target, after))
    return { facts: { ...facts, connections: unseen('not-needed', 'real connections from the client', 'there is no endpoint to connect to') }, assumes: [] };

  const restarted = changes.filter((c) => c.how === 'restart').map((c) => c.name);
  // How a program answered says nothing of the one that runs in its place.
  const list = (made?.list ?? []).filter((c) => c.pod === null || !restarted.includes(c.pod));
  const { attempts, total } = plannedFor(service, target, after, made?.resolvConf);
  // A client that is replaced gets another resolv.conf; servers that changed have not been asked.
  const resolvConf = before.client === after.client ? (made?.resolvConf ?? null) : null;
  const asked = isDnsAsBefore(before, after) ? list : list.filter((c) => c.hop !== 'dns-server');
  const known: Facts = made ? { ...facts, connections: seen({ ...made, resolvConf, list: asked }) } : facts;
  const [worldBefore, worldAfter] = [worldOf(before), worldOf(known)];
  const all = [...attempts, ...furtherOf(list, before, after)].map((attempt): Foreseen => {
    const was = list.find((c) => connectionKey(c) === connectionKey(attempt));
    const { connection, assumes } = foretold(attempt, was, worldBefore, worldAfter);
    return assumes.length > 0 && served(list, attempt) ? { connection: { ...connection, outcome: 'refused' }, assumes: [] } : { connection, assumes };
  });
  const connections: Connections = {
    from: made?.from ?? client.name,
    standIn: made?.standIn ?? false,
    node: made?.node ?? client.node,
    list: all.map((t) => t.connection),
    endpointsTotal: total,
    resolvConf,
  };
  return { facts: { ...facts, connections: seen(connections) }, assumes: [...new Set(all.flatMap((t) => t.assumes))] };
}
