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

export const keyOf = (a: ServiceAddress): string => `${a.address.includes(':') ? `[${a.address}]` : a.address}:${a.port}/${a.protocol}`;

export const notHandled: Handling = { verdict: 'not-handled', backends: [] };
