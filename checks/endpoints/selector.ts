import { distance } from 'fastest-levenshtein';
import type { Fact } from '../../src/facts/fact.ts';
import type { Client, Target } from '../../src/facts/facts.ts';
import type { Pod, Service, Workload } from '../../src/facts/objects.ts';
import { isFinished, labelText, lasting, matchesLabels, ownLabels, podsOf, selects } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, type Fix, judged, skip, unknown } from '../check.ts';
import { patch } from '../fix.ts';
import { plural, serviceRef, some, targetPortOf } from '../format.ts';

type Labels = Record<string, string>;

interface Candidate {
  what: string;
  labels: Labels;
  /** The workload has the Service's name. */
  isNamesake: boolean;
  /** It declares the port that the Service sends requests to. */
  servesPort: boolean;
}

/** A candidate with the selector's pairs that it does not carry, and the sum of the edit distances to them. */
interface Ranked extends Candidate {
  wrong: string[];
  editDistance: number;
}

/** How labels differ from a selector: the pairs that do not match, and how different their values are. */
function labelDifference(selector: Labels, labels: Labels): { wrong: string[]; editDistance: number } {
  const wrong = Object.keys(selector).filter((k) => labels[k] !== selector[k]);
  const editDistance = wrong.reduce(
    (sum, k) => sum + (labels[k] === undefined ? 4 + keyDistance(k, labels) : Math.min(distance(selector[k] ?? '', labels[k] ?? ''), 20)),
    0,
  );
  return { wrong, editDistance };
}

const keyDistance = (key: string, labels: Labels) => Math.min(16, ...Object.keys(labels).map((k) => distance(key.toLowerCase(), k.toLowerCase())));

/** Labels that a controller sets again with each rollout: a selector must not have them. */
const isGenerated = (key: string): boolean => Object.keys(ownLabels({ [key]: '' })).length === 0;

/** Keys that name the application. */
const identity = /^(app|name|run|k8s-app|component|service|app\.kubernetes\.io\/(name|instance))$/;

/** Whether labels are a likely slip for one pair of a selector: a few letters, another case, a part of the value, or another key. */
function isSlip(key: string, selector: Labels, labels: Labels): boolean {
  if (isGenerated(key)) return true;
  const wanted = selector[key] ?? '';
  const have = labels[key];
  if (have === undefined) {
    const sameApp = Object.keys(selector).some((k) => k !== key && identity.test(k) && labels[k] === selector[k]);
    return sameApp || Object.keys(labels).some((k) => labels[k] === wanted && (identity.test(k) || distance(k.toLowerCase(), key.toLowerCase()) <= 3));
  }
  const [a, b] = [wanted.toLowerCase(), have.toLowerCase()];
  const isPart = Math.min(a.length, b.length) >= 3 && (a.includes(b) || b.includes(a));
  return isPart || (distance(a, b) <= Math.max(2, Math.floor(Math.max(a.length, b.length) / 4)) && distance(a, b) < Math.max(a.length, b.length));
}

/** Why one pair of a selector does not match, in words. */
function differenceText(key: string, selector: Labels, labels: Labels): string {
  const wanted = selector[key] ?? '';
  const have = labels[key];
  if (isGenerated(key)) return `it wants ${key}=${wanted}, which changes with each rollout${have === undefined ? '' : ` (now ${have})`}`;
  if (have === undefined) {
    const nearKey = Object.keys(labels).find((k) => labels[k] === wanted && distance(k.toLowerCase(), key.toLowerCase()) <= 3);
    return nearKey
      ? `it wants ${key}=${wanted}, the pods have ${nearKey}=${wanted} (another key)`
      : `it wants ${key}=${wanted}, the pods have no label "${key}"`;
  }
  const how = have.toLowerCase() === wanted.toLowerCase() ? ' (letter case)' : '';
  return `it wants ${key}=${wanted}, the pods have ${key}=${have}${how}`;
}

interface Workloads {
  deployments: Fact<Workload[]>;
  statefulSets: Fact<Workload[]>;
  daemonSets: Fact<Workload[]>;
  replicaSets: Fact<Workload[]>;
}

/** All workloads of the namespace with their kind; of ReplicaSets those that no Deployment owns. */
function workloadsOf({ deployments, statefulSets, daemonSets, replicaSets }: Workloads): [string, Workload][] {
  const of = (kind: string, fact: Fact<Workload[]>) => (fact.seen ? fact.value.map((w): [string, Workload] => [kind, w]) : []);
  return [
    ...of('Deployment', deployments),
    ...of('StatefulSet', statefulSets),
    ...of('DaemonSet', daemonSets),
    ...of('ReplicaSet', replicaSets).filter(([, w]) => w.metadata.ownerReferences.length === 0),
  ];
}

/** The pods that can be meant: not the client, not a debug pod, not a Job's, which nobody puts behind a Service. */
const mayBeMeant = (pod: Pod, client: Fact<Client | null>): boolean =>
  !isFinished(pod) &&
  !pod.metadata.deletionTimestamp &&
  pod.metadata.labels['app.kubernetes.io/managed-by'] !== 'k8s-doctor' &&
  !pod.metadata.ownerReferences.some((o) => o.kind === 'Job') &&
  !(client.seen && client.value?.pod && isSameWorkload(client.value.pod, pod));

const isSameWorkload = (a: Pod, b: Pod): boolean =>
  a.metadata.namespace === b.metadata.namespace &&
  (a.metadata.name === b.metadata.name ||
    a.metadata.ownerReferences.some((o) => o.controller && b.metadata.ownerReferences.some((x) => x.kind === o.kind && x.name === o.name)));

const declaresPort = (service: Service, spec: Pick<Pod['spec'], 'containers' | 'initContainers'>): boolean =>
  service.spec.ports.some((p) => lasting(spec).some((c) => c.ports.some((x) => x.containerPort === targetPortOf(p) || x.name === targetPortOf(p))));

/**
 * The pod or workload whose labels differ least from the selector; one with the Service's name comes first, then one that has
 * its port. Undefined where none is similar: a selector that points at just any pods repairs nothing.
 */
function nearestLabels(service: Service, pods: readonly Pod[], workloads: readonly [string, Workload][]): Ranked | undefined {
  const wanted = service.spec.selector ?? {};
  const { name } = service.metadata;
  const candidates: Candidate[] = [
    ...pods.map(
      (p): Candidate => ({
        what: p.metadata.name,
        labels: p.metadata.labels,
        isNamesake:
          p.metadata.name === name || workloads.some(([, w]) => w.metadata.name === name && matchesLabels(w.spec.selector ?? noLabels, p.metadata.labels)),
        servesPort: declaresPort(service, p.spec),
      }),
    ),
    ...workloads.map(
      ([kind, w]): Candidate => ({
        what: `${kind} ${w.metadata.name}`,
        labels: w.spec.template.metadata.labels,
        isNamesake: w.metadata.name === name,
        servesPort: declaresPort(service, w.spec.template.spec),
      }),
    ),
  ];
  const [best] = candidates
    .filter((c) => Object.keys(ownLabels(c.labels)).length > 0)
    .map((c): Ranked => ({ ...c, ...labelDifference(wanted, c.labels) }))
    .filter((c) => c.isNamesake || c.wrong.every((k) => isSlip(k, wanted, c.labels)))
    .toSorted(
      (a, b) =>
        Number(b.isNamesake) - Number(a.isNamesake) ||
        a.wrong.length - b.wrong.length ||
        Number(b.servesPort) - Number(a.servesPort) ||
        a.editDistance - b.editDistance,
    );
  return best;
}

/** A selector that a workload without one has: it matches nothing. */
const noLabels = { matchExpressions: [{ key: '', operator: 'In' as const, values: [] }] };

/**
 * What the selector must become so that it matches these labels, as a merge patch. Pairs of one rollout, and keys that the labels
 * do not have, are dropped; a value that the labels have under another key moves there. A selector never becomes empty.
 */
function corrected(near: Ranked, wanted: Labels): Record<string, string | null> {
  const change: Record<string, string | null> = {};
  for (const key of near.wrong) {
    const have = isGenerated(key) ? undefined : near.labels[key];
    const other = Object.keys(near.labels).find((k) => near.labels[k] === wanted[key] && !(k in wanted));
    change[key] = have ?? null;
    if (have === undefined && other !== undefined && !isGenerated(key)) change[other] = near.labels[other] ?? null;
  }
  const remains = Object.keys(wanted).some((k) => !near.wrong.includes(k)) || Object.values(change).some((x) => x !== null);
  return remains ? change : { ...change, ...ownLabels(near.labels) };
}

const distinctLabels = (pods: readonly Pod[]): string[] =>
  [...new Set(pods.map((p) => `there are pods with ${labelText(p.metadata.labels) || 'no labels'}`))].slice(0, 4);

export const selector = check({
  id: 'endpoints/selector',
  title: 'The selector matches pods',
  needs: ['target', 'service', 'pods'],
  uses: ['deployments', 'statefulSets', 'daemonSets', 'replicaSets', 'strayPods', 'client'],
  codes: ['selector-mismatch'],
  run({ target, service, pods, strayPods, client, ...owners }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const wanted = service.spec.selector ?? {};
    if (Object.keys(wanted).length === 0) return skip('the Service has no selector; its endpoints are created manually');
    const own = podsOf(service, pods);
    if (own.length > 0) return judged([], `${plural(own.length, 'pod')} match${own.length === 1 ? 'es' : ''} the selector ${labelText(wanted)}`);

    const workloads = workloadsOf(owners);
    const templated = workloads.find(([, w]) => selects(wanted, w.spec.template.metadata.labels));
    // The selector is right then; why its pods are missing is another check's question.
    if (templated)
      return judged([], `the selector ${labelText(wanted)} matches the pod template of ${templated[0]} "${templated[1].metadata.name}", which has no pods`);

    const live = pods.filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp);
    const candidates = live.filter((p) => mayBeMeant(p, client));
    const ofClient = client.seen ? client.value?.pod?.metadata.labels : undefined;
    const near = nearestLabels(
      service,
      candidates,
      workloads.filter(([, w]) => !(ofClient && matchesLabels(w.spec.selector ?? noLabels, ofClient))),
    );
    // A workload that is scaled to zero has the right labels and no pod to show them.
    const blind = Object.values(owners).find((f) => !f.seen);
    if (!near && blind && !blind.seen) return unknown(`no pod matches the selector ${labelText(wanted)}; ${blind.what}: ${blind.why}`);
    const stray = strayPods.seen ? strayPods.value.filter((p) => p.namespace !== target.namespace) : [];
    return judged([mismatch(target, wanted, live, near, near ? namesOf(near, wanted, candidates) : '', stray)]);
  },
});

/** The pods with the nearest labels, or the workload that would have them. */
function namesOf(near: Ranked, wanted: Labels, candidates: readonly Pod[]): string {
  const isAlike = (labels: Labels) =>
    near.wrong.every((k) => labels[k] === near.labels[k]) && labelDifference(wanted, labels).wrong.length === near.wrong.length;
  const names = candidates.filter((p) => isAlike(p.metadata.labels)).map((p) => p.metadata.name);
  return names.length > 0 ? `${plural(names.length, 'pod')} (${some(names, 2)})` : near.what;
}

function mismatch(
  target: Target,
  wanted: Labels,
  live: readonly Pod[],
  near: Ranked | undefined,
  who: string,
  stray: readonly { namespace: string; name: string }[],
): Draft<'selector-mismatch'> {
  const none =
    live.length === 0
      ? `namespace ${target.namespace} has no pods`
      : live.length === 1
        ? `the only pod in namespace ${target.namespace} does not have ${labelText(wanted)}`
        : `none of ${live.length} pods in namespace ${target.namespace} has ${labelText(wanted)}`;
  const evidence: Evidence[] = [
    { source: 'service', text: `spec.selector: ${labelText(wanted)}` },
    { source: 'pods', text: none },
    ...(near ? [{ source: 'pods', text: `nearest: ${who}: ${labelText(near.labels)}` }] : distinctLabels(live).map((text) => ({ source: 'pods', text }))),
    ...stray
      .slice(0, 3)
      .map((p) => ({ source: 'pods', text: `${p.name} in namespace ${p.namespace} has these labels, but a Service selects pods of its own namespace only` })),
  ];
  const meant = ownLabels(wanted);
  const fix: Fix[] = near
    ? [
        patch(`Change the selector of Service "${target.name}" to the labels of the pods`, target.namespace, `service/${target.name}`, {
          spec: { selector: corrected(near, wanted) },
        }),
        ...(near.wrong.some((k) => k in meant) ? [{ text: `Or add the labels ${labelText(meant)} to the pod template` }] : []),
      ]
    : [
        {
          text: `Correct spec.selector of Service "${target.name}", or deploy pods with the labels ${labelText(meant)}`,
          command: `kubectl -n ${target.namespace} get pods --show-labels`,
        },
      ];
  return {
    code: 'selector-mismatch',
    severity: 'error',
    confidence: 'confirmed',
    scope: 'all',
    object: serviceRef(target),
    message: `Service "${target.name}" selects no pod: ${why(near, wanted, stray[0]?.namespace)}`,
    evidence,
    fix,
  };
}

function why(near: Ranked | undefined, wanted: Labels, elsewhere: string | undefined): string {
  if (near) return near.wrong.map((k) => differenceText(k, wanted, near.labels)).join('; ');
  return elsewhere === undefined ? `no pod has ${labelText(wanted)}` : `the pods with ${labelText(wanted)} are in namespace ${elsewhere}`;
}
