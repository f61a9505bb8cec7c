/** When a look may be too early: facts of a real run, with another age of the Service and other answers of its DNS replicas. */
import { expect, test } from 'vitest';
import { isNewToDns } from '../../src/diagnose/steady.ts';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { Recording } from '../../src/facts/capture.ts';
import { recordingOf, valueOf } from '../support/recordings.ts';

const recording = recordingOf('healthy');
const service = valueOf(recording.facts.service);
const created = Date.parse(service?.metadata.creationTimestamp ?? '');

/** The run, so many seconds after the Service was created, with this answer of a replica. */
function after(seconds: number, rcode: string): Pick<Recording, 'facts' | 'startedAt'> {
  const answer = { question: 'shop.shop.svc.cluster.local A', rcode, addresses: [], cname: null, srv: [], latencyMs: 1, more: [] };
  return { startedAt: new Date(created + seconds * 1000).toISOString(), facts: { ...recording.facts, dnsAnswers: seen({ dns: seen(answer) }) } };
}

test('a name that is denied soon after the Service was created', () => {
  expect(created).toBeGreaterThan(0);
  expect(isNewToDns(after(10, 'NXDOMAIN'))).toBe(true);
  // The clocks of two machines differ.
  expect(isNewToDns(after(-10, 'NXDOMAIN'))).toBe(true);
});

test('later, or with another answer, time changes nothing', () => {
  expect(isNewToDns(after(120, 'NXDOMAIN'))).toBe(false);
  expect(isNewToDns(after(10, 'NOERROR'))).toBe(false);
  expect(isNewToDns(after(10, 'SERVFAIL'))).toBe(false);
});

test('that the root is denied says nothing of the Service', () => {
  const { startedAt, facts } = after(10, 'NOERROR');
  const root = { question: '. NS', rcode: 'NXDOMAIN', addresses: [], cname: null, srv: [], latencyMs: 1 };
  const [answer] = Object.values(valueOf(facts.dnsAnswers) ?? {});
  if (!answer?.seen) throw new Error('no answer');
  expect(isNewToDns({ startedAt, facts: { ...facts, dnsAnswers: seen({ dns: seen({ ...answer.value, more: [root] }) }) } })).toBe(false);
});

test('the answer to the client itself counts, where no replica could be asked', () => {
  const { startedAt, facts } = after(10, 'NOERROR');
  const made = valueOf(facts.connections);
  if (!made) throw new Error('no connections');
  const list = made.list.map((c) => (c.hop === 'name' ? { ...c, outcome: 'name-not-found' as const } : c));
  const dnsAnswers = unseen('forbidden', 'DNS answers', 'not allowed');
  expect(isNewToDns({ startedAt, facts: { ...facts, dnsAnswers, connections: seen({ ...made, list }) } })).toBe(true);
  expect(isNewToDns({ startedAt, facts: { ...facts, dnsAnswers } })).toBe(false);
});

test('a Service whose age is not known is none that is new', () => {
  const { startedAt, facts } = after(10, 'NXDOMAIN');
  if (!service) throw new Error('no Service');
  const { creationTimestamp: _, ...metadata } = service.metadata;
  expect(isNewToDns({ startedAt, facts: { ...facts, service: seen({ ...service, metadata }) } })).toBe(false);
  expect(isNewToDns({ startedAt, facts: { ...facts, service: seen(null) } })).toBe(false);
});
