import { unreadOf } from '../../src/facts/fact.ts';
import { connectionsInMesh, type Met } from '../../src/mesh/connections.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { clientText, plural } from '../format.ts';
import { kubectl, patch } from '../fix.ts';
import { objectText, podsText } from './sides.ts';

type Code = 'mesh-tls-required' | 'mesh-tls-mismatch';

/** Where a DestinationRule decides what is sent, it is the one to change; else the side that takes it. */
const codeOf = ({ sends }: Met): Code => (sends.by?.kind === 'DestinationRule' ? 'mesh-tls-mismatch' : 'mesh-tls-required');

function fixOf(first: Met, who: string): Fix[] {
  const { sends, accepts } = first;
  if (sends.by?.kind === 'DestinationRule') {
    const mode = accepts.mutual ? 'ISTIO_MUTUAL' : 'DISABLE';
    const { namespace, name } = sends.by;
    return [
      patch(`Set trafficPolicy.tls.mode of DestinationRule "${name}" to ${mode}`, namespace, `destinationrule/${name}`, {
        spec: { trafficPolicy: { tls: { mode } } },
      }),
    ];
  }
  if (sends.by?.kind === 'Pod')
    return [
      {
        text: `Take the annotation that bypasses the proxy out of the pod template of ${who}`,
        command: kubectl(sends.by.namespace, 'get', 'pod', sends.by.name, '-o', 'yaml'),
      },
    ];
  const by = accepts.by;
  return [
    { text: `Take ${who} into the mesh: label its namespace for injection, and create the pod again` },
    ...(by
      ? [
          {
            text: `Or let ${objectText(by)} take plain text on port ${first.port} (portLevelMtls PERMISSIVE)`,
            command: kubectl(by.namespace, 'edit', 'peerauthentication', by.name),
          },
        ]
      : []),
  ];
}

/** Whether both sides mean the same by a connection: plain text, or mutual TLS of the mesh. */
export const tls = check({
  id: 'mesh/tls',
  title: 'The proxies of both sides agree about mutual TLS',
  needs: ['target', 'service', 'slices', 'mesh'],
  uses: ['client'],
  codes: ['mesh-tls-required', 'mesh-tls-mismatch'],
  run({ target, service, slices, mesh, client }) {
    if (!mesh) return skip('the cluster has no kinds of a service mesh');
    if (!service) return skip('the Service is not known');
    const blind = unreadOf(mesh.pods, mesh.client, mesh.peerAuthentications, mesh.destinationRules, mesh.sidecars);
    if (blind !== undefined) return unknown(blind);
    const who = client.seen ? client.value : null;
    const met = connectionsInMesh(mesh, { target, service, slices, client: who });
    if (met.length === 0) return skip('neither the client nor a pod behind the Service is in a mesh');
    // What its Sidecar keeps from the Service is another check's finding.
    const refused = met.filter((m) => m.tls === 'refused' && m.sends.by?.kind !== 'Sidecar');
    const [one] = met;
    if (refused.length === 0)
      return judged(
        [],
        `${one?.sends.wires[0] === 'mutual' ? 'mutual TLS' : 'plain text'} is sent, which ${plural(met.length, 'pod')} ${met.length === 1 ? 'takes' : 'take'}`,
      );
    const name = clientText(target, who);
    return judged(
      [...Map.groupBy(refused, (m) => `${codeOf(m)} ${m.sends.by?.name ?? m.accepts.by?.name ?? ''}`).values()].flatMap((group): Draft<Code>[] => {
        const [first] = group;
        if (!first) return [];
        const { sends, accepts } = first;
        const object = sends.by ?? accepts.by ?? { kind: 'Service', namespace: target.namespace, name: target.name };
        const taken = accepts.by ? `${objectText(accepts.by)} sets ${accepts.why}` : accepts.why;
        const message =
          sends.by?.kind === 'DestinationRule'
            ? `DestinationRule "${sends.by.name}" has ${name} send ${sends.wires[0] === 'plain' ? 'plain text' : 'TLS'} (${sends.why}), and ${podsText(group)} ${group.length === 1 ? 'does' : 'do'} not take it: ${taken}`
            : `${accepts.by ? `${objectText(accepts.by)} requires` : `${podsText(group)} require${group.length === 1 ? 's' : ''}`} mutual TLS (${accepts.why}) on port ${first.port} of ${podsText(group)}, and ${name} sends plain text: ${sends.why}`;
        return [
          {
            code: codeOf(first),
            severity: 'error',
            confidence: 'likely',
            scope: refused.length < met.length ? 'part' : 'all',
            object,
            message,
            evidence: [
              { source: 'mesh', text: `${name} sends ${sends.wires.join(' or ')}: ${sends.why}` },
              { source: 'mesh', text: `${podsText(group)}, port ${first.port}: ${accepts.why}` },
            ],
            fix: fixOf(first, name),
            pods: group.map((m) => m.pod.name),
          },
        ];
      }),
    );
  },
});
