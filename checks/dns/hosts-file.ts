import { overridesOf, type Override } from '../../src/model/hosts-file.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { check, type Fix, judged, skip } from '../check.ts';
import { kubectl } from '../fix.ts';
import { clientText, some } from '../format.ts';
import { createdAgain, nameOf, ownerFacts, ownerOf, templatePatch, type Workloads } from '../pods/owner.ts';

/** An entry keeps the names that are not the Service's. In the template of its workload; a pod by itself has to be created again, since its spec cannot be changed. */
function withoutOverrides(pod: Pod, overrides: readonly Override[], names: string, workloads: Workloads): Fix[] {
  const owner = ownerOf(pod, workloads);
  if (owner) {
    // The API merges this list by ip.
    const hostAliases = overrides.map(({ ip, rest }) => (rest.length > 0 ? { ip, hostnames: rest } : { ip, $patch: 'delete' }));
    return [templatePatch(owner, `Remove ${names} from hostAliases of ${nameOf(owner)}`, { hostAliases })];
  }
  // From the end, so that the places of the others stay.
  const operations = overrides
    .toReversed()
    .map(({ at, rest }) =>
      rest.length > 0 ? { op: 'replace', path: `/spec/hostAliases/${at}/hostnames`, value: rest } : { op: 'remove', path: `/spec/hostAliases/${at}` },
    );
  const change = kubectl(pod.metadata.namespace, 'patch', '--local', '-f', '-', '--type=json', '-p', JSON.stringify(operations), '-o', 'json');
  return [createdAgain(pod, `without ${names} in its hostAliases`, change)];
}

export const hostsFile = check({
  id: 'dns/hosts-file',
  title: "The client's hosts file does not override the Service's name",
  needs: ['target', 'client', 'service'],
  uses: ['slices', ...ownerFacts],
  codes: ['hosts-file-override'],
  run({ target, client, service, slices, ...owners }) {
    if (!client?.pod) return skip('the client is not a pod that exists');
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no addresses of its own');
    const all = overridesOf(client.pod, service, slices);
    const wrong = all.filter((o) => !o.isOwn);
    const [first] = wrong;
    if (!first) return judged([], all.length > 0 ? "hostAliases give the Service's own addresses" : '');
    const names = some(
      wrong.flatMap((o) => o.hostnames),
      2,
    );
    return judged([
      {
        code: 'hosts-file-override',
        severity: 'error',
        confidence: 'confirmed',
        // Which form of the name the program uses is not known.
        scope: 'part',
        object: { kind: 'Pod', namespace: client.namespace, name: client.name },
        message: `${clientText(target, client)} has ${names} at ${first.ip} in its hosts file, which programs read before they ask DNS: that is no address of Service "${service.metadata.name}"`,
        evidence: [
          ...wrong.map(({ ip, hostnames }) => ({ source: 'pods', text: `spec.hostAliases: ${ip} ${hostnames.join(' ')}` })),
          { source: 'service', text: `clusterIPs: ${service.spec.clusterIPs.join(', ')}` },
        ],
        fix: withoutOverrides(client.pod, wrong, names, owners),
      },
    ]);
  },
});
