import type { EndpointSlice, Service, ServicePort } from '../facts/objects.ts';
import { type Expected, endsOf, expected, type ProxyNode, type ServiceEnd } from './expected.ts';
import { type Handling, keyOf, type Origin, origins } from './model.ts';

/** By `address:port/protocol`, then by where the packet starts. */
export type Handled = Record<string, Partial<Record<Origin, Handling>>>;

/** One thing that a node does otherwise than it ought to. */
export interface Difference {
  end: ServiceEnd;
  /** The packets that meet it. */
  from: Origin[];
  want: Expected;
  have: Handling;
  /** Endpoints that no packet is led to. */
  absent: string[];
  /** Backends that are no endpoints for this node. */
  wrong: string[];
}

/** Whether some packets still get to an endpoint. */
export const isPartial = (d: Difference): boolean => d.have.verdict === 'backends' && d.have.backends.some((b) => d.want.backends.includes(b.to));

const sameSet = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((x) => b.includes(x));
/** Shares are written to one place, and the kernel's chances to eleven. */
const tolerance = 0.2;

/** Whether a node does with a packet what it ought to. */
function fits(want: Expected, have: Handling): boolean {
  if (want.verdict !== 'backends') return have.verdict === want.verdict;
  const evenly = have.backends.every((b) => Math.abs(b.percent - 100 / want.backends.length) <= tolerance);
  return (
    have.verdict === 'backends' &&
    evenly &&
    sameSet(
      have.backends.map((b) => b.to),
      want.backends,
    ) &&
    have.affinitySeconds === want.affinitySeconds &&
    sameSet(have.sourceRanges, want.sourceRanges)
  );
}

/** A node's rules held against the objects. `unread`: rules that might change the answer and could not be read. */
export function compare(
  service: Service,
  ports: readonly ServicePort[],
  slices: readonly EndpointSlice[],
  node: ProxyNode,
  handled: Handled,
): { differences: Difference[]; right: number; unread: string[] } {
  const differences: Difference[] = [];
  const unread = new Set<string>();
  let right = 0;
  for (const end of endsOf(service, ports, node))
    for (const origin of origins) {
      const have = handled[keyOf(end)]?.[origin];
      const want = have && expected(service, slices, end, node, origin);
      if (!have || !want) continue;
      if (have.unread.length > 0) for (const rule of have.unread) unread.add(rule);
      else if (fits(want, have)) right++;
      else {
        const like = differences.find((d) => d.end === end && JSON.stringify([d.want, d.have]) === JSON.stringify([want, have]));
        if (like) like.from.push(origin);
        else {
          const to = have.backends.map((b) => b.to);
          differences.push({
            end,
            from: [origin],
            want,
            have,
            absent: want.backends.filter((b) => !to.includes(b)),
            wrong: to.filter((b) => !want.backends.includes(b)),
          });
        }
      }
    }
  return { differences, right, unread: [...unread] };
}
