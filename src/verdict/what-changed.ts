/**
 * What changed shortly before the trouble and can have caused it: from managedFields (who set which field when), from the revisions
 * of a Deployment, and from an earlier capture.
 */
import type { Code } from '../catalog/codes.ts';
import type { ObjectRef } from '../catalog/finding.ts';
import { valueOf } from '../facts/fact.ts';
import type { Facts } from '../facts/facts.ts';
import type { Workload } from '../facts/objects.ts';
import type { FieldChange } from '../facts/tracked.ts';
import type { Finding } from './verdict.ts';

export interface Changed {
  object: ObjectRef;
  /** The field's path: `spec.selector`; empty where the whole object is new. */
  field: string;
  /** The field manager that set it, where it is known: `kubectl-edit`. */
  by: string | null;
  /** RFC 3339; null where only an earlier capture shows it. */
  at: string | null;
  /** All of it in one clause. */
  text: string;
}

/** An object that a cause may come from, and the fields of it that matter. */
interface Suspect {
  ref: ObjectRef;
  fields: readonly string[];
  history: readonly FieldChange[];
  created: string | null | undefined;
  /** Its being there at all can be the cause: where it came after the Service. */
  mayBeNew?: boolean;
  /** When the Service was created. */
  serviceSince?: string | null | undefined;
  value: unknown;
}

const template = ['spec.template'];
const containers = ['spec.template.spec'];

/** The fields of a Service's and of its workload's that can cause a fault. */
const fieldsOf: Partial<Record<Code, { service?: readonly string[]; workload?: readonly string[] }>> = {
  'selector-mismatch': { service: ['spec.selector'], workload: ['spec.template.metadata.labels'] },
  'selector-overlap': { service: ['spec.selector'], workload: ['spec.template.metadata.labels'] },
  'target-port-not-listening': { service: ['spec.ports'], workload: containers },
  'listens-on-loopback': { workload: containers },
  'named-port-missing': { service: ['spec.ports'], workload: containers },
  'headless-port-mismatch': { service: ['spec.ports', 'spec.clusterIP'], workload: containers },
  'protocol-mismatch': { service: ['spec.ports'], workload: containers },
  'endpoint-port-name-mismatch': { service: ['spec.ports'] },
  'local-policy-no-endpoint': { service: ['spec.internalTrafficPolicy', 'spec.externalTrafficPolicy'], workload: ['spec.replicas'] },
  'service-excluded-from-proxy': { service: ['metadata.labels'] },
  'source-ranges-deny': { service: ['spec.loadBalancerSourceRanges'] },
  'external-name-broken': { service: ['spec.externalName'] },
  'no-replicas': { workload: ['spec.replicas'] },
  'container-crashing': { workload: containers },
  'container-config-error': { workload: containers },
  'image-pull-failing': { workload: containers },
  'out-of-memory': { workload: containers },
  'readiness-failing': { workload: containers },
  'readiness-gate-unmet': { workload: containers },
  'pods-unschedulable': { workload: containers },
  'pods-refused': { workload: template },
  'rollout-stalled': { workload: template },
};

const dnsCodes: readonly Code[] = ['dns-config-invalid', 'dns-zone-mismatch', 'dns-pods-down', 'dns-wrong-answer'];
const proxyCodes: readonly Code[] = ['kube-proxy-down', 'kube-proxy-not-syncing', 'kube-proxy-rules-missing'];

interface TrackedObject {
  metadata: { name: string; namespace: string; history: FieldChange[]; creationTimestamp?: string | null | undefined };
}
const suspect = (kind: string, o: TrackedObject, fields: readonly string[], mayBeNew = false): Suspect => ({
  ref: { kind, namespace: o.metadata.namespace, name: o.metadata.name },
  fields,
  history: o.metadata.history,
  created: o.metadata.creationTimestamp,
  mayBeNew,
  value: o,
});

/** The workloads of the Service's pods. */
function workloadsOf(facts: Facts): Suspect[] {
  const selector = Object.entries(valueOf(facts.service)?.spec.selector ?? {});
  const own = (w: Workload) => w.metadata.ownerReferences.length === 0 && selector.some(([k, x]) => w.spec.template.metadata.labels[k] === x);
  return (['deployments', 'statefulSets', 'daemonSets'] as const).flatMap((name) =>
    (valueOf(facts[name]) ?? [])
      .filter(own)
      .map((w) => suspect({ deployments: 'Deployment', statefulSets: 'StatefulSet', daemonSets: 'DaemonSet' }[name], w, [])),
  );
}

function suspectsOf(facts: Facts, cause: Finding): Suspect[] {
  const service = valueOf(facts.service);
  const fields = fieldsOf[cause.code];
  if (fields)
    return [
      ...(service && fields.service ? [suspect('Service', service, fields.service)] : []),
      ...(fields.workload ? workloadsOf(facts).map((w) => ({ ...w, fields: fields.workload ?? [] })) : []),
    ];
  if (cause.code.startsWith('policy-denies')) {
    const policies = Object.values(valueOf(facts.policies) ?? {}).flatMap((f) => valueOf(f) ?? []);
    return policies
      .filter((p) => p.metadata.name === cause.object.name && p.metadata.namespace === cause.object.namespace)
      .map((p) => ({ ...suspect('NetworkPolicy', p, ['spec'], true), serviceSince: service?.metadata.creationTimestamp }));
  }
  const [dns, proxy, dnsService] = [valueOf(facts.dnsWorkload), valueOf(facts.proxyWorkload), valueOf(facts.dnsService)];
  if (dnsCodes.includes(cause.code)) {
    const ref = { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' };
    const corefile: Suspect = {
      ref,
      fields: ['data'],
      history: valueOf(facts.corefileHistory) ?? [],
      created: undefined,
      value: { data: { Corefile: valueOf(facts.corefile) } },
    };
    return [corefile, ...(dns ? [suspect('Deployment', dns, ['spec'])] : [])];
  }
  if (cause.code === 'dns-service-broken') return dnsService ? [suspect('Service', dnsService, ['spec'])] : [];
  return proxyCodes.includes(cause.code) && proxy ? [suspect('DaemonSet', proxy, ['spec'])] : [];
}

/** Longer ago than this, a change is not shortly before; in milliseconds. */
const recentMs = 24 * 3_600_000;
/** Fields that are set within this time of the object's creation came with it; in milliseconds. */
const creationMs = 3000;

/** `4 min`, `2 h`. */
function ageText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return ms < 90_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Objects that are created within this time of each other were created together; in milliseconds. */
const togetherMs = 30_000;

const refText = ({ kind, name }: ObjectRef) => `${kind} "${name}"`;

/** A manager that wrote the whole object does not show which of its fields it changed. */
const maxOwn = 12;

/** The last change of the fields that matter. */
function byHistory({ ref, fields, history, created, mayBeNew = false, serviceSince }: Suspect, now: number): Changed | undefined {
  // A restart is written into an annotation of the template.
  const concerns = (path: string) => !path.includes('.annotations') && fields.some((f) => path === f || path.startsWith(`${f}.`));
  const entry = history.find((h) => h.fields.some(concerns));
  if (!entry) return undefined;
  const ago = now - Date.parse(entry.time);
  const isCreation = created != null && Date.parse(entry.time) - Date.parse(created) < creationMs;
  // What came together with the Service is no change.
  const isNew = mayBeNew && !(serviceSince != null && Date.parse(entry.time) - Date.parse(serviceSince) < togetherMs);
  if (ago < 0 || ago > recentMs || (isCreation && !isNew)) return undefined;
  const when = `${ageText(ago)} before`;
  const own = [...new Set(entry.fields.filter(concerns).map((p) => p.split('.').slice(0, 6).join('.')))];
  if (isCreation) return { object: ref, field: '', by: entry.manager, at: entry.time, text: `${refText(ref)} was created ${when}, by ${entry.manager}` };
  const field = own.slice(0, 2).join(', ');
  const text =
    entry.fields.length <= maxOwn
      ? `${entry.manager} changed ${field} of ${refText(ref)} ${when}`
      : `${entry.manager} changed ${refText(ref)} ${when}; ${field} is among its fields`;
  return { object: ref, field, by: entry.manager, at: entry.time, text };
}

type Container = Workload['spec']['template']['spec']['containers'][number];
const partsOf = (c: Container): Record<string, unknown> => ({
  image: c.image,
  ports: c.ports,
  readinessProbe: c.readinessProbe,
  startupProbe: c.startupProbe,
  resources: c.resources,
});
const brief = (x: unknown): string => (typeof x === 'string' ? x : (JSON.stringify(x) ?? 'nothing')).slice(0, 80);

/** What a Deployment's last revision changed in its containers; nothing that is visible where only their commands or variables did. */
function byRevision({ ref, fields }: Suspect, facts: Facts, now: number): Changed | undefined {
  const isOfContainers = fields.some((f) => 'spec.template.spec'.startsWith(f));
  if (ref.kind !== 'Deployment' || !isOfContainers) return undefined;
  const sets = (valueOf(facts.replicaSets) ?? []).filter((s) => s.metadata.ownerReferences.some((o) => o.name === ref.name));
  const [latest, before] = sets.toSorted((a, b) => (b.metadata.revision ?? 0) - (a.metadata.revision ?? 0));
  const at = latest?.metadata.creationTimestamp;
  if (!latest || !before || at == null || now - Date.parse(at) > recentMs) return undefined;
  const differences = latest.spec.template.spec.containers.flatMap((c) => {
    const old = before.spec.template.spec.containers.find((o) => o.name === c.name);
    const [x, y] = [old ? partsOf(old) : {}, partsOf(c)];
    return Object.keys(y)
      .filter((k) => JSON.stringify(x[k]) !== JSON.stringify(y[k]))
      .map((k) => ({ field: `containers.${c.name}.${k}`, text: `${k} ${brief(x[k])} → ${brief(y[k])}` }));
  });
  const what = differences[0] ? `: ${differences[0].text}` : '';
  return {
    object: ref,
    field: differences[0]?.field ?? fields[0] ?? 'spec.template',
    by: null,
    at,
    text: `${refText(ref)} rolled out revision ${latest.metadata.revision} ${ageText(now - Date.parse(at))} before${what}`,
  };
}

/** A revision that shows what changed comes before the field manager that made it; one that shows nothing comes after. */
function byTime(s: Suspect, facts: Facts, now: number): Changed | undefined {
  const [revision, manager] = [byRevision(s, facts, now), byHistory(s, now)];
  return revision && !s.fields.includes(revision.field) ? revision : (manager ?? revision);
}

/** The paths at which two values differ, with both values. */
function differencesOf(before: unknown, after: unknown, path: string): { path: string; before: unknown; after: unknown }[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const isDeep = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x);
  if (!isDeep(before) || !isDeep(after)) return [{ path, before, after }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((k) => differencesOf(before[k], after[k], path ? `${path}.${k}` : k));
}

/** How an object differs from what it was in an earlier capture, in the fields that matter. */
function byCapture(now: Suspect, before: readonly Suspect[], since: string): Changed | undefined {
  const old = before.find((s) => s.ref.kind === now.ref.kind && s.ref.name === now.ref.name && s.ref.namespace === now.ref.namespace);
  if (!old) return now.mayBeNew ? { object: now.ref, field: '', by: null, at: null, text: `${refText(now.ref)} was not there on ${since}` } : undefined;
  const [first] = differencesOf(old.value, now.value, '').filter((d) =>
    now.fields.some((f) => d.path === f || d.path.startsWith(`${f}.`) || f.startsWith(`${d.path}.`)),
  );
  return (
    first && {
      object: now.ref,
      field: first.path,
      by: null,
      at: null,
      text: `${first.path} of ${refText(now.ref)}: ${brief(first.before)} on ${since}, now ${brief(first.after)}`,
    }
  );
}

/** An earlier capture to compare with. */
export interface Earlier {
  facts: Facts;
  /** ISO 8601. */
  startedAt: string;
}

/** The change that plausibly explains the first cause; an earlier capture shows it best, then a new revision, then the last manager. */
export function whatChanged(facts: Facts, startedAt: string, causes: readonly Finding[], earlier?: Earlier): Changed | undefined {
  const now = Date.parse(startedAt);
  for (const cause of causes) {
    const suspects = suspectsOf(facts, cause);
    const before = earlier ? suspectsOf(earlier.facts, cause) : [];
    const compared = earlier ? suspects.flatMap((s) => byCapture(s, before, earlier.startedAt.slice(0, 16).replace('T', ' ')) ?? []) : [];
    const dated = suspects.flatMap((s) => byTime(s, facts, now) ?? []).toSorted((a, b) => ((a.at ?? '') < (b.at ?? '') ? 1 : -1));
    const [found] = [...compared, ...dated];
    if (found) return found;
  }
  return undefined;
}
