/** Endpoints, on facts of a real cluster with one of them changed: what is said of them, and what would repair them. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

type Service = NonNullable<FactTypes['service']>;
type Slice = FactTypes['slices'][number];
const nothing: Edit = () => ({});
const service = (change: (s: Service) => void): Edit => edited('service', (s) => void (s && change(s)));
const port = (change: object): Edit => service((s) => void Object.assign(s.spec.ports[0] ?? {}, change));
const pods = (change: (list: Pod[]) => void): Edit => edited('pods', (list) => change(list));
const ofShop = (list: readonly Pod[]) => list.filter((p) => p.metadata.name !== 'client');
const slices = (change: (list: Slice[]) => void): Edit => edited('slices', change);
const patchOf = (fix: { command?: string } | undefined) => /-p '(.*)'$/.exec(fix?.command ?? '')?.[1];
const externalName = service((s) => void (s.spec.type = 'ExternalName'));

describe('what a selector differs in', () => {
  const of = (edit: Edit, incident = 'selector-typo') => reportOf('endpoints/selector', edit, incident);
  const says = (selector: Record<string, string>, edit: Edit = nothing) =>
    of(
      all(
        service((s) => void (s.spec.selector = selector)),
        edit,
      ),
    ).findings[0]?.message;
  const labelled = (labels: Record<string, string>) => pods((list) => ofShop(list).forEach((p) => void (p.metadata.labels = labels)));
  const noWorkloads = all(...(['deployments', 'statefulSets', 'daemonSets', 'replicaSets'] as const).map((name) => edited(name, (list) => list.splice(0))));
  const head = 'Service "shop" selects no pod: ';

  test('a Service that selects nothing by itself is another matter', () => {
    expect(of(externalName)).toMatchObject({ status: 'skip', reason: 'the Service has no endpoints of its own' });
    expect(of(service((s) => void (s.spec.selector = {})))).toMatchObject({
      status: 'skip',
      reason: 'the Service has no selector; its endpoints are created manually',
    });
  });
  test('one that matches', () => {
    expect(of(nothing, 'healthy-canary')).toMatchObject({ status: 'pass', summary: '3 pods match the selector app=shop' });
    expect(
      of(
        pods((list) => list.splice(2)),
        'healthy-canary',
      ),
    ).toMatchObject({ summary: '1 pod matches the selector app=shop' });
    expect(
      of(
        pods((list) => list.splice(0)),
        'healthy',
      ),
    ).toMatchObject({
      status: 'pass',
      summary: expect.stringMatching(/^the selector app=shop matches the pod template of Deployment "shop", which has no pods$/) as string,
    });
  });
  test('a value, its letter case, and another key', () => {
    expect(says({ app: 'shpo' })).toBe(`${head}it wants app=shpo, the pods have app=shop`);
    expect(says({ app: 'SHOP' })).toBe(`${head}it wants app=SHOP, the pods have app=shop (letter case)`);
    expect(says({ apps: 'shop' })).toBe(`${head}it wants apps=shop, the pods have app=shop (another key)`);
    expect(says({ app: 'shop', tier: 'web' })).toBe(`${head}it wants tier=web, the pods have no label "tier"`);
    expect(says({ app: 'shpo', tier: 'web' })).toBe(`${head}it wants app=shpo, the pods have app=shop; it wants tier=web, the pods have no label "tier"`);
    expect(says({ app: 'shop', 'pod-template-hash': 'old' })).toBe(`${head}it wants pod-template-hash=old, which changes with each rollout (now 7f6d454c97)`);
    expect(says({ app: 'shop', 'controller-revision-hash': 'old' })).toBe(`${head}it wants controller-revision-hash=old, which changes with each rollout`);
  });
  test('a slip is near; another word is not', () => {
    const isNear = (wanted: string, have: string) => says({ app: wanted }, all(labelled({ app: have }), noWorkloads))?.includes('the pods have') ?? false;
    expect([
      isNear('frontend', 'frontend-web'),
      isNear('web', 'web-shop'),
      isNear('frontend', 'fronted'),
      isNear('frontend', 'frontned'),
      isNear('checkout', 'chekcuot'),
    ]).toEqual([true, true, true, true, false]);
    expect([isNear('frontend', 'backend'), isNear('ab', 'cd'), isNear('shop', 'mail')]).toEqual([false, false, false]);
  });
  test('a label under another key is a slip where the rest is of the same application, or the key is near or names one', () => {
    const isNear = (wanted: Record<string, string>, have: Record<string, string>) =>
      says(wanted, all(labelled(have), noWorkloads))?.includes('the pods have') ?? false;
    expect(isNear({ app: 'frontend', tier: 'web' }, { app: 'frontend' })).toBe(true);
    expect(isNear({ app: 'frontend', tier: 'web' }, { app: 'other', tier: 'web' })).toBe(false);
    expect(isNear({ color: 'blue', tier: 'web' }, { color: 'blue' })).toBe(false);
    expect(isNear({ environment: 'shop' }, { app: 'shop' })).toBe(true);
    expect(isNear({ environment: 'shop' }, { team: 'shop' })).toBe(false);
    expect(isNear({ Tier: 'shop' }, { tiers: 'shop' })).toBe(true);
    expect(isNear({ tier: 'shop' }, { tierabc: 'shop' })).toBe(true);
    expect(isNear({ tier: 'shop' }, { tierabcd: 'shop' })).toBe(false);
    expect(isNear({ tier: 'shop' }, { tiers: 'mail' })).toBe(false);
  });
  test("the client's own workload is not meant, with however near labels", () => {
    const clientOf = (kind: string, name: string) =>
      edited('client', (c) => {
        const [pod] = ofShop(valueOf(recordingOf('selector-typo').facts.pods));
        if (c && pod)
          c.pod = {
            ...structuredClone(pod),
            metadata: { ...structuredClone(pod.metadata), name: 'another', ownerReferences: [{ kind, name, controller: true, uid: undefined }] },
          };
      });
    const [own] = valueOf(recordingOf('selector-typo').facts.pods).find((x) => x.metadata.name !== 'client')?.metadata.ownerReferences ?? [];
    const said = (edit: Edit) => says({ app: 'shpo' }, all(noWorkloads, edit));
    expect(said(clientOf(own?.kind ?? '', own?.name ?? ''))).toBe(`${head}no pod has app=shpo`);
    expect(said(clientOf(own?.kind ?? '', 'other'))).toContain('the pods have app=shop');
    expect(said(clientOf('StatefulSet', own?.name ?? ''))).toContain('the pods have app=shop');
  });
  test('nothing near: which labels there are, and where pods with the right ones are', () => {
    const [found] = of(
      all(
        noWorkloads,
        service((s) => void (s.spec.selector = { app: 'unrelated' })),
        edited('strayPods', (list) => void list.push({ namespace: 'other', name: 'x-1' })),
      ),
    ).findings;
    expect(found).toMatchObject({
      message: `${head}the pods with app=unrelated are in namespace other`,
      evidence: [
        { source: 'service', text: 'spec.selector: app=unrelated' },
        { source: 'pods', text: 'none of 3 pods in namespace sc-selector-typo has app=unrelated' },
        { text: 'there are pods with app=client' },
        { text: 'there are pods with app=shop,pod-template-hash=7f6d454c97' },
        { text: 'x-1 in namespace other has these labels, but a Service selects pods of its own namespace only' },
      ],
      fix: [
        {
          text: 'Correct spec.selector of Service "shop", or deploy pods with the labels app=unrelated',
          command: 'kubectl -n sc-selector-typo get pods --show-labels',
        },
      ],
    });
    const [none] = of(
      all(
        service((s) => void (s.spec.selector = { app: 'unrelated' })),
        pods((list) => list.splice(0)),
        noWorkloads,
      ),
    ).findings;
    expect(none).toMatchObject({ message: `${head}no pod has app=unrelated`, evidence: [{}, { text: 'namespace sc-selector-typo has no pods' }] });
  });
  test('pods that nobody means: finished, going, of a debug pod', () => {
    const changed = (change: (p: Pod) => void) =>
      says(
        { app: 'shpo' },
        all(
          noWorkloads,
          pods((list) => ofShop(list).forEach(change)),
        ),
      );
    expect(changed(() => undefined)).toContain('the pods have app=shop');
    expect(changed((p) => void (p.status.phase = 'Succeeded'))).toBe(`${head}no pod has app=shpo`);
    expect(changed((p) => void (p.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'))).toBe(`${head}no pod has app=shpo`);
    expect(changed((p) => void (p.metadata.labels['app.kubernetes.io/managed-by'] = 'k8s-doctor'))).toBe(`${head}no pod has app=shpo`);
  });
  test('of several that are near: the fewest differences, then the one that serves the port, then the nearest value', () => {
    const two = (labels: Record<string, string>, ports: Pod['spec']['containers'][number]['ports']) =>
      pods((list) => {
        const [copy] = structuredClone(ofShop(list));
        if (!copy) return;
        copy.metadata.name = 'other-1';
        copy.metadata.labels = labels;
        for (const c of copy.spec.containers) c.ports = ports;
        list.push(copy);
      });
    const web = [{ name: 'http', containerPort: 8080, protocol: 'TCP' as const }];
    const others = [{ name: 'x', containerPort: 1, protocol: 'TCP' as const }];
    const nearest = (labels: Record<string, string>, ports = web) => {
      const [found] = of(
        all(
          noWorkloads,
          service((s) => void (s.spec.selector = { app: 'shopp' })),
          two(labels, ports),
        ),
      ).findings;
      return found?.evidence.find((e) => e.text.startsWith('nearest'))?.text;
    };
    expect(nearest({ app: 'shopx' })).toBe('nearest: 2 pods (shop-7f6d454c97-glc89, shop-7f6d454c97-tmp2t): app=shop,pod-template-hash=7f6d454c97');
    expect(nearest({ app: 'shopps' }, others)).toMatch(/^nearest: 2 pods/);
    expect(nearest({ app: 'shopp', x: '1' })).toBeUndefined();
    // As near by its value, and it declares the port.
    const unnamed = (ports: typeof web) =>
      of(
        all(
          noWorkloads,
          service((s) => void (s.spec.selector = { app: 'shopp' })),
          pods((list) => ofShop(list).forEach((p) => p.spec.containers.forEach((c) => void (c.ports = others)))),
          two({ app: 'shops' }, ports),
        ),
      ).findings[0]?.evidence.find((e) => e.text.startsWith('nearest'))?.text;
    expect(unnamed(web)).toBe('nearest: 1 pod (other-1): app=shops');
    expect(unnamed([{ name: 'x', containerPort: 8080, protocol: 'TCP' }])).toBe('nearest: 1 pod (other-1): app=shops');
    expect(unnamed(others)).toMatch(/^nearest: 2 pods/);
    // Fewer differences come before the port.
    const fewer = of(
      all(
        noWorkloads,
        service((s) => void (s.spec.selector = { app: 'shopp', tier: 'web' })),
        pods((list) => ofShop(list).forEach((p) => void Object.assign(p.metadata.labels, { tier: 'wep' }))),
        two({ app: 'shops', tier: 'web' }, others),
      ),
    ).findings[0];
    expect(fewer?.evidence.find((e) => e.text.startsWith('nearest'))?.text).toBe('nearest: 1 pod (other-1): app=shops,tier=web');
  });
});

describe('the ports of a Service', () => {
  const of = (edit: Edit, incident = 'named-port-missing') => reportOf('endpoints/port-names', edit, incident);
  const ports = (change: (list: Pod['spec']['containers'][number]['ports'], i: number) => void) =>
    pods((list) => ofShop(list).forEach((p, i) => p.spec.containers.forEach((c) => change(c.ports, i))));

  test('no container has the name', () => {
    const [found] = of(nothing).findings;
    expect(patchOf(found?.fix[0])).toBe('[{"op":"replace","path":"/spec/ports/0/targetPort","value":"http"}]');
    expect(of(externalName)).toMatchObject({ status: 'skip' });
    expect(of(port({ targetPort: 'http' }))).toMatchObject({ status: 'pass', findings: [] });
    const unnamed = of(ports((list) => list.forEach((p) => void (p.name = ''))));
    expect(unnamed.findings[0]?.message).toBe('Service "shop", port 80: no container has a port named "web" (targetPort); container ports: 8080');
    expect(patchOf(unnamed.findings[0]?.fix[0])).toContain('"value":8080');
    expect(of(ports((list) => list.splice(0))).findings).toMatchObject([
      {
        message: 'Service "shop", port 80: no container has a port named "web" (targetPort); container ports: none',
        evidence: [{ text: 'port 80 → targetPort web' }, { source: 'pods', text: 'container ports: none is declared' }],
        fix: [{ text: 'Declare a port named "web" in the container, or use its number as targetPort' }],
      },
    ]);
  });
  test('a sidecar that is an init container has ports as well', () => {
    const sidecar = pods((list) =>
      ofShop(list).forEach((p) =>
        p.spec.initContainers.push({
          ...(p.spec.containers[0] as never as object),
          name: 'proxy',
          restartPolicy: 'Always',
          ports: [{ name: 'web', containerPort: 15001, protocol: 'TCP' }],
        } as never),
      ),
    );
    expect(of(sidecar).findings).toEqual([]);
    const once = pods((list) =>
      ofShop(list).forEach((p) =>
        p.spec.initContainers.push({ ...(p.spec.containers[0] as never as object), ports: [{ name: 'web', containerPort: 1, protocol: 'TCP' }] } as never),
      ),
    );
    expect(of(once).findings).toHaveLength(1);
  });
  test('some pods have it', () => {
    const one = ports((list, i) => i === 0 && list.forEach((p) => void (p.name = 'web')));
    expect(of(one).findings).toMatchObject([
      {
        severity: 'warning',
        scope: 'part',
        message: 'Service "shop", port 80: 1 pod of 2 (shop-7f6d454c97-2jc6n) has no port named "web" (targetPort) and gets no requests',
      },
    ]);
    const three = all(
      one,
      pods((list) => void list.push(...structuredClone(list.slice(-1)))),
    );
    expect(of(three).findings[0]?.message).toContain(
      '2 pods of 3 (shop-7f6d454c97-2jc6n, shop-7f6d454c97-2jc6n) have no port named "web" (targetPort) and get no requests',
    );
  });
  test('of another protocol: that of the sockets counts', () => {
    const udp = all(
      port({ targetPort: 'http' }),
      ports((list) => list.forEach((p) => void (p.protocol = 'UDP'))),
    );
    expect(of(udp).findings).toMatchObject([
      {
        code: 'protocol-mismatch',
        message: 'Service "shop", port 80: its protocol is TCP, the containers\' port "http" is UDP',
        evidence: [{ text: 'port 80/TCP → targetPort http' }, { text: 'container port http (8080) is UDP' }],
        fix: [{ text: 'Change the protocol of Service port 80 to UDP' }],
      },
    ]);
    const listening = (protocol: 'tcp' | 'udp') => (facts: Parameters<Edit>[0]) => ({
      listeners: seen(
        Object.fromEntries(valueOf(facts.pods).map((p) => [p.metadata.name, seen({ sockets: [{ protocol, address: '0.0.0.0', port: 8080 }], forwarded: {} })])),
      ),
    });
    expect(of(all(udp, listening('tcp'))).findings[0]?.fix).toMatchObject([
      { text: 'Change the protocol of the containers\' port "http" to TCP: the program listens on 8080/TCP' },
    ]);
    expect(of(all(udp, listening('udp'))).findings[0]?.fix).toMatchObject([{ text: 'Change the protocol of Service port 80 to UDP' }]);
  });
  test('of several ports, one is a part', () => {
    const more = service((s) => s.spec.ports.push({ ...(s.spec.ports[0] as Service['spec']['ports'][number]), name: 'admin', port: 81, targetPort: 8080 }));
    expect(of(more).findings).toMatchObject([{ scope: 'part' }]);
    expect(
      of(
        all(
          more,
          edited('target', (t) => void (t.port = '80')),
        ),
      ).findings,
    ).toMatchObject([{ scope: 'all' }]);
  });

  describe('of endpoints that somebody created', () => {
    const manual = (edit: Edit) => of(edit, 'endpoint-port-name-mismatch');
    test('are matched by name', () => {
      const [found] = manual(nothing).findings;
      expect(patchOf(found?.fix[0])).toBe('[{"op":"replace","path":"/ports/0/name","value":"http"}]');
      expect(manual(port({ name: 'web' }))).toMatchObject({ status: 'pass', findings: [] });
      const two = slices((list) => void list.push({ ...(list[0] as Slice), ports: [{ name: 'other', protocol: 'TCP', port: 1 }] }));
      expect(manual(two).findings).toMatchObject([
        {
          message: expect.stringContaining('the manually created endpoints name their port "web", "other"') as string,
          fix: [{ text: 'Or give the Service port the name that the endpoints have' }],
        },
      ]);
    });
    test('and by protocol', () => {
      const udp = all(
        port({ name: 'web' }),
        slices((list) => list.forEach((s) => s.ports.forEach((p) => void (p.protocol = 'UDP')))),
      );
      expect(manual(udp).findings).toMatchObject([
        {
          code: 'protocol-mismatch',
          message: 'Service "shop", port 80: its protocol is TCP, its manually created endpoints use UDP',
          evidence: [{ source: 'endpointslices', text: 'port "web" is UDP' }],
          fix: [{ text: 'Give the Service port and the endpoints the same protocol', command: 'kubectl -n sc-endpoint-port-name-mismatch edit service shop' }],
        },
      ]);
    });
  });

  describe('of a headless Service', () => {
    const headless = (edit: Edit) => of(edit, 'headless-port-named');
    const outcome = (hop: string, value: string) => edited('connections', (c) => c.list.forEach((x) => void (x.hop === hop && (x.outcome = value as never))));
    const noConnections: Edit = () => ({ connections: unseen('not-asked', 'connections', '--probe none') });
    const noListeners: Edit = () => ({ listeners: unseen('not-asked', 'listeners', '--probe none') });
    test('are those of the pods: what answers decides', () => {
      expect(headless(nothing).findings).toMatchObject([{ severity: 'error', confidence: 'confirmed' }]);
      expect(headless(outcome('endpoint', 'answered')).findings).toEqual([]);
      const [other] = headless(all(outcome('target-port', 'refused'), noListeners)).findings;
      expect(other?.message).toContain('which listen on another port (targetPort is not used)');
    });
    test('else what the sockets show', () => {
      const sockets = (...numbers: number[]) =>
        edited('listeners', (l) =>
          Object.keys(l).forEach(
            (pod) => (l[pod] = seen({ sockets: numbers.map((n) => ({ protocol: 'tcp' as const, address: '0.0.0.0', port: n })), forwarded: {} })),
          ),
        );
      expect(headless(all(noConnections, sockets(8000))).findings).toEqual([]);
      expect(headless(all(noConnections, sockets(8080))).findings).toMatchObject([
        { severity: 'error', message: expect.stringContaining('which listen on 8080') as string },
      ]);
    });
    test('each pod, kind and port for itself', () => {
      const first = (change: (c: FactTypes['connections']['list'][number], i: number) => void) =>
        edited('connections', (c) => c.list.filter((x) => x.hop === 'endpoint').forEach(change));
      // One pod that answers is enough.
      expect(headless(first((x, i) => void (i === 0 && (x.outcome = 'answered')))).findings).toEqual([]);
      const unlike = (change: object) =>
        headless(
          all(
            first((x) => void Object.assign(x, { outcome: 'answered', ...change })),
            noListeners,
          ),
        ).findings;
      expect(unlike({})).toEqual([]);
      expect(unlike({ pod: 'another' })).toHaveLength(1);
      expect(unlike({ kind: 'udp' })).toHaveLength(1);
      expect(unlike({ target: '10.244.0.1:18000' })).toHaveLength(1);
      const [found] = headless(nothing).findings;
      expect(found?.evidence.filter((e) => e.source === 'probe').length).toBeLessThanOrEqual(4);
      expect(found?.evidence.filter((e) => e.source === 'probe').length).toBeGreaterThan(0);
      expect(headless(all(port({ port: 8080 }))).findings).toEqual([]);
      expect(headless(pods((list) => list.splice(0))).findings).toEqual([]);
    });
    test('else what is declared, which is a hint', () => {
      expect(headless(all(noConnections, noListeners)).findings).toMatchObject([
        { severity: 'warning', confidence: 'likely', scope: 'part', message: expect.stringContaining('which listen on 8080') as string },
      ]);
      const declares = (...numbers: number[]) =>
        pods((list) =>
          ofShop(list).forEach((p) =>
            p.spec.containers.forEach((c) => void (c.ports = numbers.map((n) => ({ name: n === 8080 ? 'http' : '', containerPort: n, protocol: 'TCP' })))),
          ),
        );
      expect(headless(all(noConnections, noListeners, declares(8080, 8000))).findings).toEqual([]);
      expect(headless(all(noConnections, noListeners, port({ targetPort: 8080 }), declares())).findings).toEqual([]);
    });
  });
});

describe('two applications behind one selector', () => {
  const of = (edit: Edit) => reportOf('endpoints/overlap', edit, 'selector-overlap');
  const noConnections: Edit = () => ({ connections: unseen('not-asked', 'connections', '--probe none') });
  const noListeners: Edit = () => ({ listeners: unseen('not-asked', 'listeners', '--probe none') });
  const worker = (change: (p: Pod) => void) => pods((list) => list.filter((p) => p.metadata.name.startsWith('worker')).forEach(change));
  test('one of them does not serve the port', () => {
    const [found] = of(nothing).findings;
    expect(found).toMatchObject({ confidence: 'confirmed', pods: ['worker-677fb6cc78-vgrkf'] });
    expect(patchOf(found?.fix[0])).toBe('{"spec":{"selector":{"role":"web"}}}');
    expect(of(externalName)).toMatchObject({ status: 'skip', reason: 'the Service has no endpoints of its own' });
    expect(of(pods((list) => list.splice(0)))).toMatchObject({ status: 'skip', reason: 'the selector matches no pod' });
  });
  test('both serve it', () => {
    expect(of(edited('connections', (c) => c.list.forEach((x) => void (x.outcome = 'answered'))))).toMatchObject({
      status: 'pass',
      summary: expect.stringMatching(/^pods of .* serve it$/) as string,
    });
  });
  test('without connections the sockets show it, without these the declared ports, which are a hint', () => {
    // Of the worker the sockets were read: there are none.
    expect(of(noConnections).findings).toMatchObject([{ confidence: 'confirmed' }]);
    const sockets = edited('listeners', (l) =>
      Object.keys(l).forEach(
        (pod) => (l[pod] = seen({ sockets: pod.startsWith('shop') ? [{ protocol: 'tcp' as const, address: '0.0.0.0', port: 8080 }] : [], forwarded: {} })),
      ),
    );
    expect(of(all(noConnections, sockets)).findings).toMatchObject([{ confidence: 'confirmed' }]);
    const declared = worker((p) => p.spec.containers.forEach((c) => void (c.ports = [{ name: 'metrics', containerPort: 9, protocol: 'TCP' }])));
    expect(of(all(noConnections, noListeners, declared)).findings).toMatchObject([{ confidence: 'likely' }]);
    expect(of(all(noConnections, noListeners)).findings).toEqual([]);
  });
  const named = (facts: Parameters<Edit>[0]): Partial<typeof facts> =>
    all(
      port({ targetPort: 'http' }),
      worker((p) =>
        p.spec.containers.forEach(
          (c) =>
            void (c.ports = [
              { name: 'metrics', containerPort: 9, protocol: 'TCP' },
              { name: 'http', containerPort: 8080, protocol: 'TCP' },
            ]),
        ),
      ),
    )(facts);
  test('pods that declare the named port are of one application, however different their labels', () => {
    expect(of(named).findings).toEqual([]);
    expect(of(all(named, port({ targetPort: 'metrics' }))).findings).toHaveLength(1);
  });
  test('by declared ports: number or name, of the same protocol', () => {
    const declaring = (...ports: Pod['spec']['containers'][number]['ports']) =>
      of(
        all(
          noConnections,
          noListeners,
          worker((p) => p.spec.containers.forEach((c) => void (c.ports = ports))),
        ),
      ).findings;
    expect(declaring({ name: '', containerPort: 8080, protocol: 'TCP' })).toEqual([]);
    expect(declaring({ name: '', containerPort: 9, protocol: 'TCP' }, { name: '', containerPort: 8080, protocol: 'TCP' })).toEqual([]);
    expect(declaring({ name: '', containerPort: 8080, protocol: 'UDP' })).toHaveLength(1);
    expect(declaring()).toEqual([]);
  });
  test('a connection shows more than the sockets, and only one to the endpoint over TCP counts', () => {
    const connection = (change: object) => edited('connections', (c) => c.list.forEach((x) => void (x.hop === 'endpoint' && Object.assign(x, change))));
    const listens = edited('listeners', (l) =>
      Object.keys(l).forEach((pod) => (l[pod] = seen({ sockets: [{ protocol: 'tcp' as const, address: '0.0.0.0', port: 8080 }], forwarded: {} }))),
    );
    expect(of(listens).findings).toHaveLength(1);
    expect(of(all(listens, connection({ kind: 'udp' }))).findings).toEqual([]);
    expect(of(all(listens, connection({ hop: 'target-port' }))).findings).toEqual([]);
    // Neither is known: nobody is accused.
    expect(of(all(connection({ outcome: 'no-answer' }), noListeners)).findings).toEqual([]);
    expect(of(all(noConnections, port({ targetPort: 'http' }), noListeners)).findings).toEqual([]);
  });
  test('a label counts where all of the right ones have it and none of the others', () => {
    const labels = (change: (p: Pod, i: number) => void) =>
      pods((list) =>
        ofShop(list)
          .filter((p) => p.metadata.name.startsWith('shop'))
          .forEach(change),
      );
    const fixOf = (...edits: Edit[]) => of(all(...edits)).findings[0]?.fix[0]?.text;
    expect(fixOf(labels((p, i) => void (i === 1 && (p.metadata.labels['role'] = 'front'))))).toMatch(/^Give the pods of Deployment shop a label/);
  });
  test('versions of one application are one', () => {
    expect(of(worker((p) => void (p.metadata.labels = { 'part-of': 'shop', role: 'web', version: 'v2' }))).findings).toEqual([]);
  });
  test('without a label in which they differ, one has to be added', () => {
    const alike = pods((list) => ofShop(list).forEach((p) => void (p.metadata.name.startsWith('shop') && delete p.metadata.labels['role'])));
    expect(of(alike).findings[0]?.fix).toMatchObject([
      { text: 'Give the pods of Deployment shop a label that the others do not have, and add it to the selector of Service "shop"' },
    ]);
  });
  test('pods without an owner are named themselves', () => {
    const [found] = of(worker((p) => void (p.metadata.ownerReferences = []))).findings;
    expect(found?.message).toContain('the pods of Pod worker-677fb6cc78-vgrkf, which do not serve its port');
    const [byReplicaSet] = of(all(edited('replicaSets', (list) => list.splice(0)))).findings;
    expect(byReplicaSet?.message).toContain('ReplicaSet worker-677fb6cc78');
  });
});

describe('IP families', () => {
  const of = (edit: Edit) => reportOf('endpoints/families', edit, 'dual-pods-without');
  test('pods that have no address of one', () => {
    expect(of(nothing).findings).toMatchObject([
      { severity: 'error', scope: 'part', fix: [{ text: expect.stringMatching(/^A pod keeps .* give node2, node3 both families/) as string }] },
    ]);
    const one = pods((list) => void ofShop(list)[0]?.status.podIPs.push({ ip: 'fd00:244:2::9' }));
    expect(of(one).findings).toMatchObject([
      {
        severity: 'warning',
        scope: 'part',
        message: 'Service "shop" is reached over IPv4 and IPv6, and 1 of 2 ready pods (shop-6c4b8d4866-tpwgk) has no IPv6 address',
        evidence: [{ text: 'ipFamilies: IPv4, IPv6' }, { text: 'shop-6c4b8d4866-tpwgk on node3 has 10.244.3.31' }],
      },
    ]);
    const both = pods((list) => ofShop(list).forEach((p, i) => p.status.podIPs.push({ ip: `fd00:244:2::${i}` })));
    expect(of(both)).toMatchObject({ status: 'pass', summary: '2 over IPv4, 0 over IPv6' });
    expect(of(() => ({ pods: unseen('forbidden', 'pods', 'not allowed') }))).toMatchObject({ status: 'unknown', reason: 'pods: not allowed' });
    expect(of(externalName)).toMatchObject({ status: 'skip', reason: 'the Service has no addresses of its own' });
  });
  test('a Service of the other family alone: it can have both', () => {
    const six = service((s) => Object.assign(s.spec, { ipFamilies: ['IPv6'], clusterIP: 'fd00:96::acf9', clusterIPs: ['fd00:96::acf9'] }));
    const [found] = of(six).findings;
    expect(found).toMatchObject({
      severity: 'error',
      scope: 'all',
      fix: [{ text: 'Give Service "shop" both families of the cluster: each then has a virtual IP, and its name resolves to both' }, {}],
    });
    expect(patchOf(found?.fix[0])).toBe('{"spec":{"ipFamilyPolicy":"PreferDualStack"}}');
  });
  test('a client that has no address of any', () => {
    const six = service((s) => Object.assign(s.spec, { ipFamilies: ['IPv6'], clusterIP: 'fd00:96::acf9', clusterIPs: ['fd00:96::acf9'] }));
    const client = (change: object) =>
      all(
        six,
        pods((list) => list.splice(0)),
        edited('client', (c) => void Object.assign(c ?? {}, change)),
      );
    expect(of(client({ addresses: ['10.244.1.33'] })).findings).toMatchObject([
      {
        severity: 'error',
        scope: 'all',
        message: 'Service "shop" is reached over IPv6 only, and the client, pod/client, has no IPv6 address (it has 10.244.1.33)',
        evidence: [{ text: 'ipFamilies: IPv6' }, { text: 'pod/client has 10.244.1.33' }],
        fix: [{}, { text: expect.stringContaining('give node1 both families') as string }],
      },
    ]);
    expect(of(client({ addresses: [] })).findings).toEqual([]);
    expect(of(client({ addresses: ['10.244.1.33'], kind: 'external' })).findings).toEqual([]);
    expect(of(client({})).findings).toEqual([]);
  });
});

describe('EndpointSlices', () => {
  const of = (edit: Edit, incident = 'healthy-canary') => reportOf('endpoints/slices', edit, incident);
  test('without a selector, and nothing that anybody created', () => {
    expect(of(nothing, 'selectorless').findings).toMatchObject([
      {
        code: 'endpoints-missing',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: { kind: 'Service', name: 'shop' },
        message: 'Service "shop" has no selector and no manually created endpoints',
        evidence: [
          { source: 'service', text: 'spec.selector is empty: Kubernetes creates no endpoints' },
          { source: 'endpointslices', text: 'none has the label kubernetes.io/service-name=shop' },
        ],
        fix: [
          {
            text: 'Add a selector to Service "shop", or create an EndpointSlice with the label kubernetes.io/service-name=shop',
            command: 'kubectl -n sc-selectorless edit service shop',
          },
        ],
      },
    ]);
  });
  test('without a selector: what somebody created', () => {
    expect(of(nothing, 'endpoint-port-name-mismatch')).toMatchObject({ status: 'pass', summary: '1 manually created address' });
    expect(of(externalName)).toMatchObject({ status: 'skip' });
    expect(of(all(() => ({ pods: unseen('forbidden', 'pods', 'not allowed') })))).toMatchObject({ status: 'unknown', reason: 'pods: not allowed' });
  });
  test('ready pods that are in none', () => {
    const lost = slices((list) => list.forEach((s) => s.endpoints.splice(0, 1)));
    expect(of(lost).findings).toMatchObject([
      {
        code: 'endpoints-stale',
        scope: 'part',
        message: 'Service "shop": 1 ready pod (shop-v1-6c9d76ccd4-5txdd) is in none of its EndpointSlices',
        evidence: [{ source: 'pods', text: 'shop-v1-6c9d76ccd4-5txdd is ready at 10.244.3.81' }],
        fix: [{ text: 'Check that kube-controller-manager runs: it creates EndpointSlices', command: 'kubectl -n kube-system get pods,leases' }],
        pods: ['shop-v1-6c9d76ccd4-5txdd'],
      },
    ]);
    expect(of(slices((list) => list.splice(0))).findings).toMatchObject([
      { code: 'endpoints-missing', scope: 'all', message: expect.stringContaining('are in none of its EndpointSlices') as string },
    ]);
    // Such pods are left out by another rule.
    expect(of(all(lost, port({ targetPort: 'http' }))).findings).toEqual([]);
    expect(
      of(
        all(
          lost,
          pods((list) => ofShop(list).forEach((p) => void (p.spec.hostNetwork = true))),
        ),
      ).findings,
    ).toEqual([]);
  });
  test('addresses that no pod has', () => {
    const gone = pods((list) => void list.splice(1, 1));
    expect(of(gone).findings).toMatchObject([
      {
        code: 'endpoints-stale',
        severity: 'error',
        scope: 'part',
        message: 'Service "shop": its EndpointSlices contain 1 address of pods that no longer exist (10.244.3.81)',
        evidence: [{ source: 'endpointslices', text: 'shop-wsgth: 10.244.3.81 (shop-v1-6c9d76ccd4-5txdd)' }],
      },
    ]);
    expect(of(pods((list) => list.splice(0))).findings).toMatchObject([
      { scope: 'all', message: expect.stringContaining('contain 3 addresses of pods') as string },
    ]);
    expect(
      of(
        all(
          gone,
          slices((list) => list.forEach((s) => s.endpoints.forEach((e) => void (e.conditions.ready = false)))),
        ),
      ).findings,
    ).toEqual([]);
  });
  test('addresses that somebody added', () => {
    const added = slices(
      (list) =>
        void list.push({
          ...(list[0] as Slice),
          metadata: { ...(list[0] as Slice).metadata, name: 'mine', labels: { 'kubernetes.io/service-name': 'shop' } },
          endpoints: [{ addresses: ['10.9.9.9'], conditions: {} }],
        }),
    );
    expect(of(added).findings).toMatchObject([
      {
        severity: 'warning',
        confidence: 'likely',
        message: 'Service "shop": a manually created EndpointSlice adds 10.9.9.9 to the pods that the selector matches',
        evidence: [{ text: 'mine: 10.9.9.9' }],
        fix: [
          {
            text: 'Delete the EndpointSlice if it is not intended',
            command: 'kubectl -n sc-healthy-canary get endpointslices -l kubernetes.io/service-name=shop',
          },
        ],
      },
    ]);
  });
});

describe('ready endpoints', () => {
  const of = (edit: Edit) => reportOf('endpoints/ready', edit, 'healthy-canary');
  const readyAs = (...ready: boolean[]) =>
    slices((list) => list.forEach((s) => s.endpoints.forEach((e, i) => void (e.conditions = { ready: ready[i] ?? true }))));
  test('how many, in how many zones', () => {
    expect(of(nothing)).toMatchObject({ status: 'pass', summary: '3 ready of 3 endpoints' });
    expect(of(readyAs(false))).toMatchObject({ status: 'pass', summary: '2 ready of 3 endpoints' });
    const zones = (...names: string[]) => slices((list) => list.forEach((s) => s.endpoints.forEach((e, i) => void (e.zone = names[i] ?? null))));
    expect(of(zones('a', 'b', 'a'))).toMatchObject({ summary: '3 ready of 3 endpoints in 2 zones' });
    expect(of(zones('a', 'a', 'a'))).toMatchObject({ summary: '3 ready of 3 endpoints' });
    expect(of(externalName)).toMatchObject({ status: 'skip' });
  });
  test('none', () => {
    const names = valueOf(recordingOf('healthy-canary').facts.pods).flatMap((p) => (p.metadata.name === 'client' ? [] : [p.metadata.name]));
    expect(of(readyAs(false, false, false)).findings).toMatchObject([
      {
        code: 'no-ready-endpoints',
        scope: 'all',
        message: 'Service "shop" has no ready endpoint for port http',
        evidence: [{ source: 'endpointslices', text: '0 ready of 3 endpoints' }],
        pods: names,
      },
    ]);
    expect(
      of(
        all(
          readyAs(false, false, false),
          port({ name: '' }),
          slices((list) => list.forEach((s) => s.ports.forEach((p) => void (p.name = '')))),
        ),
      ).findings[0]?.message,
    ).toBe('Service "shop" has no ready endpoint for port 80');
    const none = of(
      all(
        slices((list) => list.splice(0)),
        pods((list) => list.splice(0)),
      ),
    ).findings;
    expect(none).toMatchObject([{ message: 'Service "shop" has no endpoints' }]);
    expect(none[0]).not.toHaveProperty('pods');
    const second = service((s) => s.spec.ports.push({ ...(s.spec.ports[0] as Service['spec']['ports'][number]), name: 'admin', port: 81 }));
    expect(of(second).findings).toMatchObject([{ scope: 'part', message: 'Service "shop" has no ready endpoint for port admin' }]);
  });
});
