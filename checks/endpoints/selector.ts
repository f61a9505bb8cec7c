import { distance } from 'fastest-levenshtein';
import type { Pod, Workload } from '../../src/facts/objects.ts';
import { isFinished, labelText, podsOf, selects } from '../../src/facts/selectors.ts';
import { check, type Evidence, judged, skip } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';
import { patch } from '../fix.ts';

type Labels = Record<string, string>;

interface Candidate {
  what: string;
  kind: 'pod' | 'workload';
  labels: Labels;
}

/** How far labels are from a selector: pairs that don't hold, and how different their values are. */
function labelDifference(selector: Labels, labels: Labels): { wrong: string[]; far: number } {
  const wrong = Object.keys(selector).filter((k) => labels[k] !== selector[k]);
  const far = wrong.reduce(
    (sum, k) => sum + (labels[k] === undefined ? 4 + keyDistance(k, labels) : Math.min(distance(selector[k] ?? '', labels[k] ?? ''), 20)),
    0,
  );
  return { wrong, far };
}

const keyDistance = (key: string, labels: Labels) => Math.min(16, ...Object.keys(labels).map((k) => distance(key.toLowerCase(), k.toLowerCase())));

/** Why one pair of a selector does not hold, as a person would say it. */
function difference(key: string, selector: Labels, labels: Labels): string {
  const wanted = selector[key] ?? '';
  const have = labels[key];
  if (have === undefined) {
    const nearKey = Object.keys(labels).find((k) => labels[k] === wanted && distance(k.toLowerCase(), key.toLowerCase()) <= 3);
    return nearKey
      ? `the Service wants ${key}=${wanted}, they carry ${nearKey}=${wanted} (another key)`
      : `the Service wants ${key}=${wanted}, they carry no label "${key}"`;
  }
  const how = have.toLowerCase() === wanted.toLowerCase() ? ' (letter case)' : '';
  return `the Service wants ${key}=${wanted}, they carry ${key}=${have}${how}`;
}

export const selector = check({
  id: 'endpoints/selector',
  title: 'The selector matches pods',
  needs: ['target', 'service', 'pods'],
  uses: ['deployments', 'statefulSets', 'daemonSets', 'replicaSets', 'strayPods'],
  codes: ['selector-mismatch'],
  run({ target, service, pods, deployments, statefulSets, daemonSets, replicaSets, strayPods }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no endpoints belong to it');
    const wanted = service.spec.selector ?? {};
    if (Object.keys(wanted).length === 0) return skip('the Service has no selector: its endpoints are written by hand');
    const own = podsOf(service, pods);
    if (own.length > 0) return judged(`${plural(own.length, 'pod')} match${own.length === 1 ? 'es' : ''} the selector ${labelText(wanted)}`);

    const workloads: [string, Workload][] = [
      ...(deployments.seen ? deployments.value.map((w) => ['Deployment', w] as [string, Workload]) : []),
      ...(statefulSets.seen ? statefulSets.value.map((w) => ['StatefulSet', w] as [string, Workload]) : []),
      ...(daemonSets.seen ? daemonSets.value.map((w) => ['DaemonSet', w] as [string, Workload]) : []),
      ...(replicaSets.seen ? replicaSets.value.filter((w) => w.metadata.ownerReferences.length === 0).map((w) => ['ReplicaSet', w] as [string, Workload]) : []),
    ];
    const templated = workloads.find(([, w]) => selects(wanted, w.spec.template.metadata.labels));
    // The selector is right then; that its pods are not there is another check's matter.
    if (templated) return judged(`the selector ${labelText(wanted)} fits the pods of ${templated[0]} "${templated[1].metadata.name}", which has none`);

    const live = pods.filter((p) => !isFinished(p) && !p.metadata.deletionTimestamp);
    const candidates: Candidate[] = [
      ...live.map((p): Candidate => ({ what: p.metadata.name, kind: 'pod', labels: p.metadata.labels })),
      ...workloads.map(([kind, w]): Candidate => ({ what: `${kind} ${w.metadata.name}`, kind: 'workload', labels: w.spec.template.metadata.labels })),
    ];
    const serviceLike = (l: Labels) => (Object.values(l).includes(target.name) ? 0 : 1);
    const ranked = candidates
      .map((c) => ({ ...c, ...labelDifference(wanted, c.labels) }))
      .toSorted((a, b) => a.wrong.length - b.wrong.length || a.far - b.far || serviceLike(a.labels) - serviceLike(b.labels));
    const best = ranked[0];
    const near = best && (best.wrong.length < Object.keys(wanted).length || best.far <= 6 * best.wrong.length) ? best : undefined;
    const alike = near
      ? live.filter(
          (p) =>
            near.wrong.every((k) => p.metadata.labels[k] === near.labels[k]) && labelDifference(wanted, p.metadata.labels).wrong.length === near.wrong.length,
        )
      : [];
    const stray = strayPods.seen ? strayPods.value.filter((p) => p.namespace !== target.namespace) : [];
    const who = near
      ? alike.length > 0
        ? `${plural(alike.length, 'pod')} (${some(
            alike.map((p) => p.metadata.name),
            2,
          )})`
        : near.what
      : '';

    const evidence: Evidence[] = [
      { source: 'service', text: `spec.selector: ${labelText(wanted)}` },
      {
        source: 'pods',
        text:
          live.length === 0
            ? `namespace ${target.namespace} has no pods`
            : `none of ${plural(live.length, 'pod')} in namespace ${target.namespace} carries ${labelText(wanted)}`,
      },
      ...(near ? [{ source: 'pods', text: `nearest: ${who}: ${labelText(near.labels)}` }] : distinctLabels(live).map((text) => ({ source: 'pods', text }))),
      ...stray
        .slice(0, 3)
        .map((p) => ({ source: 'pods', text: `${p.name} in namespace ${p.namespace} would match, but a Service selects in its own namespace only` })),
    ];
    const message = near
      ? `Service "${target.name}" selects no pod: ${near.wrong.map((k) => difference(k, wanted, near.labels)).join('; ')}`
      : stray[0]
        ? `Service "${target.name}" selects no pod: the pods with ${labelText(wanted)} are in namespace ${stray[0].namespace}, not in ${target.namespace}`
        : `Service "${target.name}" selects no pod: none carries ${labelText(wanted)}`;
    return judged('', [
      {
        code: 'selector-mismatch',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: serviceRef(target),
        message,
        evidence,
        fix: near
          ? [
              patch(`Select the labels that the pods carry`, target.namespace, `service/${target.name}`, {
                spec: { selector: Object.fromEntries(near.wrong.map((k) => [k, near.labels[k] ?? null])) },
              }),
              { text: `Or give the pods' template the labels ${labelText(wanted)}` },
            ]
          : [
              {
                text: `Correct spec.selector, or deploy pods with the labels ${labelText(wanted)}`,
                command: `kubectl -n ${target.namespace} get pods --show-labels`,
              },
            ],
      },
    ]);
  },
});

const distinctLabels = (pods: readonly Pod[]): string[] =>
  [...new Set(pods.map((p) => `there are pods with ${labelText(p.metadata.labels) || 'no labels'}`))].slice(0, 4);
