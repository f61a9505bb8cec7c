/**
 * Lists as Kubernetes' own components read them: the API server writes protobuf faster than JSON, and what is not wanted of an object, such as
 * its managedFields, is skipped without being read (Kubernetes API concepts, "Alternate representations of resources").
 */
import { PbfReader } from 'pbf';
import { remembering } from './remembering.ts';

export const protobufType = 'application/vnd.kubernetes.protobuf';

/** How the value of a field is read. A table is a message; the rest are Kubernetes' own forms. */
type Type = Fields | 'text' | 'number' | 'positive' | 'boolean' | 'time' | 'micro-time' | 'quantity' | 'int-or-string';

interface Field {
  name: string;
  type: Type;
  /**
   * `map`: of texts, or of quantities; `merged`: the fields of the message are those of the object around it, as JSON has them; `templated`:
   * a message that is alike in all objects of one template, but for its `own` fields.
   */
  form?: 'list' | 'map' | 'merged' | 'templated';
  own?: readonly number[];
}

/** The wanted fields of a message by their numbers in Kubernetes' `generated.proto`. */
export type Fields = Readonly<Record<number, Field>>;

type Json = Record<string, unknown>;
type Read = (pbf: PbfReader) => unknown;
type Fill = (tag: number, result: Json, pbf: PbfReader) => void;

const one = (name: string, type: Type = 'text'): Field => ({ name, type });
export const field = Object.assign(one, {
  list: (name: string, type: Type = 'text'): Field => ({ name, type, form: 'list' }),
  map: (name: string, type: 'text' | 'quantity' = 'text'): Field => ({ name, type, form: 'map' }),
  merged: (type: Fields): Field => ({ name: '', type, form: 'merged' }),
  templated: (name: string, type: Fields, own: readonly number[]): Field => ({ name, type, form: 'templated', own }),
});

/** Of a message that is templated: what it shares with others, which is the same object in all of them. */
export const template: unique symbol = Symbol('template');

/** `metav1.Time`, as JSON has it: RFC 3339, in seconds. */
const time: Fields = { 1: one('seconds', 'number') };
/** `metav1.MicroTime`: with six digits of a second. */
const microTime: Fields = { 1: one('seconds', 'number'), 2: one('nanos', 'number') };
/** `resource.Quantity`. */
const quantity: Fields = { 1: one('text') };
/** `intstr.IntOrString`: `type` 1 is a text. */
const intOrString: Fields = { 1: one('type', 'number'), 2: one('number', 'number'), 3: one('text') };

const dateOf = remembering((seconds: number) => new Date(seconds * 1000).toISOString().replace('.000', ''));

/** Bytes of the longest text that is looked for among the known ones: names, labels and states come again and again. */
const longestKnown = 64;
const knownTexts = Array.from({ length: 1 << 13 }, () => '');

function isText(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

/** The same bytes; those of an answer are a Buffer already. */
const bufferOf = (bytes: Uint8Array): Buffer => (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));

/** A text. To find it costs less than to make it again, and it is kept once. */
function textOf(pbf: PbfReader): string {
  const at = pbf.pos;
  const length = pbf.readVarint();
  const { buf, pos: start } = pbf;
  let slot = -1;
  let isAscii = false;
  if (length <= longestKnown) {
    let hash = length;
    let bits = 0;
    for (let i = start; i < start + length; i++) {
      const byte = buf[i] ?? 0;
      bits |= byte;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    isAscii = bits < 0x80;
    slot = (hash ^ (hash >>> 15)) & (knownTexts.length - 1);
    const known = knownTexts[slot] ?? '';
    if (known.length === length && isText(known, buf, start)) {
      pbf.pos = start + length;
      return known;
    }
  }
  let text: string;
  if (isAscii) {
    text = bufferOf(buf).toString('latin1', start, start + length);
    pbf.pos = start + length;
  } else {
    pbf.pos = at;
    text = pbf.readString();
  }
  if (slot >= 0) knownTexts[slot] = text;
  return text;
}

function valueOf(type: Type): Read {
  switch (type) {
    case 'text':
      return textOf;
    case 'number':
      return (pbf) => pbf.readVarint(true);
    // Zero is written, and JSON leaves it out.
    case 'positive':
      return (pbf) => pbf.readVarint(true) || undefined;
    case 'boolean':
      return (pbf) => pbf.readBoolean();
    case 'time': {
      const fill = into(time);
      return (pbf) => {
        const { seconds } = pbf.readMessage<Json>(fill, {});
        // A time that is not set is written, too, as the year 1; JSON has null for it.
        return typeof seconds === 'number' && seconds > 0 ? dateOf(seconds) : null;
      };
    }
    case 'micro-time': {
      const fill = into(microTime);
      return (pbf) => {
        const { seconds, nanos } = pbf.readMessage<{ seconds?: number; nanos?: number }>(fill, {});
        const micros = String(Math.floor((nanos ?? 0) / 1000)).padStart(6, '0');
        return seconds !== undefined && seconds > 0 ? `${dateOf(seconds).slice(0, -1)}.${micros}Z` : null;
      };
    }
    case 'quantity': {
      const fill = into(quantity);
      return (pbf) => pbf.readMessage<Json>(fill, {})['text'];
    }
    case 'int-or-string': {
      const fill = into(intOrString);
      return (pbf) => {
        const read = pbf.readMessage<Json>(fill, {});
        return read['type'] === 1 ? read['text'] : read['number'];
      };
    }
    default: {
      const fill = into(type);
      return (pbf) => pbf.readMessage<Json>(fill, {});
    }
  }
}

/** A message of a template is read once; of each after it, only what is its own. */
function templated(fields: Fields, own: readonly number[]): Read {
  const isOwn = ([tag]: [string, Field]) => own.includes(Number(tag));
  const shared: Fields = Object.fromEntries(Object.entries(fields).filter((entry) => !isOwn(entry)));
  const [fillShared, fillOwn] = [into(shared), into(Object.fromEntries(Object.entries(fields).filter(isOwn)))];
  const found = remembering((_: string, pbf: PbfReader, start: number, end: number) => {
    pbf.pos = start;
    return pbf.readFields<Json>(fillShared, {}, end);
  });
  return (pbf) => {
    const end = pbf.readVarint() + pbf.pos;
    const start = pbf.pos;
    const common = found(wantedBytes(shared, pbf, end), pbf, start, end);
    pbf.pos = start;
    return { ...common, ...pbf.readFields<Json>(fillOwn, {}, end), [template]: common };
  };
}

const lists = (field: Field): Fields | undefined => (typeof field.type === 'object' && field.form === 'list' ? field.type : undefined);

/** The bytes of the wanted fields, one character each: the same for two messages that say the same. Reads to the end of the message. */
function wantedBytes(fields: Fields, pbf: PbfReader, end: number): string {
  const bytes = bufferOf(pbf.buf);
  let wanted = '';
  let from = pbf.pos;
  while (pbf.pos < end) {
    const start = pbf.pos;
    const head = pbf.readVarint();
    const found = fields[head >>> 3];
    const inner = found && lists(found);
    if (found && !inner) {
      pbf.skip(head);
      continue;
    }
    wanted += bytes.toString('latin1', from, start);
    // The items of a list hold fields that are not wanted, such as a volume that is each pod's own. No byte makes the character that parts them.
    if (inner) wanted += `\u0100${wantedBytes(inner, pbf, pbf.readVarint() + pbf.pos)}\u0100`;
    else pbf.skip(head);
    from = pbf.pos;
  }
  return wanted + bytes.toString('latin1', from, pbf.pos);
}

function pairOf(type: Type): (pbf: PbfReader) => { key: string; value: unknown } {
  const value = valueOf(type);
  return (pbf) =>
    pbf.readMessage<{ key: string; value: unknown }>(
      (tag, pair, at) => {
        if (tag === 1) pair.key = textOf(at);
        else if (tag === 2) pair.value = value(at);
      },
      { key: '', value: '' },
    );
}

/** How a field is put into an object. A text that is empty is one that is not set: both are written alike. */
function setterOf({ name, type, form, own }: Field): (result: Json, pbf: PbfReader) => void {
  if (form === 'merged') {
    const fill = into(type as Fields);
    return (result, pbf) => pbf.readMessage(fill, result);
  }
  if (form === 'map') {
    const pair = pairOf(type);
    return (result, pbf) => {
      const { key, value } = pair(pbf);
      // No label is called so (Kubernetes documentation, "Labels and Selectors"), and to set it would change the object's nature.
      if (key !== '__proto__') ((result[name] ??= {}) as Json)[key] = value;
    };
  }
  const read = form === 'templated' ? templated(type as Fields, own ?? []) : valueOf(type);
  if (form === 'list') return (result, pbf) => ((result[name] ??= []) as unknown[]).push(read(pbf));
  return (result, pbf) => {
    const value = read(pbf);
    if (value !== undefined && value !== '') result[name] = value;
  };
}

const fills = new WeakMap<Fields, Fill>();

/** Reads the fields of a table into an object. */
function into(fields: Fields): Fill {
  let fill = fills.get(fields);
  if (fill) return fill;
  const setters: ReturnType<typeof setterOf>[] = [];
  for (const [tag, wanted] of Object.entries(fields)) setters[Number(tag)] = setterOf(wanted);
  fill = (tag, result, pbf) => setters[tag]?.(result, pbf);
  fills.set(fields, fill);
  return fill;
}

/** `k8s` and a zero byte are in front of a `runtime.Unknown`, which holds the object's own bytes. */
const magic = [0x6b, 0x38, 0x73, 0];

interface Unknown {
  kind: string;
  raw: Uint8Array;
}

function contentOf(body: Uint8Array): Unknown {
  if (!magic.every((byte, i) => body[i] === byte)) throw new Error('it does not begin as an answer of the API server in protobuf');
  return new PbfReader(body.subarray(magic.length)).readFields<Unknown>(
    (tag, found, pbf) => {
      if (tag === 1) found.kind = pbf.readMessage<{ kind?: string }>(into({ 2: one('kind') }), {}).kind ?? '';
      if (tag === 2) found.raw = pbf.readBytes();
    },
    { kind: '', raw: new Uint8Array() },
  );
}

const listMeta: Fields = { 2: one('resourceVersion'), 3: one('continue'), 4: one('remainingItemCount', 'number') };
const typeMeta: Fields = { 2: one('kind') };
const status: Fields = { 1: one('metadata', listMeta), 3: one('message'), 4: one('reason'), 6: one('code', 'number') };

function read(body: Uint8Array, fields: Fields): Json {
  const { kind, raw } = contentOf(body);
  return { ...new PbfReader(raw).readFields<Json>(into(fields), {}), kind };
}

/** What a list says of itself, in front of its items. */
export interface ListHead {
  kind: string;
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
}

export interface ListReader {
  /** What the list says of itself; the API server writes it before the items. */
  readonly head: ListHead | undefined;
  /** The next bytes of the answer; the items that are whole with them. Throws where they are no list. */
  take(chunk: Uint8Array): unknown[];
  /** No more bytes come; the last items. Throws where some are missing. */
  end(): unknown[];
}

/** A field's tag, and the end of its value, where that is one with a length (all fields of a list and of what is around it are). */
interface Header {
  tag: number;
  end: number;
}

function headerAt(pbf: PbfReader): Header {
  const head = pbf.readVarint();
  if ((head & 7) !== 2) throw new Error(`field ${head >>> 3} of a list has no length`);
  return { tag: head >>> 3, end: pbf.readVarint() + pbf.pos };
}

/** Bytes of the longest header: two numbers of up to five bytes each. */
const longestHeader = 10;
/** Bytes of an item that no object reaches: etcd takes a few megabytes. */
const mostItemBytes = 16 << 20;

/** Reads a list while it comes, so that no page is held as a whole; its items have the wanted fields, with the names that JSON has. */
export function listReader(items: Fields): ListReader {
  const fill = into(items);
  const said: ListHead = { kind: '', metadata: {} };
  let isHeadRead = false;
  let rest: Uint8Array = new Uint8Array();
  /** Bytes before `rest`. */
  let before = 0;
  /** Bytes that must come before more of `rest` can be read. */
  let missing = 0;
  /** Where the list ends, counted from the first byte; until it begins, the fields around it are read. */
  let listEnd: number | undefined;

  /** Reads one field; false where some of its bytes are still to come. */
  function readField(pbf: PbfReader, found: unknown[]): boolean {
    const { tag, end } = headerAt(pbf);
    if (listEnd === undefined && tag === 2) {
      listEnd = before + end;
      return true;
    }
    if (end - pbf.pos > mostItemBytes) throw new Error(`one of its fields has more than ${mostItemBytes >> 20} MB`);
    if (end > pbf.length) {
      missing = end - pbf.length;
      return false;
    }
    const isOfList = listEnd !== undefined && before + end <= listEnd;
    if (listEnd === undefined && tag === 1) said.kind = pbf.readFields<{ kind?: string }>(into(typeMeta), {}, end).kind ?? '';
    else if (isOfList && tag === 1) said.metadata = pbf.readFields<Json>(into(listMeta), {}, end);
    else if (isOfList && tag === 2) found.push(pbf.readFields<Json>(fill, {}, end));
    isHeadRead ||= isOfList;
    pbf.pos = end;
    return true;
  }

  function read(isLast: boolean): unknown[] {
    const pbf = new PbfReader(rest);
    missing = longestHeader;
    if (before === 0) {
      if (rest.length < magic.length && !isLast) return [];
      if (!magic.every((byte, i) => rest[i] === byte)) throw new Error('it does not begin as an answer of the API server in protobuf');
      pbf.pos = magic.length;
    }
    const found: unknown[] = [];
    let done = pbf.pos;
    const least = isLast ? 1 : longestHeader;
    while (rest.length - pbf.pos >= least && readField(pbf, found)) done = pbf.pos;
    rest = rest.subarray(done);
    before += done;
    return found;
  }

  return {
    get head() {
      return isHeadRead ? said : undefined;
    },
    take(chunk) {
      const found: unknown[] = [];
      let taken = 0;
      // Only what was cut off is put together: to copy each chunk as a whole costs more than to read it.
      while (rest.length > 0 && taken < chunk.length) {
        const from = taken;
        taken = Math.min(chunk.length, from + missing);
        rest = Buffer.concat([rest, chunk.subarray(from, taken)]);
        for (const item of read(false)) found.push(item);
      }
      if (taken < chunk.length) {
        rest = chunk.subarray(taken);
        for (const item of read(false)) found.push(item);
      }
      return found;
    },
    end() {
      const found = read(true);
      if (rest.length > 0 || listEnd === undefined || before < listEnd) throw new Error('it ends too early');
      isHeadRead = true;
      return found;
    },
  };
}

/** A `metav1.Status`, as JSON text. Throws where the bytes are none. */
export const statusFrom = (body: Uint8Array): string => JSON.stringify({ ...read(body, status), kind: 'Status' });
