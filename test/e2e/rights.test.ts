/**
 * One right of those that `rbac` prints is taken away at a time, for a healthy Service and a faulty one: the verdict is right or weaker,
 * and what it lists as missing is that right. All of them: NIGHTLY=1; else a part, another one each day.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { debugPods, doctor, kubectl, must, run } from '../support/kubectl.ts';
import { type Kind, kinds, otherCauses, twoServices } from '../support/two-services.ts';

const services = twoServices('rights');

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}
interface Role {
  apiVersion: string;
  kind: 'Role' | 'ClusterRole';
  metadata: { name: string; namespace?: string };
  rules: Rule[];
}
interface Right {
  group: string;
  resource: string;
  verb: string;
}

beforeAll(services.create);
afterAll(async () => {
  await kubectl('delete', 'clusterroles,clusterrolebindings', '-l', 'test=rights');
  await kubectl('-n', 'kube-system', 'delete', 'roles,rolebindings', '-l', 'test=rights');
  await services.remove();
});

const printed = async (kind: Kind): Promise<Role[]> =>
  parseAllDocuments((await doctor(['rbac', '-n', services.namespaces[kind], '--from', 'pod/client'])).stdout).map((d) => d.toJS() as Role);
const groups = new Set(['', ...(await must('api-versions')).split('\n').flatMap((v) => (v.includes('/') ? [v.split('/')[0] ?? ''] : []))]);
const all = [
  ...new Map(
    (await printed('healthy')).flatMap((role) =>
      role.rules.flatMap(({ apiGroups: [group = ''], resources, verbs }) =>
        resources.flatMap((resource) => verbs.map((verb): [string, Right] => [`${verb} ${resource}${group && `.${group}`}`, { group, resource, verb }])),
      ),
    ),
  ),
].filter(([, right]) => groups.has(right.group));
const day = Math.floor(Date.now() / 86_400_000);
const chosen = process.env['NIGHTLY'] ? all : all.filter((_, i) => (i + day) % 8 === 0);

const without = (rule: Rule, { group, resource, verb }: Right): Rule[] =>
  rule.apiGroups[0] === group && rule.resources.includes(resource) && rule.verbs.includes(verb)
    ? [
        { ...rule, resources: rule.resources.filter((r) => r !== resource) },
        { ...rule, resources: [resource], verbs: rule.verbs.filter((v) => v !== verb) },
      ].filter((r) => r.resources.length > 0 && r.verbs.length > 0)
    : [rule];

/** All rights but one, of a user, as objects. */
function objectsFor(roles: Role[], user: string, right: Right): object[] {
  return roles.flatMap((role) => {
    const metadata = { ...role.metadata, name: `${user}-${role.kind.toLowerCase()}`, labels: { test: 'rights' } };
    const binding = {
      apiVersion: role.apiVersion,
      kind: `${role.kind}Binding`,
      metadata,
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name: metadata.name };
    return [
      { ...role, metadata, rules: role.rules.flatMap((rule) => without(rule, right)) },
      { ...binding, roleRef },
    ];
  });
}

test.each(chosen)('without the right to %s', async (name, right) => {
  const user = `rights-${name.replaceAll(/\W+/g, '-')}`;
  const objects = (await Promise.all(kinds.map(async (kind) => objectsFor(await printed(kind), `${user}-${kind}`, right)))).flat();
  const applied = await run('kubectl', ['apply', '-f', '-'], { input: objects.map((o) => stringify(o)).join('---\n') });
  expect(applied.code, applied.stderr).toBe(0);
  // The API server follows its own objects.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await Promise.all(
    kinds.map(async (kind) => {
      const ran = await doctor(['svc', 'shop', '-n', services.namespaces[kind], '--from', 'pod/client', '-o', 'json', '--as', `${user}-${kind}`]);
      if (ran.code === 3) {
        expect(ran.stderr.trim().split('\n').at(-1)).toMatch(/\.$/);
        return;
      }
      const { verdict, missing } = JSON.parse(ran.stdout) as Diagnosis;
      const where = `${kind}: ${verdict.summary}`;
      expect(otherCauses(kind, verdict), where).toEqual([]);
      expect(kind === 'healthy' ? ['healthy', 'undecided'] : ['faulty', 'undecided'], where).toContain(verdict.status);
      // To try a fix takes the right to make it, which rbac does not print.
      const asked = missing.flatMap((m) => (m.grant ? [m.grant] : [])).filter((g) => !g.verbs.includes('patch'));
      expect(
        asked.filter((g) => !(g.apiGroups.includes(right.group) && g.resources.includes(right.resource) && g.verbs.includes(right.verb))),
        where,
      ).toEqual([]);
    }),
  );
  expect(await debugPods()).toBe('');
});
