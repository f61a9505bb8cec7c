import type { Connection, FactTypes } from '../../src/facts/facts.ts';
import type { Pod, Service, Workload } from '../../src/facts/objects.ts';
import { labelText, lasting, ownLabels, podsOf } from '../../src/facts/selectors.ts';
import type { Fact } from '../../src/facts/fact.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { patch } from '../fix.ts';
import { plural, serviceRef, some, targetPortOf } from '../format.ts';
import { named } from '../pods/owner.ts';

/** The pods of one workload, with its kind and name. */
type Group = [string, Pod[]];

const directOwnerOf = ({ metadata }: Pod) => metadata.ownerReferences.find((o) => o.controller) ?? metadata.ownerReferences[0];

/** The workload that a pod belongs to in the end: the Deployment behind its ReplicaSet, or the owner itself. */
function ownerOf(pod: Pod, replicaSets: Fact<Workload[]>): string {
  const owner = directOwnerOf(pod);
  if (!owner) return `Pod ${pod.metadata.name}`;
  const above = owner.kind === 'ReplicaSet' ? named(replicaSets, owner.name)?.metadata.ownerReferences[0] : undefined;
  return above ? `${above.kind} ${above.name}` : `${owner.kind} ${owner.name}`;
}

const declares = (pod: Pod, port: Service['spec']['ports'][number]): boolean =>
  lasting(pod.spec).some((c) => c.ports.some((p) => p.protocol === port.protocol && (p.containerPort === targetPortOf(port) || p.name === targetPortOf(port))));

/** Whether a pod serves the Service's ports: a connection shows it best, then its sockets. Undefined where neither is known. */
function servesIt(pod: Pod, service: Service, made: readonly Connection[], listeners: Fact<FactTypes['listeners']>): boolean | undefined {
  if (made.length === 0 && !listeners.seen) return undefined;
  const tried = made.filter((c) => c.hop === 'endpoint' && c.pod === pod.metadata.name && c.kind === 'tcp');
  if (tried.some((c) => c.outcome === 'answered')) return true;
  if (tried.some((c) => c.outcome === 'refused')) return false;
  const found = listeners.seen ? listeners.value[pod.metadata.name] : undefined;
  const numbers = service.spec.ports.map(targetPortOf).filter((p) => typeof p === 'number');
  return found?.seen && found.value.sockets && numbers.length > 0 ? found.value.sockets.some((s) => numbers.includes(s.port)) : undefined;
}

/** Labels in which versions of one application differ. */
const ofVersion = /version|track|release|canary|revision|colou?r|stage|hash|build|commit/i;

/**
 * Pods of one application: a canary with a wrong port is one of them. They differ only in labels for versions, or declare the
 * port that the Service names.
 */
function isSameApplication(a: Pod, b: Pod, service: Service): boolean {
  const names = service.spec.ports.flatMap((p) => (typeof p.targetPort === 'string' ? [p.targetPort] : []));
  if (names.some((name) => [a, b].every((pod) => lasting(pod.spec).some((c) => c.ports.some((p) => p.name === name))))) return true;
  const [own, other] = [ownLabels(a.metadata.labels), ownLabels(b.metadata.labels)];
  return [...Object.keys(own), ...Object.keys(other)].every((key) => own[key] === other[key] || ofVersion.test(key));
}

/** A label that all pods of the right workloads have and none of the others. */
function distinctLabel(right: readonly Group[], others: readonly Pod[]): [string, string] | undefined {
  const sample = right[0]?.[1][0];
  return Object.entries(sample?.metadata.labels ?? {}).find(
    ([k, x]) =>
      k in ownLabels(sample?.metadata.labels ?? {}) &&
      right.every(([, members]) => members.every((p) => p.metadata.labels[k] === x)) &&
      others.every((p) => p.metadata.labels[k] !== x),
  );
}

/** The selector matches the pods of two applications, and one of them does not serve the port. */
export const overlap = check({
  id: 'endpoints/overlap',
  title: 'The selector matches the pods of one application',
  needs: ['target', 'service', 'pods'],
  uses: ['replicaSets', 'connections', 'listeners'],
  codes: ['selector-overlap'],
  run({ target, service, pods, replicaSets, connections, listeners }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const own = podsOf(service, pods);
    const [first, ...more] = own;
    if (!first) return skip('the selector matches no pod');
    const owner = directOwnerOf(first);
    const isOfOwner = (p: Pod) => owner !== undefined && directOwnerOf(p)?.kind === owner.kind && directOwnerOf(p)?.name === owner.name;
    if (more.every(isOfOwner)) return judged([]);
    const groups = Map.groupBy(own, (p) => ownerOf(p, replicaSets));
    if (groups.size === 1) return judged([]);

    const made = connections.seen ? connections.value.list : [];
    const serves = (pod: Pod) => servesIt(pod, service, made, listeners);
    const declaresOther = (p: Pod) =>
      serves(p) === undefined && lasting(p.spec).some((c) => c.ports.length > 0) && !service.spec.ports.some((port) => declares(p, port));
    if (!own.some((p) => serves(p) === false || declaresOther(p))) return judged([], `pods of ${some([...groups.keys()])} serve it`);
    const isServing = (p: Pod) => serves(p) === true || (serves(p) === undefined && service.spec.ports.some((port) => declares(p, port)));
    const right = [...groups].filter(([, members]) => members.some(isServing));
    const [sample] = right.flatMap(([, members]) => members);
    const others = [...groups].filter(
      ([, members]) =>
        (members.every((p) => serves(p) === false) || members.every(declaresOther)) && !members.some((p) => sample && isSameApplication(sample, p, service)),
    );
    if (others.length === 0 || right.length === 0 || others.length === groups.size) return judged([], `pods of ${some([...groups.keys()])} serve it`);

    const strange = others.flatMap(([, members]) => members);
    const label = distinctLabel(right, strange);
    const draft: Draft<'selector-overlap'> = {
      code: 'selector-overlap',
      severity: 'error',
      confidence: strange.some((p) => serves(p) === false) ? 'confirmed' : 'likely',
      scope: 'part',
      object: serviceRef(target),
      message: `Service "${target.name}": its selector ${labelText(service.spec.selector)} also matches the pods of ${some(others.map(([o]) => o))}, which do not serve its port`,
      evidence: [...groups].map(([o, members]) => ({
        source: 'pods',
        text: `${o}: ${plural(members.length, 'pod')}, ${labelText(members[0]?.metadata.labels)}`,
      })),
      fix: label
        ? [
            patch(
              `Add ${label[0]}=${label[1]} to the selector of Service "${target.name}": only the pods of ${some(right.map(([o]) => o))} have it, so ${plural(strange.length, 'pod')} of ${some(others.map(([o]) => o))} (${some(strange.map((p) => p.metadata.name))}) get${strange.length === 1 ? 's' : ''} no more requests`,
              target.namespace,
              `service/${target.name}`,
              {
                spec: { selector: { [label[0]]: label[1] } },
              },
            ),
          ]
        : [
            {
              text: `Give the pods of ${some(right.map(([o]) => o))} a label that the others do not have, and add it to the selector of Service "${target.name}"`,
            },
          ],
      pods: strange.map((p) => p.metadata.name),
    };
    return judged([draft]);
  },
});
