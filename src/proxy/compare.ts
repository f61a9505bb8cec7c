import type { EndpointSlice, Service, ServicePort } from '../facts/objects.ts';
import { type Expected, endsOf, expected, type ProxyNode, type ServiceEnd } from './expected.ts';
import { type Handling, keyOf, type Origin, origins } from './model.ts';

/** By `address:port/protocol`, then by where the packet starts. */
export type Handled = Record<string, Partial<Record<Origin, Handling>>>;

/** One difference between what a node does and what it should do. */
export interface Difference {
  end: ServiceEnd;
  /** The packets that meet it. */
  from: Origin[];
  want: Expected;
  have: Handling;
  /** Endpoints that get no packet. */
  absent: string[];
  /** Backends that are no endpoints for this node. */
  wrong: string[];
}

/** Whether some packets still get to an endpoint. */
export const isPartial = (d: Difference): boolean => d.have.verdict === 'backends' && d.have.backends.some((b) => d.want.backends.includes(b.to));

const sameSet = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((x) => b.includes(x));
/** Shares are written to one place, and the kernel's chances to eleven. */
const tolerance = 0.2;

/** What the rules of a mode show; what they do not show is not judged. */
interface Shown {
  affinity: boolean;
  /** Source ranges: IPVS has them in ipsets, Cilium in a map of its own. */
  ranges: boolean;
  /** Shares: IPVS's schedulers and Cilium's have their own ways. */
  shares: boolean;
  kinds: readonly ServiceEnd['kind'][];
}
const allKinds = ['cluster-ip', 'external-ip', 'load-balancer-ip', 'node-port'] as const;
const rules: Shown = { affinity: true, ranges: true, shares: true, kinds: allKinds };
const shownBy: Record<string, Shown> = {
  ipvs: { affinity: true, ranges: false, shares: false, kinds: allKinds },
  // Its other frontends depend on settings that the list does not show.
  cilium: { affinity: false, ranges: false, shares: false, kinds: ['cluster-ip'] },
};

/** Whether a node does what it should with a packet. Whether it drops or rejects one differs between versions and modes. */
function fits(want: Expected, have: Handling, shown: Shown): boolean {
  if (want.verdict !== 'backends') return have.verdict !== 'backends';
  const evenly = !shown.shares || have.backends.every((b) => Math.abs(b.percent - 100 / want.backends.length) <= tolerance);
  return (
    have.verdict === 'backends' &&
    evenly &&
    sameSet(
      have.backends.map((b) => b.to),
      want.backends,
    ) &&
    (!shown.affinity || have.affinitySeconds === want.affinitySeconds) &&
    (!shown.ranges || sameSet(have.sourceRanges, want.sourceRanges))
  );
}

/** Node ports may be closed on purpose on some of a node's addresses (KubeProxyConfiguration, nodePortAddresses). */
const isClosedPort = (end: ServiceEnd, have: Handling) => end.kind === 'node-port' && have.byDefault;

/** A node's rules of one mode compared with the objects. `unread`: rules that might change the answer and could not be read. */
export function compare(
  service: Service,
  ports: readonly ServicePort[],
  slices: readonly EndpointSlice[],
  node: ProxyNode,
  mode: string,
  handled: Handled,
): { differences: Difference[]; right: number; unread: string[] } {
  const differences: Difference[] = [];
  const unread = new Set<string>();
  const shown = shownBy[mode] ?? rules;
  let right = 0;
  for (const end of endsOf(service, ports, node))
    for (const origin of origins) {
      const have = handled[keyOf(end)]?.[origin];
      const want = have && expected(service, slices, end, node, origin);
      if (!have || !want || !shown.kinds.includes(end.kind) || isClosedPort(end, have)) continue;
      if (have.unread.length > 0) for (const rule of have.unread) unread.add(rule);
      else if (fits(want, have, shown)) right++;
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
