/** Connections that were answered against the policies, found on recorded runs. */
import { expect, test } from 'vitest';
import { deniedGotThrough } from '../../src/model/let-through.ts';
import { recorded } from '../support/recordings.ts';

const found = recorded.flatMap(({ name, recording }) => {
  const { connections, service, dnsPods, target, client, slices, pods, policies, pluginPolicies, namespaces } = recording.facts;
  if (!connections.seen || !service.seen || !service.value || !target.seen || !client.seen || !slices.seen || !pods.seen || !policies.seen) return [];
  const given = {
    target: target.value,
    service: service.value,
    client: client.value,
    slices: slices.value,
    pods: pods.value,
    policies: policies.value,
    pluginPolicies,
    namespaces,
  };
  return deniedGotThrough(given, service.value, dnsPods.seen ? dnsPods.value : [], connections.value.list) ? [name] : [];
});

test('on the recordings, only where nothing enforces the policies', () => {
  expect(found).toEqual(['healthy-admin-policy-without-engine', 'policy-not-enforced']);
});
