/** Copies of a recorded object in protobuf: its bytes as they are, but for texts of a fixed width, so that a copy needs no new lengths. */
import { PbfReader, PbfWriter } from 'pbf';
import type { Fields } from '../../src/cluster/index.ts';

/** A field with a length, as bytes. */
export function field(tag: number, bytes: Uint8Array): Buffer {
  const head = new PbfWriter(new Uint8Array(16));
  head.writeTag(tag, 2);
  head.writeVarint(bytes.length);
  return Buffer.concat([head.finish(), bytes]);
}

/** The fields of a message that have a length, and the bytes of all others between them (tag 0). */
function* partsOf(bytes: Uint8Array): Generator<{ tag: number; bytes: Uint8Array }> {
  const pbf = new PbfReader(bytes);
  while (pbf.pos < pbf.length) {
    const start = pbf.pos;
    const head = pbf.readVarint();
    if ((head & 7) === 2) yield { tag: head >>> 3, bytes: pbf.readBytes() };
    else {
      pbf.skip(head);
      yield { tag: 0, bytes: bytes.subarray(start, pbf.pos) };
    }
  }
}

/** The items of a list in an answer of the API server: `k8s`, a zero byte, `runtime.Unknown` (2: its bytes), the list (2: an item). */
export const itemsOf = (answer: Uint8Array): Uint8Array[] =>
  [...partsOf(answer.subarray(4))]
    .filter((p) => p.tag === 2)
    .flatMap((p) => [...partsOf(p.bytes)])
    .filter((p) => p.tag === 2)
    .map((p) => p.bytes);

/** A message with its texts changed, those of the fields in the table; all else stays byte for byte. */
export function changed(message: Uint8Array, fields: Fields, by: (text: string) => string): Buffer {
  const entry: Fields = { 1: { name: 'key', type: 'text' }, 2: { name: 'value', type: 'text' } };
  return Buffer.concat(
    [...partsOf(message)].map(({ tag, bytes }) => {
      if (tag === 0) return bytes;
      const known = fields[tag];
      const inner = known?.form === 'map' ? entry : known?.type;
      if (inner === 'text') return field(tag, Buffer.from(by(Buffer.from(bytes).toString())));
      return field(tag, typeof inner === 'object' ? changed(bytes, inner, by) : bytes);
    }),
  );
}

/** A list with the same item again and again: `parts` of a message, each changed by its index. */
export const repeated = (message: Uint8Array, tag: number, times: number, each: (part: Uint8Array, i: number) => Uint8Array): Buffer => {
  const parts = [...partsOf(message)];
  const first = parts.find((p) => p.tag === tag);
  if (!first) throw new Error(`the message has no field ${tag}`);
  const others = parts.filter((p) => p.tag !== tag).map((p) => (p.tag === 0 ? p.bytes : field(p.tag, p.bytes)));
  return Buffer.concat([...others, ...Array.from({ length: times }, (_, i) => field(tag, each(first.bytes, i)))]);
};

/** What differs between copies, and with how many characters. */
export interface Marks {
  [kind: string]: { width: number; text: (copy: number, index: number) => string };
}

/** `@kind:index`, as wide as the text that comes in its place. */
export const mark = (marks: Marks, kind: string, index = 0): string => `@${kind}:${index}`.padEnd(marks[kind]?.width ?? 0, '@');

/** Makes copies of a message with marks in it. */
export function copier(message: Uint8Array, marks: Marks): (copy: number) => Buffer {
  const places = [
    ...Buffer.from(message)
      .toString('latin1')
      .matchAll(/@([a-z]+):(\d+)@*/g),
  ].map(({ index, 1: kind = '', 2: i }) => {
    const found = marks[kind];
    if (!found) throw new Error(`no mark is called ${kind}`);
    return { at: index, text: found.text, width: found.width, index: Number(i) };
  });
  return (copy) => {
    const made = Buffer.from(message);
    for (const { at, text, width, index } of places) {
      const own = text(copy, index);
      if (own.length !== width) throw new Error(`"${own}" has not ${width} characters`);
      made.write(own, at, 'latin1');
    }
    return made;
  };
}
