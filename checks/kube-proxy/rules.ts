import { endpointsOf, type Family, familyOf, isGood, portsAsked, virtualIpAloneFails } from '../../src/facts/selectors.ts';
import { byChoice, type Fact, unreadOf } from '../../src/facts/fact.ts';
import { compare, type Difference, isPartial } from '../../src/proxy/compare.ts';
import { endsOf, isProxied, type ProxyNode } from '../../src/proxy/expected.ts';
import { hostPort } from '../../src/proxy/model.ts';
import type { FactTypes, NodeRules } from '../../src/facts/facts.ts';
import type { EndpointSlice, Node, Pod, Service, ServicePort } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, type Fix, judged, type ObjectRef, skip, unknown } from '../check.ts';
import { onNode } from '../on-node.ts';
import { platformIn } from '../platform.ts';
import { plural, serviceRef, some } from '../format.ts';
import { clientNode, proxyNodeIn, restartOn, rewriteOn } from './nodes.ts';

type Code = 'kube-proxy-rules-missing' | 'kube-proxy-rules-stale';

const kinds = { 'cluster-ip': '', 'external-ip': ' (external IP)', 'load-balancer-ip': ' (load balancer)', 'node-port': ' (node port)' } as const;

const endText = ({ address, port, protocol }: Difference['end']): string => `${hostPort(address, port)}${protocol === 'TCP' ? '' : `/${protocol}`}`;

/** What the rules of a node do with an address, and what they should do. */
function differenceText({ end, from, want, have, absent, wrong }: Difference): string {
  const at = `${endText(end)}${kinds[end.kind]}`;
  const whose = from.length === 1 && end.kind !== 'cluster-ip' ? ` from ${from[0] === 'outside' ? 'outside' : `a ${from[0]}`}` : '';
  if (have.byDefault) return `no rule for ${at}${whose}${have.verdict === 'not-handled' ? '' : ` (${have.verdict}, like every address without a rule)`}`;
  if (have.verdict !== 'backends')
    return `${at}${whose} is ${have.verdict}, expected: ${want.verdict === 'backends' ? `forwarded to ${some(want.backends)}` : want.verdict}`;
  if (want.verdict !== 'backends') return `${at}${whose} is forwarded to ${some(have.backends.map((b) => b.to))}, expected: ${want.verdict}`;
  const parts = [
    ...(wrong.length > 0 ? [wrong.length === 1 ? `${wrong[0]} is not an endpoint` : `${some(wrong)} are no endpoints`] : []),
    ...(absent.length > 0 ? [`${some(absent)} ${absent.length === 1 ? 'is' : 'are'} missing`] : []),
    ...(have.affinitySeconds === want.affinitySeconds
      ? []
      : [have.affinitySeconds === null ? 'session affinity is missing' : `session affinity of ${have.affinitySeconds} s is not in the Service`]),
    ...(have.sourceRanges.join() === want.sourceRanges.join()
      ? []
      : [`it allows ${have.sourceRanges.join(', ') || 'every address'}, expected: ${want.sourceRanges.join(', ') || 'every address'}`]),
  ];
  if (parts.length === 0) parts.push(`shares are not equal: ${have.backends.map((b) => `${b.to} ${b.percent} %`).join(', ')}`);
  return `${at}${whose} is forwarded to ${some(have.backends.map((b) => b.to))}; ${parts.join('; ')}`;
}

const isSame = (a: Service, b: Service) => a.metadata.name === b.metadata.name && a.metadata.namespace === b.metadata.namespace;
const refOf = (s: Service): ObjectRef => ({ kind: 'Service', namespace: s.metadata.namespace, name: s.metadata.name });

interface Problem {
  service: Service;
  node: string;
  code: Code;
  text: string;
  partly: boolean;
  /** Rejected because the address has no rule, which is how the nftables mode treats unknown Service addresses. */
  byDefault?: boolean;
  /** Deciding rules that the proxy did not write. */
  foreign?: string[];
  /** Of the address that the rules are for. */
  family?: Family;
}

interface Subject {
  service: Service;
  ports: readonly ServicePort[];
  slices: readonly EndpointSlice[];
}

/** What one reading of a node's rules shows. `unread`: rules that could change the result and could not be understood. */
function against(
  read: NodeRules,
  name: string,
  node: ProxyNode,
  subjects: readonly Subject[],
  setUp: string | null,
): { problems: Problem[]; unread: string[] } {
  const modes = Object.entries(read.modes);
  // With rules of two modes, those of the configured mode count; `kube-proxy/leftover` judges the others.
  const [mode = '', handled] = modes.find(([m]) => m === setUp) ?? modes[0] ?? [];
  if (!handled) {
    const problems = subjects.map(({ service, ports }): Problem => {
      const ends = endsOf(service, ports, node).filter((e) => e.kind === 'cluster-ip');
      const text = `no rule for ${some(ends.map(endText))}: the node has no rules of a proxy at all`;
      return { service, node: name, code: 'kube-proxy-rules-missing', text, partly: false };
    });
    return { problems, unread: [] };
  }
  const compared = subjects.map((s) => ({ service: s.service, found: compare(s.service, s.ports, s.slices, node, mode, handled) }));
  const problems = compared.flatMap(({ service, found }) =>
    found.differences.map(
      (d): Problem => ({
        service,
        node: name,
        code: d.have.byDefault ? 'kube-proxy-rules-missing' : 'kube-proxy-rules-stale',
        text: differenceText(d),
        partly: isPartial(d) || d.end.kind !== 'cluster-ip',
        foreign: d.have.foreign,
        family: familyOf(d.end.address),
        byDefault: d.have.byDefault && d.have.verdict !== 'not-handled',
      }),
    ),
  );
  return { problems, unread: compared.flatMap((c) => c.found.unread).map((rule) => `${rule} (${mode} mode)`) };
}

/** All readings together: what is wrong, and the nodes whose rules are right or could not be understood. */
interface Reading {
  problems: Problem[];
  right: string[];
  unread: string[];
  /** The rules on these nodes that were not understood. */
  notUnderstood: string[];
  read: string[];
  modes: string[];
}

interface NodeFacts {
  nodes: Fact<FactTypes['nodes']>;
  proxyPods: Fact<FactTypes['proxyPods']>;
  mode: string | null;
}

function readAll(
  nodeRules: FactTypes['nodeRules'],
  later: Fact<FactTypes['nodeRulesLater']>,
  subjects: readonly Subject[],
  { nodes, proxyPods, mode }: NodeFacts,
  /** The node from which the virtual IP fails while all endpoints answer. */
  failsOn: string | null,
): Reading {
  const result: Reading = { problems: [], right: [], unread: [], notUnderstood: [], read: [], modes: [] };
  for (const [name, fact] of Object.entries(nodeRules).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!fact.seen) continue;
    result.read.push(name);
    result.modes.push(...Object.keys(fact.value.modes));
    const node = proxyNodeIn(name, nodes, proxyPods);
    const first = against(fact.value, name, node, subjects, mode);
    const again = later.seen ? later.value[name] : undefined;
    const second = again?.seen ? against(again.value, name, node, subjects, mode) : first;
    // kube-proxy writes its rules at most once a second: a short difference is not a fault, unless a connection failed because of it.
    const cameBack = second.problems.length === 0 && name === failsOn;
    const found = cameBack ? first : second;
    // kube-proxy may write what is missing a moment later; without a second reading only a failed connection shows that it did not.
    const unsettled = later.seen ? again !== undefined && !again.seen : !byChoice(later);
    if (unsettled && first.problems.length > 0 && name !== failsOn) {
      result.unread.push(name);
      continue;
    }
    result.problems.push(
      ...found.problems.map((p) => (cameBack ? { ...p, text: `${p.text} (a second later it was right: something changes these rules)` } : p)),
    );
    if (found.problems.length === 0) (found.unread.length > 0 ? result.unread : result.right).push(name);
    result.notUnderstood.push(...found.unread);
  }
  return result;
}

function findingOf(code: Code, { problems, right, read }: Reading, here: string | null, fallback: ObjectRef, proxyPods: Fact<Pod[]>): Draft<Code>[] {
  const found = problems.filter((p) => p.code === code);
  if (found.length === 0) return [];
  const names = [...new Set(found.map((p) => p.node))];
  const services = [...new Map(found.map((p) => [p.service.metadata.uid, refOf(p.service)])).values()];
  const [object = fallback, ...also] = services;
  const all = found.some((p) => p.node === here && !p.partly) || (here === null && names.length === read.length && found.every((p) => !p.partly));
  const evidence: Evidence[] = found.slice(0, 6).map((p) => ({ source: `rules on ${p.node}`, text: p.text }));
  const foreign = [...new Set(found.flatMap((p) => (p.foreign ?? []).map((rule) => `${p.node}: ${rule}`)))];
  evidence.push(...foreign.slice(0, 3).map((rule) => ({ source: 'other rule', text: rule })));
  if (right.length > 0) evidence.push({ source: 'rules', text: `right on ${some(right, 6)}` });
  const whose = `Service "${object.name}"${also.length > 0 ? ` and ${also.map((o) => o.name).join(', ')}` : ''}`;
  return [
    {
      code,
      severity: 'error',
      confidence: 'confirmed',
      scope: all ? 'all' : 'part',
      object,
      ...(also.length > 0 && { also }),
      message:
        code === 'kube-proxy-rules-missing'
          ? `kube-proxy on ${some(names)} has no rules for ${whose}: ${found[0]?.text}`
          : `kube-proxy rules on ${some(names)} for ${whose} do not match the endpoints: ${found[0]?.text}`,
      evidence,
      fix: [
        ...(foreign.length > 0 ? withoutForeign(found, proxyPods) : restartOn(names, proxyPods)),
        ...(found.some((p) => p.byDefault) ? rewriteOn(names, proxyPods, [...new Set(found.flatMap((p) => p.family ?? []))]) : []),
      ],
      nodes: names,
    },
  ];
}

/** The command that deletes each rule that kube-proxy did not write: `nat/PREROUTING: -d 10.96.0.1/32 -j DROP` is how iptables lists it. */
function withoutForeign(found: readonly Problem[], proxyPods: NodeFacts['proxyPods']): Fix[] {
  const rules = new Map(found.flatMap((p) => (p.foreign ?? []).map((rule) => [`${p.node} ${rule}`, { ...p, rule }] as const)));
  return [...rules.values()].slice(0, 4).map(({ node, rule, family }) => {
    const [, table, chain, words] = /^(\w+)\/(\S+): (-.*)$/.exec(rule) ?? [];
    const text = `Delete the rule on ${node} that kube-proxy did not write, and exclude Services in the program that writes it: ${rule}`;
    return {
      text,
      ...(table &&
        chain &&
        words && { command: onNode(node, proxyPods, family === 'IPv6' ? 'ip6tables' : 'iptables', '-t', table, '-D', chain, ...words.split(' ')) }),
    };
  });
}

/** Which rule was not understood, on which release, and what to do about it: a proxy may write its rules in a form of its own. */
function doubtText({ unread, notUnderstood }: Pick<Reading, 'unread' | 'notUnderstood'>, nodes: readonly Node[]): string {
  const [rule] = notUnderstood;
  if (rule === undefined) return `rules on ${some(unread)} could not be understood`;
  const releases = [...new Set(nodes.filter((n) => unread.includes(n.metadata.name)).map((n) => n.status.nodeInfo?.kubeletVersion ?? ''))].filter(Boolean);
  return `rules on ${some(unread)}${releases.length > 0 ? ` (Kubernetes ${releases.join(', ')})` : ''} could not be understood: ${rule}; --capture FILE keeps what was read, to report it with`;
}

/** `rules on node1, node2 match the 3 endpoints · iptables mode`. */
function summaryOf({ right, unread, notUnderstood, read, modes }: Reading, slices: readonly EndpointSlice[], nodes: readonly Node[]): string {
  const ready = new Set(endpointsOf(slices).flatMap((e) => (e.ready ? [e.address] : []))).size;
  const to =
    right.length === 0
      ? 'the rules are right on no node'
      : ready === 0
        ? `rules on ${some(right)} reject connections: there is no endpoint`
        : `rules on ${some(right)} match ${ready === 1 ? 'the endpoint' : `the ${ready} endpoints`}`;
  const doubt = unread.length > 0 ? `; ${doubtText({ unread, notUnderstood }, nodes)}` : '';
  const rest = Math.max(0, nodes.length - read.length);
  const more = rest > 0 ? `; ${plural(rest, 'node')} not checked (--nodes all)` : '';
  const distinct = [...new Set(modes)];
  return `${to}${doubt}${more}${distinct.length === 1 ? ` · ${distinct[0]} mode` : ''}`;
}

/** Each node's rules for the Service, compared with its EndpointSlices. */
export const rules = check({
  id: 'kube-proxy/rules',
  title: "Each node's rules match the Service's endpoints",
  needs: ['target', 'service', 'slices', 'nodeRules'],
  uses: ['nodeRulesLater', 'dnsService', 'dnsSlices', 'client', 'connections', 'nodes', 'proxyPods', 'proxyMode'],
  codes: ['kube-proxy-rules-missing', 'kube-proxy-rules-stale'],
  run({ target, service, slices, nodeRules, nodeRulesLater, dnsService, dnsSlices, client, connections, nodes, proxyPods, proxyMode }) {
    const ports = service ? portsAsked(service, target.port) : undefined;
    if (!service || !ports) return skip('the Service is not known');
    const dns = dnsService.seen ? dnsService.value : null;
    const subjects = [
      { service, ports, slices },
      // Without rules for the address of DNS, the Service's own address works and its name does not resolve.
      ...(dns && dnsSlices.seen && !isSame(dns, service) ? [{ service: dns, ports: dns.spec.ports, slices: dnsSlices.value }] : []),
    ].filter((s) => isProxied(s.service));
    const here = clientNode(client, connections);
    const failsOn = connections.seen && virtualIpAloneFails(connections.value) ? here : null;
    const facts = { nodes, proxyPods, mode: proxyMode.seen ? proxyMode.value : null };
    const reading = readAll(nodeRules, nodeRulesLater, subjects, facts, failsOn);
    if (reading.read.length === 0) {
      const platform = platformIn({ nodes, connections });
      return unknown(`no node's rules could be read${platform?.services ? `; on ${platform.name}: ${platform.services.look}` : ''}`);
    }
    const findings = (['kube-proxy-rules-missing', 'kube-proxy-rules-stale'] as const).flatMap((code) =>
      findingOf(code, reading, here, serviceRef(target), proxyPods),
    );
    // Where a connection failed, the rules that the client's packets meet decide; those of other nodes say nothing about them.
    const isFailing = connections.seen && connections.value.list.some((c) => (c.hop === 'virtual-ip' || c.hop === 'name') && !isGood(c));
    const isOpen = isFailing && here !== null && reading.unread.includes(here);
    if (findings.length === 0 && (reading.right.length === 0 || isOpen)) return unknown(doubtText(reading, nodes.seen ? nodes.value : []));
    const unread = unreadOf(...Object.values(nodeRules));
    if (findings.length === 0 && unread !== undefined) return unknown(`${summaryOf(reading, slices, [])}; ${unread}`);
    if (subjects[0]?.service !== service) return judged(findings, `rules on ${some(reading.right)} match the DNS pods`);
    return judged(findings, summaryOf(reading, slices, nodes.seen ? nodes.value : []));
  },
});
