/** What a node's rules do with one address, port and protocol, as a packet from a pod would meet them. */
export interface Handling {
  verdict: 'backends' | 'rejected' | 'dropped' | 'not-handled';
  /** `address:port` of each backend. */
  backends: string[];
}

/** One of a Service's virtual addresses: `10.96.0.10:53/UDP`. */
export interface ServiceAddress {
  address: string;
  port: number;
  protocol: 'TCP' | 'UDP' | 'SCTP';
}

/** `address:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2). */
export const hostPort = (address: string, port: number): string => `${address.includes(':') ? `[${address}]` : address}:${port}`;

export const keyOf = (a: ServiceAddress): string => `${hostPort(a.address, a.port)}/${a.protocol}`;

export const notHandled: Handling = { verdict: 'not-handled', backends: [] };
