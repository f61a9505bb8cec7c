import { createHash } from 'node:crypto';
import type { EndpointSlice, Service } from '../facts/objects.ts';
import { endpointsOf } from '../facts/selectors.ts';
import { hostPort } from './model.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The first 16 letters of a SHA-256 in base 32 (RFC 4648): ten bytes, five bits a letter. */
export function shortHash(text: string): string {
  let bits = 0n;
  for (const byte of createHash('sha256').update(text).digest().subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  return Array.from({ length: 16 }, (_, i) => letters[Number((bits >> BigInt(75 - 5 * i)) & 31n)]).join('');
}

/**
 * Whether a chain belongs to a Service, by the name that kube-proxy gives it, so that one reading is mostly enough.
 * Only a hint: a chain that is missed by it is found by a second reading. Source: pkg/proxy/iptables/proxier.go
 * (portProtoHash, servicePortEndpointChainName); nftables' names hold the Service's own name.
 */
export function likelyChains(service: Service, slices: readonly EndpointSlice[]): (chain: string) => boolean {
  const { namespace, name } = service.metadata;
  const names = new Set<string>();
  const endpoints = endpointsOf(slices);
  for (const port of service.spec.ports) {
    const portName = `${namespace}/${name}${port.name === '' ? '' : `:${port.name}`}`;
    const protocol = port.protocol.toLowerCase();
    for (const kind of ['SVC', 'SVL', 'EXT', 'FW']) names.add(`nat/KUBE-${kind}-${shortHash(portName + protocol)}`);
    for (const e of endpoints) if (e.port !== null) names.add(`nat/KUBE-SEP-${shortHash(portName + protocol + hostPort(e.address, e.port))}`);
  }
  const ours = `-${namespace}/${name}/`;
  return (chain) =>
    names.has(chain) || /\/KUBE-MARK-|\/KUBE-POSTROUTING$|\/KUBE-NODEPORTS$|\/mark-for-masquerade$|\/reject-chain$/.test(chain) || chain.includes(ours);
}
