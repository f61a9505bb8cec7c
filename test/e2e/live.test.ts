/** What holds of every run against a real cluster: few rights, nothing created without leave, nothing left behind. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { generator } from '../support/random.ts';
import { apply, createNamespace, debugPods, deleteNamespace, doctor, kubectl, must, run } from '../support/kubectl.ts';

const ns = 'k8s-doctor-live';
const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-live-'));

const objects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend-web}
spec:
  replicas: 2
  selector: {matchLabels: {app: frontend-web}}
  template:
    metadata: {labels: {app: frontend-web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: registry.k8s.io/e2e-test-images/agnhost:2.57
          args: [netexec, --http-port=8080]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: frontend-web}
spec: {selector: {app: frontend-web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: typo}
spec: {selector: {app: frontend-wbe}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: viewer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: viewer, namespace: ${ns}}]
`;

beforeAll(async () => {
  await createNamespace(ns);
  await apply(ns, objects);
  await must('-n', ns, 'rollout', 'status', 'deployment/frontend-web', '--timeout=60s');
});
afterAll(async () => {
  await deleteNamespace(ns);
});

const asViewer = ['--as', `system:serviceaccount:${ns}:viewer`];

interface Said {
  exit: number;
  diagnosis: Diagnosis;
}

async function diagnose(...args: string[]): Promise<Said> {
  const ran = await doctor(['svc', ...args, '-n', ns, '-q', '-o', 'json']);
  if (!ran.stdout) throw new Error(`no output, exit ${ran.code}: ${ran.stderr}`);
  return { exit: ran.code, diagnosis: JSON.parse(ran.stdout) as Diagnosis };
}

describe('a user who may only view the namespace', () => {
  test('gets no verdict that is not proved, and each rule to grant', async () => {
    const { exit, diagnosis } = await diagnose('frontend-web', ...asViewer);
    expect(exit).toBe(2);
    expect(diagnosis.verdict.status).toBe('undecided');
    expect(diagnosis.verdict.causes).toEqual([]);
    const grants = diagnosis.missing.flatMap((m) => m.grant?.resources.map((r) => `${m.grant?.verbs.join()} ${r} ${m.grant?.namespace ?? '*'}`) ?? []);
    expect(grants).toEqual(
      expect.arrayContaining([
        `create pods ${ns}`,
        'list nodes *',
        'list pods kube-system',
        'get services kube-system',
        'get configmaps kube-system',
        'list networkpolicies kube-system',
      ]),
    );
    expect(diagnosis.missing.every((m) => m.why.length > 0)).toBe(true);
  });

  test('gets a fault that the objects show', async () => {
    const { exit, diagnosis } = await diagnose('typo', ...asViewer);
    expect(exit).toBe(1);
    expect(diagnosis.verdict.causes.map((c) => c.code)).toEqual(['selector-mismatch']);
  });

  test('reads in text what is missing and what to grant', async () => {
    const { stdout, code } = await doctor(['svc', 'frontend-web', '-n', ns, '-q', ...asViewer]);
    expect(code).toBe(2);
    expect(stdout).toContain('Not seen');
    expect(stdout).toContain('create pods');
  });

  test('with the missing rules granted, gets the verdict', async () => {
    const { diagnosis } = await diagnose('frontend-web', ...asViewer);
    const rules = diagnosis.missing.flatMap((m) => (m.grant ? [{ apiGroups: m.grant.apiGroups, resources: m.grant.resources, verbs: m.grant.verbs }] : []));
    const extra = [
      { apiGroups: [''], resources: ['pods'], verbs: ['watch', 'delete'] },
      { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
    ];
    const name = 'k8s-doctor-live-granted';
    const granted = [
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: [...rules, ...extra] },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', name: 'viewer', namespace: ns }],
      },
    ];
    await apply(ns, granted.map((o) => JSON.stringify(o)).join('\n---\n'));
    try {
      const after = await diagnose('frontend-web', ...asViewer);
      expect(after.diagnosis.verdict).toMatchObject({ status: 'healthy', causes: [] });
    } finally {
      await kubectl('delete', 'clusterrole,clusterrolebinding', name);
    }
  });
});

describe('the rights that rbac prints', () => {
  const stranger = `system:serviceaccount:${ns}:stranger`;
  const bound = (role: { kind: string; metadata: { name: string; namespace?: string } }) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: `${role.kind}Binding`,
    metadata: role.metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: role.kind, name: role.metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: 'stranger', namespace: ns }],
  });

  test.each([
    ['for one namespace', ['-n', ns, '--from', 'deploy/frontend-web']],
    ['for all namespaces', ['-A']],
    ['with --probe debug-pod', ['-n', ns, '--from', 'deploy/frontend-web', '--probe', 'debug-pod']],
    ['with --probe ephemeral', ['-n', ns, '--from', 'deploy/frontend-web', '--probe', 'ephemeral']],
    ['with --matrix', ['-n', ns, '--from', 'deploy/frontend-web', '--matrix']],
    ['with --http', ['-n', ns, '--from', 'deploy/frontend-web', '--http']],
  ])('%s are enough for a whole run, and nothing beyond them is asked for', async (_, args) => {
    const printed = await doctor(['rbac', ...args]);
    const roles = parseAllDocuments(printed.stdout).map((d) => d.toJS() as Parameters<typeof bound>[0]);
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'stranger', namespace: ns } };
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [account, ...roles, ...roles.map(bound)] });
    const applied = await run('kubectl', ['apply', '-f', '-'], { input: list });
    expect(applied.stderr).toBe('');
    try {
      // The path does not exist: still an answer, also through the API server where the client could not ask.
      const option = args.filter((a) => a === '--matrix' || a === '--http').flatMap((a) => (a === '--http' ? [a, '/missing'] : [a]));
      const probe = args.includes('--probe') ? args.slice(-2) : option;
      const { exit, diagnosis } = await diagnose('frontend-web', '--from', 'deploy/frontend-web', '--as', stranger, ...probe);
      expect(diagnosis.missing.filter((m) => m.grant !== null)).toEqual([]);
      expect(exit).toBe(0);
    } finally {
      await run('kubectl', ['delete', '--ignore-not-found', '-f', '-'], { input: list });
    }
  });
  test('with --probe none they only read', async () => {
    const printed = await doctor(['rbac', '-n', ns, '--probe', 'none']);
    const rules = parseAllDocuments(printed.stdout).flatMap((d) => (d.toJS() as { rules: { verbs: string[] }[] }).rules);
    expect([...new Set(rules.flatMap((r) => r.verbs))].toSorted()).toEqual(['get', 'list']);
  });
});

describe('--probe none', () => {
  test('needs no right but to read, and creates, changes and removes nothing', async () => {
    const pods = () => must('get', 'pods', '-n', ns, '-o', 'jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}');
    const name = 'k8s-doctor-live-reader';
    const subjects = [{ kind: 'ServiceAccount', name: 'viewer', namespace: ns }];
    await apply(
      ns,
      [
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { name },
          rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list'] }],
        },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
          subjects,
        },
      ]
        .map((o) => JSON.stringify(o))
        .join('\n---\n'),
    );
    try {
      const before = await pods();
      const { exit, diagnosis } = await diagnose('frontend-web', '--probe', 'none', ...asViewer);
      // Anything beyond reading would have been refused, and be listed as missing.
      expect(diagnosis.missing.filter((m) => m.grant !== null)).toEqual([]);
      expect(exit).toBe(0);
      expect(await pods()).toBe(before);
    } finally {
      await kubectl('delete', 'clusterrole,clusterrolebinding', name);
    }
  });

  test('says that no connection was made', async () => {
    const { diagnosis } = await diagnose('frontend-web', '--probe', 'none');
    expect(diagnosis.verdict.summary).toContain('connections were not tested');
    expect(diagnosis.probes).toEqual([]);
    expect(diagnosis.missing.map((m) => m.why)).toContain('--probe none');
  });
});

describe('a capture', () => {
  test('replayed without a cluster, prints what the run printed', async () => {
    const file = join(folder, 'run.json');
    const live = await doctor(['svc', 'frontend-web', '-n', ns, '-q', '--capture', file, '-o', 'json']);
    const replay = await doctor(['svc', '--replay', file, '-o', 'json'], { env: { KUBECONFIG: '/missing' } });
    expect(replay.stdout).toBe(live.stdout);
    expect(replay.code).toBe(live.code);
    const text = await doctor(['svc', 'frontend-web', '-n', ns, '-q', '--capture', file]);
    expect((await doctor(['svc', '--replay', file], { env: { KUBECONFIG: '/missing' } })).stdout).toBe(text.stdout);
    expect(readFileSync(file, 'utf8')).not.toContain('BEGIN');
  });
});

describe('an interrupted run', () => {
  const random = generator(50);
  const count = process.env['NIGHTLY'] ? 50 : 15;
  const moments = () => Array.from({ length: count }, () => Math.round(30 + random() * 1800));

  test(`by Ctrl-C at ${count} random moments leaves nothing behind`, async () => {
    for (const ms of moments()) {
      const ran = await doctor(['svc', 'frontend-web', '-n', ns, '-q'], { signalAfter: ['SIGINT', ms] });
      expect([0, 130, -1], `after ${ms} ms`).toContain(ran.code);
      expect(await debugPods(ns), `after ${ms} ms`).toBe('');
    }
  });

  test('by its own time limit leaves nothing behind, and says what it knows', async () => {
    const ran = await doctor(['svc', 'frontend-web', '-n', ns, '-q', '-o', 'json', '--timeout', '700ms']);
    expect([0, 2]).toContain(ran.code);
    expect(await debugPods(ns)).toBe('');
  });

  test(`killed outright at ${count} random moments, is cleaned up after`, async () => {
    for (const ms of moments()) await doctor(['svc', 'frontend-web', '-n', ns, '-q'], { signalAfter: ['SIGKILL', ms] });
    // Some were killed while their pod ran: else this would show nothing.
    expect(await debugPods(ns)).not.toBe('');
    const ran = await doctor(['cleanup', '-A']);
    expect(ran.code).toBe(0);
    expect(await debugPods()).toBe('');
  });
});

describe('--matrix', () => {
  const jobs = () => must('get', 'jobs', '-A', '-l', 'app.kubernetes.io/managed-by=k8s-doctor', '-o', 'name');

  test('connects from every node to every endpoint, and leaves nothing behind', async () => {
    const { exit, diagnosis } = await diagnose('frontend-web', '--matrix');
    expect(exit).toBe(0);
    const nodes = (await must('get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
    expect(diagnosis.matrix?.rows.map((r) => r.node)).toEqual(nodes);
    expect(diagnosis.matrix?.rows.flatMap((r) => r.outcomes.map((o) => o?.outcome))).toEqual(nodes.flatMap(() => ['answered', 'answered']));
    expect(await debugPods()).toBe('');
    expect(await jobs()).toBe('');
  });

  test('interrupted or killed outright, is cleaned up after', async () => {
    const random = generator(51);
    const moments = () => Array.from({ length: 8 }, () => Math.round(300 + random() * 4000));
    for (const ms of moments()) {
      await doctor(['svc', 'frontend-web', '-n', ns, '-q', '--matrix'], { signalAfter: ['SIGINT', ms] });
      expect(await jobs(), `after ${ms} ms`).toBe('');
      expect(await debugPods(ns), `after ${ms} ms`).toBe('');
    }
    for (const ms of moments()) await doctor(['svc', 'frontend-web', '-n', ns, '-q', '--matrix'], { signalAfter: ['SIGKILL', ms] });
    // Some were killed while their Job ran: else this would show nothing.
    expect(await jobs()).not.toBe('');
    expect((await doctor(['cleanup', '-A'])).code).toBe(0);
    expect(await jobs()).toBe('');
    // What the Job controller was just making is collected with its owner.
    await expect.poll(() => debugPods(), { timeout: 20_000 }).toBe('');
  });
});

describe('a debug pod with the labels of the client', () => {
  const till = 'live-till';
  const labels = { app: till };
  const container = { name: 'c', image: 'registry.k8s.io/e2e-test-images/agnhost:2.57', args: ['netexec', '--http-port=8080'] };
  const items = [
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: till, namespace: ns },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } },
      },
    },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: till, namespace: ns }, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: till, namespace: ns },
      spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'], ingress: [{}] },
    },
  ];

  test('is no endpoint of a Service, and no pod of a ReplicaSet, that select by them', async () => {
    await apply(ns, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    try {
      await must('-n', ns, 'wait', 'pod', '-l', `app=${till}`, '--for=condition=Ready', '--timeout=60s');
      const pods = async () => (await must('-n', ns, 'get', 'pods', '-l', `app=${till}`, '-o', 'jsonpath={.items[*].metadata.name}')).trim();
      const before = await pods();
      const watch = [
        '-n',
        ns,
        'get',
        'endpointslices',
        '-l',
        `kubernetes.io/service-name=${till}`,
        '-w',
        '-o',
        'jsonpath={range .endpoints[*]}{.targetRef.name}={.conditions.ready} {end}{"\\n"}',
      ];
      const watching = run('kubectl', watch, { timeoutMs: 12_000 });
      const { exit, diagnosis } = await diagnose('frontend-web', '--from', `pod/${before}`);
      // The client's image has no shell, so another pod was used.
      expect(diagnosis.probes[0]?.from).toMatch(/^debug pod/);
      expect(exit).toBe(0);
      const endpoints = (await watching).stdout.split(/\s+/).filter((e) => e.endsWith('=true'));
      expect(new Set(endpoints)).toEqual(new Set([`${before}=true`]));
      expect(await pods()).toBe(before);
      const events = await must('-n', ns, 'get', 'events', '--field-selector', `involvedObject.name=${till}`, '-o', 'jsonpath={.items[*].reason}');
      expect(events).not.toContain('SuccessfulDelete');
    } finally {
      await run('kubectl', ['delete', '--ignore-not-found', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
    }
  });
});

/** A Service whose endpoints are addresses of the pods' range that nobody takes packets to, or answers them. */
const unanswered = (name: string, addresses: readonly string[]) => [
  { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: ns }, spec: { ports: [{ port: 80, targetPort: 8080 }] } },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: ns, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: addresses.map((a) => ({ addresses: [a], conditions: { ready: true } })),
  },
];

/** A pod whose process 1 is a plain `sleep`, which reaps nothing: what is orphaned beside it stays. */
const idle = (name: string, container: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: ns },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', command: ['sleep', 'infinity'], ...container }] },
});

describe("processes in the client's own container", () => {
  const images = { 'holder-busybox': 'docker.io/library/busybox:1.37', 'holder-netshoot': 'docker.io/nicolaka/netshoot:v0.15' };
  const items = [...unanswered('hole', ['10.244.200.1']), ...Object.entries(images).map(([name, image]) => idle(name, { image }))];
  afterAll(() => must('-n', ns, 'delete', 'service', 'hole', '--ignore-not-found'));
  const processes = async (pod: string) => Number(await must('-n', ns, 'exec', pod, '--', 'sh', '-c', 'set -- /proc/[0-9]*; echo $#'));

  test.each(Object.keys(images))('%s: as many after a run as before, also where packets get no answer, and where the run is ended', async (pod) => {
    await apply(ns, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await must('-n', ns, 'wait', 'pod', pod, '--for=condition=Ready', '--timeout=60s');
    const before = await processes(pod);
    for (const service of ['frontend-web', 'hole']) {
      const { diagnosis } = await diagnose(service, '--from', `pod/${pod}`, '--http', '/');
      expect(diagnosis.probes.filter((p) => p.from === `pod/${pod}`).length).toBeGreaterThan(3);
      expect(await processes(pod), service).toBe(before);
    }
    const random = generator(52);
    for (const signal of ['SIGINT', 'SIGKILL'] as const)
      for (let i = 0; i < 4; i++) await doctor(['svc', 'hole', '-n', ns, '-q', '--from', `pod/${pod}`], { signalAfter: [signal, 300 + random() * 700] });
    // What was begun there comes to its own end.
    await expect.poll(() => processes(pod), { timeout: 20_000 }).toBe(before);
  });
});

describe('a client whose container has little memory', () => {
  const addresses = Array.from({ length: 24 }, (_, i) => `10.244.200.${i + 1}`);
  const limited = (name: string, memory: string) => idle(name, { image: 'docker.io/library/busybox:1.37', resources: { limits: { memory } } });
  const items = [...unanswered('crowd', addresses), limited('small', '40Mi'), limited('tiny', '8Mi')];
  beforeAll(async () => {
    await apply(ns, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await must('-n', ns, 'wait', 'pod/small', 'pod/tiny', '--for=condition=Ready', '--timeout=60s');
  });
  afterAll(() => must('-n', ns, 'delete', 'service', 'crowd', '--ignore-not-found'));

  test('a crowd of endpoints that give no answer is tried a few at a time', async () => {
    const { diagnosis } = await diagnose('crowd', '--from', 'pod/small');
    const tried = diagnosis.probes.filter((p) => p.from === 'pod/small' && p.kind === 'tcp').map((p) => p.target);
    expect(tried).toEqual(expect.arrayContaining(addresses.map((a) => `${a}:8080`)));
    const most = 'cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes';
    // All of them at once take 28 MB.
    expect(Number(await must('-n', ns, 'exec', 'small', '--', 'sh', '-c', most))).toBeLessThan(20_000_000);
  });

  test('where there is next to none, a debug pod is used', async () => {
    const { diagnosis } = await diagnose('frontend-web', '--from', 'pod/tiny');
    expect(diagnosis.verdict.status).toBe('healthy');
    expect(diagnosis.probes.filter((p) => p.kind === 'tcp').every((p) => p.from.startsWith('debug pod'))).toBe(true);
    expect(await must('-n', ns, 'get', 'pod', 'tiny', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}')).toBe('0');
  });
});

describe('an image that no node has', () => {
  test('is reported in seconds, as a connection that was not made', async () => {
    const started = performance.now();
    const { exit, diagnosis } = await diagnose('frontend-web', '--image', 'registry.invalid/nothing:1');
    expect(exit).toBe(2);
    expect(diagnosis.missing.map((m) => m.why).join()).toMatch(/ErrImagePull|ImagePullBackOff/);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(await debugPods(ns)).toBe('');
  });
});

describe('whose connection', () => {
  test('a client pod that does not exist is refused, with the nearest', async () => {
    const pod = (await must('-n', ns, 'get', 'pods', '-l', 'app=frontend-web', '-o', 'jsonpath={.items[0].metadata.name}')).trim();
    const ran = await doctor(['svc', 'frontend-web', '-n', ns, '-q', '--from', `pod/${pod}x`]);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain(`did you mean "${pod}"`);
  });

  test('any pod of a Deployment', async () => {
    const { diagnosis } = await diagnose('frontend-web', '--from', 'deploy/frontend-web');
    expect(diagnosis.client?.kind).toBe('pod');
    expect(diagnosis.verdict.status).toBe('healthy');
  });

  test('a node', async () => {
    const node = (await must('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}')).trim();
    const { diagnosis } = await diagnose('frontend-web', '--from', `node/${node}`);
    expect(diagnosis.client).toMatchObject({ kind: 'node', node });
    expect(diagnosis.verdict.status).toBe('healthy');
  });
});

test('a namespace that does not exist is a diagnosis', async () => {
  const ran = await run(process.execPath, [
    new URL('../../bin/k8s-doctor.js', import.meta.url).pathname,
    'svc',
    'frontend-web',
    '-n',
    'k8s-doctor-lvie',
    '-q',
    '-o',
    'json',
  ]);
  expect(ran.code).toBe(1);
  const diagnosis = JSON.parse(ran.stdout) as Diagnosis;
  expect(diagnosis.verdict.causes.map((c) => c.code)).toEqual(['service-not-found']);
  expect(diagnosis.verdict.summary).toContain(`a Service of that name exists in namespace ${ns}`);
});

test('expired credentials are reported', async () => {
  const server = JSON.parse(await must('config', 'view', '--raw', '--minify', '-o', 'json')) as { clusters: { cluster: { server: string } }[] };
  const file = join(folder, 'expired.yaml');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(
    file,
    `apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "${server.clusters[0]?.cluster.server}", insecure-skip-tls-verify: true}}]\nusers: [{name: u, user: {token: expired}}]\ncontexts: [{name: here, context: {cluster: c, user: u}}]\ncurrent-context: here\n`,
  );
  const ran = await doctor(['svc', 'frontend-web', '-n', ns, '-q', '--kubeconfig', file]);
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain('does not accept the credentials of context "here"');
});

describe('a fix', () => {
  test('is tried by a dry run, which changes nothing', async () => {
    const before = await must('-n', ns, 'get', 'service', 'typo', '-o', 'jsonpath={.metadata.resourceVersion}');
    const { diagnosis } = await diagnose('typo');
    expect(diagnosis.verdict.causes[0]?.fix.some((f) => f.tried?.accepted === true)).toBe(true);
    expect(await must('-n', ns, 'get', 'service', 'typo', '-o', 'jsonpath={.metadata.resourceVersion}')).toBe(before);
  });
  test('is not tried where the user may not patch, and says so', async () => {
    const { diagnosis } = await diagnose('typo', ...asViewer);
    const tried = diagnosis.verdict.causes.flatMap((c) => c.fix).flatMap((f) => (f.tried ? [f.tried] : []));
    expect(tried).toEqual([{ accepted: false, message: 'not tried: not allowed to patch services' }]);
  });
  test('is not tried with --probe none', async () => {
    const { diagnosis } = await diagnose('typo', '--probe', 'none');
    expect(diagnosis.verdict.causes.flatMap((c) => c.fix).some((f) => f.tried)).toBe(false);
  });
});

describe('reach', () => {
  const pod = async () => `pod/${(await must('-n', ns, 'get', 'pods', '-l', 'app=frontend-web', '-o', 'jsonpath={.items[0].metadata.name}')).trim()}`;
  const reach = async (...args: string[]) => doctor(['reach', '-n', ns, '--from', await pod(), '--to', 'svc/frontend-web', ...args]);

  test('reads the cluster: allowed without policies, denied with one, also for who may only view', async () => {
    expect((await reach()).code).toBe(0);
    await apply(ns, 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n');
    try {
      const denied = await reach(...asViewer, '-o', 'json');
      expect(denied.code).toBe(1);
      expect(JSON.parse(denied.stdout)).toMatchObject({
        verdict: 'denied',
        ingress: { policies: ['closed'] },
        changes: [{ opens: expect.stringContaining('port 8080/TCP') }],
        missing: [],
      });
    } finally {
      await must('-n', ns, 'delete', 'networkpolicy', 'closed');
    }
  });
  test('does not judge what it may not read', async () => {
    const ran = await reach('--as', 'system:serviceaccount:default:nobody');
    expect(ran.code).toBe(3);
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('a user who may read everything, and neither exec nor forward ports', () => {
  const reader = ['--as', `system:serviceaccount:${ns}:reader`];
  beforeAll(async () => {
    await must('-n', ns, 'create', 'serviceaccount', 'reader');
    await must('create', 'clusterrolebinding', 'k8s-doctor-live-reader', '--clusterrole=view', `--serviceaccount=${ns}:reader`);
  });
  afterAll(async () => {
    await must('delete', 'clusterrolebinding', 'k8s-doctor-live-reader');
  });

  test('the DNS stage says what the objects show, and what is missing', async () => {
    const { diagnosis } = await diagnose('frontend-web', ...reader);
    const status = Object.fromEntries(diagnosis.checks.filter((c) => c.stage === 'dns').map((c) => [c.id, c.status]));
    // That the DNS pods are ready shows in their objects, that they answer only by asking them.
    expect(status).toMatchObject({ 'dns/replicas': 'unknown', 'dns/service': 'pass', 'dns/config': 'pass', 'dns/answers': 'unknown' });
    expect(diagnosis.checks.find((c) => c.id === 'dns/replicas')?.reason).toMatch(/^\d+ of \d+ DNS pods? ready; .*port/);
    const grants = diagnosis.missing.flatMap((m) => m.grant?.resources.map((r) => `${r} ${m.grant?.namespace ?? '*'}`) ?? []);
    expect(grants).toContain('pods/portforward kube-system');
  });
});

describe('scan', () => {
  test('all Services of the namespace, worst first, without a probe', async () => {
    const ran = await doctor(['scan', '-n', ns, '-o', 'json']);
    expect(ran.code).toBe(1);
    const said = JSON.parse(ran.stdout) as { kind: string; services: { name: string; status: string; causes: string[]; endpoints: object }[] };
    expect(said.kind).toBe('Scan');
    expect(said.services).toMatchObject([
      { name: 'typo', status: 'faulty', causes: ['selector-mismatch'], endpoints: { ready: 0, total: 0 } },
      { name: 'frontend-web', status: 'healthy', causes: [], endpoints: { ready: 2, total: 2 } },
    ]);
    expect(await debugPods(ns)).toBe('');
  });
  test('as text: one line each, and what was not done', async () => {
    const ran = await doctor(['scan', '-n', ns]);
    expect(ran.stdout).toMatch(/^✗ typo {2,}ClusterIP {2,}80→80 {2,}0\/0 {2}/);
    expect(ran.stdout).toContain('2 Services: 1 faulty, 1 without a problem in their objects. Connections were not tested');
  });
  test('says as much as svc --probe none', async () => {
    const alone = await diagnose('typo', '--probe', 'none');
    const ran = await doctor(['scan', '-n', ns, '-o', 'json']);
    expect((JSON.parse(ran.stdout) as { services: { summary: string }[] }).services[0]?.summary).toBe(alone.diagnosis.verdict.causes[0]?.message);
  });
});
