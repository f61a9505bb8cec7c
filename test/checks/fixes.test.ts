/** Changes that checks propose: what they contain, and when there are none. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { corrected, withKubernetes, word, zones } from '../../checks/dns/corefile-fixes.ts';
import { otherImage } from '../../checks/pods/container-fixes.ts';
import { quotaRaised } from '../../checks/pods/admission-fixes.ts';
import type { Owner } from '../../checks/pods/owner.ts';
import { quantity } from '../../checks/pods/quantity.ts';
import { kubernetesZones, parseCorefile } from '../../src/dns/corefile.ts';
import { seen } from '../../src/facts/fact.ts';
import { amount } from '../../src/facts/scheduling.ts';
import type { Fix } from '../../checks/check.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

describe('quantities', () => {
  test('what is written is what is read', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 1, max: 2 ** 40 }),
          fc.integer({ min: 1, max: 100_000 }).map((n) => n / 1000),
        ),
        (n) => Math.abs(amount(quantity(n)) - n) < 1e-9,
      ),
    );
    expect([quantity(64 * 2 ** 20), quantity(0.25), quantity(2)]).toEqual(['64Mi', '250m', '2']);
  });
});

describe('a quota', () => {
  const [workload] = valueOf(recordingOf('healthy').facts.deployments);
  if (!workload) throw new Error('no Deployment');
  const owner: Owner = { kind: 'Deployment', workload };
  const raised = (message: string, missing: number) =>
    quotaRaised(owner, message, missing).flatMap((f) => (f.changes ?? []).map((c) => (c.how === 'patch' ? c.body : {})));
  test('gets room for each pod that is missing', () => {
    const message =
      'pods "web-1" is forbidden: exceeded quota: tight, requested: pods=1,requests.cpu=500m, used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1';
    expect(raised(message, 2)).toEqual([{ spec: { hard: { pods: '4', 'requests.cpu': '2' } } }]);
  });
  test('a message that is none of a quota changes nothing', () => expect(raised('exceeded something', 1)).toEqual([]));
});

describe('an image', () => {
  const { facts } = recordingOf('healthy');
  const [workload] = valueOf(facts.deployments);
  const [node] = valueOf(facts.nodes);
  if (!workload || !node) throw new Error('no Deployment, or no node');
  const meant = (image: string, ...there: string[]) => {
    const nodes = seen([{ ...node, status: { ...node.status, images: [{ names: there }] } }]);
    return otherImage({ kind: 'Deployment', workload }, 'web', image, nodes).length > 0;
  };
  test.each([
    ['digits that are exchanged', 'shop/web:2.75', 'shop/web:2.57', true],
    ['a v too few', 'shop/web:1.2', 'shop/web:v1.2', true],
    ['a misspelt name', 'shop/wbe:1.2', 'shop/web:1.2', true],
    ['another version', 'nginx:1.25', 'nginx:1.27', false],
    ['another program', 'shop/api:1.2', 'shop/web:1.2', false],
    ['a registry with a port', 'registry:5000/web', 'registry:5000/wbe', true],
  ])('%s', (_, image, there, is) => expect(meant(image, there)).toBe(is));
  test('of two that it may be none is taken', () => expect(meant('web:2.75', 'web:2.57', 'web:5.27')).toBe(false));
});

describe('a Corefile', () => {
  const good = valueOf(recordingOf('healthy').facts.corefile) ?? '';
  const textOf = ([fix]: Fix[]): string => {
    const [change] = fix?.changes ?? [];
    return change?.how === 'patch' ? (change.body as { data: { Corefile: string } }).data.Corefile : '';
  };
  const lineOf = (text: string, part: string) => text.split('\n').findIndex((l) => l.includes(part)) + 1;

  test('a misspelt plugin: one word on one line', () => {
    const bad = good.replace('forward', 'forwrad');
    expect(textOf(corrected(bad, [], word(lineOf(bad, 'forwrad'), 'forwrad', 'forward', 'x')))).toBe(good);
  });
  test('another zone: the domain in its place, the reverse zones stay', () => {
    const bad = good.replace('cluster.local', 'corp.local');
    const plugin = parseCorefile(bad)
      .servers.flatMap((s) => s.plugins)
      .find((p) => p.name === 'kubernetes');
    expect(textOf(corrected(bad, [], plugin && zones(plugin, 'cluster.local')))).toBe(good);
  });
  test('without the plugin kubernetes: the block is added, and serves the domain', () => {
    const bad = good.replace(/ {4}kubernetes [\s\S]*?\n {4}}\n/, '');
    const text = textOf(corrected(bad, [], withKubernetes(parseCorefile(bad).servers, 'cluster.local')));
    expect(kubernetesZones(parseCorefile(text))).toContain('cluster.local');
    expect(parseCorefile(text).servers).toHaveLength(1);
  });
  test('one in which something was redacted is not written back', () => {
    expect(corrected(`${good}# token=‹redacted›`, [], word(1, '.:53', '.:5353', 'x'))).toEqual([]);
  });
});
