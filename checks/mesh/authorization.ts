import { unreadOf } from '../../src/facts/fact.ts';
import { labelText } from '../../src/facts/selectors.ts';
import { connectionsInMesh, type Met, senderOf } from '../../src/mesh/connections.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { clientText } from '../format.ts';
import { fixBy, kubectl } from '../fix.ts';
import { objectText, podsText } from './sides.ts';

/** A policy of its own for exactly this client, these pods and this port. Only where nothing denies it: what denies goes before what allows. */
function fixOf(
  group: readonly Met[],
  from: { namespace: string; serviceAccount: string } | null,
  service: { name: string; selector: Record<string, string> },
  who: string,
): Fix[] {
  const [first] = group;
  const by = first?.admission.by;
  if (!first || !by) return [];
  const { namespace } = first.pod;
  if (by.kind !== 'AuthorizationPolicy' || first.admission.byDeny || !from)
    return [
      {
        text: by.kind === 'Pod' ? `Allow ${who} by an AuthorizationPolicy for a Server of port ${first.port}` : `Allow ${who} in ${objectText(by)}`,
        command: kubectl(by.namespace, by.kind === 'Pod' ? 'get' : 'edit', by.kind.toLowerCase(), by.name),
      },
    ];
  const name = `allow-${from.serviceAccount}-to-${service.name}`;
  const manifest = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: service.selector },
      action: 'ALLOW',
      rules: [
        {
          from: [{ source: { principals: [`cluster.local/ns/${from.namespace}/sa/${from.serviceAccount}`] } }],
          to: [{ operation: { ports: [String(first.port)] } }],
        },
      ],
    },
  };
  return [
    {
      ...fixBy(
        `Create AuthorizationPolicy "${name}", which allows service account ${from.serviceAccount} of namespace ${from.namespace} to pods with ${labelText(service.selector)} on port ${first.port}`,
        {
          how: 'create',
          kind: 'authorizationpolicy',
          namespace,
          name,
          manifest,
        },
      ),
      affects: [`every pod with service account ${from.serviceAccount} in namespace ${from.namespace} is let in`],
    },
  ];
}

/** Whether the policies of a mesh, which its proxies enforce, let the client in. */
export const authorization = check({
  id: 'mesh/authorization',
  title: "The mesh's authorization policies allow the client",
  needs: ['target', 'service', 'slices', 'mesh'],
  uses: ['client'],
  codes: ['mesh-denies'],
  run({ target, service, slices, mesh, client }) {
    if (!mesh) return skip('the cluster has no kinds of a service mesh');
    if (!service) return skip('the Service is not known');
    const { pods, peerAuthentications, authorizations, destinationRules, sidecars } = mesh;
    const blind = unreadOf(
      pods,
      mesh.client,
      peerAuthentications,
      authorizations,
      destinationRules,
      sidecars,
      mesh.servers,
      mesh.linkerdAuthorizations,
      mesh.meshTls,
      mesh.networks,
      mesh.serverAuthorizations,
    );
    if (blind !== undefined) return unknown(blind);
    const who = client.seen ? client.value : null;
    // What the proxies do not take at all is another check's finding.
    const met = connectionsInMesh(mesh, { target, service, slices, client: who });
    const arriving = met.filter((m) => m.tls !== 'refused');
    const [one] = arriving;
    if (!one) return skip(met.length === 0 ? 'neither the client nor a pod behind the Service is in a mesh' : 'the proxies do not agree about TLS');
    const denied = arriving.filter((m) => m.admission.verdict === 'denied');
    const name = clientText(target, who);
    if (denied.length === 0) {
      const open = arriving.find((m) => m.admission.verdict === 'open');
      return open ? unknown(`${open.admission.by ? `${objectText(open.admission.by)}: ` : ''}${open.admission.why}`) : judged([], one.admission.why);
    }
    const sender = senderOf(mesh, who).pod;
    return judged(
      [...Map.groupBy(denied, (m) => (m.admission.by?.kind === 'Pod' ? 'Pod' : `${m.admission.by?.kind} ${m.admission.by?.name}`)).values()].flatMap(
        (group): Draft<'mesh-denies'>[] => {
          const [first] = group;
          if (!first?.admission.by) return [];
          const { by, why } = first.admission;
          const isMutual = first.sends.wires.includes('mutual') && sender;
          const identity = isMutual ? `service account ${sender.serviceAccount} of namespace ${sender.namespace}` : `no identity (${first.sends.why})`;
          return [
            {
              code: 'mesh-denies',
              severity: 'error',
              confidence: 'likely',
              scope: denied.length < met.length ? 'part' : 'all',
              object: by,
              message:
                by.kind === 'Pod'
                  ? `The proxy of ${podsText(group)} denies ${name} on port ${first.port}: ${why}`
                  : `${objectText(by)} denies ${name} on port ${first.port} of ${podsText(group)}: ${why}`,
              evidence: [
                { source: 'mesh', text: `${name} has ${identity}` },
                {
                  source: 'mesh',
                  text: `${podsText(group)}, port ${first.port}, read as ${first.isHttp === true ? 'HTTP' : first.isHttp === 'maybe' ? 'HTTP or TCP, by its first bytes' : 'TCP'}: ${why}`,
                },
              ],
              fix: fixOf(group, isMutual ? sender : null, { name: target.name, selector: service.spec.selector ?? {} }, name),
              pods: group.map((m) => m.pod.name),
            },
          ];
        },
      ),
    );
  },
});
