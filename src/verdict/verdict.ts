import { type Code, issueOf } from '../catalog/codes.ts';
import type { Draft } from '../catalog/finding.ts';
import type { Connection, Facts } from '../facts/facts.ts';
import { connectionKey, isGood, isLost } from '../facts/selectors.ts';
import { takenBy } from '../model/mesh-way.ts';
import { programFaults } from '../model/pod-way.ts';
import { predict } from '../model/predict.ts';
import { type Attempt, fits, type Stop } from '../model/prediction.ts';
import { canExplain, canStop } from '../model/reach.ts';
import { type World, worldOf } from '../model/world.ts';
import { isDerived } from './chains.ts';

export type Status = 'healthy' | 'degraded' | 'faulty' | 'undecided';

/** A finding as it is shown, with its row of the issue table. */
export interface Finding extends Draft {
  issue: string;
  symptom: string;
  resolution: string;
  docs: string;
}

export interface CheckResult {
  id: string;
  status: 'pass' | 'warn' | 'fail' | 'skip' | 'unknown';
  reason?: string | undefined;
  /** The codes that it can raise. */
  codes: readonly Code[];
  /** It could not judge, because some of its evidence could not be read now, and may be with more rights or at another time. */
  blind: boolean;
  findings: Finding[];
}

export interface Verdict {
  status: Status;
  summary: string;
  causes: Finding[];
}

export const asFinding = (draft: Draft): Finding => ({ ...draft, ...issueOf(draft.code), docs: `docs/codes/${draft.code}.md` });

/** A connection that was made, with what the facts say about it. */
interface Observed {
  connection: Connection;
  stops: readonly Stop[];
  /** It got no answer, or a wrong one: a name that resolves to another address, a health check that lies. */
  isFailed: boolean;
  /** The proxy of a mesh that took it, of the client or of the pod, before it got where it is meant for. */
  takenBy: 'client' | 'pod' | null;
}

/** An answer with which the proxies of a mesh refuse (Istio, "Authorization": 403, RBAC: access denied; Linkerd likewise). */
const isDenied = (c: Connection, stops: readonly Stop[]): boolean => c.status === 403 && stops.some((s) => s.codes.includes('mesh-denies'));
/** RFC 9110, section 15.6: the server, or a proxy before it, failed. */
const isServerError = (c: Connection): boolean => (c.status ?? 0) >= 500;

/** All connections that were made, by their keys. Those of --matrix start on other nodes. `reported`: those that a check calls failed. */
function observedIn(world: World, reported: ReadonlySet<string>): Map<string, Observed> {
  const { connections, matrix } = world.facts;
  const at = (from: World, connection: Connection): [string, Observed] => {
    const key = connectionKey(connection);
    const { stops } = predict(from, connection satisfies Attempt);
    return [
      key,
      {
        connection,
        stops,
        isFailed: !isGood(connection) || reported.has(key) || isServerError(connection) || isDenied(connection, stops),
        takenBy: takenBy(from, connection),
      },
    ];
  };
  return new Map([
    ...(connections.seen ? connections.value.list.map((c) => at(world, c)) : []),
    ...(matrix.seen ? matrix.value.rows.flatMap(({ node, list }) => list.map((c) => at({ ...world, node }, { ...c, from: node }))) : []),
  ]);
}

const shares = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean => !a || !b || a.some((x) => b.includes(x));

/** Whether a finding reports what stops a connection: the same fault, of the same pods and nodes, of the same Service's rules. */
const reports = (f: Finding, stop: Stop): boolean =>
  stop.codes.includes(f.code) &&
  shares(f.pods, stop.pods) &&
  shares(f.nodes, stop.nodes) &&
  (stop.service === undefined || !f.code.startsWith('kube-proxy-rules') || [f.object, ...(f.also ?? [])].some((o) => o.name === stop.service));

/** Whether a finding explains that a connection failed, and how it failed. A wrong answer can come of every stop on its way. */
const explains = (f: Finding, { connection, stops, isFailed }: Observed): boolean =>
  stops.some((s) => reports(f, s) && (fits(s, connection) || (isFailed && (connection.outcome === 'answered' || connection.hop === 'health-check'))));

/** Whether a connection is a part of the way of another one: a virtual IP's packets go on to its endpoints, a load balancer's to node ports. */
function isPartOf(part: Connection, whole: Connection): boolean {
  // An endpoint that refuses does not explain packets that get lost before.
  if (whole.hop === 'virtual-ip' || whole.hop === 'node-port')
    return part.hop === 'endpoint' && part.servicePort === whole.servicePort && isLost(part) === isLost(whole);
  if (whole.hop === 'load-balancer') return part.hop === 'node-port' || part.hop === 'health-check';
  if (whole.hop === 'health-check') return part.hop === 'node-port' && part.node === whole.node;
  return (whole.hop === 'http' || whole.hop === 'payload') && part.hop !== whole.hop && part.target === whole.target;
}

/** The connections whose success speaks against a finding. */
const trials = (f: Finding, all: readonly Observed[]): Observed[] =>
  all.filter(({ connection: c, takenBy }) => {
    if (!canStop(f.code, c.hop) || c.from !== undefined || takenBy === 'client') return false;
    if (takenBy === 'pod' && (programFaults as readonly Code[]).includes(f.code)) return false;
    if (c.hop === 'endpoint') return !f.pods || (c.pod !== null && f.pods.includes(c.pod));
    if (!f.code.startsWith('kube-proxy-rules')) return true;
    // Rules for DNS decide lookups, the Service's own rules its addresses.
    return [f.object, ...(f.also ?? [])].some((o) => (o.name === 'kube-dns') === (c.hop === 'name'));
  });

/** A connection outweighs what objects suggest: the finding becomes a warning that says so. */
function weigh(f: Finding, all: readonly Observed[], from: string): Finding {
  if (f.severity !== 'error' || f.failed) return f;
  const tried = trials(f, all);
  if (tried.length === 0 || !tried.every((o) => o.connection.outcome === 'answered' && !o.isFailed)) return f;
  if (all.some((o) => o.isFailed && explains(f, o))) return f;
  const contradiction = { source: 'probe', text: `${from} → ${tried[0]?.connection.target} answered anyway` };
  // A status that Kubernetes itself reports stays a fault, but it does not (yet) break this client.
  if (f.confidence === 'confirmed') return { ...f, scope: 'part', evidence: [...f.evidence, contradiction] };
  // A hint that a connection contradicts is settled.
  if (f.confidence === 'possible') return { ...f, severity: 'info', evidence: [...f.evidence, contradiction] };
  return { ...f, severity: 'warning', message: `${f.message}; but the connection succeeded anyway`, evidence: [...f.evidence, contradiction] };
}

/** The same fault of the same pods, found by two checks: the one with more pods stays; with equally many, the first. */
const isSame = (other: Finding, one: Finding, later: boolean): boolean =>
  other.code === one.code &&
  (other.pods?.length ?? 0) > 0 &&
  (other.pods ?? []).every((p) => one.pods?.includes(p)) &&
  (later || (one.pods?.length ?? 0) > (other.pods?.length ?? 0));

/** Findings without those that follow from others, and without what two checks report twice. */
function roots(errors: readonly Finding[], checkOf: ReadonlyMap<Finding, string>): Finding[] {
  return errors.filter(
    (f, i) => !errors.some((cause, j) => cause !== f && (isDerived(f, cause) || (checkOf.get(f) !== checkOf.get(cause) && isSame(f, cause, i > j)))),
  );
}

/** The smallest set of hints that explains connections which nothing certain explains: each time the hint that explains most of the rest. */
function neededHints(hints: readonly Finding[], unexplained: readonly Observed[]): Finding[] {
  const chosen: Finding[] = [];
  let rest = [...unexplained];
  for (;;) {
    const ranked = hints
      .filter((h) => !chosen.includes(h))
      .map((hint) => ({ hint, left: rest.filter((o) => !explains(hint, o)) }))
      .toSorted((a, b) => a.left.length - b.left.length);
    const [best] = ranked;
    if (!best || best.left.length === rest.length) return chosen;
    chosen.push(best.hint);
    rest = best.left;
  }
}

/** What could explain failed connections and was not seen. */
const unseenOn = (all: readonly Observed[]): Stop[] => all.flatMap((o) => o.stops.filter((s) => s.unseen && fits(s, o.connection)));

/** Checks that could not judge, and whose findings could explain failed connections. */
const unjudgedOn = (all: readonly Observed[], results: readonly CheckResult[]): CheckResult[] =>
  results.filter((r) => r.status === 'unknown' && all.some((o) => r.codes.some((code) => canExplain(code, o.connection))));

const reasonOf = (r: CheckResult): string => r.reason ?? r.id;

/** A failed connection that nothing explains; what could explain it and cannot be read or judged is named. */
function unexplained(f: Finding, all: readonly Observed[], results: readonly CheckResult[]): Finding {
  if (f.code !== 'endpoint-failing' && f.code !== 'virtual-ip-failing' && f.code !== 'name-not-resolving') return f;
  const missing = [...new Set([...unseenOn(all).map((s) => s.why), ...unjudgedOn(all, results).map(reasonOf)])];
  if (missing.length > 0) {
    const evidence = missing.slice(0, 3).map((text) => ({ source: 'not seen', text }));
    return { ...f, message: `${f.message}; not everything that can explain it was seen: ${missing[0]}`, evidence: [...f.evidence, ...evidence] };
  }
  if (f.code === 'name-not-resolving') return f;
  // A lost packet looks like a policy's denial.
  const lost = f.code === 'endpoint-failing' && all.some((o) => o.connection.outcome === 'timed-out' || o.connection.outcome === 'no-route');
  const policiesAllow = ['network-policy/ingress', 'network-policy/egress'].every((id) => results.some((r) => r.id === id && r.status === 'pass'));
  const why =
    lost && policiesAllow
      ? 'NetworkPolicies allow it: check the routes and firewalls between the nodes, then the program itself'
      : 'no object explains it: the fault is likely below Kubernetes, or in the program itself';
  return { ...f, message: `${f.message}; ${why}` };
}

/** A connection that failed as a cause predicts confirms it and becomes its evidence. */
function confirm(cause: Finding, explained: readonly Finding[], all: readonly Observed[]): Finding {
  const proof = explained
    .flatMap((f) => f.evidence)
    .filter((e) => e.source === 'probe' && !cause.evidence.some((have) => have.text === e.text))
    .slice(0, 4);
  const shown = all.some((o) => o.isFailed && explains(cause, o)) || explained.some((f) => requests.includes(f.code));
  return { ...cause, confidence: shown && cause.confidence === 'likely' ? 'confirmed' : cause.confidence, evidence: [...cause.evidence, ...proof] };
}

/** Symptoms that an object shows. They are causes only where nothing explains them. */
const requests: readonly Code[] = ['route-request-failing', 'extension-call-failing'];
const symptoms: readonly Code[] = ['no-ready-endpoints', ...requests];
const isReading = (f: Finding): boolean => f.failed !== undefined || symptoms.includes(f.code);
const decisiveness = (f: Finding): number => (f.scope === 'all' ? 0 : 4) + (isReading(f) ? 2 : 0) + (f.confidence === 'confirmed' ? 0 : 1);

/** A finding that only reports failed connections, with those of them that nothing explains. */
interface Reading {
  finding: Finding;
  open: Observed[];
}

/** What explains the failed connections, and the readings that remain. */
function explanationOf(
  left: readonly Finding[],
  hints: readonly Finding[],
  observed: ReadonlyMap<string, Observed>,
): { needed: Finding[]; readings: Reading[] } {
  const all = [...observed.values()];
  const known = left.filter((f) => !isReading(f));
  const connectionsOf = (f: Finding) => (f.failed ?? []).flatMap((key) => observed.get(key) ?? []);
  // What fails is explained by what is known to be wrong, by a failing part of its way, or else by a hint.
  const isExplained = (o: Observed, by: readonly Finding[]) =>
    by.some((f) => explains(f, o)) || all.some((part) => part.isFailed && isPartOf(part.connection, o.connection));
  const needed = neededHints(
    hints,
    left.flatMap((f) => connectionsOf(f).filter((o) => !isExplained(o, known))),
  );
  const readings = left.filter(isReading).flatMap((finding): Reading[] => {
    const reported = connectionsOf(finding);
    const open = reported.filter((o) => !isExplained(o, [...known, ...needed]));
    return reported.length > 0 && open.length === 0 ? [] : [{ finding, open }];
  });
  return { needed, readings };
}

/** Why a reading is no cause yet: evidence that may explain it was not read and could be, or a check that may explain it could not judge. */
function doubtOf({ finding, open }: Reading, results: readonly CheckResult[]): string | undefined {
  if (symptoms.includes(finding.code)) {
    const byApiServer = finding.code === 'extension-call-failing';
    const mayExplain = ({ id, blind }: CheckResult) =>
      byApiServer ? blind && /^(api-server|service|endpoints|pods)\//.test(id) : /^(route|endpoints|pods)\//.test(id);
    const unjudged = results.find((r) => r.status === 'unknown' && mayExplain(r));
    return unjudged && reasonOf(unjudged);
  }
  const [unjudged] = unjudgedOn(open, results).filter((r) => r.blind);
  return unseenOn(open).find((s) => s.unseen !== 'not-possible')?.why ?? (unjudged && reasonOf(unjudged));
}

export interface Reasoned {
  verdict: Verdict;
  /** The checks' findings after the reasoning, in the same order. */
  findings: Map<Finding, Finding>;
}

/** Reasons from findings to causes. Pure: the same results and facts give the same verdict in any order. */
export function reason(results: readonly CheckResult[], facts: Facts, subject: Subject): Reasoned {
  const found = results.flatMap((r) => r.findings);
  const observed = observedIn(worldOf(facts), new Set(found.flatMap((f) => f.failed ?? [])));
  const all = [...observed.values()];
  const from = facts.connections.seen ? facts.connections.value.from : 'the client';
  const weighed = new Map(found.map((f) => [f, weigh(f, all, from)]));
  const checkOf = new Map(results.flatMap((r) => r.findings.map((f) => [weighed.get(f) ?? f, r.id] as const)));
  /** Puts a changed finding in the place of what it was. */
  const settle = (before: Finding, after: Finding): Finding => {
    for (const [original, now] of weighed) if (now === before) weighed.set(original, after);
    return after;
  };
  const errors = [...weighed.values()].filter((f) => f.severity === 'error');
  const left = roots(
    errors.filter((f) => f.confidence !== 'possible'),
    checkOf,
  );
  const hints = errors.filter((f) => f.confidence === 'possible' && !isReading(f));
  const { needed, readings } = explanationOf(left, hints, observed);
  const explaining = [...left.filter((f) => !isReading(f)), ...needed.map((f) => settle(f, { ...f, confidence: 'likely' }))];

  const doubts = readings.map((r) => ({ ...r, why: doubtOf(r, results) }));
  const causes = [
    ...explaining.map((f) => {
      const reported = (e: Finding) => (e.failed ?? []).flatMap((key) => observed.get(key) ?? []);
      const shows = (e: Finding) => isDerived(e, f) || reported(e).some((o) => explains(f, o));
      const shown = errors.filter((e) => e !== f && shows(e));
      return settle(f, confirm(f, shown, all));
    }),
    ...doubts.filter((d) => d.why === undefined).map(({ finding, open }) => settle(finding, unexplained(finding, open, results))),
  ].toSorted((a, b) => decisiveness(a) - decisiveness(b));

  for (const { finding, why } of doubts) {
    if (why !== undefined) settle(finding, { ...finding, confidence: 'possible', message: `${finding.message}; what explains it was not seen: ${why}` });
  }
  // A hint, or a failure whose cause was not seen, is not a cause; it leaves the verdict open where no connection decided it.
  const open = [...weighed.values()].filter((f) => f.severity === 'error' && f.confidence === 'possible');
  const suspicion = open.find((f) => isReading(f)) ?? open[0];
  const proved = statusOf(causes, suspicion, results, facts);
  const unproved = proved === 'healthy' ? untried(all, from) : undefined;
  const status = unproved === undefined ? proved : 'undecided';
  return {
    verdict: { status, causes, summary: unproved === undefined ? summarize(status, causes, suspicion, facts, subject) : `${subject.service}: ${unproved}` },
    findings: weighed,
  };
}

/** Where the client's own proxy took every connection, only an answer that came over one proves anything. */
function untried(all: readonly Observed[], from: string): string | undefined {
  const isProved = all.some((o) => o.connection.hop === 'http' && o.connection.outcome === 'answered' && !o.isFailed);
  if (isProved || !all.some((o) => o.takenBy === 'client')) return undefined;
  return `no problem found, but this is not proved: the proxy of ${from} accepts every connection itself (with --http PATH a request is made)`;
}

function statusOf(causes: readonly Finding[], suspicion: Finding | undefined, results: readonly CheckResult[], facts: Facts): Status {
  if (causes.length > 0) return causes.some((c) => c.scope === 'all') ? 'faulty' : 'degraded';
  // A hint that a failed connection gives is not settled by other connections.
  if (suspicion && isReading(suspicion)) return 'undecided';
  // A connection that succeeded proves more than an object that was not read.
  if (facts.connections.seen)
    return results.some((r) => r.id.startsWith('path/') && r.status === 'unknown') || facts.connections.value.list.length === 0 ? 'undecided' : 'healthy';
  if (suspicion) return 'undecided';
  const notLooked = facts.connections.reason === 'not-asked' || facts.connections.reason === 'not-needed';
  return notLooked && !results.some((r) => r.status === 'unknown') ? 'healthy' : 'undecided';
}

/** What the verdict's sentence speaks of. */
export interface Subject {
  service: string;
  client: string;
  cannot: 'cannot be reached from' | 'cannot be called by';
}

function summarize(status: Status, causes: readonly Finding[], suspicion: Finding | undefined, facts: Facts, { service, client, cannot }: Subject): string {
  const first = causes[0];
  const more = causes.length > 1 ? ` (and ${causes.length - 1} more cause${causes.length > 2 ? 's' : ''})` : '';
  if (status === 'faulty' && first) return `${service} ${cannot} ${client}: ${first.message}${more}`;
  if (status === 'degraded' && first) return `${service}: some connections from ${client} fail: ${first.message}${more}`;
  const connections = facts.connections.seen ? facts.connections.value : undefined;
  const request = facts.frontAnswers.seen ? facts.frontAnswers.value[0] : undefined;
  const called = facts.apiServerCalls.seen ? facts.apiServerCalls.value.find((c) => c.succeeded) : undefined;
  if (status === 'healthy' && called) return `${service} answers: ${called.asked}`;
  if (status === 'healthy' && request) return `${service} answers: ${request.url} gives HTTP ${request.status} through ${request.via}`;
  if (status === 'healthy' && connections) {
    const ports = connections.list.filter((c) => c.hop === 'node-port');
    const balanced = connections.list.filter((c) => c.hop === 'load-balancer');
    const ways = [
      ...(balanced.length > 0 ? ['at its load balancer'] : []),
      ...(ports.length > 0 ? [`on ${ports.filter((c) => c.outcome === 'answered').length} of ${ports.length} node ports`] : []),
    ];
    if (ways.length > 0) return `${service} answers from ${client} ${ways.join(' and ')}`;
    const direct = connections.list.filter((c) => c.hop === 'endpoint');
    const answered = direct.filter((c) => c.outcome === 'answered');
    if (direct.length === 0) return `${service} works from ${client}: its name resolves`;
    if (answered.length === 0) return `${service}: no problem found from ${client}; over UDP no endpoint refused, and silence proves nothing`;
    const total = Math.max(connections.endpointsTotal, direct.length);
    return `${service} answers from ${client}: ${answered.length} of ${total} endpoint${total === 1 ? '' : 's'}${total > direct.length ? ` (${direct.length} were tried)` : ''}`;
  }
  if (status === 'healthy')
    return `${service}: no problem found in its objects; connections were not tested${facts.connections.seen ? '' : ` (${facts.connections.why})`}`;
  const isBehind = !facts.target.seen || facts.target.value.name !== '';
  if (!facts.service.seen && isBehind) return `${service} could not be read: ${facts.service.why}`;
  const why = facts.connections.seen ? 'some of the evidence is missing' : `no connection could be made (${facts.connections.why})`;
  if (suspicion && isReading(suspicion)) return `${service} fails from ${client}, and the cause is not known: ${suspicion.message}`;
  if (suspicion) return `${service} possibly fails: ${suspicion.message}; ${why}`;
  return `${service}: no problem found, but this is not proved: ${why}`;
}
