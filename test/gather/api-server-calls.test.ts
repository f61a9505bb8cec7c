/** Which objects a webhook is called for when they are created: only such a dry run proves that it answers. */
import { expect, test } from 'vitest';
import { isForCreating } from '../../src/gather/api-server-calls.ts';

const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: '*' };

test.each([
  ['pods', {}, true],
  ['configmaps', {}, false],
  ['pods', { operations: ['UPDATE', 'DELETE'] }, false],
  ['pods', { operations: ['*'] }, true],
  ['pods', { apiVersions: ['v2'] }, false],
  ['pods', { scope: 'Cluster' }, false],
  ['pods', { scope: 'Namespaced' }, true],
  // All kinds of another group are none of these.
  ['configmaps', { apiGroups: ['apps'], resources: ['*'] }, false],
  ['deployments', { apiGroups: ['apps'], resources: ['*'] }, true],
  ['deployments', { apiGroups: ['*'], resources: ['*/*'] }, true],
  ['pods', { resources: ['pods/exec'] }, false],
])('%s, with %j: %s', (plural, change, expected) => {
  expect(isForCreating({ ...rule, ...change }, plural)).toBe(expected);
});
