import { randomInt } from 'node:crypto';
import packet from 'dns-packet';

/** Any stream of bytes, such as a port-forward. `read` gives null at its end. */
export interface ByteStream {
  write(bytes: Buffer): void;
  read(): Promise<Buffer | null>;
}

export interface Answer {
  /** RFC 1035, section 4.1.1: NOERROR, NXDOMAIN, SERVFAIL, REFUSED … */
  rcode: string;
  addresses: string[];
  /** The target of a CNAME record, where the name is an alias. */
  cname: string | null;
}

/** The question could not be asked, or the answer is none. */
export class DnsProblem extends Error {}

/** Longer answers than this many bytes are not read; TCP's length field allows 65,535. */
const maxAnswerBytes = 65_535;

/** True where a name can be put into a packet (RFC 1035: labels of 1 to 63 bytes, 255 in all); dns-packet does not look. */
export function isEncodable(name: string): boolean {
  const labels = name.replace(/\.$/, '').split('.');
  return Buffer.byteLength(name) <= 253 && labels.every((l) => l.length > 0 && Buffer.byteLength(l) <= 63);
}

/**
 * Asks one question over a stream, as DNS over TCP frames it (RFC 7766: two bytes of length first).
 * Throws DnsProblem for an answer that is broken, of another question, or cut off. Takes as long as `stream.read` does.
 */
export async function ask(stream: ByteStream, name: string, type: 'A' | 'AAAA' | 'SRV' | 'CNAME'): Promise<Answer> {
  if (!isEncodable(name)) throw new DnsProblem(`"${name}" is not a name that DNS can carry`);
  const id = randomInt(0x10000);
  stream.write(packet.streamEncode({ type: 'query', id, flags: packet.RECURSION_DESIRED, questions: [{ type, name }] }));
  let bytes = Buffer.alloc(0);
  while (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) {
    const more = await stream.read();
    if (more === null) throw new DnsProblem(bytes.length === 0 ? 'the stream ended without an answer' : 'the answer was cut off');
    bytes = Buffer.concat([bytes, more]);
    if (bytes.length > maxAnswerBytes + 2) throw new DnsProblem('the answer is too long');
  }
  return decode(bytes.subarray(2, 2 + bytes.readUInt16BE(0)), id);
}

/** Reads an answer's bytes. Throws DnsProblem where they are none, whatever they hold. */
export function decode(bytes: Buffer, id: number): Answer {
  let read: packet.DecodedPacket;
  try {
    read = packet.decode(bytes);
  } catch (error) {
    throw new DnsProblem(`the answer cannot be read (${(error as Error).message})`);
  }
  if (read.id !== id || read.type !== 'response') throw new DnsProblem('the answer belongs to another question');
  const answers = read.answers ?? [];
  return {
    rcode: (read as unknown as { rcode: string }).rcode,
    addresses: answers.flatMap((a) => (a.type === 'A' || a.type === 'AAAA' ? [a.data] : [])),
    cname: answers.flatMap((a) => (a.type === 'CNAME' ? [a.data] : []))[0] ?? null,
  };
}
