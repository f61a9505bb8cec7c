import { valueOf, unreadOf } from '../../src/facts/fact.ts';
import { connectionsInMesh, type Met, senderOf } from '../../src/mesh/connections.ts';
import { routeFaults } from '../../src/mesh/istio-routes.ts';
import { membershipOf } from '../../src/mesh/member.ts';
import { isHttpPort } from '../../src/mesh/protocol.ts';
import { portsAsked } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { clientText } from '../format.ts';
import { kubectl, patch } from '../fix.ts';
import { objectText } from './sides.ts';

type Code = 'mesh-egress-blocked' | 'mesh-route-broken';

/** A Sidecar that does not name the Service: its proxy sends plain text past the mesh, or nothing at all. */
function blocked(met: readonly Met[], name: string, host: string): Draft<Code>[] {
  const limited = met.filter((m) => m.sends.by?.kind === 'Sidecar' && (m.tls !== 'taken' || m.sends.wires.includes('none')));
  const [first] = limited;
  const by = first?.sends.by;
  if (!first || !by) return [];
  const isSure = limited.every((m) => m.tls === 'refused');
  const isPlainRefused = first.sends.wires.includes('plain') && !first.accepts.plain;
  const then = isPlainRefused
    ? `plain text is sent, which ${first.accepts.by ? objectText(first.accepts.by) : 'the other side'} does not take`
    : 'with outboundTrafficPolicy REGISTRY_ONLY it answers itself';
  return [
    {
      code: 'mesh-egress-blocked',
      severity: 'error',
      confidence: isSure ? 'likely' : 'possible',
      scope: limited.length < met.length ? 'part' : 'all',
      object: by,
      message: `${objectText(by)} does not name ${host} among its egress hosts, so the proxy of ${name} does not know the Service: ${then}`,
      evidence: [{ source: 'mesh', text: `${objectText(by)}: ${first.sends.why}` }],
      fix: [
        patch(
          `Add ${host} to the egress hosts of Sidecar "${by.name}"`,
          by.namespace,
          `sidecar/${by.name}`,
          [{ op: 'add', path: '/spec/egress/0/hosts/-', value: host }],
          'json',
        ),
      ],
      pods: limited.map((m) => m.pod.name),
    },
  ];
}

/** What the client's proxy does with requests to the Service before they leave the pod. */
export const routing = check({
  id: 'mesh/routing',
  title: "The client's proxy knows the Service, and sends requests to pods that exist",
  needs: ['target', 'service', 'slices', 'mesh'],
  uses: ['client'],
  codes: ['mesh-egress-blocked', 'mesh-route-broken'],
  run({ target, service, slices, mesh, client }) {
    if (!mesh) return skip('the cluster has no kinds of a service mesh');
    if (!service) return skip('the Service is not known');
    const blind = unreadOf(mesh.pods, mesh.client, mesh.destinationRules, mesh.virtualServices, mesh.sidecars, mesh.peerAuthentications);
    if (blind !== undefined) return unknown(blind);
    const who = client.seen ? client.value : null;
    const sender = senderOf(mesh, who).pod;
    if (!sender || membershipOf(sender) !== 'istio-sidecar') return skip('the client has no Istio sidecar, so no VirtualService or Sidecar applies to it');
    const name = clientText(target, who);
    const { namespace, name: own } = service.metadata;
    const egress = blocked(connectionsInMesh(mesh, { target, service, slices, client: who }), name, `${namespace}/${own}.${namespace}.svc.cluster.local`);
    const faults = (portsAsked(service, target.port) ?? []).flatMap((port) =>
      routeFaults({
        client: sender,
        service: { namespace, name: own },
        port: port.port,
        isHttp: isHttpPort(port, target.http),
        path: target.http,
        destinationRules: valueOf(mesh.destinationRules) ?? [],
        virtualServices: valueOf(mesh.virtualServices) ?? [],
        pods: valueOf(mesh.pods) ?? [],
        destinations: mesh.destinations,
      }),
    );
    const broken = faults.map(
      (fault): Draft<Code> => ({
        code: 'mesh-route-broken',
        severity: 'error',
        confidence: fault.isOpen ? 'possible' : 'likely',
        scope: fault.scope,
        object: fault.by,
        message: `${objectText(fault.by)}: ${fault.message}`,
        evidence: [{ source: 'mesh', text: fault.evidence }],
        fix: [
          { text: `Correct ${fault.by.kind} "${fault.by.name}"`, command: kubectl(fault.by.namespace, 'edit', fault.by.kind.toLowerCase(), fault.by.name) },
        ],
      }),
    );
    const found = [...egress, ...broken];
    return judged(found, found.length === 0 ? 'no rule of the mesh sends requests elsewhere' : '');
  },
});
