import { portsAsked } from '../../src/facts/selectors.ts';
import { compare } from '../../src/proxy/compare.ts';
import { check, type Evidence, judged, skip, unknown } from '../check.ts';
import { serviceRef, some } from '../format.ts';
import { clientNode, proxyNodeIn } from './nodes.ts';

const clean: Record<string, { text: string; command: string }> = {
  iptables: { text: 'remove what an earlier mode wrote into iptables', command: 'kube-proxy --cleanup' },
  nftables: { text: 'remove what an earlier mode wrote into nftables', command: 'nft delete table ip kube-proxy; nft delete table ip6 kube-proxy' },
  ipvs: { text: 'remove what an earlier mode wrote into IPVS', command: 'ipvsadm --clear' },
};

/** Rules of two modes at once: whichever the kernel comes by first decides, and only one of them is kept up to date. */
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
    if (!first) return judged(`the rules of one mode on each of ${some(read.map(([name]) => name))}`);
    const evidence: Evidence[] = [];
    const wrong: string[] = [];
    let old = '';
    for (const [name, { modes }] of both) {
      const node = proxyNodeIn(name, nodes, proxyPods);
      const judgedModes = Object.entries(modes).map(([mode, handled]) => ({ mode, ...compare(service, ports, slices, node, mode, handled) }));
      // What the proxy says of itself, then what it is told to be, then which rules are right.
      const health = proxyHealth.seen ? proxyHealth.value[name] : undefined;
      const told = (health?.seen ? health.value.mode : null) ?? (proxyMode.seen ? proxyMode.value : null);
      const current = judgedModes.find((m) => m.mode === told) ?? judgedModes.find((m) => m.differences.length === 0) ?? judgedModes[0];
      for (const m of judgedModes.filter((x) => x !== current)) {
        old = m.mode;
        // Rules that know nothing of the Service's addresses let its packets go on to those that do.
        const [bad] = m.differences.filter((d) => d.have.verdict !== 'not-handled');
        if (bad) wrong.push(name);
        evidence.push({
          source: `rules on ${name}`,
          text: `${m.mode}, beside ${current?.mode}: ${bad ? `leads to ${some(bad.have.backends.map((b) => b.to)) || `nothing (${bad.have.verdict})`}` : m.right > 0 ? 'the same for this Service, as yet' : 'nothing of this Service'}`,
        });
      }
    }
    const remedy = clean[old];
    const names = wrong.length > 0 ? wrong : both.map(([name]) => name);
    return judged('', [
      {
        code: 'kube-proxy-rules-stale',
        severity: wrong.length > 0 ? 'error' : 'warning',
        confidence: 'likely',
        scope: here === null || names.includes(here) ? 'all' : 'part',
        object: serviceRef(target),
        message:
          wrong.length > 0
            ? `Node ${some(wrong)} still has ${old} rules of an earlier mode of kube-proxy, which lead Service "${target.name}" elsewhere`
            : `Node ${some(names)} still has ${old} rules of an earlier mode of kube-proxy, which nobody keeps up to date`,
        evidence: evidence.slice(0, 6),
        fix: [
          {
            text: `On ${names[0]}, ${remedy?.text ?? 'remove the rules of the earlier mode'}; or restart the node`,
            ...(remedy && { command: remedy.command }),
          },
        ],
      },
    ]);
  },
});
