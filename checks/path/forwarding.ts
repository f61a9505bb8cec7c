import { type Fact, unreadOf } from '../../src/facts/fact.ts';
import type { FactTypes, Forwarding } from '../../src/facts/facts.ts';
import { type Family, familyOf, isGood, isLost, splitTarget } from '../../src/facts/selectors.ts';
import { wordsOf } from '../../src/proxy/iptables.ts';
import { check, type Draft, type Evidence, type Fix, judgedUnless } from '../check.ts';
import { probeEvidence } from '../format.ts';
import { atNode, onNode } from '../on-node.ts';

const switches: Record<Family, string> = { IPv4: 'net.ipv4.ip_forward', IPv6: 'net.ipv6.conf.all.forwarding' };
const families = Object.keys(switches) as Family[];

interface Fault {
  family: Family;
  /** Why packets end there, after `Node "node1"`. */
  text: string;
  evidence: Evidence;
  /** What changes it on the node, in words and as a command. */
  fix: Fix;
}

/** What stops packets on a node, for each family of addresses. */
function faultsOf(node: string, { isOn, stopped }: Forwarding, proxyPods: Fact<FactTypes['proxyPods']>): Fault[] {
  const off = families.filter((f) => isOn[f] === false);
  // Where nothing is passed on at all, the firewall is not the first to correct.
  const closed = families.flatMap((family) => stopped.filter((s) => familyOf(s.to) === family && (s.chain === 'INPUT' || isOn[family] !== false)).slice(0, 1));
  return [
    ...off.map(
      (family): Fault => ({
        family,
        text: `passes no ${family} packets on between its pods and the others: ${switches[family]} is 0`,
        evidence: { source: 'sysctl', text: `${node}: ${switches[family]} = 0` },
        fix: { text: `Let ${node} pass packets on, and set it in its sysctl.conf, too`, command: atNode(node, 'sysctl', '-w', `${switches[family]}=1`) },
      }),
    ),
    ...closed.map((stop): Fault => {
      const family = familyOf(stop.to);
      const isPolicy = stop.rule.startsWith('policy ');
      const which = stop.chain === 'INPUT' ? `to its own port ${stop.port}/${stop.protocol}` : 'between its pods and the others';
      return {
        family,
        text: `${stop.how === 'drop' ? 'drops' : 'rejects'} packets ${which}: ${isPolicy ? `no rule of its firewall lets them through (${stop.rule})` : `its firewall has the rule "${stop.rule}"`}`,
        evidence: { source: 'firewall', text: `${node}: ${stop.from} → ${stop.to}: ${stop.how} by ${stop.rule}` },
        fix: opened(node, stop, isPolicy, (...words) => onNode(node, proxyPods, family === 'IPv6' ? 'ip6tables' : 'iptables', ...words)),
      };
    }),
  ];
}

function opened(node: string, { chain, port, protocol, rule }: Forwarding['stopped'][number], isPolicy: boolean, command: (...words: string[]) => string): Fix {
  if (!isPolicy) {
    const words = wordsOf(rule.replace(/^(-t \S+ )?-A /, '$1-D '));
    return { text: `Delete the rule from the firewall of ${node}, and have the program that writes its rules leave it out`, command: command(...words) };
  }
  const [, table, name = ''] = /of chain (?:(\w+) )?(\w+)$/.exec(rule) ?? [];
  if (chain === 'FORWARD' || table !== undefined)
    return {
      text: `Let the firewall of ${node} pass packets on${table === undefined ? '; Docker sets this policy when it starts' : ''}`,
      command: command(...(table === undefined ? [] : ['-t', table]), '-P', name, 'ACCEPT'),
    };
  const words = ['-I', 'INPUT', '-p', protocol.toLowerCase(), '--dport', String(port), '-j', 'ACCEPT'];
  return { text: `Let the firewall of ${node} accept port ${port}/${protocol}, and have the program that writes its rules do so`, command: command(...words) };
}

export const forwarding = check({
  id: 'path/forwarding',
  title: 'The nodes let packets through',
  needs: ['connections', 'forwarding'],
  uses: ['proxyPods'],
  codes: ['node-drops-packets'],
  run({ connections: made, forwarding: read, proxyPods }) {
    const tried = made.list.filter((c) => c.hop === 'endpoint' || (c.hop === 'dns-server' && c.pod !== null));
    const findings = Object.entries(read).flatMap(([node, fact]) =>
      (fact.seen ? faultsOf(node, fact.value, proxyPods) : []).map(({ family, text, evidence, fix }): Draft<'node-drops-packets'> => {
        // All packets of the client's own pod have to pass its node.
        const through = tried.filter((c) => familyOf(splitTarget(c.target.split('/')[0] ?? '').address) === family && (node === made.node || c.node === node));
        const isOther = (c: (typeof tried)[number]) => c.hop === 'endpoint' && isGood(c);
        return {
          code: 'node-drops-packets',
          severity: 'error',
          confidence: 'confirmed',
          scope: tried.some(isOther) ? 'part' : 'all',
          object: { kind: 'Node', namespace: '', name: node },
          message: `Node ${node} ${text}`,
          evidence: [
            evidence,
            ...through
              .filter((c) => isLost(c) || !isGood(c))
              .slice(0, 4)
              .map((c) => probeEvidence(made.from, c)),
          ],
          fix: [fix],
          nodes: [node],
        };
      }),
    );
    return judgedUnless(unreadOf(...Object.values(read)), findings, 'each node lets packets through');
  },
});
