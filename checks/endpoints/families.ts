import { unreadOf } from '../../src/facts/fact.ts';
import type { Client } from '../../src/facts/facts.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { endpointsOf, familiesOf, type Family, familyOf, isReady, podsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, type Fix, judgedUnless, skip } from '../check.ts';
import { clientText, plural, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

type Found = Draft<'ip-family-mismatch'>;

const hasFamily = (addresses: readonly string[], family: Family) => addresses.some((a) => familyOf(a) === family);
const addressesOf = (pod: Pod) => pod.status.podIPs.map((i) => i.ip);

/** A Service gets a second family by its policy alone; its first one can't be changed (Service API, spec.ipFamilies). */
const bothFamilies = (namespace: string, name: string): Fix => ({
  text: `Give Service "${name}" both families of the cluster: each then has a virtual IP, and its name resolves to both`,
  command: kubectl(namespace, 'patch', 'service', name, '--type=merge', '-p', '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}'),
});

/** Ready pods without an address of a family are left out of the Service's endpoints of that family. */
function podsWithout(family: Family, families: readonly Family[], ready: readonly Pod[], target: { namespace: string; name: string }): Found[] {
  const without = ready.filter((p) => !hasFamily(addressesOf(p), family));
  if (without.length === 0) return [];
  const all = without.length === ready.length;
  const who = all ? `its ${plural(ready.length, 'ready pod')}` : `${without.length} of ${plural(ready.length, 'ready pod')}`;
  const nodes = [...new Set(without.flatMap((p) => p.spec.nodeName ?? []))];
  return [
    {
      code: 'ip-family-mismatch',
      severity: all ? 'error' : 'warning',
      confidence: 'confirmed',
      scope: all && families.length === 1 ? 'all' : 'part',
      object: { kind: 'Service', ...target },
      message: `Service "${target.name}" is reached over ${families.join(' and ')}, and ${who} (${some(without.map((p) => p.metadata.name))}) ${without.length === 1 ? 'has' : 'have'} no ${family} address`,
      evidence: [
        { source: 'service', text: `ipFamilies: ${families.join(', ')}` },
        ...without.slice(0, 4).map((p) => ({ source: 'pods', text: `${p.metadata.name} on ${p.spec.nodeName ?? 'no node'} has ${addressesOf(p).join(', ')}` })),
      ],
      fix: [
        ...(families.length === 1 ? [bothFamilies(target.namespace, target.name)] : []),
        {
          text: `A pod keeps the addresses that it was created with: give ${some(nodes) || 'its node'} both families in the CNI plug-in's configuration, then create the pods again`,
          command: 'kubectl get nodes -o custom-columns=NAME:.metadata.name,RANGES:.spec.podCIDRs',
        },
      ],
      pods: without.map((p) => p.metadata.name),
    },
  ];
}

/** A client that has no address of any of the Service's families can't even send a packet. */
function clientWithout(families: readonly Family[], client: Client, who: string, target: { namespace: string; name: string }): Found[] {
  if (client.addresses.length === 0 || client.kind === 'external' || families.some((f) => hasFamily(client.addresses, f))) return [];
  return [
    {
      code: 'ip-family-mismatch',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'all',
      object: { kind: 'Service', ...target },
      message: `Service "${target.name}" is reached over ${families.join(' and ')} only, and the client, ${who}, has no ${families.join(' or ')} address (it has ${client.addresses.join(', ')})`,
      evidence: [
        { source: 'service', text: `ipFamilies: ${families.join(', ')}` },
        { source: 'pods', text: `${who} has ${client.addresses.join(', ')}` },
      ],
      fix: [
        bothFamilies(target.namespace, target.name),
        {
          text: `A pod keeps the addresses that it was created with: give ${client.node ?? 'its node'} both families in the CNI plug-in's configuration, then create the client again`,
        },
      ],
    },
  ];
}

export const families = check({
  id: 'endpoints/families',
  title: "The pods and the client have addresses of the Service's IP families",
  needs: ['target', 'service', 'slices'],
  uses: ['pods', 'client'],
  codes: ['ip-family-mismatch'],
  run({ target, service, slices, pods, client }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no addresses of its own');
    const own = familiesOf(service);
    if (own.length === 0) return skip('the Service names no IP family');
    const ready = pods.seen ? podsOf(service, pods.value).filter((p) => isReady(p) && p.status.podIPs.length > 0) : [];
    const { namespace, name } = serviceRef(target);
    const who = client.seen && client.value ? clientWithout(own, client.value, clientText(target, client.value), { namespace, name }) : [];
    const found = [...own.flatMap((f) => podsWithout(f, own, ready, { namespace, name })), ...who];
    const endpoints = endpointsOf(slices).filter((e) => e.ready);
    const served = own.map((f) => ({ family: f, count: new Set(endpoints.flatMap((e) => (familyOf(e.address) === f ? [e.address] : []))).size }));
    // A family without an endpoint has one reason in the pods, or none.
    const unread = unreadOf(client, ...(served.some((s) => s.count === 0) ? [pods] : []));
    return judgedUnless(unread, found, own.length > 1 ? served.map((s) => `${s.count} over ${s.family}`).join(', ') : (own[0] ?? ''));
  },
});
