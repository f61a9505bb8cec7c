/** Lists in protobuf against the same lists in JSON, as a real API server wrote both (record-pods.ts), and against damaged bytes. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { listFrom, statusFrom } from '../../src/cluster/protobuf.ts';
import { podFields } from '../../src/scan/pod-fields.ts';
import { podReader } from '../../src/scan/read-pod.ts';

const recorded = (name: string) => gunzipSync(readFileSync(new URL(`./recorded/${name}.gz`, import.meta.url)));
const protobuf = recorded('pods.protobuf');
const json = JSON.parse(recorded('pods.json').toString()) as { metadata: { resourceVersion: string }; items: { metadata: { name: string } }[] };

test('what is read of each pod is the same', () => {
  const list = listFrom(protobuf, podFields) as typeof json;
  expect(json.items.length).toBeGreaterThan(20);
  expect(list.items.length).toBe(json.items.length);
  const read = podReader();
  for (const [i, pod] of json.items.entries()) expect(read(list.items[i]), pod.metadata.name).toEqual(read(pod));
});

test('a list cut anywhere, or with a byte changed, is read or refused', () => {
  fc.assert(
    fc.property(fc.nat(protobuf.length - 1), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
      const damaged = isCut ? protobuf.subarray(0, at) : Buffer.from(protobuf);
      if (!isCut) damaged[at] = byte;
      try {
        listFrom(damaged, podFields);
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
