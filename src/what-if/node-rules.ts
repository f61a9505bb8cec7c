/** The rules of the nodes as their proxies would write them. */
import { type Fact, seen, unseen, valueOf } from '../facts/fact.ts';
import type { Facts, NodeRules } from '../facts/facts.ts';
import type { EndpointSlice, Pod, Service } from '../facts/objects.ts';
import { isReady, portsAsked } from '../facts/selectors.ts';
import { compare, type Handled } from '../proxy/compare.ts';
import { endsOf, expected, type Expected, isProxied, type ProxyNode, proxyNodeOf } from '../proxy/expected.ts';
import { backendsOf, type Handling, keyOf, origins } from '../proxy/model.ts';

const handlingOf = (want: Expected): Handling => ({
  verdict: want.verdict,
  byDefault: false,
  backends: backendsOf(want.backends.map((to) => [to, 1 / want.backends.length])),
  masquerade: null,
  affinitySeconds: want.affinitySeconds,
  sourceRanges: want.sourceRanges,
  foreign: [],
  unread: [],
});

interface Subject {
  service: Service;
  slices: readonly EndpointSlice[];
}

/** The Services whose rules a run reads: the diagnosed one, and that of DNS. */
function subjectsOf(facts: Facts): Subject[] {
  const [service, dns] = [valueOf(facts.service), valueOf(facts.dnsService)];
  return [
    ...(service && isProxied(service) ? [{ service, slices: valueOf(facts.slices) ?? [] }] : []),
    ...(dns && isProxied(dns) && dns.metadata.uid !== service?.metadata.uid ? [{ service: dns, slices: valueOf(facts.dnsSlices) ?? [] }] : []),
  ];
}

function handledBy(subjects: readonly Subject[], node: ProxyNode): Handled {
  const ends = subjects.flatMap((s) => endsOf(s.service, s.service.spec.ports, node).map((end) => ({ ...s, end })));
  return Object.fromEntries(
    ends.map(({ service, slices, end }) => [
      keyOf(end),
      Object.fromEntries(
        origins.flatMap((origin) => {
          const want = expected(service, slices, end, node, origin);
          return want ? [[origin, handlingOf(want)]] : [];
        }),
      ),
    ]),
  );
}

/** Whether a proxy runs on a node and has written what the objects ask for. */
function isFollowing(facts: Facts, node: ProxyNode, rules: NodeRules): boolean {
  const port = valueOf(facts.target)?.port;
  return Object.entries(rules.modes).every(([mode, handled]) =>
    subjectsOf(facts).every(({ service, slices }) => {
      const ports = service.metadata.uid === valueOf(facts.service)?.metadata.uid ? (portsAsked(service, port) ?? []) : service.spec.ports;
      return compare(service, ports, slices, node, mode, handled).differences.length === 0;
    }),
  );
}

/**
 * The rules after a change of the objects. A node whose proxy follows them, or would run again (`restarted`), gets the right ones; the
 * others keep what they have.
 */
export function withRules(before: Facts, after: Facts, restarted: ReadonlySet<string>): Facts {
  // The second reading, where there is one, shows what the first was too early for.
  const read = { ...valueOf(before.nodeRules), ...valueOf(before.nodeRulesLater) };
  const here = valueOf(after.connections)?.node ?? valueOf(after.client)?.node;
  const names = new Set([...Object.keys(read), ...(here == null ? [] : [here])]);
  const proxyOn = (name: string): Pod | undefined => valueOf(after.proxyPods)?.find((p) => p.spec.nodeName === name && isReady(p));
  const rules = [...names].flatMap((name): [string, Fact<NodeRules>][] => {
    const was = read[name];
    const node = proxyNodeOf(
      name,
      valueOf(after.nodes)?.find((n) => n.metadata.name === name),
      proxyOn(name),
    );
    const follows = was?.seen ? isFollowing(before, node, was.value) : proxyOn(name) !== undefined;
    if (!restarted.has(name) && !follows) return was ? [[name, was]] : [];
    const mode = (was?.seen ? Object.keys(was.value.modes)[0] : undefined) ?? valueOf(after.proxyMode) ?? 'iptables';
    return [[name, seen({ from: 'the model', modes: { [mode]: handledBy(subjectsOf(after), node) } })]];
  });
  const later = unseen('not-needed', "the nodes' rules, a second time", 'the model has one reading');
  return { ...after, nodeRules: rules.length > 0 ? seen(Object.fromEntries(rules)) : before.nodeRules, nodeRulesLater: later };
}
