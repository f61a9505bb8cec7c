/**
 * A NetworkPolicy as a person writes it, held to what the API server would take: unknown fields, wrong types and values that
 * it refuses (k8s.io/kubernetes pkg/apis/networking/validation), each with the path of the field.
 */
import ipaddr from 'ipaddr.js';
import * as v from 'valibot';

const labelValue = v.pipe(v.string(), v.maxLength(63, 'a label value has at most 63 characters'));
const labels = v.record(v.string(), labelValue);

const requirement = v.pipe(
  v.strictObject({
    key: v.string(),
    operator: v.picklist(['In', 'NotIn', 'Exists', 'DoesNotExist'], 'one of In, NotIn, Exists, DoesNotExist'),
    values: v.optional(v.array(labelValue)),
  }),
  v.forward(
    v.check(
      (r) => (r.operator === 'In' || r.operator === 'NotIn' ? (r.values ?? []).length > 0 : (r.values ?? []).length === 0),
      'In and NotIn need values, Exists and DoesNotExist take none',
    ),
    ['values'],
  ),
);
const selector = v.strictObject({ matchLabels: v.optional(labels), matchExpressions: v.optional(v.array(requirement)) });

const cidr = v.pipe(
  v.string(),
  v.check((text) => ipaddr.isValidCIDR(text), 'not an address range such as 10.0.0.0/8'),
);

/** True where the second range lies in the first, and is smaller; what is no range is a problem of its own. */
function liesIn(outer: string, inner: string): boolean {
  if (!ipaddr.isValidCIDR(outer) || !ipaddr.isValidCIDR(inner)) return true;
  const [a, aBits] = ipaddr.parseCIDR(outer);
  const [b, bBits] = ipaddr.parseCIDR(inner);
  return a.kind() === b.kind() && bBits > aBits && b.match(a, aBits);
}

const ipBlock = v.pipe(
  v.strictObject({ cidr, except: v.optional(v.array(cidr)) }),
  v.forward(
    v.check((block) => (block.except ?? []).every((e) => liesIn(block.cidr, e)), 'each exception must lie in cidr, and be smaller'),
    ['except'],
  ),
);

const peer = v.pipe(
  v.strictObject({ podSelector: v.optional(selector), namespaceSelector: v.optional(selector), ipBlock: v.optional(ipBlock) }),
  v.check(
    (p) => p.podSelector !== undefined || p.namespaceSelector !== undefined || p.ipBlock !== undefined,
    'a peer names podSelector, namespaceSelector or ipBlock',
  ),
  v.forward(
    v.check((p) => p.ipBlock === undefined || (p.podSelector === undefined && p.namespaceSelector === undefined), 'a peer with ipBlock has no other field'),
    ['ipBlock'],
  ),
);

const number = v.pipe(v.number(), v.integer('a whole number'), v.minValue(1, 'a port from 1 to 65535'), v.maxValue(65_535, 'a port from 1 to 65535'));
const portName = v.pipe(
  v.string(),
  v.regex(/^(?=.*[a-z])[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/, 'a port name has at most 15 lower-case letters, digits and hyphens'),
);
const port = v.pipe(
  v.strictObject({
    protocol: v.optional(v.picklist(['TCP', 'UDP', 'SCTP'], 'one of TCP, UDP, SCTP')),
    port: v.optional(v.union([number, portName], 'a port number from 1 to 65535, or a port name')),
    endPort: v.optional(number),
  }),
  v.forward(
    v.check((p) => p.endPort === undefined || (typeof p.port === 'number' && p.endPort >= p.port), 'endPort needs a port number that is not larger'),
    ['endPort'],
  ),
);

const ports = v.optional(v.array(port));

const spec = v.strictObject({
  // Left out, it selects every pod, as the empty one does.
  podSelector: v.optional(selector),
  policyTypes: v.optional(v.array(v.picklist(['Ingress', 'Egress'], 'Ingress or Egress'))),
  ingress: v.optional(v.array(v.strictObject({ from: v.optional(v.array(peer)), ports }))),
  egress: v.optional(v.array(v.strictObject({ to: v.optional(v.array(peer)), ports }))),
});

const policy = v.looseObject({ metadata: v.looseObject({ name: v.string(), namespace: v.optional(v.string()) }), spec });

export interface FieldProblem {
  path: (string | number)[];
  message: string;
}

/** What the API server would refuse of a NetworkPolicy; the first problem of each field. */
export function problemsOf(object: unknown): FieldProblem[] {
  const read = v.safeParse(policy, object);
  if (read.success) return [];
  return read.issues.map((issue) => {
    const path = (issue.path ?? []).map((step) => step.key as string | number);
    const unknown = issue.type === 'strict_object' && issue.expected === 'never';
    return { path, message: unknown ? 'there is no such field' : issue.message };
  });
}
