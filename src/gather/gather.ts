import type { FactName, Facts, Target } from '../facts/facts.ts';
import { factNames } from '../facts/facts.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import { client } from './client.ts';
import type { Cluster } from '../cluster/index.ts';
import { apiServerCalls } from './api-server-calls.ts';
import { extension } from './extension.ts';
import { front } from './front.ts';
import { frontAnswers } from './front-answers.ts';
import type { Collector, Context } from './collector.ts';
import { connections } from './connections.ts';
import { dnsAnswers } from './dns-answers.ts';
import { withoutLostNodes } from './lost-nodes.ts';
import { withoutTokens } from './reduced.ts';
import { listeners } from './listeners.ts';
import * as lists from './lists.ts';
import * as logs from './logs.ts';
import { matrix } from './matrix.ts';
import { mesh } from './mesh.ts';
import { nodeRules, nodeRulesLater } from './node-rules.ts';
import { forwarding } from './forwarding.ts';
import { routes } from './routes.ts';
import { servedCertificates } from './served-certificates.ts';
import * as proxyHealth from './proxy-health.ts';
import { viaApiServer } from './pod-proxy.ts';
import { probeAnswers } from './probe-answers.ts';
import { namespaces, networkDaemons, pluginPolicies, policies } from './policies.ts';

/** One collector a fact; `target` is given, not gathered. */
export const collectors: readonly Collector[] = [
  extension,
  servedCertificates,
  apiServerCalls,
  front,
  frontAnswers,
  ...Object.values(lists),
  namespaces,
  policies,
  pluginPolicies,
  networkDaemons,
  client,
  mesh,
  ...Object.values(logs),
  connections,
  viaApiServer,
  matrix,
  routes,
  forwarding,
  listeners,
  probeAnswers,
  dnsAnswers,
  nodeRules,
  nodeRulesLater,
  proxyHealth.proxyLogs,
  proxyHealth.proxyHealth,
  proxyHealth.conntrack,
];

const byFact = new Map(collectors.map((c) => [c.fact, c]));

/** The collectors that the wanted facts need, with those that they read first. */
export function plan(wanted: Iterable<FactName>): Collector[] {
  const chosen = new Set<Collector>();
  const visit = (fact: FactName) => {
    const found = byFact.get(fact);
    if (!found || chosen.has(found)) return;
    chosen.add(found);
    for (const before of found.after) visit(before);
  };
  for (const fact of wanted) visit(fact);
  return [...chosen];
}

export interface Settled {
  fact: Fact<unknown>;
  /** Milliseconds from the start of the run until the fact was settled. */
  ms: number;
}

export type Gathering = { readonly [K in FactName]: Promise<Settled> };

const whatOf: Partial<Record<FactName, string>> = {
  extension: 'what the API server calls',
  servedCertificates: 'the certificate that the API server meets',
  apiServerCalls: 'a call by the API server',
  front: 'what is in front of the Service',
  frontAnswers: 'a request through what is in front',
  connections: 'real connections from the client',
  viaApiServer: 'requests by the API server',
  matrix: 'connections from every node',
  routes: 'the routes between the nodes',
  forwarding: 'whether nodes let packets through',
  listeners: 'what listens in the pods',
  probeAnswers: 'what the program answers to probes',
  nodeRequests: 'what the pods of each node ask for',
  dnsAnswers: "each DNS replica's answer",
  nodeRules: "the nodes' rules",
  nodeRulesLater: "the nodes' rules, a second time",
};

/** Milliseconds without any answer after which a request counts as hanging. */
const patienceMs = 3000;
/** Why a fact is unseen that would not change the causes. */
export const notWaitedFor = 'it did not answer, and was not waited for: the cause is certain without it';

const slowest: readonly FactName[] = ['connections', 'nodeRules'];

/**
 * Starts everything at once; each collector waits only for the facts that it reads. Facts that are not planned are unseen: not-needed.
 * When the context's signal aborts, what is not yet known is unseen: timed-out. So it is where requests hang that only read, and `isDecided`
 * says of what is known by then that nothing can change the result: facts that come later only add to the causes.
 */
export function gather(
  context: Omit<Context, 'progress'> & { progress(text: string, fact: FactName): void },
  wanted: Iterable<FactName>,
  isDecided: (facts: Facts) => boolean = () => false,
): Gathering {
  const started = performance.now();
  const planned = new Set(plan(wanted));
  const settled = new Map<FactName, Promise<Settled>>();
  /** What is known so far. */
  const facts: Partial<Facts> = {};
  const target: Target = context.target;
  const enough = new AbortController();
  const signal = AbortSignal.any([context.signal, enough.signal]);
  const ended = new Promise<'ended'>((resolve) => {
    if (signal.aborted) resolve('ended');
    else signal.addEventListener('abort', () => resolve('ended'), { once: true });
  });
  /** What is being collected now. */
  const running = new Set<Collector>();
  let lastMs = started;
  const hanging = setInterval(() => {
    const isOnlyReading = running.size > 0 && [...running].every((c) => c.impact === 'read');
    if (!isOnlyReading || performance.now() - lastMs < patienceMs) return;
    const rest = factNames.filter((name) => facts[name] === undefined).map((name) => [name, unseen('timed-out', whatOf[name] ?? name, notWaitedFor)]);
    if (isDecided({ ...Object.fromEntries(rest), ...facts } as Facts)) enough.abort();
  }, 250);

  let versions: ReturnType<Cluster['apiVersions']> | undefined;
  const reachable = withoutLostNodes(context.cluster, facts, async () => (await start('nodes')).fact as Facts['nodes']);

  // Several collectors ask which kinds there are.
  const cluster: Cluster = { ...reachable, apiVersions: (signal) => (versions ??= reachable.apiVersions(signal)) };

  async function run(collector: Collector): Promise<Fact<unknown>> {
    const what = whatOf[collector.fact] ?? collector.fact;
    if (collector.impact !== 'read' && target.probe === 'none') return unseen('not-asked', what, '--probe none');
    const before = await Promise.all(collector.after.map(async (f) => [f, (await start(f)).fact] as const));
    const known = Object.fromEntries(before) as unknown as Facts;
    const needed = collector.when(known, target);
    if (needed !== true) return unseen('not-needed', what, needed);
    running.add(collector);
    const result = await Promise.race([
      collector.collect({ ...context, signal, cluster, progress: (text) => context.progress(text, collector.fact) }, known),
      ended,
    ]);
    running.delete(collector);
    if (result !== 'ended') return result;
    return unseen('timed-out', what, context.signal.aborted ? 'the time allowed for the run was over' : notWaitedFor);
  }

  function start(name: FactName): Promise<Settled> {
    const running = settled.get(name);
    if (running) return running;
    const found = byFact.get(name);
    const fact: Promise<Fact<unknown>> =
      name === 'target'
        ? Promise.resolve(seen(withoutTokens(target)))
        : found && planned.has(found)
          ? run(found)
          : Promise.resolve(unseen('not-needed', name, 'no chosen check reads it'));
    const timed = fact.then((f) => {
      Object.assign(facts, { [name]: f });
      lastMs = performance.now();
      return { fact: f, ms: Math.round(performance.now() - started) };
    });
    settled.set(name, timed);
    return timed;
  }

  // Few requests go out at once: what the connections wait for goes first, since they take longest.
  for (const name of slowest) void start(name);
  const gathering = Object.fromEntries(factNames.map((name) => [name, start(name)])) as Gathering;
  void Promise.all(Object.values(gathering)).finally(() => clearInterval(hanging));
  return gathering;
}
