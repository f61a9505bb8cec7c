import { randomInt } from 'node:crypto';
import packet from 'dns-packet';

/** Any stream of bytes, such as a port-forward. `read` gives null at its end. */
export interface ByteStream {
  write(bytes: Buffer): void;
  read(): Promise<Buffer | null>;
}

export type QuestionType = 'A' | 'AAAA' | 'SRV' | 'CNAME' | 'NS';

export interface Question {
  name: string;
  type: QuestionType;
}

export interface Answer {
  /** RFC 1035, section 4.1.1: NOERROR, NXDOMAIN, SERVFAIL, REFUSED … */
  rcode: string;
  addresses: string[];
  /** The target of a CNAME record, where the name is an alias. */
  cname: string | null;
  /** The targets of SRV records, with their ports (RFC 2782). */
  srv: { target: string; port: number }[];
}

/** The question could not be asked, or the answer is none. */
export class DnsProblem extends Error {}

/** TCP's length field allows so many bytes. */
const maxAnswerBytes = 65_535;

/** The root, whose name is empty. */
const root = '.';

/** True where a name can be put into a packet (RFC 1035: labels of 1 to 63 bytes, 255 in all); dns-packet does not look. */
export function isEncodable(name: string): boolean {
  if (name === root) return true;
  const labels = name.replace(/\.$/, '').split('.');
  return Buffer.byteLength(name) <= 253 && labels.every((l) => l.length > 0 && Buffer.byteLength(l) <= 63);
}

/** Takes whole messages from a stream, as DNS over TCP frames them (RFC 7766: two bytes of length first). */
function messages(stream: ByteStream): () => Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  return async () => {
    while (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) {
      const more = await stream.read();
      if (more === null) throw new DnsProblem(bytes.length === 0 ? 'the stream ended without an answer' : 'the answer was cut off');
      bytes = Buffer.concat([bytes, more]);
      // Two messages may lie in one piece, but no more than was asked for.
      if (bytes.length > 2 * (maxAnswerBytes + 2)) throw new DnsProblem('the answer is too long');
    }
    const end = 2 + bytes.readUInt16BE(0);
    const message = bytes.subarray(2, end);
    bytes = bytes.subarray(end);
    return message;
  };
}

/**
 * Asks questions over one stream, one after the other. Throws DnsProblem for an answer that is broken, of another question,
 * or cut off. Takes as long as `stream.read` does.
 */
export async function* askAll(stream: ByteStream, questions: readonly Question[]): AsyncGenerator<Answer> {
  const next = messages(stream);
  for (const { name, type } of questions) {
    if (!isEncodable(name)) throw new DnsProblem(`"${name}" is not a name that DNS can carry`);
    const id = randomInt(0x10000);
    stream.write(packet.streamEncode({ type: 'query', id, flags: packet.RECURSION_DESIRED, questions: [{ type, name }] }));
    yield decode(await next(), id);
  }
}

/** Asks one question over a stream. Throws as `askAll`. */
export async function ask(stream: ByteStream, name: string, type: QuestionType): Promise<Answer> {
  for await (const answer of askAll(stream, [{ name, type }])) return answer;
  throw new DnsProblem('the stream ended without an answer');
}

/** Reads an answer's bytes. Throws DnsProblem for bytes that are not an answer, and no other error. */
export function decode(bytes: Buffer, id: number): Answer {
  let read: packet.DecodedPacket;
  try {
    read = packet.decode(bytes);
  } catch (error) {
    throw new DnsProblem(`the answer cannot be read (${(error as Error).message})`);
  }
  if (read.id !== id || read.type !== 'response') throw new DnsProblem('the answer belongs to another question');
  // Over TCP no answer needs truncation (RFC 7766): a truncated one is not complete.
  if (read.flag_tc) throw new DnsProblem('the answer was cut off, though TCP has room for it');
  const answers = read.answers ?? [];
  return {
    rcode: (read as unknown as { rcode: string }).rcode,
    addresses: answers.flatMap((a) => (a.type === 'A' || a.type === 'AAAA' ? [a.data] : [])),
    cname: answers.flatMap((a) => (a.type === 'CNAME' ? [a.data] : []))[0] ?? null,
    srv: answers.flatMap((a) => (a.type === 'SRV' ? [{ target: a.data.target, port: a.data.port }] : [])),
  };
}
