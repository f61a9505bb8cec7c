import { unreadOf } from '../../src/facts/fact.ts';
import { portsAsked } from '../../src/facts/selectors.ts';
import { compare } from '../../src/proxy/compare.ts';
import { check, type Evidence, judged, judgedUnless, skip, unknown } from '../check.ts';
import { serviceRef, some } from '../format.ts';
import { onNode } from '../on-node.ts';
import { clientNode, proxyNodeIn } from './nodes.ts';

/** What removes the rules of a mode from a node. */
const clean: Record<string, { text: string; words(isIPv6: boolean): string[] }> = {
  iptables: { text: 'Remove the iptables rules of the earlier mode', words: () => ['kube-proxy', '--cleanup'] },
  nftables: { text: 'Remove the nftables table of the earlier mode', words: (isIPv6) => ['nft', 'delete', 'table', isIPv6 ? 'ip6' : 'ip', 'kube-proxy'] },
  ipvs: { text: 'Remove the IPVS tables of the earlier mode', words: () => ['ipvsadm', '--clear'] },
};

/** Rules of two modes at once: the first that the kernel reaches decide, and kube-proxy updates only one of them. */
export const leftover = check({
  id: 'kube-proxy/leftover',
  title: 'Each node has the rules of one mode only',
  needs: ['target', 'service', 'slices', 'nodeRules'],
  uses: ['client', 'connections', 'nodes', 'proxyPods', 'proxyMode', 'proxyHealth'],
  codes: ['kube-proxy-rules-stale'],
  run({ target, service, slices, nodeRules, client, connections, nodes, proxyPods, proxyMode, proxyHealth }) {
    const ports = service ? portsAsked(service, target.port) : undefined;
    if (!service || !ports) return skip('the Service is not known');
    const here = clientNode(client, connections);
    const read = Object.entries(nodeRules).flatMap(([name, fact]) => (fact.seen ? [[name, fact.value] as const] : []));
    if (read.length === 0) return unknown("no node's rules could be read");
    const both = read.filter(([, { modes }]) => Object.keys(modes).length > 1);
    const [first] = both;
    const unread = unreadOf(...Object.values(nodeRules));
    if (!first) return judgedUnless(unread, []);
    const evidence: Evidence[] = [];
    const wrong: string[] = [];
    let old = '';
    for (const [name, { modes }] of both) {
      const node = proxyNodeIn(name, nodes, proxyPods);
      const judgedModes = Object.entries(modes).map(([mode, handled]) => ({ mode, ...compare(service, ports, slices, node, mode, handled) }));
      // The proxy's own answer decides, then its configuration, then which rules are right.
      const health = proxyHealth.seen ? proxyHealth.value[name] : undefined;
      const configured = (health?.seen ? health.value.mode : null) ?? (proxyMode.seen ? proxyMode.value : null);
      const current = judgedModes.find((m) => m.mode === configured) ?? judgedModes.find((m) => m.differences.length === 0) ?? judgedModes[0];
      for (const m of judgedModes.filter((x) => x !== current)) {
        old = m.mode;
        // Packets pass rules without the Service's addresses and reach those that have them.
        const [bad] = m.differences.filter((d) => d.have.verdict !== 'not-handled');
        if (bad) wrong.push(name);
        evidence.push({
          source: `rules on ${name}`,
          text: `${m.mode} rules besides ${current?.mode} rules: ${bad ? `forwards to ${some(bad.have.backends.map((b) => b.to)) || `nothing (${bad.have.verdict})`}` : m.right > 0 ? 'the same for this Service so far' : 'no rule for this Service'}`,
        });
      }
    }
    const remedy = clean[old];
    const isIPv6 = service.spec.clusterIPs[0]?.includes(':') ?? false;
    const configuredMode = proxyMode.seen ? proxyMode.value : null;
    const names = wrong.length > 0 ? wrong : both.map(([name]) => name);
    return judged([
      {
        code: 'kube-proxy-rules-stale',
        severity: wrong.length > 0 ? 'error' : 'warning',
        confidence: 'likely',
        scope: here === null || names.includes(here) ? 'all' : 'part',
        object: serviceRef(target),
        message:
          wrong.length > 0
            ? `Node ${some(wrong)} still has ${old} rules of an earlier kube-proxy mode, which forward Service "${target.name}" to wrong addresses`
            : `Node ${some(names)} still has ${old} rules of an earlier kube-proxy mode, which nothing updates`,
        evidence: evidence.slice(0, 6),
        nodes: names,
        fix: [
          {
            text: `${remedy?.text ?? 'Remove the rules of the earlier mode'} on ${names.join(', ')}; the next connection takes the rules of ${configuredMode || 'the present mode'}. Or restart the node`,
            ...(remedy && { command: names.map((n) => onNode(n, proxyPods, ...remedy.words(isIPv6))).join(' && ') }),
          },
        ],
      },
    ]);
  },
});
