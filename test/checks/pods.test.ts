/** Pods, on facts of a real cluster with one of them changed: why they do not serve, and what would change that. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { Event, Pod, Workload } from '../../src/facts/objects.ts';
import { aside, withoutPods } from '../../checks/pods/out.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

type Service = NonNullable<FactTypes['service']>;
const ofShop = (list: readonly Pod[]) => list.filter((p) => p.metadata.name !== 'client');
const pods = (change: (p: Pod, i: number) => void): Edit => edited('pods', (list) => ofShop(list).forEach(change));
const service = (change: object): Edit => edited('service', (s) => void (s && Object.assign(s.spec, change)));
const noPods: Edit = edited('pods', (list) => void list.splice(0, list.length, ...list.filter((p) => p.metadata.name === 'client')));
const deployments = (change: (w: Workload) => void): Edit => edited('deployments', (list) => list.forEach(change));
const container = (w: Workload) => w.spec.template.spec.containers[0] as Workload['spec']['template']['spec']['containers'][number];
const patchOf = (fix: { command?: string } | undefined): unknown => JSON.parse(/-p '(.*)'$/s.exec(fix?.command ?? '')?.[1] ?? 'null');
const unread =
  (name: 'events' | 'nodes' | 'nodeRequests' | 'probeAnswers' | 'slices' | 'replicaSets'): Edit =>
  () => ({ [name]: unseen('forbidden', name, 'not allowed') });
const event = (name: string, reason: string, message: string, kind = 'Pod'): Event => ({
  metadata: { name: `${name}.1`, namespace: 'x', uid: '1', labels: {}, ownerReferences: [] },
  involvedObject: { kind, name },
  reason,
  message,
  type: 'Warning',
  lastTimestamp: '2099-01-01T00:00:00Z',
});
const says = (...list: Event[]): Edit => edited('events', (events) => void events.splice(0, events.length, ...list));

describe('readiness', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('pods/readiness', all(...edits), incident);
  const probe = (change: object, kind: 'readinessProbe' | 'startupProbe' = 'readinessProbe') =>
    pods((p) => p.spec.containers.forEach((c) => void Object.assign(c, { [kind]: change })));
  const fails = (...edits: Edit[]) => of('readiness-wrong-path', ...edits).findings[0];

  test('the request of the probe, by its kind', () => {
    expect(fails()?.message).toMatch(
      /^The readiness probe of 2 of 2 pods \(shop-77958ffcdc-2fhwj, shop-77958ffcdc-95c6v\) fails: GET \/healthz on port 8080 returns: /,
    );
    expect(fails(probe({ tcpSocket: { port: 8080 } }))?.message).toContain('fails: a TCP connection to port 8080');
    expect(fails(probe({ grpc: { port: 9 } }))?.message).toContain('fails: gRPC health on port 9');
    expect(fails(probe({ exec: {} }))?.message).toContain('fails: a command in the container');
    expect(fails(probe({ exec: {} }))?.fix.at(-1)).toMatchObject({
      text: 'Make the program pass its readiness probe, or correct the probe',
      command: 'kubectl -n sc-readiness-wrong-path describe pod shop-77958ffcdc-2fhwj',
    });
    expect(fails()?.fix.at(-1)?.text).toBe('Make the program answer GET /healthz with 200, or correct path and port of the readiness probe');
  });
  test('of one pod, and of one of several while others serve', () => {
    const one = edited('pods', (list) => void list.splice(2));
    expect(fails(one)?.message).toMatch(/^The readiness probe of pod shop-77958ffcdc-2fhwj fails/);
    expect(of('healthy-some-not-ready').findings).toMatchObject([{ severity: 'warning', scope: 'part' }]);
    expect(fails()).toMatchObject({ severity: 'error', scope: 'all' });
  });
  test('without an event the pod is young; without events nothing is known', () => {
    expect(fails(says())).toMatchObject({
      code: 'pod-starting',
      message: '2 of 2 pods (shop-77958ffcdc-2fhwj, shop-77958ffcdc-95c6v) started a moment ago and are not ready yet',
    });
    expect(
      fails(
        says(),
        edited('pods', (list) => void list.splice(2)),
      )?.message,
    ).toBe('pod shop-77958ffcdc-2fhwj started a moment ago and is not ready yet');
    expect(of('readiness-wrong-path', unread('events'))).toMatchObject({ status: 'unknown', reason: 'events: not allowed' });
    expect(of('healthy-some-not-ready', unread('events')).status).not.toBe('unknown');
    expect(fails(says(event('shop-77958ffcdc-2fhwj', 'Unhealthy', 'Readiness probe failed: ')))?.message).toMatch(
      / fails: GET \/healthz on port 8080 does not succeed$/,
    );
    expect(fails(says(event('shop-77958ffcdc-2fhwj', 'Unhealthy', 'Startup probe failed: x')))?.code).toBe('pod-starting');
  });
  test('two kinds of pods are two findings', () => {
    const other = pods((p, i) => i === 0 && p.spec.containers.forEach((c) => void (c.readinessProbe = { exec: {} } as never)));
    expect(of('readiness-wrong-path', other).findings).toHaveLength(2);
  });
  test('a path that answers is proposed: the same path on another port first, then another path', () => {
    const answers =
      (...list: [port: number, path: string, status: number | null][]): Edit =>
      () => ({
        probeAnswers: seen(list.map(([port, path, status]) => ({ pod: 'shop-77958ffcdc-2fhwj', scheme: 'HTTP' as const, port, path, status }))),
      });
    const proposed = (...list: [number, string, number | null][]) => fails(answers(...list))?.fix[0];
    expect(proposed([8080, '/readyz', 200], [9090, '/healthz', 204])?.text).toBe(
      'Make the readiness probe ask GET /healthz on port 9090 (HTTP 204): container "web" of Deployment "shop"',
    );
    expect(proposed([9090, '/readyz', 200], [8080, '/readyz', 399])?.text).toContain('GET /readyz on port 8080 (HTTP 399)');
    expect(patchOf(proposed([8080, '/', 200]))).toEqual({
      spec: { template: { spec: { containers: [{ name: 'web', readinessProbe: { httpGet: { path: '/', port: 8080 } } }] } } },
    });
    const none = proposed([8080, '/healthz', 404], [8080, '/', 400]);
    expect(none).toMatchObject({
      text: 'Make the readiness probe connect to port 8080, since no usual path answers with success: container "web" of Deployment "shop"',
    });
    expect(patchOf(none)).toEqual({
      spec: { template: { spec: { containers: [{ name: 'web', readinessProbe: { httpGet: null, tcpSocket: { port: 8080 } } }] } } },
    });
    expect(proposed([8080, '/', null])?.text).toMatch(/^Make the program answer/);
    expect(fails(answers([9, '/', 404]), probe({ tcpSocket: { port: 8080 } }))?.fix[0]?.text).toBe(
      'Make the readiness probe connect to port 9: container "web" of Deployment "shop"',
    );
    expect(fails(answers([9, '/', 404]), probe({ exec: {} }))?.fix).toHaveLength(1);
    expect(fails(unread('probeAnswers'))?.fix).toHaveLength(1);
    expect(
      fails(
        answers([8080, '/', 200]),
        edited('deployments', (list) => list.splice(0)),
        edited('replicaSets', (list) => list.splice(0)),
      )?.fix,
    ).toHaveLength(1);
  });
  test('what the sockets show is evidence', () => {
    const sockets = edited(
      'listeners',
      (l) => void (l['shop-77958ffcdc-2fhwj'] = seen({ sockets: [{ protocol: 'tcp', address: '0.0.0.0', port: 9090 }], forwarded: {} })),
    );
    const found = reportOf('pods/readiness', (f) => ({ listeners: seen({}), ...sockets({ ...f, listeners: seen({}) }) }), 'readiness-wrong-path').findings[0];
    expect(found?.evidence.at(-1)).toEqual({ source: 'sockets', text: 'shop-77958ffcdc-2fhwj listens on 0.0.0.0:9090' });
  });
  test('a startup probe comes first, and a sidecar before the containers', () => {
    expect(of('startup-probe').findings[0]?.message).toMatch(/^The startup probe of/);
    expect(
      of(
        'startup-probe',
        pods((p) => p.status.containerStatuses.forEach((s) => void (s.started = true))),
      ).findings[0]?.code,
    ).toBe('pod-starting');
    expect(of('sidecar-not-started').findings[0]?.message).toMatch(
      /^The startup probe of sidecar container "wait-for-db" in pod shop-5dbdbc9958-zz87q fails: a command in the container/,
    );
  });

  const gate = (...edits: Edit[]) => of('readiness-gate', ...edits).findings[0];
  test('a gate that nothing meets', () => {
    expect(gate()).toMatchObject({
      code: 'readiness-gate-unmet',
      message: 'The readiness gate example.com/registered of 2 of 2 pods (shop-7944d48dcf-8mzgz, shop-7944d48dcf-brdw6) is not met; the containers are ready',
      evidence: [{ source: 'status', text: expect.stringMatching(/^Ready: False \(corresponding condition of pod readiness gate/) as string }],
    });
    expect(gate()?.fix[0]?.text).toBe('Remove the readiness gate example.com/registered from Deployment "shop"');
    expect(patchOf(gate()?.fix[0])).toEqual([{ op: 'remove', path: '/spec/template/spec/readinessGates' }]);
    expect(gate()?.fix[1]).toMatchObject({
      text: "Check the controller that sets the condition example.com/registered (a load balancer's controller, an operator)",
    });
    const two = deployments((w) => w.spec.template.spec.readinessGates.push({ conditionType: 'example.com/other' }));
    expect(patchOf(gate(two)?.fix[0])).toEqual([
      { op: 'replace', path: '/spec/template/spec/readinessGates', value: [{ conditionType: 'example.com/other' }] },
    ]);
    // A webhook added it to each pod.
    expect(gate(deployments((w) => w.spec.template.spec.readinessGates.splice(0)))?.fix).toHaveLength(1);
  });
  test('a pod that is not ready although its containers and gates are', () => {
    const met = pods((p) => p.status.conditions.push({ type: 'example.com/registered', status: 'True' }));
    expect(gate(met)?.message).toBe('The containers of 2 of 2 pods (shop-7944d48dcf-8mzgz, shop-7944d48dcf-brdw6) are ready, the pod is not');
    const without = all(
      pods((p) => p.spec.readinessGates.splice(0)),
      unread('nodes'),
    );
    expect(of('readiness-gate', without)).toMatchObject({ status: 'unknown', reason: 'nodes: not allowed' });
  });

  test('a node that is not ready', () => {
    const lost = (...edits: Edit[]) => of('node-not-ready', ...edits).findings[0];
    const condition = (change: object) =>
      edited('nodes', (list) => list.forEach((n) => n.status.conditions.forEach((c) => c.type === 'Ready' && c.status !== 'True' && Object.assign(c, change))));
    expect(lost()).toMatchObject({
      code: 'node-not-ready',
      severity: 'error',
      nodes: ['node2'],
      evidence: [{ text: 'node2: Ready is Unknown (NodeStatusUnknown)' }],
      fix: [{ text: 'Check node node2: its conditions and its kubelet', command: 'kubectl describe node node2' }],
    });
    expect(lost(condition({ message: undefined, reason: 'X' }))?.message).toMatch(/^Node node2 is not ready and runs 2 of 2 pods .*: X$/);
    expect(lost(condition({ message: undefined, reason: undefined }))).toMatchObject({
      message: expect.stringMatching(/: it does not report its status$/) as string,
      evidence: [{ text: 'node2: Ready is Unknown' }],
    });
    const stillReady = pods((p, i) => i === 0 && p.status.conditions.forEach((c) => void (c.type === 'Ready' && (c.status = 'True'))));
    expect(lost(stillReady)).toMatchObject({ severity: 'error', scope: 'all' });
    const moved = pods((p, i) => i === 0 && void (p.spec.nodeName = 'node1'));
    expect(lost(all(stillReady, moved))).toMatchObject({ pods: ['shop-77f7f5ddf-rmdkk'] });
  });
  test('how many are ready', () => {
    expect(of('healthy-canary')).toMatchObject({ status: 'pass', summary: '3 of 3 pods ready' });
    expect(of('healthy-canary', noPods)).toMatchObject({ status: 'skip', reason: 'there are no pods' });
  });
});

describe('whether pods are created', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('pods/created', all(...edits), incident);
  const replicas = (n: number) => deployments((w) => void (w.spec.replicas = n));
  test('a workload that wants none', () => {
    const [found] = of('scaled-to-zero').findings;
    expect(found).toMatchObject({
      code: 'no-replicas',
      message: 'Deployment "shop" is scaled to zero replicas',
      evidence: [{ source: 'deployments', text: 'spec.replicas: 0' }],
    });
    expect(patchOf(found?.fix[0])).toEqual({ spec: { replicas: 1 } });
    expect(of('healthy-canary', replicas(0)).findings).toEqual([]);
    const asSet: Edit = (f) => ({ deployments: seen([]), statefulSets: f.deployments });
    expect(of('scaled-to-zero', asSet).findings).toMatchObject([
      { object: { kind: 'StatefulSet' }, message: 'StatefulSet "shop" is scaled to zero replicas', evidence: [{ source: 'statefulsets' }] },
    ]);
    const asDaemons: Edit = (f) => ({ deployments: seen([]), daemonSets: f.deployments });
    expect(of('scaled-to-zero', asDaemons).findings).toMatchObject([
      {
        message: 'DaemonSet "shop" matches no node, so it has no pods',
        evidence: [{ source: 'daemonsets', text: 'status.desiredNumberScheduled: 0' }],
        fix: [
          { text: 'Compare nodeSelector and tolerations of DaemonSet "shop" with the nodes', command: 'kubectl -n sc-scaled-to-zero describe daemonset shop' },
        ],
      },
    ]);
  });
  test('pods that were never created', () => {
    const quiet = all(
      noPods,
      says(),
      deployments((w) => Object.assign(w, { status: { conditions: [] } })),
      edited('replicaSets', (list) => list.splice(0)),
    );
    expect(of('healthy', quiet).findings).toMatchObject([
      {
        code: 'rollout-stalled',
        confidence: 'likely',
        message: 'Deployment "shop" wants 2 pods and none was created; kube-controller-manager may not run',
        evidence: [{ text: 'spec.replicas 2, status.replicas 0' }],
        fix: [{ command: 'kubectl -n kube-system get pods' }],
      },
    ]);
  });
  test('a rollout that makes no progress', () => {
    const stalled = deployments((w) =>
      w.status.conditions.splice(0, w.status.conditions.length, {
        type: 'Progressing',
        status: 'False',
        reason: 'ProgressDeadlineExceeded',
        message: 'timed out',
      }),
    );
    expect(of('healthy', stalled).findings).toMatchObject([
      {
        code: 'rollout-stalled',
        severity: 'warning',
        confidence: 'confirmed',
        message: 'Deployment "shop": its rollout makes no progress: timed out',
        evidence: [{ text: 'Progressing is False: ProgressDeadlineExceeded' }],
        fix: [{ command: 'kubectl -n sc-healthy rollout undo deployment/shop' }],
      },
    ]);
    const waiting = deployments((w) => w.status.conditions.splice(0, w.status.conditions.length, { type: 'Progressing', status: 'False', reason: 'Other' }));
    expect(of('healthy', waiting).findings).toEqual([]);
  });
  test('of whom nothing is known', () => {
    const none = all(...(['deployments', 'statefulSets', 'daemonSets', 'replicaSets'] as const).map((n) => edited(n, (list) => list.splice(0))));
    expect(of('healthy', none)).toMatchObject({ status: 'pass' });
    expect(of('healthy', none, noPods)).toMatchObject({ status: 'skip', reason: 'no workload has pods with these labels' });
    const blind = () => ({ daemonSets: unseen('forbidden', 'daemonsets', 'not allowed') });
    expect(of('healthy', none, noPods, blind)).toMatchObject({ status: 'unknown', reason: 'daemonsets: not allowed' });
    expect(of('healthy', blind)).toMatchObject({ status: 'pass' });
    expect(of('healthy', service({ selector: null }))).toMatchObject({ status: 'skip', reason: 'the Service selects no pods' });
  });

  describe('that the API server refuses', () => {
    const refusing = (message: string) =>
      all(
        says(),
        edited('replicaSets', (list) => list.forEach((r) => r.status.conditions.splice(0))),
        deployments((w) =>
          w.status.conditions.splice(0, w.status.conditions.length, { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }),
        ),
      );
    const quota = (text: string) => refusing(`pods "shop-1" is forbidden: exceeded quota: tight, ${text}`);
    test('a quota gets room for the pods that are missing', () => {
      const [found] = of('quota-exceeded', quota('requested: cpu=500m,pods=1, used: cpu=1,pods=1, limited: cpu=1,pods=1')).findings;
      expect(found).toMatchObject({
        code: 'pods-quota-exceeded',
        message:
          'Deployment "shop": a ResourceQuota refuses more pods: exceeded quota: tight, requested: cpu=500m,pods=1, used: cpu=1,pods=1, limited: cpu=1,pods=1',
      });
      expect(found?.fix[0]?.text).toBe('Raise ResourceQuota "tight" to cpu=2, pods=3, enough for 2 more pods');
      expect(patchOf(found?.fix[0])).toEqual({ spec: { hard: { cpu: '2', pods: '3' } } });
      expect(found?.fix[1]).toMatchObject({
        text: 'Raise the ResourceQuota, or free a part of it',
        command: 'kubectl -n sc-quota-exceeded describe resourcequota',
      });
      expect(of('quota-exceeded', refusing('pods "x" is forbidden: failed quota: tight: must specify cpu')).findings[0]).toMatchObject({
        code: 'pods-quota-exceeded',
        fix: [{}],
      });
    });
    test('what a LimitRange allows is written into the template', () => {
      const limits = (change: object) => deployments((w) => void (container(w).resources = change as never));
      const range = (text: string) => refusing(`pods "shop-1" is forbidden: ${text}`);
      const [over] = of(
        'limit-range',
        range('maximum cpu usage per Container is 500m, but request is 1.'),
        limits({ requests: { cpu: '1' }, limits: { cpu: '2' } }),
      ).findings;
      expect(patchOf(over?.fix[0])).toEqual([
        { op: 'replace', path: '/spec/template/spec/containers/0/resources/limits/cpu', value: '500m' },
        { op: 'replace', path: '/spec/template/spec/containers/0/resources/requests/cpu', value: '500m' },
      ]);
      const [under] = of(
        'limit-range',
        range('minimum memory usage per Container is 64Mi, but request is 1Mi'),
        limits({ requests: { memory: '1Mi' }, limits: { memory: '1Gi' } }),
      ).findings;
      expect(under?.fix[0]?.text).toBe('Set the memory of the containers of Deployment "shop" to 64Mi, the minimum of the LimitRange (it is 1Mi)');
      expect(patchOf(under?.fix[0])).toEqual([{ op: 'replace', path: '/spec/template/spec/containers/0/resources/requests/memory', value: '64Mi' }]);
      expect(of('limit-range', limits({ requests: {}, limits: {} })).findings[0]?.fix).toHaveLength(1);
      const inInit = deployments((w) =>
        w.spec.template.spec.initContainers.push({ ...structuredClone(container(w)), name: 'load', resources: { requests: {}, limits: { cpu: '2' } } }),
      );
      const [init] = of(
        'limit-range',
        range('maximum cpu usage per Container is 500m, but limit is 2'),
        limits({ requests: {}, limits: { cpu: '500m' } }),
        inInit,
      ).findings;
      expect(patchOf(init?.fix[0])).toEqual([{ op: 'replace', path: '/spec/template/spec/initContainers/0/resources/limits/cpu', value: '500m' }]);
    });
    test('an account that is missing is created; what Pod Security asks for is set', () => {
      const [account] = of('service-account-missing').findings;
      expect(account?.fix[0]?.text).toBe('Create ServiceAccount "shop-runner"');
      expect(account?.fix[0]?.changes).toMatchObject([{ how: 'create', kind: 'serviceaccount', name: 'shop-runner' }]);
      const [secured] = of('pod-security-refused').findings;
      expect(patchOf(secured?.fix[0])).toEqual({
        spec: {
          template: {
            spec: {
              containers: [
                {
                  name: 'agnhost',
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    capabilities: { drop: ['ALL'] },
                    runAsNonRoot: true,
                    runAsUser: 65534,
                    seccompProfile: { type: 'RuntimeDefault' },
                  },
                },
              ],
            },
          },
        },
      });
      const both = all(
        refusing(
          'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (containers "load", "agnhost" must set securityContext.allowPrivilegeEscalation=false)',
        ),
        deployments((w) => w.spec.template.spec.initContainers.push({ ...structuredClone(container(w)), name: 'load' })),
      );
      const context = { securityContext: { allowPrivilegeEscalation: false } };
      expect(patchOf(of('pod-security-refused', both).findings[0]?.fix[0])).toEqual({
        spec: { template: { spec: { initContainers: [{ name: 'load', ...context }], containers: [{ name: 'agnhost', ...context }] } } },
      });
      const more = refusing(
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true), privileged (container "agnhost" must not set securityContext.privileged=true)',
      );
      expect(of('pod-security-refused', more).findings[0]?.fix).toMatchObject([
        {
          text: 'Change the pod template of Deployment "shop" so that it is allowed, or change the rule that refuses it',
          command: 'kubectl -n sc-pod-security-refused describe deployment/shop',
        },
      ]);
    });
    test('by a webhook, and by what only an event shows', () => {
      expect(of('limit-range', refusing('admission webhook "x" denied the request: no images from there')).findings[0]?.message).toBe(
        'Deployment "shop": the API server refuses its pods: no images from there',
      );
      const byEvent = all(
        refusing('x'),
        deployments((w) => w.status.conditions.splice(0)),
        says(event('shop-596dbff6f6', 'FailedCreate', 'Error creating: pods "x" is forbidden: because', 'ReplicaSet')),
      );
      expect(of('limit-range', byEvent).findings[0]).toMatchObject({
        message: 'Deployment "shop": the API server refuses its pods: because',
        evidence: [{ source: 'events' }],
      });
    });
    test('the words of the refusal, by different authors', () => {
      const message = (text: string) => of('limit-range', refusing(text)).findings[0]?.message.replace(/^.* refuses its pods: /, '');
      expect(message('pods "x" is forbidden: because: of this')).toBe('because: of this');
      expect(message('admission webhook "x" denied the request:no space')).toBe('no space');
      expect(message('error looking up service account ns/x: serviceaccount "x" not found')).toBe('serviceaccount "x" not found');
      expect(message('Internal error occurred')).toBe('shop: Internal error occurred');
      expect(message('pods "x" is forbidden: ')).toBe('shop: pods "x" is forbidden: ');
      expect(of('limit-range', refusing('x')).findings).toMatchObject([
        {
          code: 'pods-refused',
          fix: [
            {
              text: 'Change the pod template of Deployment "shop" so that it is allowed, or change the rule that refuses it',
              command: 'kubectl -n sc-limit-range describe deployment/shop',
            },
          ],
        },
      ]);
    });
    test('a failure of its own ReplicaSets counts, of another workload nothing', () => {
      const none = all(
        refusing('x'),
        deployments((w) => void w.status.conditions.splice(0)),
      );
      const noted = (change: (w: Workload) => void) =>
        edited('replicaSets', (list) =>
          list.forEach((r) => {
            r.status.conditions.splice(0, 9, { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'is forbidden: no' });
            change(r);
          }),
        );
      expect(
        of(
          'limit-range',
          none,
          noted(() => {}),
        ).findings,
      ).toMatchObject([{ code: 'pods-refused', evidence: [{ source: 'status', text: expect.stringMatching(/^shop-\w+: is forbidden: no$/) as string }] }]);
      const fine = (...edits: Edit[]) => of('limit-range', none, ...edits).findings.map((f) => f.code);
      expect(fine(noted((r) => r.metadata.ownerReferences.forEach((o) => void (o.name = 'other'))))).not.toContain('pods-refused');
      expect(fine(noted((r) => r.metadata.ownerReferences.forEach((o) => void (o.kind = 'Rollout'))))).not.toContain('pods-refused');
      expect(fine(noted((r) => r.metadata.ownerReferences.push({ kind: 'Thing', name: 'else' })))).toContain('pods-refused');
      expect(fine(noted((r) => r.status.conditions.forEach((c) => void (c.status = 'False'))))).not.toContain('pods-refused');
      expect(fine(noted((r) => r.status.conditions.forEach((c) => void (c.type = 'Progressing'))))).not.toContain('pods-refused');
      expect(fine(says(event('shop-596dbff6f6', 'FailedCreatePodSandbox', 'x', 'ReplicaSet')))).not.toContain('pods-refused');
      expect(fine(says(event('shop-596dbff6f6', 'NotFailedCreate', 'x', 'ReplicaSet')))).not.toContain('pods-refused');
      const many = [1, 2, 3, 4].map((i) => ({
        ...event('shop-596dbff6f6', 'FailedCreate', `is forbidden: ${i}`, 'ReplicaSet'),
        lastTimestamp: `2099-01-01T00:00:0${i}Z`,
      }));
      expect(of('limit-range', none, says(...many)).findings[0]?.evidence.map((e) => e.text)).toEqual(['shop-596dbff6f6: FailedCreate: is forbidden: 4']);
      // The reason is shown where a condition has no message.
      expect(
        of(
          'limit-range',
          none,
          noted((r) => r.status.conditions.forEach((c) => void delete c.message)),
        ).findings[0]?.evidence[0]?.text,
      ).toMatch(/: FailedCreate$/);
    });
    test('a quota: as many as are missing, never less than it has', () => {
      const raised = (text: string, ...edits: Edit[]) => patchOf(of('quota-exceeded', quota(text), ...edits).findings[0]?.fix[0]);
      expect(raised('requested: cpu=1, used: cpu=1, limited: cpu=9 ')).toEqual({ spec: { hard: { cpu: '9' } } });
      expect(raised('requested: pods=1,, used: pods=, limited: pods=1')).toEqual({ spec: { hard: { pods: '2' } } });
      expect(raised('requested: requests.memory=1Gi, used: requests.memory=1Gi, limited: requests.memory=1Gi')).toEqual({
        spec: { hard: { 'requests.memory': '3Gi' } },
      });
      expect(of('quota-exceeded', refusing('x exceeded quota: tight')).findings[0]?.fix).toHaveLength(1);
    });
    test('an event that outlives its fault says nothing', () => {
      const old = says(event('shop', 'FailedCreate', 'Error creating: forbidden: x', 'Deployment'));
      expect(of('healthy', old).findings).toEqual([]);
    });
  });
});

describe('pods that are to get no more requests', () => {
  const shop = { metadata: { name: 'shop', namespace: 'x' }, spec: { selector: { app: 'shop', tier: 'web' } } } as unknown as Service;
  const pod = (name: string, isOwned = true) =>
    ({
      metadata: {
        name,
        namespace: 'x',
        ownerReferences: isOwned
          ? [
              { kind: 'Node', name: 'n' },
              { kind: 'ReplicaSet', name: 'r', controller: true },
            ]
          : [],
      },
    }) as unknown as Pod;
  test('are deleted where a controller makes others', () => {
    expect(withoutPods(shop, [pod('a'), pod('b')], 'answers')).toMatchObject([
      {
        text: 'Delete a, b; its controller makes another pod',
        command: 'kubectl -n x delete pod a && kubectl -n x delete pod b',
        assumes: 'a new pod answers',
      },
    ]);
  });
  test('lose the label by which they are selected where nothing makes others', () => {
    const [taken] = withoutPods(shop, [pod('a'), pod('b', false)], 'answers');
    expect(taken).toEqual(aside(shop, [pod('a'), pod('b', false)])[0]);
    expect(taken?.text).toBe('Take a, b out of Service "shop" until it is corrected: remove its label app');
    expect(taken?.changes).toMatchObject([
      { kind: 'pod', name: 'a', body: { metadata: { labels: { app: null } } } },
      { kind: 'pod', name: 'b' },
    ]);
  });
  test('none, or of a Service without a selector', () => {
    for (const of of [withoutPods, aside] as const) {
      expect(of(shop, [], '')).toEqual([]);
      expect(of({ ...shop, spec: { ...shop.spec, selector: null } }, [pod('a')], '')).toEqual([]);
    }
  });
});

describe('whether pods have a node', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('pods/scheduled', all(...edits), incident);
  const condition = (change: object) => pods((p) => p.status.conditions.forEach((c) => c.type === 'PodScheduled' && Object.assign(c, change)));
  const nodes = (change: (n: FactTypes['nodes'][number], i: number) => void) => edited('nodes', (list) => list.forEach(change));
  test('that has no room: the request is lowered to what fits', () => {
    const [found] = of('unschedulable').findings;
    expect(patchOf(found?.fix[0])).toEqual({ spec: { template: { spec: { containers: [{ name: 'web', resources: { requests: { cpu: '1' } } }] } } } });
    expect(found?.fix[1]).toMatchObject({ text: expect.stringMatching(/^Compare the requests, nodeSelector and tolerations of pod "shop-/) as string });
    const oneNode = nodes((n, i) => void (n.spec.unschedulable = i > 0));
    expect(of('unschedulable', oneNode).findings[0]?.fix[0]?.text).toBe(
      'Lower the cpu request of Deployment "shop" from 64 to 500m, which fits on a node (2 is free on the emptiest)',
    );
    const full = edited('nodeRequests', (used) => Object.keys(used).forEach((n) => void (used[n] = { cpu: 2, memory: 0 })));
    expect(of('unschedulable', full).findings[0]?.fix).toHaveLength(1);
    expect(of('unschedulable', unread('nodeRequests')).findings[0]?.fix).toHaveLength(1);
    expect(of('unschedulable', unread('nodes')).findings[0]?.fix).toHaveLength(1);
    const two = deployments((w) => {
      const [first] = w.spec.template.spec.containers;
      if (first) w.spec.template.spec.containers.push({ ...structuredClone(first), name: 'log', resources: { requests: { cpu: '64' }, limits: {} } });
    });
    expect(patchOf(of('unschedulable', two).findings[0]?.fix[0])).toMatchObject({
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'web', resources: { requests: { cpu: '500m' } } },
              { name: 'log', resources: { requests: { cpu: '500m' } } },
            ],
          },
        },
      },
    });
  });
  test('that has no room for an init container: it gives way, too', () => {
    const init = deployments((w) => {
      const { resources } = container(w);
      container(w).resources = { requests: { cpu: '200m' }, limits: {} };
      w.spec.template.spec.initContainers.push({ ...structuredClone(container(w)), name: 'load', resources });
    });
    expect(patchOf(of('unschedulable', init).findings[0]?.fix[0])).toEqual({
      spec: {
        template: {
          spec: {
            initContainers: [{ name: 'load', resources: { requests: { cpu: '1' } } }],
            containers: [{ name: 'web', resources: { requests: { cpu: '10m' } } }],
          },
        },
      },
    });
  });
  test('with the labels that are asked for: one that is near, the only one, or none', () => {
    const labelled = (...values: string[]) => nodes((n, i) => void (values[i] !== undefined && (n.metadata.labels['disk'] = values[i])));
    const proposed = (...edits: Edit[]) => of('node-selector', ...edits).findings[0]?.fix[0];
    expect(proposed(labelled('nvme-fast', 'spinning', 'nvm'))?.text).toBe('Correct the nodeSelector of Deployment "shop": disk=nvme-fast');
    expect(proposed(labelled('ssd'))?.text).toBe('Correct the nodeSelector of Deployment "shop": disk=ssd');
    expect(proposed()).toMatchObject({ text: 'Correct the nodeSelector of Deployment "shop": remove disk' });
    expect(patchOf(proposed())).toEqual({ spec: { template: { spec: { nodeSelector: { disk: null } } } } });
  });
  test('what the scheduler says, or does not', () => {
    expect(of('unschedulable', condition({ message: undefined })).findings[0]).toMatchObject({
      message: expect.stringMatching(/: the scheduler gives no reason$/) as string,
    });
    const gated = of('unschedulable', condition({ reason: 'SchedulingGated', message: 'gated' })).findings[0];
    expect(gated).toMatchObject({ message: expect.stringMatching(/: gated$/) as string, fix: [{}] });
    expect(of('healthy-canary')).toMatchObject({ status: 'pass', summary: 'on 2 nodes' });
    expect(of('healthy-canary', noPods)).toMatchObject({ status: 'skip', reason: 'there are no pods' });
  });
});

describe('containers', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('pods/containers', all(...edits), incident);
  const status = (change: (s: Pod['status']['containerStatuses'][number]) => void) => pods((p) => p.status.containerStatuses.forEach(change));
  const waiting = (reason: string, message?: string) =>
    status((s) => Object.assign(s, { ready: false, state: { waiting: { reason, message } }, lastState: {} }));
  const ended = (terminated: object) =>
    status((s) => Object.assign(s, { ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated } }));
  const first = (incident: string, ...edits: Edit[]) => of(incident, ...edits).findings[0];

  test.each([
    'ErrImagePull',
    'ImagePullBackOff',
    'InvalidImageName',
    'ErrImageNeverPull',
    'ImageInspectError',
    'RegistryUnavailable',
    'SignatureValidationFailed',
  ])('%s: the image', (reason) => {
    expect(first('healthy-canary', waiting(reason, 'no'))).toMatchObject({
      code: 'image-pull-failing',
      evidence: [{ source: 'status', text: expect.stringContaining(`container web: ${reason}: no`) as string }],
    });
  });
  test.each(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError', 'CreatePodSandboxError', 'PreStartHookError', 'PostStartHookError'])(
    '%s: the configuration',
    (reason) => {
      expect(first('healthy-canary', waiting(reason, 'no'))).toMatchObject({
        code: 'container-config-error',
        message: expect.stringMatching(/cannot start: no$/) as string,
      });
      expect(first('healthy-canary', waiting(reason))?.message).toMatch(new RegExp(`cannot start: ${reason}$`));
    },
  );
  test('how a program ended', () => {
    const end = (t: object) => first('crash-loop', ended(t))?.message.replace(/^.* ends soon after its start with /, '');
    expect(end({ exitCode: 3, reason: 'Error' })).toBe('exit code 3 (1 restart)');
    expect(end({ exitCode: 139, reason: 'Error' })).toBe('exit code 139 (signal 11) (1 restart)');
    expect(end({ exitCode: 128, reason: 'StartError', message: 'first\nlast line\n' })).toBe('exit code 128, StartError: last line (1 restart)');
    expect(end({ exitCode: 160 })).toBe('exit code 160 (1 restart)');
    // A server must not end, however well.
    expect(end({ exitCode: 0, reason: 'Completed' })).toBe('exit code 0, Completed (1 restart)');
    expect(
      first(
        'crash-loop',
        status((s) => Object.assign(s, { lastState: {} })),
      )?.message,
    ).toMatch(/with an unknown exit code \(1 restart\)$/);
    expect(
      first(
        'crash-loop',
        status((s) => void (s.restartCount = 4)),
      )?.message,
    ).toMatch(/\(4 restarts\)$/);
  });
  test('of one code each: pods with the same end are one finding', () => {
    const two = pods((p, i) => p.status.containerStatuses.forEach((s) => void (s.lastState.terminated && (s.lastState.terminated.exitCode = 3 + i))));
    expect(of('crash-loop', two).findings).toHaveLength(2);
    expect(first('crash-loop')).toMatchObject({
      evidence: [
        { text: 'shop-797dd78d9b-4vm9n, container web: CrashLoopBackOff, last run: exit code 3' },
        { source: 'events' },
        { source: 'log', text: 'shop-797dd78d9b-4vm9n: missing DATABASE_URL' },
      ],
      fix: [
        {
          text: 'Read the last log lines of container "web", and correct its configuration or command',
          command: 'kubectl -n sc-crash-loop logs shop-797dd78d9b-4vm9n -c web --previous',
        },
      ],
    });
  });
  test('that is ready again, or ended well, is no trouble', () => {
    const again = status((s) => Object.assign(s, { ready: true, state: { running: {} } }));
    expect(of('crash-loop', again).findings).toEqual([]);
    const done = pods((p) =>
      p.status.initContainerStatuses.push({
        ...structuredClone(p.status.containerStatuses[0]),
        name: 'init',
        ready: false,
        state: { terminated: { exitCode: 0 } },
        lastState: {},
      } as never),
    );
    expect(of('healthy-canary', done).findings).toEqual([]);
    // While connections to a pod fail, what it went through a moment ago counts.
    const crashed = status((s) => Object.assign(s, { ready: true, lastState: { terminated: { exitCode: 1 } } }));
    const refused = edited('connections', (made) => made.list.forEach((c) => void (c.hop === 'endpoint' && (c.outcome = 'refused'))));
    expect(of('healthy-canary', crashed).findings).toEqual([]);
    expect(first('healthy-canary', crashed, refused)).toMatchObject({ code: 'container-crashing', severity: 'error', scope: 'all' });
  });
  test('memory', () => {
    expect(patchOf(first('out-of-memory')?.fix[0])).toEqual({
      spec: { template: { spec: { containers: [{ name: 'web', resources: { limits: { memory: '40Mi' } } }] } } },
    });
    expect(
      first(
        'out-of-memory',
        deployments((w) => void (container(w).resources = { requests: {}, limits: {} })),
      )?.fix,
    ).toMatchObject([{ text: 'Raise the memory limit of container "web", or reduce its memory use' }]);
    const inInit = deployments((w) => w.spec.template.spec.initContainers.push(...w.spec.template.spec.containers.splice(0)));
    expect(patchOf(first('out-of-memory', inInit)?.fix[0])).toEqual({
      spec: { template: { spec: { initContainers: [{ name: 'web', resources: { limits: { memory: '40Mi' } } }] } } },
    });
  });
  test('what is evidence: of a pull its own event, of others what the kubelet said, the newest two', () => {
    const alone = edited('pods', (list) => void list.splice(2));
    const name = valueOf(recordingOf('healthy-canary').facts.pods).find((p) => p.metadata.name !== 'client')?.metadata.name ?? '';
    const at = (time: number, reason: string, message: string) => ({ ...event(name, reason, message), lastTimestamp: `2099-01-01T00:00:0${time}Z` });
    const events = (...edits: Edit[]) => first('healthy-canary', alone, ...edits)?.evidence.flatMap((e) => (e.source === 'events' ? [e.text] : []));
    const list = says(
      at(1, 'Failed', 'cannot pull it'),
      at(2, 'Failed', 'other'),
      at(3, 'BackOff', 'back-off'),
      at(4, 'FailedMount', 'mount'),
      at(5, 'Killing', 'x'),
    );
    expect(events(waiting('ErrImagePull', 'no'), list)).toEqual([`${name}: Failed: cannot pull it`]);
    expect(events(waiting('CreateContainerError', 'no'), list)).toEqual([`${name}: BackOff: back-off`, `${name}: Failed: other`]);
    expect(events(waiting('PodInitializing'), list)).toEqual([`${name}: FailedMount: mount`, `${name}: Failed: other`]);
    expect(events(waiting('CreateContainerError', 'no'), says(at(1, 'NotFailed', 'a'), at(2, 'FailedX', 'b'), at(3, 'BackOffs', 'c')))).toEqual([]);
    const pull = at(1, 'Failed', 'Failed to pull image "docker.io/x/y:1"');
    const ofImage = (...more: Event[]) =>
      first(
        'healthy-canary',
        alone,
        waiting('ContainerCreating'),
        status((s) => void (s.image = 'docker.io/x/y:1')),
        says(pull, ...more),
      )?.code;
    expect(ofImage()).toBe('image-pull-failing');
    expect(first('healthy-canary', alone, waiting('ContainerCreating'), says(pull))?.code).toBe('pod-starting');
    const notPulled = says(at(1, 'Failed', 'cannot start docker.io/x/y:1'), at(2, 'Pulling', 'pull docker.io/x/y:1'), at(3, 'Info', 'configmap "x" not found'));
    expect(
      first(
        'healthy-canary',
        alone,
        waiting('ContainerCreating'),
        status((s) => void (s.image = 'docker.io/x/y:1')),
        notPulled,
      )?.code,
    ).toBe('pod-starting');
  });
  test('a server that ends without an error, and one that waits for another', () => {
    const completed = status((s) =>
      Object.assign(s, { ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 0, reason: 'Completed' } } }),
    );
    expect(first('crash-loop', completed)).toMatchObject({ code: 'container-crashing', pods: { length: 2 } });
    // The same end in all pods is one finding, another end another one.
    const differing = pods((p, i) =>
      p.status.containerStatuses.forEach((s) =>
        Object.assign(s, { ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: i === 0 ? {} : { terminated: { exitCode: 0 } } }),
      ),
    );
    expect(of('crash-loop', differing).findings).toHaveLength(2);
    const both = pods((p) => {
      const [own] = p.status.containerStatuses;
      if (own) p.status.containerStatuses.unshift({ ...structuredClone(own), name: 'log', state: { waiting: { reason: 'ContainerCreating' } }, lastState: {} });
    });
    expect(of('crash-loop', both).findings).toMatchObject([{ code: 'container-crashing' }]);
    expect(of('crash-loop', both, unread('events')).status).toBe('fail');
  });
  test('a ready pod whose connections fail counts, others do not', () => {
    const crashed = status((s) => Object.assign(s, { ready: true, lastState: { terminated: { exitCode: 1 } } }));
    const refusedBy = (isOne: boolean) =>
      edited('connections', (made) => {
        const [one] = made.list.filter((c) => c.hop === 'endpoint');
        made.list.forEach((c) => void (c.hop === 'endpoint' && (!isOne || c.pod === one?.pod) && (c.outcome = 'refused')));
      });
    expect(first('healthy-canary', crashed, refusedBy(true))).toMatchObject({ severity: 'error', scope: 'part', pods: { length: 1 } });
    expect(first('healthy-canary', crashed, refusedBy(false))).toMatchObject({ severity: 'error', scope: 'all', pods: { length: 3 } });
    const otherHop = edited('connections', (made) => made.list.forEach((c) => void (c.hop !== 'endpoint' && (c.outcome = 'refused'))));
    expect(of('healthy-canary', crashed, otherHop).findings).toEqual([]);
  });
  test('an init container', () => {
    expect(first('init-container-failing')?.message).toMatch(
      /^Init container "migrate" of 2 of 2 pods .* ends soon after its start with exit code 4 \(1 restart\)$/,
    );
    expect(of('init-container-failing').findings).toHaveLength(1);
    expect(first('init-container-waits')).toMatchObject({
      code: 'pod-starting',
      message:
        'Init container "wait-for-db" of pod shop-f6bc8dffb-6spjb has not finished: it runs since 2026-11-25T20:11:32Z, and the other containers wait for it',
      fix: [
        {
          text: 'Read the log of container "wait-for-db": what does it wait for?',
          command: 'kubectl -n sc-init-container-waits logs shop-f6bc8dffb-6spjb -c wait-for-db',
        },
      ],
    });
    expect(first('init-container-waits')?.evidence.filter((e) => e.source === 'log')).toHaveLength(1);
  });
  test('that is in creation: its events decide', () => {
    const creating = waiting('ContainerCreating');
    expect(first('healthy-canary', creating, says())).toMatchObject({
      code: 'pod-starting',
      message: expect.stringMatching(/ is still starting$/) as string,
      fix: [{ text: 'Wait until it has started, or read the events of the pod' }],
    });
    expect(of('healthy-canary', creating, unread('events'))).toMatchObject({ status: 'unknown', reason: 'events: not allowed' });
    expect(of('healthy-canary', waiting('PodInitializing'), unread('events')).status).not.toBe('unknown');
    const alone = edited('pods', (list) => void list.splice(2));
    const ofPod = (message: string) => says(event('shop-v1-6c9d76ccd4-5txdd', 'FailedMount', message));
    expect(first('healthy-canary', alone, creating, ofPod('MountVolume.SetUp failed: configmap "x" not found'))).toMatchObject({
      code: 'container-config-error',
    });
    expect(first('healthy-canary', alone, creating, ofPod('references non-existent config key: y'))).toMatchObject({ code: 'container-config-error' });
    expect(first('healthy-canary', alone, creating, ofPod('timed out waiting for the condition'))).toMatchObject({ code: 'pod-starting' });
  });

  describe('what would make them run again', () => {
    const ofRollout = (...edits: Edit[]) => first('rollout-crashes', ...edits)?.fix[0];
    const sets = (change: (w: Workload, isOld: boolean) => void) => edited('replicaSets', (list) => list.forEach((w) => change(w, w.metadata.revision === 1)));
    test('the revision that served', () => {
      expect(ofRollout()).toMatchObject({
        text: 'Roll Deployment "shop" back to revision 1, which served',
        changes: [{ how: 'roll-back', kind: 'deployment', name: 'shop', replicaSet: 'shop-7f6d454c97' }],
      });
      expect(ofRollout(sets((w, isOld) => isOld && void (container(w).image = 'shop/web:1')))?.text).toBe(
        'Roll Deployment "shop" back to revision 1, which served, with image shop/web:1',
      );
      expect(ofRollout(unread('replicaSets'))?.text).toMatch(/^Read the last log lines/);
      expect(ofRollout(edited('replicaSets', (list) => void list.splice(0, list.length, ...list.filter((w) => w.metadata.revision !== 1))))?.text).toMatch(
        /^Read the last log lines/,
      );
    });
    test('not one that never served', () => {
      const never = deployments((w) => w.status.conditions.forEach((c) => void (c.type === 'Available' && (c.lastTransitionTime = '2020-01-01T00:00:00Z'))));
      expect(ofRollout(never)?.text).toMatch(/^Read the last log lines/);
      expect(
        ofRollout(
          never,
          sets((w, isOld) => isOld && void (w.status.readyReplicas = 1)),
        )?.text,
      ).toMatch(/^Roll /);
      const available = deployments((w) => w.status.conditions.forEach((c) => void (c.type === 'Available' && (c.status = 'True'))));
      expect(ofRollout(available)?.text).toMatch(/^Read the last log lines/);
    });
    test('the one before the newest, of its own', () => {
      const third = sets((w, isOld) => void (isOld && (w.status.readyReplicas = 1)));
      const numbered = (...revisions: number[]) =>
        edited('replicaSets', (list) => {
          const [now] = list.filter((w) => w.metadata.revision === 2);
          const [old] = list.filter((w) => w.metadata.revision === 1);
          if (!now || !old) throw new Error('the recording has two revisions');
          const copies = revisions.map((revision) => ({
            ...structuredClone(revision === Math.max(...revisions) ? now : old),
            metadata: { ...structuredClone(now.metadata), ...(revision !== Math.max(...revisions) && { name: `shop-${revision}` }), revision },
            status: { ...old.status, readyReplicas: 1 },
          }));
          list.splice(0, list.length, ...copies);
        });
      expect(ofRollout(numbered(3, 5, 4))?.text).toBe('Roll Deployment "shop" back to revision 4, which served');
      const ofAnother = sets((w, isOld) => isOld && w.metadata.ownerReferences.forEach((o) => void (o.name = 'other')));
      expect(ofRollout(third, ofAnother)?.text).toMatch(/^Read the last log lines/);
      const ofAnotherKind = sets((w, isOld) => isOld && w.metadata.ownerReferences.forEach((o) => void (o.kind = 'Rollout')));
      expect(ofRollout(third, ofAnotherKind)?.text).toMatch(/^Read the last log lines/);
      const shared = sets((w) => w.metadata.ownerReferences.push({ kind: 'Thing', name: 'else' }));
      expect(ofRollout(third, shared)?.text).toMatch(/^Roll /);
    });
    test('by the time at which it ceased to be available', () => {
      const ended = (after: number) =>
        all(
          sets(
            (w, isOld) =>
              isOld && Object.assign(w, { status: { ...w.status, readyReplicas: 0 }, metadata: { ...w.metadata, creationTimestamp: '2026-11-25T20:00:00Z' } }),
          ),
          deployments((w) =>
            w.status.conditions.forEach(
              (c) =>
                c.type === 'Available' &&
                Object.assign(c, { status: 'False', lastTransitionTime: new Date(Date.parse('2026-11-25T20:00:00Z') + after).toISOString() }),
            ),
          ),
        );
      expect(ofRollout(ended(5000))?.text).toMatch(/^Read the last log lines/);
      expect(ofRollout(ended(5001))?.text).toMatch(/^Roll /);
      const none = deployments((w) => void w.status.conditions.splice(0));
      expect(ofRollout(ended(9000), none)?.text).toMatch(/^Read the last log lines/);
    });
    test('not where another container is seen to have changed', () => {
      const other = sets((w, isOld) => w.spec.template.spec.containers.push({ ...structuredClone(container(w)), name: 'log', image: isOld ? 'a' : 'b' }));
      const alike = sets((w) => void Object.assign(container(w), { image: 'same', portHints: [] }));
      expect(ofRollout(other, alike)?.text).toMatch(/^Read the last log lines/);
      // What fails has changed itself, or all look the same and its command may have.
      expect(ofRollout(other)?.text).toMatch(/^Roll /);
      expect(ofRollout(alike)?.text).toMatch(/^Roll /);
      const added = sets((w, isOld) => void (!isOld && w.spec.template.spec.containers.push({ ...structuredClone(container(w)), name: 'log' })));
      expect(ofRollout(alike, added)?.text).toMatch(/^Read the last log lines/);
    });

    const image = (name: string) =>
      all(
        pods((p) => [...p.spec.containers, ...p.status.containerStatuses].forEach((c) => void (c.image = name))),
        deployments((w) => void (container(w).image = name)),
      );
    const there = (...names: string[]) => edited('nodes', (list) => list.forEach((n) => void (n.status.images = [{ names }])));
    const proposed = (wrong: string, ...names: string[]) =>
      /to (\S+), which the nodes have/.exec(first('image-tag-slip', image(wrong), there(...names))?.fix[0]?.text ?? '')?.[1];
    test.each([
      ['docker.io/library/busybox:1.73', ['docker.io/library/busybox:1.37'], 'docker.io/library/busybox:1.37'],
      ['shop/web:1.2', ['shop/web:v1.2'], 'shop/web:v1.2'],
      ['shop/web:v1.2', ['shop/web:1.2'], 'shop/web:1.2'],
      ['shop/wbe:1', ['shop/web:1'], 'shop/web:1'],
      ['shop/web', ['shop/wep'], 'shop/wep'],
      ['registry:5000/web', ['registry:5000/wep:latest'], 'registry:5000/wep:latest'],
      ['shop/web:1.2', ['shop/web:1.3'], undefined],
      ['shop/web:1', ['shop/mail:1'], undefined],
      ['shop/wbe:1', ['shop/web:1', 'shop/weeb:1'], undefined],
      ['shop/wbe:1', ['shop/web@sha256:00'], undefined],
      ['shop/wbe:1', ['shop/web:2'], undefined],
      ['shop/web:1.2', ['shop/web:1.2'], undefined],
      ['shop/wbe:1', ['shop/web:1', 'shop/web:1', 'other/x:3'], 'shop/web:1'],
    ])('image %s, where the nodes have %j: %s', (wrong, names, right) => expect(proposed(wrong, ...names)).toBe(right));
  });
});

describe('an image of an init container', () => {
  test('is corrected where it is; the nodes decide', () => {
    const failing = all(
      pods((p) => {
        p.spec.initContainers.push(...p.spec.containers.splice(0));
        p.status.initContainerStatuses.push(...p.status.containerStatuses.splice(0));
      }),
      deployments((w) => w.spec.template.spec.initContainers.push(...w.spec.template.spec.containers.splice(0))),
    );
    const of = (...edits: Edit[]) => reportOf('pods/containers', all(failing, ...edits), 'image-tag-slip').findings[0];
    expect(patchOf(of()?.fix[0])).toEqual({
      spec: { template: { spec: { initContainers: [{ name: 'web', image: expect.stringContaining(':') as string }] } } },
    });
    expect(of()?.fix[0]?.assumes).toBe('this is the image that was meant');
    expect(of(unread('nodes'))?.fix).toHaveLength(1);
    const nobody = all(...(['deployments', 'replicaSets'] as const).map((n) => edited(n, (list) => void list.splice(0))));
    expect(of(nobody)?.fix).toHaveLength(1);
  });
});

describe('what listens', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('pods/listening', all(...edits), incident);
  const sockets =
    (...list: [protocol: 'tcp' | 'udp', address: string, port: number][]): Edit =>
    (facts) => ({
      listeners: seen(
        Object.fromEntries(
          (facts.pods.seen ? ofShop(facts.pods.value) : []).map((p) => [
            p.metadata.name,
            seen({ sockets: list.map(([protocol, address, port]) => ({ protocol, address, port })), forwarded: {} }),
          ]),
        ),
      ),
    });
  const noConnections: Edit = () => ({ connections: unseen('not-asked', 'connections', '--probe none') });
  const found = (...edits: Edit[]) => of('healthy', noConnections, ...edits).findings[0];
  test('another port', () => {
    expect(found(sockets(['tcp', '0.0.0.0', 9090]))).toMatchObject({
      code: 'target-port-not-listening',
      confidence: 'confirmed',
      scope: 'all',
      message: 'Nothing listens on port 8080 (targetPort of Service port 80) in the 2 pods of Service "shop"; open ports: 9090',
    });
    expect(patchOf(found(sockets(['tcp', '0.0.0.0', 9090]))?.fix[0])).toEqual([{ op: 'replace', path: '/spec/ports/0/targetPort', value: 9090 }]);
    const two = found(sockets(['tcp', '0.0.0.0', 9090], ['tcp', '0.0.0.0', 9091]));
    expect(two?.fix[0]).toMatchObject({
      text: 'Change targetPort of Service "shop" to the one of these ports that serves its clients',
      command: 'kubectl -n sc-healthy edit service shop',
    });
    expect(found(sockets())?.fix[0]?.text).toBe('Find out why the program does not listen on port 8080: read its log, and check the port in its configuration');
    const one = edited('pods', (list) => void list.splice(2));
    expect(found(one, sockets(['tcp', '0.0.0.0', 9090]))?.message).toMatch(/ in pod shop-\S+; open ports: 9090$/);
  });
  test("a node's firewall that refuses says nothing of the program", () => {
    const unprobed = pods((p) => p.spec.containers.forEach((c) => void (c.readinessProbe = undefined)));
    expect(of('firewall-rejects-forwarded', unprobed)).toMatchObject({ status: 'pass', findings: [] });
    const passing = edited('forwarding', (f) => Object.values(f).forEach((x) => void (x.seen && x.value.stopped.splice(0))));
    expect(of('firewall-rejects-forwarded', unprobed, passing).findings).toMatchObject([{ code: 'listens-on-loopback', pods: { length: 1 } }]);
  });
  test.each([
    [{ httpGet: { port: 8080 } }, 0],
    [{ httpGet: { port: 'http' } }, 0],
    [{ tcpSocket: { port: 8080 } }, 0],
    [{ grpc: { port: 8080 } }, 0],
    [{ httpGet: { port: 8081 } }, 1],
    [{ httpGet: { port: 'other' } }, 1],
    [{ grpc: { port: 8081 } }, 1],
  ])('what refuses is not the program where its probe %j succeeds on the port: %i findings', (readinessProbe, count) => {
    const passing = edited('forwarding', (f) => Object.values(f).forEach((x) => void (x.seen && x.value.stopped.splice(0))));
    const probed = pods((p) => p.spec.containers.forEach((c) => Object.assign(c, { readinessProbe })));
    expect(of('firewall-rejects-forwarded', passing, probed).findings).toHaveLength(count);
  });
  test('loopback, another protocol', () => {
    expect(found(sockets(['tcp', '127.0.0.1', 8080]))).toMatchObject({
      code: 'listens-on-loopback',
      object: { kind: 'Pod' },
      message: 'The program in the 2 pods of Service "shop" listens on 127.0.0.1:8080 only, which no other pod can reach',
      fix: [{ text: 'Configure the program to listen on 0.0.0.0:8080 (all addresses) instead of 127.0.0.1:8080' }],
    });
    const udp = found(sockets(['udp', '0.0.0.0', 8080]));
    expect(udp).toMatchObject({ code: 'protocol-mismatch', message: 'Service port 80 is TCP, but the 2 pods of Service "shop" listen on port 8080/UDP' });
    expect(patchOf(udp?.fix[0])).toEqual([{ op: 'replace', path: '/spec/ports/0/protocol', value: 'UDP' }]);
    expect(
      found(
        edited('pods', (list) => void list.splice(2)),
        sockets(['udp', '0.0.0.0', 8080]),
      )?.message,
    ).toMatch(/^Service port 80 is TCP, but pod shop-\S+ listens on port 8080\/UDP$/);
  });
  test('some of the pods', () => {
    const some: Edit = (facts) => {
      const { listeners } = sockets(['tcp', '0.0.0.0', 9090])(facts);
      const value = listeners?.seen ? listeners.value : {};
      const [name = ''] = Object.keys(value);
      return { listeners: seen({ ...value, [name]: seen({ sockets: [{ protocol: 'tcp', address: '0.0.0.0', port: 8080 }], forwarded: {} }) }) };
    };
    expect(found(some)).toMatchObject({ scope: 'part', message: expect.stringMatching(/ in 1 of 2 pods \(shop-\S+\); open ports: 9090$/) as string });
  });
  test('all that is asked for', () => {
    expect(of('healthy', noConnections, sockets(['tcp', '0.0.0.0', 8080]))).toMatchObject({ status: 'pass', summary: 'listening on 8080' });
    expect(of('healthy', service({ type: 'ExternalName' }))).toMatchObject({ status: 'skip', reason: 'the Service has no pods of its own' });
    expect(of('readiness-wrong-path')).toMatchObject({ status: 'skip', reason: 'no pod is ready' });
    expect(of('readiness-wrong-path', service({ publishNotReadyAddresses: true })).status).not.toBe('skip');
  });
  test('one port of two is a part', () => {
    const two = edited('service', (s) => s?.spec.ports.push({ ...(s.spec.ports[0] as Service['spec']['ports'][number]), name: 'admin', port: 81 }));
    expect(found(two, sockets(['tcp', '0.0.0.0', 9090]))).toMatchObject({ scope: 'part' });
  });
  test('over one family only', () => {
    const [dual] = of('dual-listens-ipv4-only').findings;
    expect(dual).toMatchObject({
      scope: 'part',
      fix: [
        {
          text: 'Configure the program to listen on [::]:8080, which takes connections of both families; or take IPv6 out of Service "shop" (spec.ipFamilies) until it does',
          command: 'kubectl -n sc-dual-listens-ipv4-only edit service shop',
        },
      ],
    });
    expect(of('ipv6-listens-ipv4-only').findings).toMatchObject([{ scope: 'all' }]);
  });
  test('nothing: the log says why', () => {
    expect(found(sockets())?.fix).toMatchObject([{ command: expect.stringMatching(/^kubectl -n sc-healthy logs shop-\S+ --tail=20$/) as string }]);
  });
  test('from declarations alone it is possible, and nobody is sure of other ports', () => {
    const declared = all(
      noConnections,
      () => ({ listeners: unseen('not-asked', 'listeners', '--probe none') }),
      pods((p) =>
        p.spec.containers.forEach((c) => Object.assign(c, { ports: [{ name: '', containerPort: 9090, protocol: 'TCP' }], readinessProbe: undefined })),
      ),
    );
    expect(of('healthy', declared).findings).toMatchObject([
      { confidence: 'possible', message: expect.stringMatching(/^Possibly nothing listens on port 8080 .*; it declares: 9090$/) as string },
    ]);
  });

  describe('in some of the pods', () => {
    const canary = (...edits: Edit[]) => of('canary-other-port', ...edits).findings[0];
    const texts = (f: { fix: { text: string }[] } | undefined) => f?.fix.map((x) => x.text.replace(/shop-v2-\S+?(?=,| |$)/g, 'POD'));
    const unowned = all(...(['deployments', 'replicaSets'] as const).map((n) => edited(n, (list) => void list.splice(0))));
    const own = 'Make the program of POD listen on port 8080, as in other pods';
    test('their workload gets none until it is corrected', () => {
      expect(texts(canary())).toEqual([
        'Change targetPort of Service "shop" to 9090',
        'Scale Deployment "shop-v2", whose pods do not serve this port, to zero until it is corrected',
        own,
      ]);
      expect(patchOf(canary()?.fix[1])).toEqual({ spec: { replicas: 0 } });
      expect(canary()?.fix[2]?.command).toMatch(/^kubectl -n sc-canary-other-port describe pod shop-v2-/);
    });
    test('not a DaemonSet, nor a workload with pods that serve', () => {
      const asDaemons = all(
        edited('replicaSets', (list) => list.forEach((r) => r.metadata.ownerReferences.forEach((o) => void (o.kind = 'DaemonSet')))),
        (f) => ({ deployments: seen([]), daemonSets: f.deployments }),
      );
      expect(texts(canary(asDaemons))).toEqual(['Change targetPort of Service "shop" to 9090', own]);
      const ofOneWorkload = pods((p) => {
        const ours = valueOf(recordingOf('canary-other-port').facts.pods).find((x) => x.metadata.name.startsWith('shop-v2-'));
        p.metadata.ownerReferences = structuredClone(ours?.metadata.ownerReferences ?? []);
      });
      expect(texts(canary(ofOneWorkload))).toEqual(['Change targetPort of Service "shop" to 9090', own]);
    });
    test('a pod by itself is taken out; of an owner that is not known nothing is changed', () => {
      expect(texts(canary(unowned))).toEqual(['Change targetPort of Service "shop" to 9090', own]);
      const bare = pods((p) => void (p.metadata.ownerReferences = []));
      expect(texts(canary(unowned, bare))?.[1]).toMatch(/^Take POD out of Service "shop" until it is corrected: remove its label /);
    });
    test('of several other ports none is meant where the rest serves', () => {
      const more = edited('listeners', (l) =>
        Object.values(l).forEach((x) => void (x.seen && Object.hasOwn(x.value.forwarded, '9090') && Object.assign(x.value.forwarded, { 9091: 'answered' }))),
      );
      expect(texts(canary(more))?.[0]).toMatch(/^Scale /);
    });
    test('with a port by name', () => {
      expect(texts(of('canary-wrong-port').findings[0])?.at(-1)).toMatch(
        /^Correct the container port "http" of shop-canary-\S+, or make its program listen on port 9090$/,
      );
    });
  });
  test('a pod that refused, and whose ports could not be read, is not known', () => {
    const refused = edited('connections', (made) =>
      made.list
        .filter((c) => c.hop === 'endpoint')
        .slice(0, 1)
        .forEach((c) => void (c.outcome = 'refused')),
    );
    const blind: Edit = () => ({ listeners: unseen('forbidden', 'listeners', 'not allowed') });
    const silent = pods((p) => p.spec.containers.forEach((c) => Object.assign(c, { ports: [], readinessProbe: undefined })));
    const report = of('healthy', refused, blind, silent);
    expect(report).toMatchObject({
      status: 'unknown',
      reason: expect.stringMatching(/^the listening ports of shop-\S+, which refused a connection, could not be read$/) as string,
    });
    expect(of('healthy', blind, silent)).toMatchObject({ status: 'pass', summary: 'listening on 8080' });
    const unmade: Edit = () => ({ connections: unseen('forbidden', 'connections', 'not allowed') });
    expect(of('healthy', unmade, blind, silent)).toMatchObject({ status: 'unknown', reason: 'the listening ports of the pods could not be read' });
  });
  test('only a connection to the endpoint itself is evidence', () => {
    const probes = (change: object) =>
      of(
        'canary-other-port',
        edited('connections', (made) => made.list.forEach((c) => void (c.hop === 'endpoint' && Object.assign(c, change)))),
      ).findings[0]?.evidence.filter((e) => e.source === 'probe').length;
    expect([
      probes({}),
      probes({ hop: 'target-port' }),
      probes({ pod: 'another' }),
      probes({ servicePort: 81 }),
      probes({ target: '10.244.9.9:8080' }),
    ]).toEqual([1, 0, 0, 0, 0]);
  });
  test('only an endpoint of the port itself', () => {
    const named = (change: object) =>
      of(
        'canary-other-port',
        edited('slices', (list) => list.forEach((s) => s.ports.forEach((p) => Object.assign(p, change)))),
      );
    expect(named({ name: 'another' })).toMatchObject({ status: 'unknown' });
    expect(named({ protocol: 'UDP' })).toMatchObject({ status: 'unknown' });
    expect(named({ port: null })).toMatchObject({ status: 'unknown' });
  });
  test('a sidecar of a mesh accepts for a program that may not listen', () => {
    const sidecar = pods((p) => p.spec.containers.push({ ...structuredClone(p.spec.containers[0] as Pod['spec']['containers'][number]), name: 'istio-proxy' }));
    const blind: Edit = () => ({ listeners: unseen('forbidden', 'listeners', 'not allowed') });
    const silent = pods((p) => p.spec.containers.forEach((c) => Object.assign(c, { ports: [], readinessProbe: undefined })));
    expect(of('healthy', blind, silent, sidecar)).toMatchObject({ status: 'unknown' });
  });
  test('a port of UDP that a program of TCP has', () => {
    const udp = all(
      edited('service', (s) => s?.spec.ports.forEach((p) => void (p.protocol = 'UDP'))),
      edited('slices', (list) => list.forEach((s) => s.ports.forEach((p) => void (p.protocol = 'UDP')))),
    );
    const tcp = found(udp, sockets(['tcp', '0.0.0.0', 8080]));
    expect(tcp).toMatchObject({ code: 'protocol-mismatch', message: 'Service port 80 is UDP, but the 2 pods of Service "shop" listen on port 8080/TCP' });
    expect(patchOf(tcp?.fix[0])).toEqual([{ op: 'replace', path: '/spec/ports/0/protocol', value: 'TCP' }]);
    const sctp = all(
      edited('service', (s) => s?.spec.ports.forEach((p) => void (p.protocol = 'SCTP'))),
      edited('slices', (list) => list.forEach((s) => s.ports.forEach((p) => void (p.protocol = 'SCTP')))),
    );
    expect(of('healthy', sctp, sockets())).toMatchObject({ status: 'unknown' });
  });
});
