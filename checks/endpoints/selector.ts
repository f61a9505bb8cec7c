import { distance } from 'fastest-levenshtein';
import type { Fact } from '../../src/facts/fact.ts';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import { isFinished, labelText, podsOf, selects } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, judged, skip } from '../check.ts';
import { patch } from '../fix.ts';
import { plural, serviceRef, some } from '../format.ts';

type Labels = Record<string, string>;

interface Candidate {
  what: string;
  kind: 'pod' | 'workload';
  labels: Labels;
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

/** Why one pair of a selector does not match, in words. */
function differenceText(key: string, selector: Labels, labels: Labels): string {
  const wanted = selector[key] ?? '';
  const have = labels[key];
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

/** The pod or workload whose labels differ least from the selector; undefined where none is similar. */
function nearestLabels(wanted: Labels, serviceName: string, pods: readonly Pod[], workloads: readonly [string, Workload][]): Ranked | undefined {
  const candidates: Candidate[] = [
    ...pods.map((p): Candidate => ({ what: p.metadata.name, kind: 'pod', labels: p.metadata.labels })),
    ...workloads.map(([kind, w]): Candidate => ({ what: `${kind} ${w.metadata.name}`, kind: 'workload', labels: w.spec.template.metadata.labels })),
  ];
  const hasServiceName = (l: Labels) => (Object.values(l).includes(serviceName) ? 0 : 1);
  const [best] = candidates
    .map((c): Ranked => ({ ...c, ...labelDifference(wanted, c.labels) }))
    .toSorted((a, b) => a.wrong.length - b.wrong.length || a.editDistance - b.editDistance || hasServiceName(a.labels) - hasServiceName(b.labels));
  return best && (best.wrong.length < Object.keys(wanted).length || best.editDistance <= 6 * best.wrong.length) ? best : undefined;
}

const distinctLabels = (pods: readonly Pod[]): string[] =>
  [...new Set(pods.map((p) => `there are pods with ${labelText(p.metadata.labels) || 'no labels'}`))].slice(0, 4);

export const selector = check({
  id: 'endpoints/selector',
  title: 'The selector matches pods',
  needs: ['target', 'service', 'pods'],
  uses: ['deployments', 'statefulSets', 'daemonSets', 'replicaSets', 'strayPods'],
  codes: ['selector-mismatch'],
  run({ target, service, pods, strayPods, ...owners }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const wanted = service.spec.selector ?? {};
    if (Object.keys(wanted).length === 0) return skip('the Service has no selector; its endpoints are created manually');
    const own = podsOf(service, pods);
    if (own.length > 0) return judged(`${plural(own.length, 'pod')} match${own.length === 1 ? 'es' : ''} the selector ${labelText(wanted)}`);

    const workloads = workloadsOf(owners);
    const templated = workloads.find(([, w]) => selects(wanted, w.spec.template.metadata.labels));
    // The selector is right then; why its pods are missing is another check's question.
    if (templated)
      return judged(`the selector ${labelText(wanted)} matches the pod template of ${templated[0]} "${templated[1].metadata.name}", which has no pods`);

    const live = pods.filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp);
    const near = nearestLabels(wanted, target.name, live, workloads);
    const alike = near
      ? live.filter(
          (p) =>
            near.wrong.every((k) => p.metadata.labels[k] === near.labels[k]) && labelDifference(wanted, p.metadata.labels).wrong.length === near.wrong.length,
        )
      : [];
    const names = alike.map((p) => p.metadata.name);
    const who = near ? (alike.length > 0 ? `${plural(alike.length, 'pod')} (${some(names, 2)})` : near.what) : '';
    const stray = strayPods.seen ? strayPods.value.filter((p) => p.namespace !== target.namespace) : [];
    const evidence: Evidence[] = [
      { source: 'service', text: `spec.selector: ${labelText(wanted)}` },
      {
        source: 'pods',
        text:
          live.length === 0
            ? `namespace ${target.namespace} has no pods`
            : `none of ${plural(live.length, 'pod')} in namespace ${target.namespace} has ${labelText(wanted)}`,
      },
      ...(near ? [{ source: 'pods', text: `nearest: ${who}: ${labelText(near.labels)}` }] : distinctLabels(live).map((text) => ({ source: 'pods', text }))),
      ...stray
        .slice(0, 3)
        .map((p) => ({ source: 'pods', text: `${p.name} in namespace ${p.namespace} has these labels, but a Service selects pods of its own namespace only` })),
    ];
    const draft: Draft<'selector-mismatch'> = {
      code: 'selector-mismatch',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'all',
      object: serviceRef(target),
      message: `Service "${target.name}" selects no pod: ${why(near, wanted, stray[0]?.namespace)}`,
      evidence,
      fix: near
        ? [
            patch(`Change the selector of Service "${target.name}" to the labels of the pods`, target.namespace, `service/${target.name}`, {
              spec: { selector: Object.fromEntries(near.wrong.map((k) => [k, near.labels[k] ?? null])) },
            }),
            { text: `Or add the labels ${labelText(wanted)} to the pod template` },
          ]
        : [
            {
              text: `Correct spec.selector of Service "${target.name}", or deploy pods with the labels ${labelText(wanted)}`,
              command: `kubectl -n ${target.namespace} get pods --show-labels`,
            },
          ],
    };
    return judged('', [draft]);
  },
});

function why(near: Ranked | undefined, wanted: Labels, elsewhere: string | undefined): string {
  if (near) return near.wrong.map((k) => differenceText(k, wanted, near.labels)).join('; ');
  return elsewhere === undefined ? `no pod has ${labelText(wanted)}` : `the pods with ${labelText(wanted)} are in namespace ${elsewhere}`;
}
