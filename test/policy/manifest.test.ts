/** What the API server would refuse of a NetworkPolicy: kubernetes pkg/apis/networking/validation, and the strict decoding of its fields. */
import { expect, test } from 'vitest';
import { problemsOf } from '../../src/policy/manifest.ts';

const problems = (spec: object) => problemsOf({ metadata: { name: 'p' }, spec }).map(({ path, message }) => `${path.join('.')}: ${message}`);
/** Problems of one peer, port or requirement, with the rest of the path left out. */
const within = (path: string, spec: object) => problems(spec).map((p) => (p.startsWith(`${path}.`) ? p.slice(path.length + 1) : p));
const ofPeer = (peer: object) => within('spec.ingress.0.from.0', { ingress: [{ from: [peer] }] });
const ofPort = (port: object) => within('spec.ingress.0.ports.0', { ingress: [{ ports: [port] }] });
const ofBlock = (cidr: unknown, ...except: unknown[]) => ofPeer({ ipBlock: { cidr, except } });
const ofRequirement = (requirement: object) => within('spec.podSelector.matchExpressions.0', { podSelector: { matchExpressions: [requirement] } });

test('what is right is taken, all of it together and nothing at all', () => {
  const selector = { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'In', values: ['a'] }] };
  const ports = [{ port: 80 }, { protocol: 'UDP', port: 'dns' }, { protocol: 'SCTP', port: 1, endPort: 65_535 }, { protocol: 'TCP' }, {}];
  const peers = [
    { podSelector: selector, namespaceSelector: {} },
    { namespaceSelector: {} },
    { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
    { ipBlock: { cidr: 'fd00::/8' } },
  ];
  const both = { ingress: [{ from: peers, ports }], egress: [{ to: peers, ports }] };
  expect(problems({ podSelector: selector, policyTypes: ['Ingress', 'Egress'], ...both })).toEqual([]);
  expect(problems({})).toEqual([]);
  expect(problemsOf({ apiVersion: 'networking.k8s.io/v1', metadata: { name: 'p', namespace: 'shop', labels: {} }, spec: {} })).toEqual([]);
});

test('a field that does not exist is named with its path', () => {
  expect(problems({ ingres: [] })).toEqual(['spec.ingres: there is no such field']);
  expect(problems({ ingress: [{ to: [] }] })).toEqual(['spec.ingress.0.to: there is no such field']);
  expect(problems({ egress: [{ from: [] }] })).toEqual(['spec.egress.0.from: there is no such field']);
  expect(problems({ podSelector: { labels: {} } })).toEqual(['spec.podSelector.labels: there is no such field']);
  expect(ofPeer({ podSelectors: {}, podSelector: {} })).toEqual(['podSelectors: there is no such field']);
  expect(ofPeer({ ipBlock: { cidr: '10.0.0.0/8', cidrs: [] } })).toEqual(['ipBlock.cidrs: there is no such field']);
  expect(ofPort({ ports: 80 })).toEqual(['ports: there is no such field']);
  expect(ofRequirement({ key: 'a', operator: 'Exists', value: 'x' })).toEqual(['value: there is no such field']);
});

test('a field that is missing is named with its path', () => {
  const paths = (object: unknown) => problemsOf(object).map((p) => p.path.join('.'));
  expect(paths({ metadata: { name: 'p' } })).toEqual(['spec']);
  expect(paths({ metadata: {}, spec: {} })).toEqual(['metadata.name']);
  expect(paths(null)).toEqual(['']);
  expect(ofPeer({ ipBlock: {} })).toEqual([expect.stringMatching(/^ipBlock\.cidr: /)]);
  expect(ofRequirement({ operator: 'Exists' })).toEqual([expect.stringMatching(/^key: /)]);
});

test('policyTypes are two', () => expect(problems({ policyTypes: ['Both'] })).toEqual(['spec.policyTypes.0: Ingress or Egress']));

test('a peer names pods, namespaces or addresses, and addresses alone', () => {
  expect(problems({ egress: [{ to: [{}] }] })).toEqual(['spec.egress.0.to.0: a peer names podSelector, namespaceSelector or ipBlock']);
  for (const more of [{ podSelector: {} }, { namespaceSelector: {} }])
    expect(ofPeer({ ipBlock: { cidr: '10.0.0.0/8' }, ...more })).toEqual(['ipBlock: a peer with ipBlock has no other field']);
});

test('an address range, and exceptions within it ("except values will be rejected if they are outside the cidr range")', () => {
  for (const bad of ['10.0.0.1', 'x/8', '10.0.0.0/33', '']) expect(ofBlock(bad)).toEqual(['ipBlock.cidr: not an address range such as 10.0.0.0/8']);
  for (const except of ['11.0.0.0/16', '10.0.0.0/8', '8.0.0.0/7', 'fd00::/16'])
    expect(ofBlock('10.0.0.0/8', except), except).toEqual(['ipBlock.except: each exception must lie in cidr, and be smaller']);
  expect(ofBlock('10.0.0.0/8', '10.1.0.0/16', '11.0.0.0/16')).toEqual(['ipBlock.except: each exception must lie in cidr, and be smaller']);
  expect(ofBlock('10.0.0.0/8', '10.0.0.0/9')).toEqual([]);
  expect(ofBlock('fd00::/8', 'fd00:1::/32')).toEqual([]);
  // What is no range is named once.
  expect(ofBlock('10.0.0.0/8', 'bad')).toEqual(['ipBlock.except.0: not an address range such as 10.0.0.0/8']);
  expect(ofBlock('bad', '10.0.0.0/8')).toEqual(['ipBlock.cidr: not an address range such as 10.0.0.0/8']);
});

test('a port is a number or a name (RFC 6335, section 5.1)', () => {
  for (const port of [1, 65_535, 'a', 'http', 'a-1', '1-a', 'fifteen-letters']) expect(ofPort({ port }), String(port)).toEqual([]);
  for (const port of [0, 65_536, -1]) expect(ofPort({ port }), String(port)).toEqual(['port: a port from 1 to 65535']);
  expect(ofPort({ port: 1.5 })).toEqual(['port: a whole number']);
  expect(ofPort({ port: true })).toEqual(['port: a port number from 1 to 65535, or a port name']);
  for (const port of ['HTTP', 'a-very-long-port', '123', '-a', 'a-', 'a_b', ''])
    expect(ofPort({ port }), port).toEqual(['port: a port name has at most 15 lower-case letters, digits and hyphens']);
  expect(ofPort({ protocol: 'ICMP' })).toEqual(['protocol: one of TCP, UDP, SCTP']);
});

test('endPort: "cannot be defined if the port field is not defined or if the port field is defined as a named (string) port", and is not smaller', () => {
  for (const given of [{ port: 80, endPort: 79 }, { port: 'http', endPort: 90 }, { endPort: 90 }])
    expect(ofPort(given), JSON.stringify(given)).toEqual(['endPort: endPort needs a port number that is not larger']);
  expect(ofPort({ port: 80, endPort: 80 })).toEqual([]);
  expect(ofPort({ port: 80, endPort: 70_000 })).toEqual(['endPort: a port from 1 to 65535']);
});

test('requirements: In and NotIn have values, the others have none', () => {
  const wrong = ['values: In and NotIn need values, Exists and DoesNotExist take none'];
  for (const operator of ['In', 'NotIn']) {
    expect(ofRequirement({ key: 'a', operator })).toEqual(wrong);
    expect(ofRequirement({ key: 'a', operator, values: [] })).toEqual(wrong);
    expect(ofRequirement({ key: 'a', operator, values: ['x'] })).toEqual([]);
  }
  for (const operator of ['Exists', 'DoesNotExist']) {
    expect(ofRequirement({ key: 'a', operator, values: ['x'] })).toEqual(wrong);
    expect(ofRequirement({ key: 'a', operator, values: [] })).toEqual([]);
    expect(ofRequirement({ key: 'a', operator })).toEqual([]);
  }
  expect(ofRequirement({ key: 'a', operator: 'Like' })).toEqual(['operator: one of In, NotIn, Exists, DoesNotExist']);
});

test('the value of a label has at most 63 characters', () => {
  const long = 'x'.repeat(64);
  expect(problems({ podSelector: { matchLabels: { a: long } } })).toEqual(['spec.podSelector.matchLabels.a: a label value has at most 63 characters']);
  expect(problems({ podSelector: { matchLabels: { a: long.slice(1) } } })).toEqual([]);
  expect(ofRequirement({ key: 'a', operator: 'In', values: [long] })).toEqual(['values.0: a label value has at most 63 characters']);
});
