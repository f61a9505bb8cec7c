/** Rules against packets, as they were recorded on a real cluster by test/e2e/proxy.test.ts, in each of kube-proxy's modes. */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { contradiction, differences, formsOf, predict } from '../support/zoo-judge.ts';
import { zooWorld } from '../support/zoo-world.ts';

const fixtures = new URL('./fixtures/', import.meta.url);
const recordings = readdirSync(fixtures).flatMap((file) => {
  const [, release, mode, family] = /^zoo-(v[\d.]+)-(\w+)-(IPv\d)\.json\.gz$/.exec(file) ?? [];
  return release && mode && family ? [{ release, mode, family, file }] : [];
});

describe.each(recordings)('kube-proxy $release, $mode, $family', ({ file, mode }) => {
  const world = v.parse(zooWorld, JSON.parse(gunzipSync(readFileSync(new URL(file, fixtures))).toString('utf8')));
  test('has at least 200 Services, and connections from each node and its pods', () => {
    expect(world.mode).toBe(mode);
    expect(world.services.length).toBeGreaterThanOrEqual(200);
    expect(world.seen.length).toBeGreaterThan(3000);
  });
  test.each(formsOf(world))('connections meet what %s says', async (form) => {
    expect((await predict(world, form)).map((p) => contradiction(world, p)).filter((c) => c !== undefined)).toEqual([]);
  });
  test.each(formsOf(world))('%s says what the objects ask for', async (form) => {
    expect(await differences(world, form)).toEqual([]);
  });
});
