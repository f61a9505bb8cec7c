import ipaddr from 'ipaddr.js';
import type { Socket } from '../facts/facts.ts';

/** The kernel writes addresses as 32-bit words in the machine's byte order (little-endian on all that Kubernetes runs on but s390x). */
function address(hex: string): string | null {
  const bytes = hex.match(/.{8}/g)?.flatMap((word) => (word.match(/../g) ?? []).toReversed().map((b) => Number.parseInt(b, 16))) ?? [];
  if (bytes.length !== 4 && bytes.length !== 16) return null;
  return ipaddr.fromByteArray(bytes).toString();
}

const listenState = '0A';
/** Unconnected UDP sockets have state 07 (TCP_CLOSE). */
const udpOpenState = '07';

/**
 * Reads /proc/net/{tcp,tcp6,udp,udp6}, each after a line `== NAME`: the sockets that wait for others to connect.
 * Lines that don't parse are passed over (proc(5), /proc/net/tcp).
 */
export function parseProcNet(text: string): Socket[] {
  const sockets: Socket[] = [];
  let table = '';
  for (const line of text.split('\n')) {
    const header = /^== (tcp6?|udp6?)$/.exec(line);
    if (header) {
      table = header[1] ?? '';
      continue;
    }
    const fields = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line);
    if (!fields) continue;
    const protocol = table.startsWith('udp') ? 'udp' : 'tcp';
    if (fields[3] !== (protocol === 'udp' ? udpOpenState : listenState)) continue;
    const at = address(fields[1] ?? '');
    if (at !== null) sockets.push({ protocol, address: at, port: Number.parseInt(fields[2] ?? '', 16) });
  }
  return sockets;
}
