/** An inventory that followed changes gives the checks what a fresh one gives them, in whatever order the changes came. */
import fc from 'fast-check';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, connect } from '../../src/cluster/index.ts';
import { valueOf } from '../../src/facts/fact.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { affectedBy } from '../../src/scan/affected.ts';
import { type Inventory, openInventory } from '../../src/scan/inventory.ts';
import { everyKind, type Kind } from '../../src/scan/kinds.ts';
import type { Named } from '../../src/scan/store.ts';
import { recordingOf } from '../support/recordings.ts';

/** An API server that serves no further kinds; the objects come from recordings. */
const server = createServer((_, response) => response.end('{"groups":[]}'));
let cluster: Cluster;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-scan-')), 'config');
  const entry = { name: 'x', context: { cluster: 'x' }, cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } };
  writeFileSync(file, JSON.stringify({ contexts: [entry], clusters: [entry], 'current-context': 'x' }));
  cluster = await connect({ kubeconfig: file, context: undefined, requestTimeoutMs: 5000 }, {});
});
afterAll(() => {
  cluster.close();
  server.close();
});

const opened = async (): Promise<Inventory> => {
  const inventory = openInventory(cluster, [undefined]);
  await inventory.discover(AbortSignal.timeout(5000));
  for (const kind of everyKind(inventory.kinds)) kind.store.listed(undefined);
  return inventory;
};

const names = ['selector-overlap', 'healthy-canary', 'policy-one-of-three', 'out-of-memory', 'two-faults'];
const factOf = { services: 'service', slices: 'slices', pods: 'pods', deployments: 'deployments', replicaSets: 'replicaSets', events: 'events' } as const;
type KindName = keyof typeof factOf;

/** The objects of a few recordings, by the kind that they are of. */
const objects = names.flatMap((name) => {
  const { facts } = recordingOf(name);
  const policies = Object.values(valueOf(facts.policies) ?? {}).flatMap((p) => valueOf(p) ?? []);
  return [
    ...(Object.keys(factOf) as KindName[]).flatMap((kind) => {
      const value = valueOf<unknown>(facts[factOf[kind]]);
      const items = Array.isArray(value) ? (value as Named[]) : value ? [value as Named] : [];
      return items.map((item) => ({ kind, item }));
    }),
    ...policies.map((item) => ({ kind: 'policies' as const, item: item as Named })),
  ];
});

const shown = (inventory: Inventory) =>
  inventory
    .services()
    .map((service) => {
      const { slices, pods, deployments, replicaSets, events, policies } = inventory.factsOf(service);
      const sorted = (fact: Facts[keyof Facts]) =>
        fact.seen && Array.isArray(fact.value) ? (fact.value as Named[]).toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)) : fact;
      return { name: service.metadata, parts: [slices, pods, deployments, replicaSets, events].map(sorted), policies };
    })
    .toSorted((a, b) => (`${a.name.namespace}/${a.name.name}` < `${b.name.namespace}/${b.name.name}` ? -1 : 1));

const kindIn = (inventory: Inventory, kind: KindName | 'policies'): Kind => inventory.kinds[kind];

test('whatever comes and goes', async () => {
  expect(objects.length).toBeGreaterThan(30);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ which: fc.nat({ max: objects.length - 1 }), gone: fc.boolean() }), { maxLength: 60 }), async (changes) => {
      const followed = await opened();
      const present = new Map<string, (typeof objects)[number]>();
      for (const { which, gone } of changes) {
        const object = objects[which];
        if (!object) continue;
        const { namespace, name } = object.item.metadata;
        const key = `${object.kind} ${namespace}/${name}`;
        const kind = kindIn(followed, object.kind);
        if (gone) followed.remove(kind, namespace, name);
        else followed.put(kind, object.item);
        if (gone) present.delete(key);
        else present.set(key, object);
        // What is looked up in between must not be remembered for later.
        shown(followed);
      }
      const fresh = await opened();
      for (const { kind, item } of present.values()) fresh.put(kindIn(fresh, kind), item);
      expect(shown(followed)).toEqual(shown(fresh));
    }),
    { numRuns: 40 },
  );
});

test('a Service whose facts a change makes different is among those that the change concerns', async () => {
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(objects, { minLength: 10 }), fc.nat(), async (present, seed) => {
      const inventory = await opened();
      for (const { kind, item } of present) inventory.put(kindIn(inventory, kind), item);
      const before = new Map(shown(inventory).map((s) => [`${s.name.namespace}/${s.name.name}`, JSON.stringify([s.parts, s.policies])]));
      const object = present[seed % present.length];
      if (!object) return;
      const kind = kindIn(inventory, object.kind);
      const { namespace, name } = object.item.metadata;
      const former = inventory.remove(kind, namespace, name);
      const { services } = affectedBy({ kind, former, now: undefined }, inventory, () => false);
      const named = new Set(services.map((s) => `${s.metadata.namespace}/${s.metadata.name}`));
      const isEvent = object.kind === 'events';
      for (const s of shown(inventory)) {
        const key = `${s.name.namespace}/${s.name.name}`;
        // Workloads of other programs and past events are known to every Service of the namespace, and decide nothing of it.
        const [slices, pods] = s.parts;
        const [slicesBefore, podsBefore] = (JSON.parse(before.get(key) ?? '[[]]') as [unknown[]])[0];
        if (!isEvent && (JSON.stringify(slices) !== JSON.stringify(slicesBefore) || JSON.stringify(pods) !== JSON.stringify(podsBefore)))
          expect(named).toContain(key);
      }
    }),
    { numRuns: 60 },
  );
});
