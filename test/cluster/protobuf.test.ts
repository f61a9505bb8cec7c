/** Lists in protobuf against the same lists in JSON, as a real API server wrote both (record-lists.ts), and against damaged bytes. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Fields, listReader, statusFrom, template } from '../../src/cluster/protobuf.ts';
import { ownKinds } from '../../src/scan/kinds.ts';
import { podFields } from '../../src/scan/wanted-fields.ts';

const recorded = (name: string) => gunzipSync(readFileSync(new URL(`./recorded/${name}.gz`, import.meta.url)));
const listed = (name: string) =>
  JSON.parse(recorded(`${name}.json`).toString()) as { kind: string; metadata: { resourceVersion: string }; items: { metadata: { name: string } }[] };
const protobuf = recorded('pods.protobuf');

/** The list as it is read from pieces of the answer. */
function listFrom(body: Uint8Array, cuts: readonly number[] = [], fields: Fields = podFields) {
  const reader = listReader(fields);
  const edges = [0, ...cuts.toSorted((x, y) => x - y), body.length];
  const items = edges.slice(1).flatMap((to, i) => reader.take(body.subarray(edges[i], to)));
  return { items: [...items, ...reader.end()], head: reader.head };
}

const { pods, services, slices, events } = ownKinds([undefined]);

test.each([
  ['pods', pods, 20],
  ['services', services, 6],
  ['endpointslices', slices, 5],
  ['events', events, 3],
] as const)('what is read of each of the %s is the same', (name, kind, least) => {
  const json = listed(name);
  const { items, head } = listFrom(recorded(`${name}.protobuf`), [], kind.protobuf);
  expect(json.items.length).toBeGreaterThanOrEqual(least);
  expect(items.length).toBe(json.items.length);
  expect(head).toEqual({ kind: json.kind, metadata: json.metadata });
  for (const [i, item] of json.items.entries()) {
    const read = kind.read(item);
    expect(read).toHaveProperty('seen', true);
    expect(kind.read(items[i]), item.metadata.name).toEqual(read);
  }
});

test('pods of one template share what is read of it', () => {
  const dns = listFrom(protobuf).items.filter((pod) => (pod as { metadata: { name: string } }).metadata.name.startsWith('coredns-'));
  const shared = new Set(dns.map((pod) => (pod as { spec: { [template]: unknown } }).spec[template]));
  expect(dns.length).toBeGreaterThan(1);
  expect(shared.size).toBe(1);
});

test('in whatever pieces it comes', () => {
  const whole = listFrom(protobuf);
  fc.assert(
    fc.property(fc.array(fc.nat(protobuf.length), { maxLength: 40 }), (cuts) => {
      expect(listFrom(protobuf, cuts)).toEqual(whole);
    }),
    { numRuns: 100 },
  );
});

/** Bytes behind the list: the encoding and the type of what is around it, both empty. */
const behind = 4;

test('a list that ends before its end is refused', () => {
  fc.assert(
    fc.property(fc.nat(protobuf.length - behind - 1), (at) => {
      expect(() => listFrom(protobuf.subarray(0, at))).toThrow(/too early|does not begin|varint/);
    }),
    { numRuns: 300 },
  );
});

test('a list with a byte changed is read or refused', () => {
  fc.assert(
    fc.property(fc.nat(protobuf.length - 1), fc.nat(255), fc.nat(protobuf.length), (at, byte, cut) => {
      const damaged = Buffer.from(protobuf);
      damaged[at] = byte;
      try {
        listFrom(damaged, [cut]);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { numRuns: 300 },
  );
});

/** A Status as the API server writes it: "the provided continue parameter is too old", with a token to go on. */
test('a failure in protobuf is read as a Status', () => {
  const text = (field: number, value: string) => Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), Buffer.from(value)]);
  const nested = (field: number, value: Buffer) => Buffer.concat([Buffer.from([(field << 3) | 2, value.length]), value]);
  const status = Buffer.concat([nested(1, text(3, 'next')), text(3, 'too old'), text(4, 'Expired'), Buffer.from([6 << 3, 0x9a, 0x03])]);
  const body = Buffer.concat([Buffer.from('k8s\0', 'latin1'), nested(2, status)]);
  expect(JSON.parse(statusFrom(body))).toEqual({ kind: 'Status', metadata: { continue: 'next' }, message: 'too old', reason: 'Expired', code: 410 });
});
