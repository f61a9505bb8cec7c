import type { Pod, Service, Workload } from '../../src/facts/objects.ts';
import { labelText, podsOf } from '../../src/facts/selectors.ts';
import type { Fact } from '../../src/facts/fact.ts';
import { check, judged, skip } from '../check.ts';
import { plural, serviceRef, some, targetPortOf } from '../format.ts';
import { patch } from '../fix.ts';

/** The workload that a pod belongs to in the end: the Deployment behind its ReplicaSet, or what else owns it. */
function ownerOf(pod: Pod, replicaSets: Fact<Workload[]>): string {
  const owner = pod.metadata.ownerReferences.find((o) => o.controller) ?? pod.metadata.ownerReferences[0];
  if (!owner) return `Pod ${pod.metadata.name}`;
  const set = owner.kind === 'ReplicaSet' && replicaSets.seen ? replicaSets.value.find((r) => r.metadata.name === owner.name) : undefined;
  const above = set?.metadata.ownerReferences[0];
  return above ? `${above.kind} ${above.name}` : `${owner.kind} ${owner.name}`;
}

const declares = (pod: Pod, port: Service['spec']['ports'][number]): boolean =>
  pod.spec.containers.some((c) =>
    c.ports.some((p) => p.protocol === port.protocol && (p.containerPort === targetPortOf(port) || p.name === targetPortOf(port))),
  );

/** Pods of two applications behind one Service, of which one is not meant: it does not serve the port. */
export const overlap = check({
  id: 'endpoints/overlap',
  title: 'The selector matches the pods of one application',
  needs: ['target', 'service', 'pods'],
  uses: ['replicaSets', 'connections', 'listeners'],
  codes: ['selector-overlap'],
  run({ target, service, pods, replicaSets, connections, listeners }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no endpoints belong to it');
    const own = podsOf(service, pods);
    const groups = Map.groupBy(own, (p) => ownerOf(p, replicaSets));
    if (groups.size < 2) return groups.size === 0 ? skip('no pod matches') : judged('');

    const made = connections.seen ? connections.value.list : [];
    /** What is known of a pod's serving the port: a connection says it best, then its sockets, then what it declares. */
    const serves = (pod: Pod): boolean | undefined => {
      const tried = made.filter((c) => c.hop === 'endpoint' && c.pod === pod.metadata.name && c.kind === 'tcp');
      if (tried.some((c) => c.outcome === 'answered')) return true;
      if (tried.some((c) => c.outcome === 'refused')) return false;
      const looked = listeners.seen ? listeners.value[pod.metadata.name] : undefined;
      const numbers = service.spec.ports.map(targetPortOf).filter((p) => typeof p === 'number');
      if (looked?.seen && looked.value.sockets && numbers.length > 0) return looked.value.sockets.some((s) => numbers.includes(s.port));
      return undefined;
    };
    const strangers = [...groups].filter(
      ([, members]) =>
        members.every((p) => serves(p) === false) ||
        (members.every((p) => serves(p) === undefined && p.spec.containers.some((c) => c.ports.length > 0)) &&
          members.every((p) => service.spec.ports.every((port) => !declares(p, port)))),
    );
    const proper = [...groups].filter(([, members]) =>
      members.some((p) => serves(p) === true || (serves(p) === undefined && service.spec.ports.some((port) => declares(p, port)))),
    );
    if (strangers.length === 0 || proper.length === 0 || strangers.length === groups.size) return judged(`pods of ${some([...groups.keys()])} serve it`);

    const strange = strangers.flatMap(([, members]) => members);
    const fits = proper[0]?.[1][0];
    const telling = fits
      ? Object.entries(fits.metadata.labels).filter(
          ([k, x]) =>
            k !== 'pod-template-hash' &&
            proper.every(([, m]) => m.every((p) => p.metadata.labels[k] === x)) &&
            strange.every((p) => p.metadata.labels[k] !== x),
        )
      : [];
    const proved = strange.some((p) => serves(p) === false);
    return judged('', [
      {
        code: 'selector-overlap',
        severity: 'error',
        confidence: proved ? 'confirmed' : 'likely',
        scope: 'part',
        object: serviceRef(target),
        message: `Service "${target.name}" also selects the pods of ${some(strangers.map(([o]) => o))}, which do not serve its port: its selector ${labelText(service.spec.selector)} is too broad`,
        evidence: [...groups].map(([o, members]) => ({
          source: 'pods',
          text: `${o}: ${plural(members.length, 'pod')}, ${labelText(members[0]?.metadata.labels)}`,
        })),
        fix: telling[0]
          ? [
              patch(`Select by a label that only ${proper[0]?.[0]} has`, target.namespace, `service/${target.name}`, {
                spec: { selector: { [telling[0][0]]: telling[0][1] } },
              }),
            ]
          : [{ text: `Give the pods of ${some(proper.map(([o]) => o))} a label of their own, and select by it` }],
        pods: strange.map((p) => p.metadata.name),
      },
    ]);
  },
});
