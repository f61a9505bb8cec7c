import { type Fact, valueOf, unreadOf } from '../../src/facts/fact.ts';
import type { FactTypes } from '../../src/facts/facts.ts';
import type { MeshPod } from '../../src/facts/mesh.ts';
import { connectionsInMesh, senderOf } from '../../src/mesh/connections.ts';
import { missingSidecar } from '../../src/mesh/injection.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { plural } from '../format.ts';
import { kubectl } from '../fix.ts';

function labelsOf(namespaces: Fact<FactTypes['namespaces']>, name: string): Record<string, string> {
  const found = namespaces.seen ? namespaces.value[name] : undefined;
  return (found && valueOf(found)?.metadata.labels) ?? {};
}

/** Whether pods that ask for a sidecar have one. */
export const injection = check({
  id: 'mesh/injection',
  title: 'Pods that ask for a sidecar have one',
  needs: ['target', 'service', 'slices', 'mesh'],
  uses: ['client', 'namespaces'],
  codes: ['mesh-sidecar-missing'],
  run({ target, service, slices, mesh, client, namespaces }) {
    if (!mesh) return skip('the cluster has no kinds of a service mesh');
    if (!service) return skip('the Service is not known');
    const blind = unreadOf(mesh.pods, mesh.client, mesh.injectors);
    if (blind !== undefined) return unknown(blind);
    const who = client.seen ? client.value : null;
    const sender = senderOf(mesh, who).pod;
    const injectors = valueOf(mesh.injectors) ?? [];
    const without = (pods: readonly MeshPod[]) =>
      pods.flatMap((pod) => {
        const missing = missingSidecar(pod, labelsOf(namespaces, pod.namespace), injectors);
        return missing ? [{ pod, ...missing }] : [];
      });
    const groups = [without(sender ? [sender] : []), without(valueOf(mesh.pods) ?? [])].filter((g) => g.length > 0);
    const homes = [...(sender ? [sender] : []), ...(valueOf(mesh.pods) ?? [])].map((p) => p.namespace);
    const unread = unreadOf(...(namespaces.seen ? homes.flatMap((n) => namespaces.value[n] ?? []) : [namespaces]));
    if (groups.length === 0 && unread !== undefined) return unknown(unread);
    if (groups.length === 0) return judged([], 'no pod misses a sidecar');
    const met = connectionsInMesh(mesh, { target, service, slices, client: who });
    const isNeeded = met.some((m) => m.tls === 'refused' || m.admission.verdict === 'denied');
    return judged(
      groups.flatMap((group): Draft<'mesh-sidecar-missing'>[] => {
        const [first] = group;
        if (!first) return [];
        const pods = group.length === 1 ? `Pod "${first.pod.name}" has` : `${plural(group.length, 'pod')} of namespace ${first.pod.namespace} have`;
        const revision = /istio\.io\/rev=(\S+)/.exec(first.asked)?.[1];
        const known = [...new Set(injectors.map((i) => i.revision))].join(', ') || 'none';
        const why = first.isServed
          ? `created before injection was asked for`
          : `no webhook adds one${revision === undefined ? '' : ` for revision "${revision}"`} (revisions: ${known})`;
        return [
          {
            code: 'mesh-sidecar-missing',
            severity: isNeeded ? 'error' : 'warning',
            confidence: 'likely',
            scope: 'all',
            object: { kind: 'Pod', namespace: first.pod.namespace, name: first.pod.name },
            message: `${pods} no sidecar, although ${first.asked} asks for one: ${why}`,
            evidence: group.slice(0, 3).map(({ pod }) => ({ source: 'mesh', text: `containers of pod ${pod.name}: ${pod.containers.join(', ')}` })),
            fix: first.isServed
              ? [
                  {
                    text: `Create the ${group.length === 1 ? 'pod' : 'pods'} again, so that the webhook adds a sidecar`,
                    command: kubectl(first.pod.namespace, 'rollout', 'restart', 'deployment'),
                  },
                ]
              : [
                  {
                    text: 'Label the namespace with a revision that is installed, then create the pods again',
                    command: kubectl('', 'get', 'mutatingwebhookconfigurations', '-L', 'istio.io/rev'),
                  },
                ],
          },
        ];
      }),
    );
  },
});
