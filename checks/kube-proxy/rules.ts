import { endpointsOf, portsAsked, virtualIpAloneFails } from '../../src/facts/selectors.ts';
import { compare, type Difference, isPartial } from '../../src/proxy/compare.ts';
import { endsOf, isProxied, type ProxyNode } from '../../src/proxy/expected.ts';
import { hostPort } from '../../src/proxy/model.ts';
import type { NodeRules } from '../../src/facts/facts.ts';
import type { EndpointSlice, Service, ServicePort } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, judged, type ObjectRef, skip, unknown } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';
import { clientNode, proxyNodeIn, restartOn } from './nodes.ts';

type Code = 'kube-proxy-rules-missing' | 'kube-proxy-rules-stale';

const kinds = { 'cluster-ip': '', 'external-ip': ' (external IP)', 'load-balancer-ip': ' (load balancer)', 'node-port': ' (node port)' } as const;

/** What a node does otherwise than it ought to, in words. */
function inWords({ end, from, want, have, absent, wrong }: Difference): string {
  const at = `${hostPort(end.address, end.port)}${end.protocol === 'TCP' ? '' : `/${end.protocol}`}${kinds[end.kind]}`;
  const whose = from.length === 1 && end.kind !== 'cluster-ip' ? `, coming from ${from[0] === 'outside' ? 'outside' : `a ${from[0]}`},` : '';
  if (have.byDefault) return `${at}${whose} is not handled${have.verdict === 'not-handled' ? '' : ` (${have.verdict}, as whatever has no rule)`}`;
  if (have.verdict !== 'backends')
    return `${at}${whose} is ${have.verdict}, ${want.verdict === 'backends' ? `though it ought to lead to ${some(want.backends)}` : `though it ought to be ${want.verdict}`}`;
  if (want.verdict !== 'backends') return `${at}${whose} leads to ${some(have.backends.map((b) => b.to))}, though it ought to be ${want.verdict}`;
  const parts = [
    ...(wrong.length > 0 ? [`${some(wrong)} is no endpoint`] : []),
    ...(absent.length > 0 ? [`${some(absent)} is missing`] : []),
    ...(have.affinitySeconds === want.affinitySeconds
      ? []
      : [have.affinitySeconds === null ? 'clients are not kept to one endpoint' : `clients are kept to one endpoint for ${have.affinitySeconds} s`]),
    ...(have.sourceRanges.join() === want.sourceRanges.join()
      ? []
      : [`it is open to ${have.sourceRanges.join(', ') || 'everybody'}, not to ${want.sourceRanges.join(', ') || 'everybody'}`]),
  ];
  if (parts.length === 0) parts.push(`not in equal parts: ${have.backends.map((b) => `${b.to} ${b.percent} %`).join(', ')}`);
  return `${at}${whose} leads to ${some(have.backends.map((b) => b.to))}; ${parts.join('; ')}`;
}

const isSame = (a: Service, b: Service) => a.metadata.name === b.metadata.name && a.metadata.namespace === b.metadata.namespace;
const refOf = (s: Service): ObjectRef => ({ kind: 'Service', namespace: s.metadata.namespace, name: s.metadata.name });

interface Problem {
  service: Service;
  node: string;
  code: Code;
  text: string;
  partly: boolean;
  /** Rejected as an address that has no rule: nftables' way. */
  byDefault?: boolean;
  /** Rules beside the proxy's own that decide. */
  foreign?: string[];
}

interface Subject {
  service: Service;
  ports: readonly ServicePort[];
  slices: readonly EndpointSlice[];
}

/** What one reading of a node's rules shows. `doubt`: some could not be understood. */
function against(read: NodeRules, name: string, node: ProxyNode, subjects: readonly Subject[], setUp: string | null): { problems: Problem[]; doubt: boolean } {
  const modes = Object.entries(read.modes);
  // Of two kinds of rules, those of the mode that is set up count; the others are another check's concern.
  const [mode = '', handled] = modes.find(([m]) => m === setUp) ?? modes[0] ?? [];
  if (!handled) {
    const problems = subjects.map(({ service, ports }): Problem => {
      const ends = endsOf(service, ports, node).filter((e) => e.kind === 'cluster-ip');
      const text = `${some(ends.map((e) => hostPort(e.address, e.port)))} is not handled: there are no rules of a proxy at all`;
      return { service, node: name, code: 'kube-proxy-rules-missing', text, partly: false };
    });
    return { problems, doubt: false };
  }
  const compared = subjects.map((s) => ({ service: s.service, found: compare(s.service, s.ports, s.slices, node, mode, handled) }));
  const problems = compared.flatMap(({ service, found }) =>
    found.differences.map(
      (d): Problem => ({
        service,
        node: name,
        code: d.have.byDefault ? 'kube-proxy-rules-missing' : 'kube-proxy-rules-stale',
        text: inWords(d),
        partly: isPartial(d) || d.end.kind !== 'cluster-ip',
        foreign: d.have.foreign,
        byDefault: d.have.byDefault && d.have.verdict !== 'not-handled',
      }),
    ),
  );
  return { problems, doubt: compared.some((c) => c.found.unread.length > 0) };
}

/** Seen with kube-proxy v1.35 and nft 1.0.6: after a restart it takes the entries for written that it could not read. */
const rewrite = {
  text: 'Where a restart alone does not help: delete its table first, so that it writes all of it anew',
  command: kubectl('kube-system', 'exec', 'ds/kube-proxy', '--', 'nft', 'delete', 'table', 'ip', 'kube-proxy'),
};

/** Each node's rules for the Service, held against its EndpointSlices. */
export const rules = check({
  id: 'kube-proxy/rules',
  title: "Each node's rules lead to the Service's endpoints",
  needs: ['target', 'service', 'slices', 'nodeRules'],
  uses: ['nodeRulesLater', 'dnsService', 'dnsSlices', 'client', 'connections', 'nodes', 'proxyPods', 'proxyMode'],
  codes: ['kube-proxy-rules-missing', 'kube-proxy-rules-stale'],
  run({ target, service, slices, nodeRules, nodeRulesLater, dnsService, dnsSlices, client, connections, nodes, proxyPods, proxyMode }) {
    const ports = service ? portsAsked(service, target.port) : undefined;
    if (!service || !ports) return skip('the Service is not known');
    const dns = dnsService.seen ? dnsService.value : null;
    const subjects = [
      { service, ports, slices },
      // Where the address of DNS leads nowhere, the Service's own works, and its name does not resolve.
      ...(dns && dnsSlices.seen && !isSame(dns, service) ? [{ service: dns, ports: dns.spec.ports, slices: dnsSlices.value }] : []),
    ].filter((s) => isProxied(s.service));
    const here = clientNode(client, connections);
    const problems: Problem[] = [];
    const right: string[] = [];
    const unread: string[] = [];
    const read: string[] = [];
    const failsFromHere = connections.seen && virtualIpAloneFails(connections.value);
    const later = nodeRulesLater.seen ? nodeRulesLater.value : {};
    for (const [name, fact] of Object.entries(nodeRules)) {
      if (!fact.seen) continue;
      read.push(name);
      const node = proxyNodeIn(name, nodes, proxyPods);
      const mode = proxyMode.seen ? proxyMode.value : null;
      const first = against(fact.value, name, node, subjects, mode);
      const again = later[name];
      const second = again?.seen ? against(again.value, name, node, subjects, mode) : first;
      // kube-proxy writes its rules at most once a second: what was wrong for a moment is no fault, unless a connection met it.
      const cameBack = second.problems.length === 0 && failsFromHere && name === here;
      const met = cameBack ? first : second;
      problems.push(...met.problems.map((p) => (cameBack ? { ...p, text: `${p.text} (a second later it was right: something changes these rules)` } : p)));
      if (met.problems.length === 0) (met.doubt ? unread : right).push(name);
    }
    if (read.length === 0) return unknown("no node's rules could be read");
    const findings = (['kube-proxy-rules-missing', 'kube-proxy-rules-stale'] as const).flatMap((code): Draft<Code>[] => {
      const found = problems.filter((p) => p.code === code);
      if (found.length === 0) return [];
      const names = [...new Set(found.map((p) => p.node))];
      const services = [...new Map(found.map((p) => [p.service.metadata.uid, refOf(p.service)])).values()];
      const [object = serviceRef(target), ...also] = services;
      const mine = found.filter((p) => p.node === here);
      const all = mine.some((p) => !p.partly) || (here === null && names.length === read.length && found.every((p) => !p.partly));
      const evidence: Evidence[] = found.slice(0, 6).map((p) => ({ source: `rules on ${p.node}`, text: p.text }));
      const foreign = [...new Set(found.flatMap((p) => (p.foreign ?? []).map((rule) => `${p.node}: ${rule}`)))];
      evidence.push(...foreign.slice(0, 3).map((rule) => ({ source: 'a rule by hand', text: rule })));
      if (right.length > 0) evidence.push({ source: 'rules', text: `right on ${some(right, 6)}` });
      const whose = `Service "${object.name}"${also.length > 0 ? ` and for ${also.map((o) => o.name).join(', ')}` : ''}`;
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
              ? `${some(names)} ${names.length === 1 ? 'has' : 'have'} no rules for ${whose}: ${found[0]?.text}`
              : `The rules on ${some(names)} for ${whose} do not fit the endpoints: ${found[0]?.text}`,
          evidence,
          fix: [
            ...(foreign.length > 0
              ? [{ text: `Remove the rule that is not kube-proxy's on ${names[0]}, or have whoever writes it leave Services out: ${foreign[0]}` }]
              : []),
            ...restartOn(names[0] ?? '', proxyPods),
            ...(found.some((p) => p.byDefault) ? [rewrite] : []),
          ],
        },
      ];
    });
    if (findings.length === 0 && right.length === 0) return unknown(`rules on ${some(unread)} could not be understood`);
    if (subjects[0]?.service !== service) return judged(`the rules of ${some(right)} lead to DNS`, findings);
    const ready = new Set(endpointsOf(slices).flatMap((e) => (e.ready ? [e.address] : []))).size;
    const rest = nodes.seen ? nodes.value.length - read.length : 0;
    const doubt = unread.length > 0 ? `; those of ${some(unread)} could not be understood` : '';
    const more = rest > 0 ? `; ${plural(rest, 'node')} not looked at (--nodes all)` : '';
    const to =
      ready === 0 ? 'there is no endpoint to lead to' : `the rules of ${some(right)} lead to ${ready === 1 ? 'the endpoint' : `the ${ready} endpoints`}`;
    return judged(`${to}${doubt}${more}`, findings);
  },
});
