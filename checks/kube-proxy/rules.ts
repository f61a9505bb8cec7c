import { endpointsOf, isHeadless, portsAsked, targetsOf } from '../../src/facts/selectors.ts';
import { hostPort, keyOf } from '../../src/proxy/model.ts';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { kubectl, serviceRef, some } from '../words.ts';

type Code = 'kube-proxy-rules-missing' | 'kube-proxy-rules-stale';

/** Each node's rules for the Service, held against its EndpointSlices. */
export const rules = check({
  id: 'kube-proxy/rules',
  title: "Each node's rules lead to the Service's endpoints",
  needs: ['target', 'service', 'slices', 'nodeRules'],
  uses: ['client', 'connections'],
  codes: ['kube-proxy-rules-missing', 'kube-proxy-rules-stale'],
  run({ target, service, slices, nodeRules, client, connections }) {
    if (!service || isHeadless(service) || service.spec.type === 'ExternalName') return skip('the Service has no virtual IP');
    const endpoints = endpointsOf(slices);
    const local = service.spec.internalTrafficPolicy === 'Local';
    const here = (connections.seen ? connections.value.node : null) ?? (client.seen ? client.value?.node : null);
    const problems: { node: string; code: Code; text: string; partly: boolean }[] = [];
    const read: string[] = [];
    for (const [node, fact] of Object.entries(nodeRules)) {
      if (!fact.seen) continue;
      read.push(node);
      for (const port of portsAsked(service, target.port) ?? []) {
        const wanted = targetsOf(port, endpoints).filter((e) => !local || e.node === node);
        for (const address of service.spec.clusterIPs) {
          const expected = new Set(
            wanted.filter((e) => e.port !== null && e.address.includes(':') === address.includes(':')).map((e) => hostPort(e.address, e.port ?? 0)),
          );
          const have = fact.value.handled[keyOf({ address, port: port.port, protocol: port.protocol })];
          if (!have || expected.size === 0) continue;
          const at = hostPort(address, port.port);
          if (have.verdict === 'not-handled')
            problems.push({
              node,
              code: 'kube-proxy-rules-missing',
              text: `${at} is not handled${fact.value.backend === 'none' ? ' (kube-proxy has no rules there at all)' : ''}`,
              partly: false,
            });
          else if (have.verdict !== 'backends')
            problems.push({ node, code: 'kube-proxy-rules-stale', text: `${at} is ${have.verdict}, as if there were no endpoints`, partly: false });
          else {
            const gone = have.backends.filter((b) => !expected.has(b));
            const absent = [...expected].filter((e) => !have.backends.includes(e));
            if (gone.length > 0 || absent.length > 0)
              problems.push({
                node,
                code: 'kube-proxy-rules-stale',
                text: `${at} leads to ${some(have.backends) || 'nothing'}${gone.length > 0 ? `; ${some(gone)} is no endpoint` : ''}${absent.length > 0 ? `; ${some(absent)} is missing` : ''}`,
                partly: have.backends.some((b) => expected.has(b)),
              });
          }
        }
      }
    }
    if (read.length === 0) return unknown("no node's rules could be read");
    const findings = (['kube-proxy-rules-missing', 'kube-proxy-rules-stale'] as const).flatMap((code): Draft<Code>[] => {
      const found = problems.filter((p) => p.code === code);
      if (found.length === 0) return [];
      const nodes = [...new Set(found.map((p) => p.node))];
      const mine = found.filter((p) => p.node === here);
      const all = mine.some((p) => !p.partly) || (here == null && nodes.length === read.length && found.every((p) => !p.partly));
      const evidence: Evidence[] = found.slice(0, 6).map((p) => ({ source: `rules on ${p.node}`, text: p.text }));
      return [
        {
          code,
          severity: 'error',
          confidence: 'confirmed',
          scope: all ? 'all' : 'part',
          object: serviceRef(target),
          message:
            code === 'kube-proxy-rules-missing'
              ? `Node ${some(nodes)} has no rules for Service "${target.name}", though kube-proxy runs there`
              : `The rules of node ${some(nodes)} for Service "${target.name}" do not fit its endpoints: ${found[0]?.text}`,
          evidence,
          fix: [
            {
              text: `Restart kube-proxy, first on ${nodes[0]}`,
              command: kubectl('kube-system', 'delete', 'pod', '-l', 'k8s-app=kube-proxy', `--field-selector=spec.nodeName=${nodes[0]}`),
            },
          ],
        },
      ];
    });
    const ready = new Set(endpoints.filter((e) => e.ready).map((e) => e.address)).size;
    return judged(
      ready === 0 ? 'no endpoint to lead to' : `the rules of ${some(read)} lead to ${ready === 1 ? 'the endpoint' : `the ${ready} endpoints`}`,
      findings,
    );
  },
});
