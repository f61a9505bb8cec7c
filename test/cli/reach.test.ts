/** `reach -f`: policies judged by manifests alone, as a pipeline does before they are applied. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { doctor, type Ran } from '../support/kubectl.ts';

const world = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop}
spec:
  selector: {matchLabels: {app: checkout}}
  template: {metadata: {labels: {app: checkout, role: api}}, spec: {containers: [{name: c}]}}
`;
const policy = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
    - from:
        - podSelector: {matchLabels: {role: API}}
      ports:
        - port: http
`;

/** A folder with these files, and the program run on it. */
function judged(files: Record<string, string>, args: (folder: string) => string[]): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-reach-'));
  mkdirSync(join(folder, 'objects/policies'), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return doctor(['reach', ...args(folder)]);
}
const files = (changed: string = policy) => ({ 'objects/world.yaml': world, 'objects/policies/web.yaml': changed });
const ask =
  (from: string, ...more: string[]) =>
  (folder: string) => ['-f', join(folder, 'objects'), '-n', 'shop', '--from', from, '--to', 'pod/web', '--port', 'http', ...more];

describe('one connection', () => {
  test('denied: exit 1, and the nearest rule says why', async () => {
    const ran = await judged(files(), ask('deploy/checkout'));
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('deploy/checkout → pod/web, 8080/TCP: denied');
    expect(ran.stdout).toContain('allow-api, rule 1: wants role=API, it has role=api');
  });
  test('allowed: exit 0, and the rule that allows it', async () => {
    const ran = await judged(files(policy.replace('API', 'api')), ask('deploy/checkout', '-o', 'json'));
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ kind: 'Reach', verdict: 'allowed', ingress: { by: { policy: 'allow-api', rule: 1 } } });
  });
  test('an address outside of the cluster', async () => {
    expect((await judged(files(), ask('203.0.113.9'))).code).toBe(1);
  });
  test('a pod that the manifests do not hold, with the nearest', async () => {
    const ran = await judged(files(), ask('pod/chekout'));
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('did you mean "checkout"?');
  });
});

describe('--test', () => {
  const expectation = (allowed: boolean) => ({ from: { namespace: 'shop', pod: 'checkout' }, to: { ip: '10.0.0.1' }, port: 8080, protocol: 'TCP', allowed });
  const held = (list: unknown, ...more: string[]) =>
    judged({ ...files(), 'test.json': JSON.stringify(list) }, (f) => ['-f', join(f, 'objects'), '--test', join(f, 'test.json'), ...more]);

  test('all hold: exit 0', async () => {
    const ran = await held([expectation(false)], '-o', 'json');
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ kind: 'ReachTest', passed: 1, failed: 0, failures: [] });
  });
  test('one does not: exit 1, and what decided', async () => {
    const ran = await held([expectation(false), expectation(true)]);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('✗ shop/checkout → 10.0.0.1, 8080/TCP: expected allowed, is denied');
    expect(ran.stdout).toContain('1 passed, 1 failed');
  });
  test('YAML does as well', async () => {
    const ran = await judged(
      { ...files(), 'test.yaml': '- {from: {namespace: shop, pod: checkout}, to: {ip: 10.0.0.1}, port: 8080, allowed: false}\n' },
      (f) => ['-f', join(f, 'objects'), '--test', join(f, 'test.yaml')],
    );
    expect(ran.code).toBe(0);
  });
  test('a list of another form is refused', async () => {
    const ran = await held([{ from: 'x' }]);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('0.from: wants {namespace, pod} or {ip}');
  });
});

describe('a manifest with an error names file, line and field', () => {
  test.each([
    [
      'a misspelt field',
      policy.replace('podSelector: {matchLabels: {role', 'podSelectors: {matchLabels: {role'),
      /web\.yaml:8: NetworkPolicy "allow-api", spec\.ingress\.0\.from\.0\.podSelectors: there is no such field/,
    ],
    ['a port that is none', policy.replace('port: http', 'port: 70000'), /web\.yaml:10: .*spec\.ingress\.0\.ports\.0\.port: a port/],
    ['an endPort with a name', policy.replace('port: http', 'port: http\n          endPort: 90'), /web\.yaml:11: .*endPort: endPort needs a port number/],
    [
      'an unknown operator',
      policy.replace('{role: API}', '{}, matchExpressions: [{key: a, operator: Is}]'),
      /web\.yaml:8: .*operator: one of In, NotIn, Exists, DoesNotExist/,
    ],
    [
      'a range that is none',
      policy.replace('podSelector: {matchLabels: {role: API}}', 'ipBlock: {cidr: 10.0.0.0}'),
      /web\.yaml:8: .*ipBlock\.cidr: not an address range/,
    ],
    [
      'an exception outside of its range',
      policy.replace('podSelector: {matchLabels: {role: API}}', 'ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}'),
      /except: each exception must lie in cidr/,
    ],
    [
      'a selector beside an ipBlock',
      policy.replace('podSelector: {matchLabels: {role: API}}', 'podSelector: {}\n          ipBlock: {cidr: 10.0.0.0/8}'),
      /ipBlock stands alone/,
    ],
    ['an empty peer', policy.replace('podSelector: {matchLabels: {role: API}}', '{}'), /a peer names podSelector/],
    ['no YAML', policy.replace('spec:', 'spec: ['), /web\.yaml:\d+: /],
  ])('%s', async (_, changed, says) => {
    const ran = await judged(files(changed), ask('deploy/checkout'));
    expect(ran.stderr).toMatch(says);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(ran.code).toBe(3);
  });

  test('also in other kinds', async () => {
    const ran = await judged({ 'objects/world.yaml': world.replace('containerPort: 8080', 'containerPort: many') }, ask('203.0.113.9'));
    expect(ran.stderr).toMatch(/world\.yaml:9: Pod "web", spec\.containers\.0\.ports\.0\.containerPort: /);
    expect(ran.code).toBe(3);
  });
  test('a folder that is not there', async () => {
    const ran = await judged({}, () => ['-f', '/nowhere', '--from', '10.0.0.1', '--to', '10.0.0.2', '--port', '1']);
    expect(ran.stderr).toContain('/nowhere cannot be read (ENOENT)');
    expect(ran.code).toBe(3);
  });
});
