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
    expect(ran.stdout).toContain('change   allow pods with role=api of namespace shop in rule 1: kubectl -n shop patch networkpolicy allow-api');
  });
  test('allowed: exit 0, and the rule that allows it', async () => {
    const ran = await judged(files(policy.replace('API', 'api')), ask('deploy/checkout', '-o', 'json'));
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ kind: 'Reach', verdict: 'allowed', ingress: { by: { policy: 'allow-api', rule: 1 } } });
  });
  test('an address outside the cluster', async () => {
    expect((await judged(files(), ask('203.0.113.9'))).code).toBe(1);
  });
  test('a pod that the manifests do not hold, with the nearest', async () => {
    const ran = await judged(files(), ask('pod/chekout'));
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('did you mean "checkout"?');
  });
});

describe('a Service, a node, anyone outside', () => {
  const more = `
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], selector: {app: web}, ports: [{name: www, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Node
metadata: {name: node1, labels: {}}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
`;
  const to = (from: string, receiver: string, ...args: string[]) =>
    judged({ 'objects/world.yaml': world + more, 'objects/policies/web.yaml': policy }, (f) => [
      '-f',
      join(f, 'objects'),
      '-n',
      'shop',
      '--from',
      from,
      '--to',
      receiver,
      ...args,
    ]);

  test('a Service means its pods, on their own port', async () => {
    const ran = await to('deploy/checkout', 'svc/web', '--port', '80', '-o', 'json');
    expect(JSON.parse(ran.stdout)).toMatchObject({ verdict: 'denied', port: 8080, receivers: [{ name: 'web', port: 8080, verdict: 'denied' }] });
  });
  test('and so does its virtual IP', async () => {
    expect((await to('deploy/checkout', '10.96.0.9', '--port', 'www')).stdout).toContain('10.96.0.9, 8080/TCP: denied');
  });
  test("a node that is not the pod's, as far as that is known", async () => {
    const ran = await to('node/node1', 'pod/web');
    expect(ran.code).toBe(2);
    expect(ran.stdout).toContain('the plug-in decides whether the node that the pod runs on is treated like other nodes');
  });
  test('anyone outside', async () => {
    expect((await to('external', 'pod/web')).code).toBe(1);
  });
  test.each([
    [['pod/web', 'svc/wbe'], 'did you mean "web"?'],
    [['node/node2', 'pod/web'], 'did you mean "node1"?'],
    [['planet/mars', 'pod/web'], '--from "planet/mars" is not known'],
  ])('%j: one sentence, exit 3', async ([from = '', receiver = ''], says) => {
    const ran = await to(from, receiver);
    expect(ran.stderr).toContain(says);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(ran.code).toBe(3);
  });
  test('a port that the Service does not have', async () => {
    expect((await to('deploy/checkout', 'svc/web', '--port', '81')).stderr).toContain('Service "web" has no TCP port "81"; it has 80/TCP.');
  });
});

describe('policies of other kinds', () => {
  const admin = (action: string) => `apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: all-in}
spec:
  priority: 5
  subject: {namespaces: {}}
  ingress:
    - action: ${action}
      from: [{namespaces: {}}]
`;
  test('decide before NetworkPolicies', async () => {
    const ran = await judged({ ...files(), 'objects/admin.yaml': admin('Allow') }, ask('deploy/checkout', '-o', 'json'));
    expect(JSON.parse(ran.stdout)).toMatchObject({ verdict: 'allowed', ingress: { by: { policy: 'all-in', kind: 'AdminNetworkPolicy', rule: 1 } } });
  });
  test('with an error: file, line and field', async () => {
    const ran = await judged({ ...files(), 'objects/admin.yaml': admin('Permit') }, ask('deploy/checkout'));
    expect(ran.stderr).toMatch(/admin\.yaml:8: AdminNetworkPolicy "all-in", spec\.ingress\.0\.action: /);
    expect(ran.code).toBe(3);
  });
});

describe('a captured run', () => {
  test('its two sides are the default', async () => {
    const ran = await doctor(['reach', '--replay', 'test/recordings/policy-one-of-three.json', '-o', 'json']);
    expect(ran.code).toBe(1);
    const said = JSON.parse(ran.stdout) as { receivers: { verdict: string }[] };
    expect(said.receivers.map((r) => r.verdict).toSorted()).toEqual(['allowed', 'allowed', 'denied']);
  });
  test('not together with manifests', async () => {
    expect((await doctor(['reach', '--replay', 'x.json', '-f', 'y'])).stderr).toContain('-f and --replay both name what to judge by');
  });
});

describe('--matrix', () => {
  test('rows connect to columns; pods that may do the same are one row', async () => {
    const ran = await judged(files(), (f) => ['-f', join(f, 'objects'), '--matrix', '-n', 'shop', '--port', '8080', '-o', 'json']);
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      kind: 'ReachMatrix',
      pairs: { allowed: 1, denied: 1 },
      groups: [{ name: 'checkout' }, { name: 'web' }],
      cells: [
        ['allowed', 'denied'],
        ['allowed', 'allowed'],
      ],
    });
  });
  test('a workload and its pods are not both in it', async () => {
    const ran = await doctor(['reach', '--replay', 'test/recordings/policy-one-of-three.json', '--matrix', '--port', '8080', '-o', 'json']);
    const names = (JSON.parse(ran.stdout) as { groups: { pods: string[] }[] }).groups.flatMap((g) => g.pods);
    expect(names.toSorted()).toEqual(['client', 'shop-0', 'shop-1', 'shop-2']);
  });
  test('as a picture, with the reason in each cell', async () => {
    const ran = await judged(files(), (f) => ['-f', join(f, 'objects'), '--matrix', '-n', 'shop', '-o', 'html']);
    expect(ran.stdout).toContain('title="shop/checkout → shop/web: denied&#10;ingress: no rule of allow-api allows it"');
    expect(ran.stdout).toContain('declares no port');
  });
  test('hostile names do no harm in it', async () => {
    const evil = world.replaceAll('name: web', 'name: "<script>alert(1)</script>"');
    const ran = await judged({ 'objects/world.yaml': evil }, (f) => ['-f', join(f, 'objects'), '--matrix', '-n', 'shop', '-o', 'html']);
    expect(ran.stdout).not.toContain('<script');
    expect(ran.stdout).toContain('&#60;script&#62;');
  });
  test('a namespace without pods is reported', async () => {
    const ran = await judged(files(), (f) => ['-f', join(f, 'objects'), '--matrix', '-n', 'empty']);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('There are no pods in namespace empty');
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
      'an exception outside its range',
      policy.replace('podSelector: {matchLabels: {role: API}}', 'ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}'),
      /except: each exception must lie in cidr/,
    ],
    [
      'an exception that is no range',
      policy.replace('podSelector: {matchLabels: {role: API}}', 'ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0]}'),
      /web\.yaml:8: .*except\.0: not an address range/,
    ],
    [
      'a selector beside an ipBlock',
      policy.replace('podSelector: {matchLabels: {role: API}}', 'podSelector: {}\n          ipBlock: {cidr: 10.0.0.0/8}'),
      /a peer with ipBlock has no other field/,
    ],
    ['an empty peer', policy.replace('podSelector: {matchLabels: {role: API}}', '{}'), /a peer names podSelector/],
    ['an alias of what is not there', policy.replace('spec:', 'spec: *none\nx:'), /web\.yaml: Unresolved alias/],
    ['no YAML', policy.replace('spec:', 'spec: ['), /web\.yaml:\d+: /],
  ])('%s', async (_, changed, says) => {
    const ran = await judged(files(changed), ask('deploy/checkout'));
    expect(ran.stderr).toMatch(says);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(ran.code).toBe(3);
  });

  test.each([
    ['a kind', 'kind: {a: 1}\n', 'web.yaml:1: kind must be a text.'],
    ['a version', 'kind: Pod\napiVersion: 1\n', 'web.yaml:2: apiVersion must be a text.'],
    ['a name', 'kind: Pod\nmetadata:\n  name: [a]\n', 'web.yaml:3: metadata.name must be a text.'],
    ['the kind of an item', 'kind: List\nitems:\n- kind: Pod\n- kind: 5\n', 'web.yaml:4: kind must be a text.'],
  ])('%s that is no text', async (_, text, says) => {
    const ran = await judged(files(text), ask('deploy/checkout'));
    expect(ran.stderr).toContain(says);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(ran.code).toBe(3);
  });

  test('an item that is no object', async () => {
    const ran = await judged(files('kind: List\nitems: [null]\n'), ask('deploy/checkout'));
    expect(ran.stderr).toContain('web.yaml:2: an item of a List must be an object.');
    expect(ran.code).toBe(3);
  });

  test('a Service whose selector is no map', async () => {
    const ran = await judged(files('kind: Service\nmetadata: {name: web}\nspec: {selector: 9}\n'), ask('deploy/checkout'));
    expect(ran.stderr).toMatch(/web\.yaml:3: Service "web", spec\.selector: /);
    expect(ran.code).toBe(3);
  });

  test('also in other kinds', async () => {
    const ran = await judged({ 'objects/world.yaml': world.replace('containerPort: 8080', 'containerPort: many') }, ask('203.0.113.9'));
    expect(ran.stderr).toMatch(/world\.yaml:9: Pod "web", spec\.containers\.0\.ports\.0\.containerPort: /);
    expect(ran.code).toBe(3);
  });
  test('a folder that is not there', async () => {
    const ran = await judged({}, () => ['-f', '/missing', '--from', '10.0.0.1', '--to', '10.0.0.2', '--port', '1']);
    expect(ran.stderr).toContain('/missing cannot be read (ENOENT)');
    expect(ran.code).toBe(3);
  });
});
