/** What a node does with packets for a Service, independent of the program that wrote its rules. */

/** Where a packet starts: in a pod of the node, on the node itself, or elsewhere (another machine, a client of a load balancer). */
export const origins = ['pod', 'node', 'outside'] as const;
export type Origin = (typeof origins)[number];

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** One of a Service's addresses: `10.96.0.10:53/UDP`. */
export interface ServiceAddress {
  address: string;
  port: number;
  protocol: Protocol;
}

/** A packet that opens a connection, as the node meets it. */
export interface Packet extends ServiceAddress {
  origin: Origin;
  /** Its source address. */
  source: string;
  /** Whether the destination is one of the node's own addresses. */
  toNode: boolean;
}

interface Backend {
  /** `address:port`, an IPv6 address in brackets. */
  to: string;
  /** The share of new connections that it gets, in percent. */
  percent: number;
}

/** What becomes of a packet. */
export interface Handling {
  /** `not-handled`: no rule for it, so it goes on to the address itself, which no machine has. */
  verdict: 'backends' | 'rejected' | 'dropped' | 'not-handled';
  /** True where no rule of the Service decided, but one for all addresses without rules (nftables rejects unknown ports of Service addresses). */
  byDefault: boolean;
  /** Sorted by address. */
  backends: Backend[];
  /** Whether the backend sees the node's address in place of the client's; null where the rules leave it open. */
  masquerade: boolean | null;
  /** Seconds for which a client gets the same backend again (sessionAffinity ClientIP); null: no affinity. */
  affinitySeconds: number | null;
  /** Only clients of these ranges reach the backends (loadBalancerSourceRanges); empty: all clients do. */
  sourceRanges: string[];
  /** Rules that decide it and are none of the proxy's own, as they are written. */
  foreign: string[];
  /** Rules that could change the result and could not be read, as they are written. */
  unread: string[];
}

/** `address:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2). */
export const hostPort = (address: string, port: number): string => `${address.includes(':') ? `[${address}]` : address}:${port}`;

export const keyOf = (a: ServiceAddress): string => `${hostPort(a.address, a.port)}/${a.protocol}`;

export const notHandled: Handling = {
  verdict: 'not-handled',
  byDefault: true,
  backends: [],
  masquerade: null,
  affinitySeconds: null,
  sourceRanges: [],
  foreign: [],
  unread: [],
};

/** Backends by address, each with its share of the sum, in percent to one place. */
export function backendsOf(shares: Iterable<readonly [to: string, share: number]>): Backend[] {
  const all = new Map<string, number>();
  for (const [to, share] of shares) all.set(to, (all.get(to) ?? 0) + share);
  return [...all].map(([to, share]) => ({ to, percent: Math.round(share * 1000) / 10 })).toSorted((a, b) => (a.to < b.to ? -1 : a.to > b.to ? 1 : 0));
}
