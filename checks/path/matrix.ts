import type { Connection, Matrix } from '../../src/facts/facts.ts';
import { connectionKey, isGood, isLost } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { followPacket, podsOn, restored, routesBetween, whyLost } from './routes.ts';
import { outsideKubernetes } from '../platform.ts';
import { outcomeText, overFamilyOf, plural, resultText, serviceRef, some } from '../format.ts';

type Code = 'endpoint-failing' | 'cross-node-unreachable';
type Cell = Connection & { from: string };

const evidenceOf = (c: Cell) => ({
  source: 'matrix',
  text: `${c.from} → ${c.target}${c.pod ? ` (pod ${c.pod}${c.node ? ` on ${c.node}` : ''})` : ''}  ${resultText(c)}`,
});

/** The node at one end of most of the connections. */
function commonNode(cells: readonly Cell[]): string {
  const ends = cells.flatMap((c) => [c.node ?? '', c.from]);
  const count = (node: string) => ends.filter((n) => n === node).length;
  return [...new Set(ends)].toSorted((a, b) => count(b) - count(a))[0] ?? '';
}

/** `3 of 3 nodes` or, of a sample, `32 of 400 nodes (a sample)`. */
const share = (some: number, all: number, what: string) => `${some} of ${plural(all, what)}${some < all ? ' (a sample)' : ''}`;

const inWords = (m: Matrix, asked: number, answered: number, made: number) =>
  `${answered} of ${plural(made, 'connection')} answered, from ${share(asked, m.nodesTotal, 'node')} to ${share(Math.max(0, ...m.rows.map((r) => r.list.length)), m.endpointsTotal, 'endpoint')}`;

export const matrix = check({
  id: 'path/matrix',
  title: 'Every node reaches every endpoint',
  needs: ['target', 'matrix'],
  uses: ['routes', 'nodes', 'proxyPods'],
  codes: ['endpoint-failing', 'cross-node-unreachable'],
  run({ target, matrix: found, routes, nodes, proxyPods }) {
    const asked = found.rows.filter((r) => r.list.length > 0);
    if (asked.length === 0) return found.rows[0] ? unknown(`no node could connect: ${found.rows[0].problem}`) : skip('no node is ready');
    const cells: Cell[] = asked.flatMap((r) => r.list.map((c) => ({ ...c, from: r.node })));
    const failing = cells.filter((c) => !isGood(c));
    const summary = inWords(found, asked.length, cells.length - failing.length, cells.length);
    const scope = failing.length === cells.length ? ('all' as const) : ('part' as const);
    const reached = new Set(cells.filter(isGood).map((c) => c.target));
    const podsOf = (some: readonly Cell[]) => [...new Set(some.flatMap((c) => (c.pod ? [c.pod] : [])))];
    const findings: Draft<Code>[] = [];

    // Lost from one node while another succeeds: the program and its pod work.
    const between = failing.filter((c) => isLost(c) && c.node !== c.from && reached.has(c.target));
    if (between.length > 0) {
      const known = routesBetween(
        routes,
        between.flatMap((c) => [c.from, c.node]),
      );
      const node = known.dead?.node ?? commonNode(between);
      const pairs = [...new Set(between.map((c) => `${c.from} → ${c.node ?? c.target}`))];
      findings.push({
        code: 'cross-node-unreachable',
        severity: 'error',
        confidence: 'confirmed',
        scope,
        object: { kind: 'Node', namespace: '', name: node },
        message: `Connections between some nodes are lost${overFamilyOf(between, cells)} (${some(pairs, 4)}), while the same pods answer other nodes: ${whyLost(known.dead)}`,
        evidence: [
          ...known.evidence,
          ...[...between.slice(0, 4), ...cells.filter((c) => isGood(c) && between.some((b) => b.target === c.target)).slice(0, 2)].map(evidenceOf),
        ],
        fix: known.dead
          ? restored(known.dead, nodes, proxyPods)
          : [
              { text: `Compare the routes of ${node} with those of the other nodes, and check the CNI pods there`, command: podsOn(node) },
              ...outsideKubernetes(nodes),
            ],
        pods: podsOf(between),
        ...(!known.dead && { failed: between.map(connectionKey) }),
      });
    }
    for (const [outcome, group] of Map.groupBy(
      failing.filter((c) => !between.includes(c)),
      (c) => c.outcome,
    )) {
      const targets = [...new Set(group.map((c) => c.target))];
      const from = new Set(group.map((c) => c.from)).size;
      findings.push({
        code: 'endpoint-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope,
        object: serviceRef(target),
        message: `${some(targets)} cannot be reached${overFamilyOf(group, cells)} from ${from === asked.length ? 'any node' : `${from} of ${plural(asked.length, 'node')}`} (${outcomeText(outcome)})`,
        evidence: group.slice(0, 4).map(evidenceOf),
        fix: followPacket(nodes),
        pods: podsOf(group),
        failed: group.map(connectionKey),
      });
    }
    return judged(findings, summary);
  },
});
