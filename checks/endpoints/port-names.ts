import type { Pod } from '../../src/facts/objects.ts';
import { endpointsOf, isHeadless, podsOf, portsAsked } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { plural, serviceRef, some } from '../format.ts';
import { patch } from '../fix.ts';

type Found = Draft<'named-port-missing' | 'protocol-mismatch' | 'endpoint-port-name-mismatch' | 'headless-port-mismatch'>;

const portsIn = (pod: Pod) => [...pod.spec.containers, ...pod.spec.initContainers.filter((c) => c.restartPolicy === 'Always')].flatMap((c) => c.ports);

export const portNames = check({
  id: 'endpoints/port-names',
  title: 'Each Service port leads to a port that the endpoints have',
  needs: ['target', 'service', 'pods', 'slices'],
  codes: ['named-port-missing', 'protocol-mismatch', 'endpoint-port-name-mismatch', 'headless-port-mismatch'],
  run({ target, service, pods, slices }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no endpoints belong to it');
    const ports = portsAsked(service, target.port) ?? [];
    const own = podsOf(service, pods);
    const findings: Found[] = [];
    const say = (
      code: Found['code'],
      part: Pick<Found, 'severity' | 'scope' | 'message' | 'evidence' | 'fix'>,
      confidence: Found['confidence'] = 'confirmed',
    ) => findings.push({ code, confidence, object: serviceRef(target), ...part });

    for (const port of ports) {
      const index = service.spec.ports.indexOf(port);
      const name = port.targetPort;
      if (typeof name === 'string' && own.length > 0 && service.spec.selector) {
        const having = own.filter((p) => portsIn(p).some((c) => c.name === name && c.protocol === port.protocol));
        const otherProtocol = own.flatMap((p) => portsIn(p).filter((c) => c.name === name && c.protocol !== port.protocol));
        const there = [
          ...new Set(
            own.flatMap((p) =>
              portsIn(p)
                .filter((c) => c.protocol === port.protocol)
                .map((c) => (c.name ? `${c.name} (${c.containerPort})` : String(c.containerPort))),
            ),
          ),
        ];
        if (having.length === own.length) continue;
        const without = own.filter((p) => !having.includes(p));
        const none = having.length === 0;
        if (none && otherProtocol[0]) {
          say('protocol-mismatch', {
            severity: 'error',
            scope: ports.length > 1 ? 'part' : 'all',
            message: `Service port ${port.port} is ${port.protocol}, but the pods' port "${name}" is ${otherProtocol[0].protocol}`,
            evidence: [
              { source: 'service', text: `port ${port.port}/${port.protocol} → targetPort ${name}` },
              { source: 'pods', text: `container port ${name} (${otherProtocol[0].containerPort}) is ${otherProtocol[0].protocol}` },
            ],
            fix: [
              patch(
                'Give the Service port the protocol of the container port',
                target.namespace,
                `service/${target.name}`,
                [{ op: 'replace', path: `/spec/ports/${index}/protocol`, value: otherProtocol[0].protocol }],
                'json',
              ),
            ],
          });
          continue;
        }
        const candidates = own.flatMap((p) => portsIn(p).filter((c) => c.protocol === port.protocol));
        const instead = candidates[0] ? candidates[0].name || candidates[0].containerPort : undefined;
        say('named-port-missing', {
          severity: none ? 'error' : 'warning',
          scope: ports.length > 1 ? 'part' : none ? 'all' : 'part',
          message: none
            ? `targetPort "${name}" of Service port ${port.port} names a port that no container of its pods has; they have ${some(there) || 'none'}`
            : `targetPort "${name}" is missing in ${plural(without.length, 'pod')} of ${own.length} (${some(without.map((p) => p.metadata.name))}), so nothing is sent to them`,
          evidence: [
            { source: 'service', text: `port ${port.port} → targetPort ${name}` },
            { source: 'pods', text: `container ports: ${some(there, 6) || 'none is declared'}` },
          ],
          fix:
            instead !== undefined
              ? [
                  patch(
                    `Lead the Service port to "${instead}"`,
                    target.namespace,
                    `service/${target.name}`,
                    [{ op: 'replace', path: `/spec/ports/${index}/targetPort`, value: instead }],
                    'json',
                  ),
                  { text: `Or name the container's port "${name}"` },
                ]
              : [{ text: `Declare a port named "${name}" in the container, or use its number as targetPort` }],
        });
        continue;
      }

      const endpoints = endpointsOf(slices);
      if (!service.spec.selector && endpoints.length > 0) {
        // EndpointSlice API: a port is tied to the Service's port by its name.
        const offered = [...new Set(endpoints.map((e) => e.portName))];
        const sameName = endpoints.filter((e) => e.portName === port.name);
        if (sameName.length === 0) {
          say('endpoint-port-name-mismatch', {
            severity: 'error',
            scope: ports.length > 1 ? 'part' : 'all',
            message: `The hand-written endpoints name their port ${offered.map((o) => `"${o}"`).join(', ')}, Service port ${port.port} is named "${port.name}": they are tied by name, so nothing is sent to them`,
            evidence: [
              { source: 'service', text: `port ${port.port} is named "${port.name}"` },
              { source: 'endpointslices', text: `ports named ${offered.map((o) => `"${o}"`).join(', ')}` },
            ],
            fix: [
              ...(slices[0] && offered.length === 1
                ? [
                    patch(
                      'Name the port of the EndpointSlice like that of the Service',
                      target.namespace,
                      `endpointslice/${slices[0].metadata.name}`,
                      [{ op: 'replace', path: '/ports/0/name', value: port.name }],
                      'json',
                    ),
                  ]
                : []),
              { text: 'Or name the Service port like the endpoints do' },
            ],
          });
        } else if (sameName.every((e) => e.protocol !== port.protocol)) {
          say('protocol-mismatch', {
            severity: 'error',
            scope: ports.length > 1 ? 'part' : 'all',
            message: `Service port ${port.port} is ${port.protocol}, its hand-written endpoints are ${sameName[0]?.protocol}`,
            evidence: [{ source: 'endpointslices', text: `port "${port.name}" is ${sameName[0]?.protocol}` }],
            fix: [{ text: 'Give both the same protocol', command: `kubectl -n ${target.namespace} edit service ${target.name}` }],
          });
        }
      }

      if (isHeadless(service) && typeof port.targetPort === 'number' && port.targetPort !== port.port && own.length > 0) {
        const declared = own.flatMap(portsIn).map((c) => c.containerPort);
        const onPort = declared.includes(port.port);
        // A headless name leads straight to the pods, so the Service's port number is never translated.
        if (!onPort) {
          say(
            'headless-port-mismatch',
            {
              severity: 'warning',
              scope: 'part',
              message: `The Service is headless: clients that connect to port ${port.port} reach the pods' port ${port.port}, not targetPort ${port.targetPort}`,
              evidence: [
                { source: 'service', text: `clusterIP: None, port ${port.port} → targetPort ${port.targetPort}` },
                { source: 'pods', text: `container ports: ${[...new Set(declared)].join(', ') || 'none declared'}` },
              ],
              fix: [
                patch(
                  `Name the pods' own port in the Service`,
                  target.namespace,
                  `service/${target.name}`,
                  [{ op: 'replace', path: `/spec/ports/${index}/port`, value: port.targetPort }],
                  'json',
                ),
              ],
            },
            'likely',
          );
        }
      }
    }
    return judged('', findings);
  },
});
