/** NetworkPolicies between a client and a Service, on facts of a real cluster with one of them changed: what is said, and what would open them. */
import { describe, expect, test } from 'vitest';
import { seen, unseen } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { NetworkPolicy, Pod } from '../../src/facts/objects.ts';
import { all, type Edit, edited } from '../support/edits.ts';
import { recordingOf, reportOf, valueOf } from '../support/recordings.ts';

type Spec = NetworkPolicy['spec'];
const everyPod = { matchLabels: {}, matchExpressions: [] };
const labels = (matchLabels: Record<string, string>) => ({ matchLabels, matchExpressions: [] });
/** The policies of the incident's own namespace. */
const policies = (change: (list: NetworkPolicy[]) => void): Edit =>
  edited('policies', (by) => {
    const own = Object.entries(by).find(([namespace]) => namespace.startsWith('sc-'))?.[1];
    if (own?.seen) change(own.value);
  });
const spec = (change: Partial<Spec>): Edit => policies((list) => list.slice(0, 1).forEach((p) => void Object.assign(p.spec, change)));
const another = (name: string, change: Partial<Spec>): Edit =>
  policies((list) => {
    const [first] = structuredClone(list);
    if (first) list.push({ ...first, metadata: { ...first.metadata, name }, spec: { ...first.spec, ...change } });
  });
const patchOf = (fix: { command?: string } | undefined): unknown => JSON.parse(/-p '(.*)'$/s.exec(fix?.command ?? '')?.[1] ?? 'null');
const target = (change: object): Edit => edited('target', (t) => void Object.assign(t, change));
const client = (change: object): Edit => edited('client', (c) => void (c && Object.assign(c, change)));
const daemons =
  (...list: [name: string, images?: string[]][]): Edit =>
  () => ({ networkDaemons: seen(list.map(([name, images = []]) => ({ namespace: 'kube-system', name, images }))) });

describe('ingress', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('network-policy/ingress', all(...edits), incident);
  const denied = (...edits: Edit[]) => of('policy-default-deny', ...edits).findings[0];
  const shop = ['shop-7f6d454c97-lkmr9', 'shop-7f6d454c97-8ndpz'];
  test('a policy without rules', () => {
    expect(denied()).toMatchObject({
      code: 'policy-denies-ingress',
      severity: 'error',
      confidence: 'likely',
      scope: 'all',
      object: { kind: 'NetworkPolicy', namespace: 'sc-policy-default-deny', name: 'default-deny' },
      message:
        'NetworkPolicy "default-deny" in namespace sc-policy-default-deny blocks pod/client from 2 pods behind Service "shop" on port 8080: it has no ingress rule',
      evidence: [
        { source: 'policy', text: 'default-deny (namespace sc-policy-default-deny) selects the pod for ingress and has no ingress rule' },
        { source: 'policy', text: `denied: pod/client → ${shop[0]}:8080, ${shop[1]}:8080` },
      ],
      pods: shop,
    });
    expect(denied()?.fix[0]?.text).toMatch(
      /^Allow pod\/client by a new NetworkPolicy "allow-client-to-shop" \(ingress\), for pods with app=client of namespace sc-policy-default-deny, port 8080\/TCP$/,
    );
    expect(denied()?.fix[0]?.changes).toMatchObject([
      {
        how: 'create',
        kind: 'networkpolicy',
        name: 'allow-client-to-shop',
        manifest: {
          spec: {
            podSelector: { matchLabels: { app: 'shop' } },
            ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ protocol: 'TCP', port: 8080 }] }],
          },
        },
      },
    ]);
  });
  test('two policies, and the nearest rule of one of them', () => {
    const two = another('second', { ingress: [{ from: [{ podSelector: labels({ app: 'other' }) }], ports: [] }] });
    const found = denied(two);
    expect(found?.message).toMatch(
      /^NetworkPolicies "default-deny", "second" in namespace sc-policy-default-deny block pod\/client from 2 pods .*: its nearest rule /,
    );
    expect(found?.object).toMatchObject({ name: 'second' });
    expect(found?.evidence.map((e) => e.text).slice(0, 3)).toEqual([
      'default-deny (namespace sc-policy-default-deny) selects the pod for ingress and has no ingress rule',
      'second (namespace sc-policy-default-deny) selects the pod for ingress and none of its rules matches',
      expect.stringMatching(/^second, ingress rule 1: .* {2}← nearest rule$/),
    ]);
    expect(patchOf(found?.fix[0])).toMatchObject([{ op: 'add', path: expect.stringMatching(/^\/spec\/ingress/) as string }]);
    expect(denied(another('second', {}))?.message).toMatch(/: they have no ingress rule$/);
  });
  test('whom else the fix lets in', () => {
    const second = (phase: string) =>
      edited('pods', (list) => {
        const [copy] = structuredClone(list.filter((p) => p.metadata.name === 'client'));
        if (!copy) return;
        Object.assign(copy.metadata, { name: 'batch-2', labels: { app: 'client', role: 'batch' } });
        Object.assign(copy.status, { phase, podIPs: [{ ip: '10.244.9.9' }] });
        list.push(copy);
      });
    expect(denied(second('Running'))?.fix[0]?.affects).toEqual([expect.stringMatching(/^it also allows batch-2 → shop-/)]);
    expect(denied(second('Succeeded'))?.fix[0]).not.toHaveProperty('affects');
    expect(denied()?.fix[0]).not.toHaveProperty('affects');
  });
  test('for some of the pods', () => {
    const one = edited('pods', (list) => list.forEach((p) => void (p.metadata.name === shop[0] && (p.metadata.labels['tier'] = 'web'))));
    expect(denied(one, spec({ podSelector: labels({ tier: 'web' }) }))).toMatchObject({
      scope: 'part',
      message: expect.stringContaining('from 1 of 2 pods behind Service "shop" on port 8080') as string,
      pods: [shop[0]],
    });
  });
  test('what lets the client in', () => {
    const letting = spec({ ingress: [{ from: [{ podSelector: labels({ app: 'client' }) }], ports: [] }] });
    expect(of('policy-default-deny', letting)).toMatchObject({ status: 'pass', summary: '"default-deny" allows it' });
    expect(of('policy-default-deny', spec({ podSelector: labels({ app: 'other' }) }))).toMatchObject({ status: 'pass', summary: 'no policy selects the pod' });
    expect(of('policy-default-deny', spec({ policyTypes: ['Egress'] }))).toMatchObject({ status: 'pass', findings: [] });
  });
  test('the port of the Service in the place of the pods’', () => {
    const [found] = of('policy-service-port').findings;
    expect(found?.evidence.map((e) => e.text)).toContain("port-80 allows port 80, the Service's port; policies see the pods' port 8080");
    expect(patchOf(found?.fix[0])).toEqual([{ op: 'add', path: '/spec/ingress/0/ports/-', value: { port: 8080, protocol: 'TCP' } }]);
  });
  test('a policy in another namespace that would allow it', () => {
    expect(of('policy-in-wrong-namespace').findings[0]?.evidence.map((e) => e.text)).toContain(
      'let-clients-in would allow it, but is in namespace sc-policy-in-wrong-namespace-clients: a NetworkPolicy applies to pods of its own namespace only',
    );
  });
  test('a policy in another namespace that would not allow it here either', () => {
    const there = (change: (p: NetworkPolicy) => void) =>
      of(
        'policy-in-wrong-namespace',
        edited('policies', (by) => {
          const other = Object.entries(by).find(([name]) => name.endsWith('-clients'))?.[1];
          if (other?.seen) other.value.forEach(change);
        }),
      ).findings[0]?.evidence.filter((e) => e.text.includes('would allow it'));
    expect(there(() => undefined)).toMatchObject([{ source: 'policy' }]);
    // One for every pod of its namespace is meant for that namespace.
    expect(there((p) => void (p.spec.podSelector = everyPod))).toEqual([]);
    expect(there((p) => void (p.spec.podSelector = labels({ app: 'other' })))).toEqual([]);
    expect(there((p) => void (p.spec.policyTypes = ['Egress']))).toEqual([]);
    expect(there((p) => void (p.spec.ingress = []))).toEqual([]);
  });
  test('from outside through a node: the address may be another', () => {
    const outside = all(target({ from: { kind: 'external', namespace: '', name: '' } }), client({ kind: 'external', pod: null, addresses: [] }));
    const [found] = of('policy-default-deny', outside).findings;
    expect(found).toMatchObject({ confidence: 'possible' });
    expect(found?.evidence.map((e) => e.text)).toContain(
      "externalTrafficPolicy is Cluster: a packet that enters through a node may have the node's own address, which some plug-ins allow",
    );
    const local = edited('service', (s) => void (s && (s.spec.externalTrafficPolicy = 'Local')));
    expect(of('policy-default-deny', outside, local).findings).toMatchObject([{ confidence: 'likely' }]);
  });
  test('a client on the network of its node: selectors need not match it', () => {
    const onNode = client({
      hostNetwork: true,
      addresses: ['10.77.0.12'],
      pod: {
        ...valueOf(recordingOf('policy-default-deny').facts.client)?.pod,
        spec: { ...valueOf(recordingOf('policy-default-deny').facts.client)?.pod?.spec, hostNetwork: true },
      },
    });
    const letting = spec({ ingress: [{ from: [{ podSelector: labels({ app: 'client' }) }], ports: [] }] });
    const [found] = of('policy-default-deny', letting, onNode).findings;
    expect(found).toMatchObject({
      confidence: 'possible',
      message: expect.stringMatching(/^NetworkPolicy "default-deny" in namespace sc-policy-default-deny can block pod\/client from Service "shop": /) as string,
    });
    expect(found?.evidence.at(-1)?.text).toMatch(/^left to the plug-in: pod\/client → shop-\S+:8080 \(/);
    expect(found?.fix[0]?.text).toBe(
      'Allow 10.77.0.12 by an ipBlock in NetworkPolicy "default-deny": selectors need not match pods on a node\'s network, addresses do',
    );
    expect(patchOf(found?.fix[0])).toEqual([
      { op: 'add', path: '/spec/ingress/-', value: { from: [{ ipBlock: { cidr: '10.77.0.12/32' } }], ports: [{ port: 8080, protocol: 'TCP' }] } },
    ]);
  });
  test('such a client, word for word: by each policy that selects the pod, whatever addresses it has', () => {
    const base = valueOf(recordingOf('policy-default-deny').facts.client);
    const onNode = (addresses: string[]) => client({ hostNetwork: true, addresses, pod: { ...base?.pod, spec: { ...base?.pod?.spec, hostNetwork: true } } });
    const letting = { ingress: [{ from: [{ podSelector: labels({ app: 'client' }) }], ports: [] }] };
    const why = "the client uses its node's network, which selectors need not match";
    const [found] = of(
      'policy-default-deny',
      another('letting', letting),
      another('third', {}),
      another('fourth', {}),
      another('out', { policyTypes: ['Egress'] }),
      onNode(['10.77.0.12', 'fd00::2']),
    ).findings;
    expect(found).toMatchObject({
      severity: 'error',
      scope: 'all',
      object: { kind: 'NetworkPolicy', namespace: 'sc-policy-default-deny', name: 'default-deny' },
      message: `NetworkPolicies "default-deny", "letting", "third" and 1 more in namespace sc-policy-default-deny can block pod/client from Service "shop": ${why}`,
      evidence: [
        { source: 'policy', text: 'default-deny selects the pod for ingress' },
        { source: 'policy', text: 'letting selects the pod for ingress' },
        { source: 'policy', text: 'third selects the pod for ingress' },
        { source: 'policy', text: 'ingress[0] of letting leaves it open' },
        { source: 'policy', text: `left to the plug-in: pod/client → ${shop[0]}:8080 (${why})` },
      ],
      pods: shop,
    });
    expect(found?.fix).toMatchObject([
      {
        text: `Allow 10.77.0.12 and fd00::2 by an ipBlock in NetworkPolicy "default-deny": selectors need not match pods on a node's network, addresses do`,
        changes: [
          {
            how: 'patch',
            kind: 'networkpolicy',
            name: 'default-deny',
            type: 'json',
            body: [
              {
                op: 'add',
                path: '/spec/ingress',
                value: [{ from: [{ ipBlock: { cidr: '10.77.0.12/32' } }, { ipBlock: { cidr: 'fd00::2/128' } }], ports: [{ port: 8080, protocol: 'TCP' }] }],
              },
            ],
          },
        ],
        affects: ['it also allows everything else on the network of that node'],
      },
    ]);
    expect(of('policy-default-deny', spec(letting), onNode([])).findings).toMatchObject([
      {
        fix: [
          {
            text: 'Allow the connection by addresses in NetworkPolicy "default-deny", which does not depend on the plug-in',
            command: 'kubectl -n sc-policy-default-deny edit networkpolicy default-deny',
          },
        ],
      },
    ]);
    const one = edited('pods', (list) => list.forEach((p) => void (p.metadata.name === shop[0] && (p.metadata.labels['tier'] = 'web'))));
    expect(of('policy-default-deny', one, spec({ ...letting, podSelector: labels({ tier: 'web' }) }), onNode(['10.77.0.12'])).findings).toMatchObject([
      { scope: 'part', pods: [shop[0]] },
    ]);
  });
  test('what could not be read, and whom no policy concerns', () => {
    const blind: Edit = edited('policies', (by) => void (by['sc-policy-default-deny'] = unseen('forbidden', 'policies', 'not allowed')));
    expect(of('policy-default-deny', blind)).toMatchObject({
      status: 'unknown',
      reason: 'the NetworkPolicies of namespace sc-policy-default-deny could not be read',
    });
    expect(of('policy-default-deny', () => ({ pluginPolicies: unseen('forbidden', 'x', 'y') }))).toMatchObject({
      status: 'unknown',
      reason: 'whether there are policies of other kinds could not be read',
    });
    expect(of('policy-default-deny', () => ({ pluginPolicies: unseen('not-needed', 'x', 'y') })).findings).toHaveLength(1);
    expect(of('policy-default-deny', () => ({ client: seen(null) }))).toMatchObject({ status: 'skip', reason: 'the client is not known' });
    expect(
      of(
        'policy-default-deny',
        edited('slices', (list) => list.splice(0)),
      ),
    ).toMatchObject({ status: 'skip', reason: 'there is no endpoint to connect to' });
    expect(
      of(
        'policy-default-deny',
        edited('service', (s) => void (s && (s.spec.type = 'ExternalName'))),
      ),
    ).toMatchObject({ status: 'skip', reason: 'the Service has no pods of its own' });
  });
});

describe('egress', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('network-policy/egress', all(...edits), incident);
  test('a policy that lets the client out to DNS only', () => {
    const [found] = of('policy-egress').findings;
    expect(found?.message).toMatch(
      /^NetworkPolicy "client-dns-only" in namespace sc-policy-egress blocks egress of pod\/client to 2 pods behind Service "shop" on port 8080: its nearest rule allows 53\/UDP, 53\/TCP, the connection goes to 8080\/TCP$/,
    );
    expect(found?.fix[0]?.text).toBe(
      'Allow pod/client in NetworkPolicy "client-dns-only" (egress): add pods with app=shop of namespace sc-policy-egress, port 8080/TCP',
    );
    expect(patchOf(found?.fix[0])).toEqual([
      { op: 'add', path: '/spec/egress/-', value: { to: [{ podSelector: { matchLabels: { app: 'shop' } } }], ports: [{ port: 8080, protocol: 'TCP' }] } },
    ]);
  });
  test('pods on the network of their node: nobody knows the addresses that the rule must name', () => {
    const toShop = spec({ egress: [{ to: [{ podSelector: labels({ app: 'shop' }) }], ports: [] }] });
    const onNode = edited('pods', (list) => list.forEach((p) => void (p.metadata.name !== 'client' && (p.spec.hostNetwork = true))));
    expect(of('policy-egress', toShop, onNode).findings).toMatchObject([
      {
        confidence: 'possible',
        message: expect.stringMatching(
          /^NetworkPolicy "client-dns-only" in namespace sc-policy-egress can block pod\/client from Service "shop": the server uses its node's network, /,
        ) as string,
        fix: [{ text: expect.stringMatching(/^Allow the connection by addresses in NetworkPolicy /) as string }],
      },
    ]);
  });
  test('the virtual IP in the place of the pods', () => {
    const texts = (...edits: Edit[]) => of('policy-egress-to-service-ip', ...edits).findings[0]?.evidence.map((e) => e.text) ?? [];
    const clusterIP = valueOf(recordingOf('policy-egress-to-service-ip').facts.service)?.spec.clusterIP ?? '';
    const says = `to-services allows ${clusterIP}, the Service's virtual IP; most plug-ins evaluate a packet after DNAT to the pod's address, which the rule does not match`;
    expect(texts()).toContain(says);
    const excepted = policies((list) =>
      list.forEach((p) => p.spec.egress.forEach((r) => r.to.forEach((t) => void (t.ipBlock && (t.ipBlock.except = [`${clusterIP}/32`]))))),
    );
    expect(texts(excepted)).not.toContain(says);
    const other = policies((list) =>
      list.forEach((p) =>
        p.spec.egress.forEach((r) => r.to.forEach((t) => void (t.ipBlock && Object.assign(t.ipBlock, { cidr: '192.0.2.0/24', except: [] })))),
      ),
    );
    expect(texts(other).join()).not.toContain('virtual IP');
    // One of several addresses is enough.
    const more = policies((list) => list.forEach((p) => p.spec.egress.forEach((r) => r.to.push({ ipBlock: { cidr: '192.0.2.0/24', except: [] } }))));
    expect(texts(more)).toContain(says);
  });
  test('of whom no policy speaks', () => {
    expect(of('policy-egress', client({ kind: 'node' }))).toMatchObject({ status: 'skip', reason: 'no policy applies to a node' });
    expect(of('policy-egress', client({ kind: 'external' }))).toMatchObject({ status: 'skip', reason: 'no policy applies to clients outside the cluster' });
    const blind: Edit = edited('policies', (by) => void (by['sc-policy-egress'] = unseen('forbidden', 'policies', 'not allowed')));
    expect(of('policy-egress', blind)).toMatchObject({ status: 'unknown', reason: 'the NetworkPolicies of namespace sc-policy-egress could not be read' });
  });
});

describe('DNS', () => {
  const of = (incident: string, ...edits: Edit[]) => reportOf('network-policy/dns', all(...edits), incident);
  test('over UDP alone, over TCP alone', () => {
    const [udp] = of('policy-dns-tcp-only').findings;
    expect(udp).toMatchObject({ severity: 'error', scope: 'all', message: expect.stringMatching(/ blocks pod\/client from DNS, port 53 over UDP$/) as string });
    expect(udp?.evidence.map((e) => e.text)).toContain('TCP is allowed, but resolvers ask over UDP and use TCP for long answers only');
    const udpOnly = policies((list) => list.forEach((p) => p.spec.egress.forEach((r) => r.ports.forEach((x) => void (x.protocol = 'UDP')))));
    expect(of('policy-dns-tcp-only', udpOnly).findings).toMatchObject([
      { severity: 'warning', scope: 'part', message: expect.stringMatching(/ over TCP$/) as string },
    ]);
    const [both] = of('policy-egress-dns').findings;
    expect(both?.message).toMatch(/ over UDP and TCP$/);
    expect(both?.fix[0]?.text).toBe(
      'Allow pod/client to ask DNS in NetworkPolicy "client-to-shop" (egress): add pods with k8s-app=kube-dns of namespace kube-system, port 53/UDP, 53/TCP',
    );
  });
  test('by the policies of the DNS pods', () => {
    const [found] = of('policy-guards-dns').findings;
    expect(found).toMatchObject({ object: { namespace: 'kube-system', name: 'dns-for-us-only' } });
    expect(found?.fix[0]?.text).toMatch(
      /^Allow pod\/client to ask DNS in NetworkPolicy "dns-for-us-only" \(ingress\): add pods with app=client of namespace sc-policy-guards-dns, port 53\/UDP, 53\/TCP$/,
    );
  });
  test('by policies without rules, or by several', () => {
    const everyone = { podSelector: everyPod };
    expect(of('policy-egress-dns', spec({ ...everyone, egress: [] })).findings).toMatchObject([
      {
        object: { kind: 'NetworkPolicy', namespace: 'sc-policy-egress-dns', name: 'client-to-shop' },
        evidence: [{ text: 'client-to-shop (namespace sc-policy-egress-dns) selects the pod for egress and has no egress rule' }],
        fix: [
          {
            text: 'Allow pod/client to ask DNS by a new NetworkPolicy "allow-dns-for-client" (egress), for pods with k8s-app=kube-dns of namespace kube-system, port 53/UDP, 53/TCP',
            changes: [{ how: 'create', namespace: 'sc-policy-egress-dns', manifest: { spec: { podSelector: { matchLabels: { app: 'client' } } } } }],
          },
        ],
      },
    ]);
    expect(of('policy-egress-dns', another('second', {})).findings[0]?.message).toBe(
      'NetworkPolicies "client-to-shop", "second" in namespace sc-policy-egress-dns block pod/client from DNS, port 53 over UDP and TCP',
    );
    const closed = edited('policies', (by) => {
      const there = by['kube-system'];
      if (there?.seen) for (const p of there.value) Object.assign(p.spec, { ...everyone, ingress: [] });
    });
    expect(of('policy-guards-dns', closed).findings).toMatchObject([
      {
        fix: [
          {
            text: 'Allow pod/client to ask DNS by a new NetworkPolicy "allow-dns-for-client" (ingress), for pods with app=client of namespace sc-policy-guards-dns, port 53/UDP, 53/TCP',
            changes: [{ how: 'create', namespace: 'kube-system', manifest: { spec: { podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } } } }],
          },
        ],
      },
    ]);
  });
  test('of the replicas one that is ready is asked, else one that has an address', () => {
    // The policy of the DNS pods guards those with the label that the first one loses here.
    const first = (change: (p: Pod) => void) =>
      edited('dnsPods', (list) =>
        list.slice(0, 1).forEach((p) => {
          delete p.metadata.labels['k8s-app'];
          change(p);
        }),
      );
    expect(
      of(
        'policy-guards-dns',
        first(() => undefined),
      ),
    ).toMatchObject({ status: 'pass' });
    const unready = (p: Pod) => p.status.conditions.forEach((c) => void (c.type === 'Ready' && (c.status = 'False')));
    expect(of('policy-guards-dns', first(unready)).findings).toHaveLength(1);
    expect(
      of(
        'policy-guards-dns',
        first((p) => void (p.status.phase = 'Failed')),
      ).findings,
    ).toHaveLength(1);
    expect(
      of(
        'policy-guards-dns',
        first((p) => void (p.status.podIPs = [])),
      ).findings,
    ).toHaveLength(1);
    const alone = edited('dnsPods', (list) => {
      list.splice(1);
      list.forEach(unready);
    });
    expect(of('policy-guards-dns', alone).findings).toHaveLength(1);
  });
  test('which is allowed, or not concerned', () => {
    expect(of('policy-default-deny')).toMatchObject({ status: 'pass', findings: [] });
    expect(of('policy-default-deny').summary).toBeUndefined();
    const open = edited('policies', (by) => {
      const there = by['kube-system'];
      if (there?.seen) for (const p of there.value) Object.assign(p.spec, { podSelector: everyPod, ingress: [{ from: [], ports: [] }] });
    });
    expect(of('policy-guards-dns', open)).toMatchObject({ status: 'pass', summary: 'policies allow DNS' });
    expect(of('policy-egress-dns', client({ kind: 'external' }))).toMatchObject({ status: 'skip', reason: 'no policy applies to the client' });
    expect(of('policy-egress-dns', () => ({ client: seen(null) }))).toMatchObject({ status: 'skip', reason: 'no policy applies to the client' });
    expect(of('policy-egress')).toMatchObject({ status: 'pass', summary: 'policies allow DNS' });
    expect(of('policy-egress-dns', client({ kind: 'node' }))).toMatchObject({ status: 'skip', reason: 'no policy applies to the client' });
    expect(
      of(
        'policy-egress-dns',
        edited('dnsPods', (list) => list.splice(0)),
      ),
    ).toMatchObject({ status: 'skip', reason: 'no DNS pod is known' });
    const blind: Edit = edited('policies', (by) => void (by['sc-policy-egress-dns'] = unseen('forbidden', 'policies', 'not allowed')));
    expect(of('policy-egress-dns', blind)).toMatchObject({ status: 'unknown' });
    // The DNS pods have policies of their own.
    const blindThere: Edit = edited('policies', (by) => void (by['kube-system'] = unseen('forbidden', 'policies', 'not allowed')));
    expect(of('policy-egress', blindThere)).toMatchObject({ status: 'unknown', reason: 'the NetworkPolicies of namespace kube-system could not be read' });
    expect(of('policy-egress', () => ({ pluginPolicies: unseen('forbidden', 'x', 'y') }))).toMatchObject({
      status: 'unknown',
      reason: 'whether there are policies of other kinds could not be read',
    });
    const ofNode = all(
      () => ({ connections: unseen('not-asked', 'x', 'y') }),
      edited('client', (c) => void (c?.pod && (c.pod.spec.dnsPolicy = 'Default'))),
    );
    expect(of('policy-egress-dns', ofNode)).toMatchObject({ status: 'skip', reason: "the client's dnsPolicy is Default" });
  });
});

describe('whether anything enforces them', () => {
  const of = (...edits: Edit[]) => reportOf('network-policy/enforced', all(...edits), 'policy-not-enforced');
  const noConnections: Edit = () => ({ connections: unseen('not-asked', 'x', 'y') });
  test('connections that succeed although they must be denied', () => {
    expect(of().findings).toMatchObject([
      {
        severity: 'warning',
        confidence: 'confirmed',
        message: 'Policy "nobody-in" not enforced: 2 connections from pod/client must be denied, and 2 succeeded anyway',
        evidence: [
          { source: 'probe', text: expect.stringMatching(/^pod\/client → [\d.]+:8080 answered$/) as string },
          {},
          { source: 'daemonsets', text: 'no network plug-in that is known to enforce policies runs' },
        ],
        fix: [{ text: 'Install a network plug-in that enforces NetworkPolicies, or find out why the installed one does not' }],
      },
    ]);
    expect(of(another('second', {})).findings[0]?.message).toMatch(/^Policies "nobody-in", "second" not enforced/);
    const many = all(another('second', {}), another('third', {}), another('fourth', {}));
    expect(of(many).findings[0]?.message).toMatch(/^Policies "nobody-in", "second", "third" not enforced: /);
    expect(of(daemons(['kube-router'])).findings[0]?.evidence.at(-1)?.text).toBe('kube-router runs (it does unless it was started with --run-firewall=false)');
  });
  test('else the plug-in that runs', () => {
    expect(of(noConnections, daemons(['kube-flannel-ds'])).findings).toMatchObject([
      {
        confidence: 'likely',
        message: 'Flannel does not enforce NetworkPolicies (it only routes), so the existing policies have no effect',
        evidence: [{ text: 'Flannel runs (it only routes)' }],
      },
    ]);
    expect(of(noConnections, daemons(['calico-node']))).toMatchObject({ status: 'pass', summary: 'Calico enforces them' });
    expect(of(noConnections, daemons(['kindnet']))).toMatchObject({ status: 'pass', summary: 'kindnet: it does since kind v0.24' });
    expect(of(noConnections, daemons(['other'])).status).toBe('skip');
  });
});

describe('what the API server calls', () => {
  type Extension = FactTypes['extension'];
  const extension = (change: (e: Extension) => void): Edit => edited('extension', change);
  const service = (change: (s: { spec: { ports: { port: number }[] } }) => void) =>
    extension((e) => Object.values(e.services).forEach((s) => s.seen && s.value && change(s.value)));
  const webhook = (change: (w: Extract<Extension['webhooks'], { seen: true }>['value'][number]['webhooks'][number]) => void) =>
    extension((e) => valueOf(e.webhooks).forEach((c) => c.webhooks.forEach(change)));

  const reference = (incident: string, ...edits: Edit[]) => reportOf('api-server/reference', all(...edits), incident);
  test('a Service with that port', () => {
    expect(reference('webhook-healthy')).toMatchObject({ status: 'pass', summary: 'sc-webhook-healthy/shop:443' });
    const [one] = reference('webhook-other-port').findings;
    expect(one).toMatchObject({ scope: 'all', message: 'Webhook shop.example.com: Service sc-webhook-other-port/shop has no port 8443; it has: 443' });
    expect(patchOf(one?.fix[0])).toEqual([{ op: 'add', path: '/webhooks/0/clientConfig/service/port', value: 443 }]);
    const two = service((s) => void s.spec.ports.push({ ...s.spec.ports[0], port: 9 }));
    expect(reference('webhook-other-port', two).findings[0]?.fix).toEqual([{ text: 'Name the port of the Service that serves it' }]);
  });
  test('a Service that is not there', () => {
    const gone = extension((e) => Object.keys(e.services).forEach((k) => void (e.services[k] = seen(null))));
    expect(reference('webhook-healthy', gone).findings[0]?.fix).toEqual([
      { text: 'Create the Service, correct its name, or remove what names it', command: 'kubectl -n sc-webhook-healthy get services' },
    ]);
    const blind = extension((e) => Object.keys(e.services).forEach((k) => void (e.services[k] = unseen('forbidden', 'services', 'not allowed'))));
    expect(reference('webhook-healthy', blind)).toMatchObject({ status: 'unknown', reason: 'not allowed' });
    const more = webhook((w) => void (w.name === 'never' && w));
    const second = extension((e) =>
      valueOf(e.webhooks).forEach((c) =>
        c.webhooks.push({
          ...structuredClone(c.webhooks[0] as never as object),
          name: 'second',
          clientConfig: {
            ...structuredClone(c.webhooks[0]?.clientConfig),
            service: { namespace: 'sc-webhook-other-port', name: 'shop', path: null, port: 443 },
          },
        } as never),
      ),
    );
    expect(reference('webhook-other-port', more, second).findings).toMatchObject([{ scope: 'part' }]);
  });

  const registered = (incident: string, ...edits: Edit[]) => reportOf('api-server/registered', all(...edits), incident);
  test('what was asked about', () => {
    expect(registered('webhook-healthy').summary).toMatch(/^shop\.example\.com \(/);
    expect(registered('apiservice-healthy')).toMatchObject({ summary: 'served by Service sc-apiservice-healthy/shop' });
    expect(
      registered(
        'apiservice-healthy',
        extension((e) => valueOf(e.apiService) && void Object.assign(valueOf(e.apiService)?.spec ?? {}, { service: null })),
      ),
    ).toMatchObject({ summary: 'served by the API server itself' });
    expect(
      registered(
        'webhook-healthy',
        extension((e) => valueOf(e.webhooks).forEach((c) => c.webhooks.splice(0))),
      ),
    ).toMatchObject({ status: 'pass', summary: 'it calls nothing' });
    expect(registered('healthy-canary', () => ({ extension: recordingOf('webhook-healthy').facts.extension }))).toMatchObject({
      status: 'skip',
      reason: 'the question begins at the Service',
    });
  });
  test('and is not there', () => {
    const none = extension((e) => void (e.names = []));
    expect(registered('webhook-not-found').findings).toMatchObject([{ evidence: [{ source: 'webhooks', text: 'there are: sc-webhook-not-found' }] }]);
    expect(registered('webhook-not-found', none).findings).toMatchObject([
      { message: 'Webhook configuration "sc-webhook-not-founds" does not exist', evidence: [{ text: 'there are none' }] },
    ]);
    const api = extension((e) => Object.assign(e, { apiService: seen(null), names: [] }));
    expect(registered('apiservice-healthy', api).findings).toMatchObject([
      {
        message: expect.stringMatching(/^APIService "v1\.\S+" does not exist$/) as string,
        evidence: [{ source: 'apiservices' }],
        fix: [{ text: 'List all of them', command: 'kubectl get apiservices' }],
      },
    ]);
  });

  const admitted = (...edits: Edit[]) => reportOf('api-server/policies', all(...edits), 'webhook-policy');
  test('policies that keep it out', () => {
    const [found] = admitted().findings;
    expect(found).toMatchObject({
      confidence: 'confirmed',
      scope: 'all',
      fix: [{ text: 'Allow port 8443 of these pods from 10.77.0.1/32 (ipBlock); a NetworkPolicy cannot name the API server by labels' }],
    });
    expect(admitted(() => ({ apiServerCalls: unseen('not-asked', 'x', 'y') })).findings).toMatchObject([{ confidence: 'likely' }]);
    const noAddress = extension((e) => void (e.apiServers = seen([])));
    expect(admitted(noAddress)).toMatchObject({ status: expect.stringMatching(/fail|unknown/) as string });
    expect(admitted(spec({ podSelector: labels({ app: 'other' }) }))).toMatchObject({ status: 'pass', summary: 'no policy selects the pods' });
    expect(admitted(spec({ ingress: [{ from: [], ports: [] }] }))).toMatchObject({ status: 'pass', summary: 'allowed' });
    expect(admitted(target({ name: 'other' }))).toMatchObject({ status: 'skip', reason: 'no Service is called' });
    expect(admitted(spec({ podSelector: everyPod })).findings).toHaveLength(1);
  });
});

describe('policies of other kinds', () => {
  const of = (...edits: Edit[]) => reportOf('network-policy/ingress', all(...edits), 'policy-default-deny');
  const ns = 'sc-policy-default-deny';
  const none = policies((list) => list.splice(0));
  const having =
    (...list: object[]): Edit =>
    () => ({ pluginPolicies: seen({ x: seen(list as never) }) });
  const deny = {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name: 'closed' },
    spec: { priority: 5, subject: { namespaces: {} }, ingress: [{ name: 'nobody', action: 'Deny', from: [{ namespaces: {} }] }] },
  };
  const calico = (spec: object) => ({ apiVersion: 'projectcalico.org/v3', kind: 'NetworkPolicy', metadata: { name: 'c', namespace: ns }, spec });
  const cilium = (spec: object) => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: 'c', namespace: ns },
    spec: { endpointSelector: {}, ...spec },
  });
  test('a rule of the whole cluster that denies: a hint, unless a plug-in that knows the kind runs', () => {
    const [found] = of(none, having(deny)).findings;
    expect(found).toMatchObject({
      confidence: 'possible',
      object: { kind: 'AdminNetworkPolicy', namespace: '', name: 'closed' },
      message: expect.stringMatching(/^AdminNetworkPolicy "closed" blocks pod\/client from 2 pods behind Service "shop" on port 8080: .* denies it$/) as string,
      fix: [
        {
          text: expect.stringMatching(/^Allow the connection in a rule before .* of AdminNetworkPolicy "closed", or remove that rule$/) as string,
          command: 'kubectl edit adminnetworkpolicy closed',
        },
      ],
    });
    expect(found?.evidence[0]?.text).toMatch(/denies it, before NetworkPolicies are evaluated$/);
    expect(of(none, having(deny), daemons(['cilium'])).findings).toMatchObject([{ confidence: 'likely' }]);
  });
  test('a rule of a namespace that denies', () => {
    const [found] = of(none, having(calico({ selector: "app == 'shop'", types: ['Ingress'], ingress: [{ action: 'Deny' }] }))).findings;
    expect(found).toMatchObject({
      confidence: 'likely',
      object: { kind: 'NetworkPolicy', name: 'c' },
      message: expect.stringMatching(/^Calico NetworkPolicy "c" in namespace sc-policy-default-deny blocks /) as string,
    });
    expect(found?.fix[0]?.command).toBe(`kubectl -n ${ns} edit networkpolicy c`);
    const [both] = of(having(cilium({ ingress: [{ fromEndpoints: [{ matchLabels: { app: 'other' } }] }] }))).findings;
    expect(both?.message).toMatch(/^policies "default-deny", "c" in namespace sc-policy-default-deny block pod\/client /);
  });
  test('a rule that names what no object shows: the command edits the policy of its kind', () => {
    const group = having(cilium({ ingress: [{ fromCIDRSet: [{ cidrGroupRef: 'partners' }] }] }));
    expect(of(none, group).findings).toMatchObject([
      {
        confidence: 'possible',
        object: { kind: 'CiliumNetworkPolicy', namespace: ns, name: 'c' },
        message:
          'CiliumNetworkPolicy "c" in namespace sc-policy-default-deny can block pod/client from Service "shop": CiliumNetworkPolicy c, ingress[0] names what no object that was read shows',
        fix: [
          {
            text: 'Allow the connection by addresses in CiliumNetworkPolicy "c", which does not depend on the plug-in',
            command: `kubectl -n ${ns} edit ciliumnetworkpolicy c`,
          },
        ],
      },
    ]);
    const out = having(cilium({ egress: [{ toCIDRSet: [{ cidrGroupRef: 'partners' }] }] }));
    expect(reportOf('network-policy/dns', all(none, out), 'policy-default-deny')).toMatchObject({
      status: 'unknown',
      reason: 'CiliumNetworkPolicy c, egress[0] names what no object that was read shows',
    });
    const icmp = having(calico({ selector: "app == 'shop'", types: ['Ingress'], ingress: [{ action: 'Allow', icmp: { type: 8 } }] }));
    expect(of(none, icmp)).toMatchObject({ status: 'unknown', reason: expect.stringContaining('has parts that were not judged: icmp') as string });
    const closed = having(calico({ selector: "app == 'client'", types: ['Egress'], egress: [{ action: 'Deny' }] }));
    expect(reportOf('network-policy/dns', all(none, closed), 'policy-default-deny').findings).toMatchObject([
      { object: { kind: 'NetworkPolicy', namespace: ns, name: 'c' }, fix: [{ command: `kubectl -n ${ns} edit networkpolicy c` }] },
    ]);
  });
  test('what cannot be judged leaves it open', () => {
    const unread = { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'odd', namespace: ns }, spec: { endpointSelector: 7 } };
    expect(of(none, having(unread))).toMatchObject({ status: 'unknown', reason: expect.stringContaining('odd') as string });
  });
});
