/**
 * Lists as Kubernetes' own components read them: the API server writes protobuf faster than JSON, and what is not wanted of an object, such as
 * its managedFields, is skipped without being read (Kubernetes API concepts, "Alternate representations of resources").
 */
import { PbfReader } from 'pbf';

export const protobufType = 'application/vnd.kubernetes.protobuf';

/** How the value of a field is read. A table is a message; the rest are Kubernetes' own forms. */
type Type = Fields | 'text' | 'number' | 'positive' | 'boolean' | 'time' | 'quantity' | 'int-or-string';

interface Field {
  name: string;
  type: Type;
  /** `map`: of texts, or of quantities; `merged`: the fields of the message are those of the object around it, as JSON has them. */
  many?: 'list' | 'map' | 'merged';
}

/** The wanted fields of a message by their numbers in Kubernetes' `generated.proto`. */
export type Fields = Readonly<Record<number, Field>>;

type Json = Record<string, unknown>;

const one = (name: string, type: Type = 'text'): Field => ({ name, type });
export const field = Object.assign(one, {
  list: (name: string, type: Type = 'text'): Field => ({ name, type, many: 'list' }),
  map: (name: string, type: 'text' | 'quantity' = 'text'): Field => ({ name, type, many: 'map' }),
  merged: (type: Fields): Field => ({ name: '', type, many: 'merged' }),
});

/** `metav1.Time`, as JSON has it: RFC 3339, in seconds. */
const time: Fields = { 1: one('seconds', 'number') };
/** `resource.Quantity`. */
const quantity: Fields = { 1: one('text') };
/** `intstr.IntOrString`: `type` 1 is a text. */
const intOrString: Fields = { 1: one('type', 'number'), 2: one('number', 'number'), 3: one('text') };

function valueOf(type: Type, pbf: PbfReader): unknown {
  switch (type) {
    case 'text':
      return pbf.readString();
    case 'number':
      return pbf.readVarint(true);
    // Zero is written, and JSON leaves it out.
    case 'positive':
      return pbf.readVarint(true) || undefined;
    case 'boolean':
      return pbf.readBoolean();
    case 'time': {
      const { seconds } = pbf.readMessage<Json>(into(time), {});
      // A time that is not set is written, too, as the year 1.
      return typeof seconds === 'number' && seconds > 0 ? new Date(seconds * 1000).toISOString().replace('.000', '') : undefined;
    }
    case 'quantity':
      return pbf.readMessage<Json>(into(quantity), {})['text'];
    case 'int-or-string': {
      const read = pbf.readMessage<Json>(into(intOrString), {});
      return read['type'] === 1 ? read['text'] : read['number'];
    }
    default:
      return pbf.readMessage(into(type), {});
  }
}

function pairOf(type: Type, pbf: PbfReader): { key: string; value: unknown } {
  return pbf.readMessage<{ key: string; value: unknown }>(
    (tag, pair, at) => {
      if (tag === 1) pair.key = at.readString();
      else if (tag === 2) pair.value = valueOf(type, at);
    },
    { key: '', value: '' },
  );
}

const readers = new WeakMap<Fields, (tag: number, result: Json, pbf: PbfReader) => void>();

/** Reads the fields of a table into an object. A text that is empty is one that is not set: both are written alike. */
function into(fields: Fields): (tag: number, result: Json, pbf: PbfReader) => void {
  let reader = readers.get(fields);
  if (reader) return reader;
  reader = (tag, result, pbf) => {
    const wanted = fields[tag];
    if (!wanted) return;
    const { name, type, many } = wanted;
    if (many === 'merged') pbf.readMessage(into(type as Fields), result);
    else if (many === 'list') ((result[name] ??= []) as unknown[]).push(valueOf(type, pbf));
    else if (many === 'map') {
      const { key, value } = pairOf(type, pbf);
      // No label is called so (Kubernetes documentation, "Labels and Selectors"), and to set it would change the object's nature.
      if (key !== '__proto__') ((result[name] ??= {}) as Json)[key] = value;
    } else {
      const value = valueOf(type, pbf);
      if (value !== undefined && value !== '') result[name] = value;
    }
  };
  readers.set(fields, reader);
  return reader;
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
const status: Fields = { 1: one('metadata', listMeta), 3: one('message'), 4: one('reason'), 6: one('code', 'number') };

function read(body: Uint8Array, fields: Fields): Json {
  const { kind, raw } = contentOf(body);
  return { ...new PbfReader(raw).readFields<Json>(into(fields), {}), kind };
}

/** A list whose items have these fields, with the names that JSON has. Throws where the bytes are no such list. */
export const listFrom = (body: Uint8Array, items: Fields): Json => read(body, { 1: one('metadata', listMeta), 2: field.list('items', items) });

/** A `metav1.Status`, as JSON text. Throws where the bytes are none. */
export const statusFrom = (body: Uint8Array): string => JSON.stringify({ ...read(body, status), kind: 'Status' });
