import type { EndpointSlice, Pod, Service, ServicePort } from '../../src/facts/objects.ts';
import { type Endpoint, endpointsOf, isHeadless, podsOf, portsAsked } from '../../src/facts/selectors.ts';
import type { Target } from '../../src/facts/facts.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { kubectl, patch } from '../fix.ts';
import { plural, serviceRef, some } from '../format.ts';

type Found = Draft<'named-port-missing' | 'protocol-mismatch' | 'endpoint-port-name-mismatch' | 'headless-port-mismatch'>;

/** One Service port and what it is compared with. */
interface Subject {
  target: Target;
  service: Service;
  port: ServicePort;
  /** `all` where it is the only port that was asked for. */
  scope: 'all' | 'part';
  own: Pod[];
}

const portsIn = (pod: Pod) => [...pod.spec.containers, ...pod.spec.initContainers.filter((c) => c.restartPolicy === 'Always')].flatMap((c) => c.ports);

const titleOf = ({ target, port }: Subject): string => `Service "${target.name}", port ${port.port}`;

/** A fix that changes one field of the Service port. */
const changePort = ({ target, service, port }: Subject, text: string, field: 'protocol' | 'targetPort' | 'port', value: string | number) =>
  patch(text, target.namespace, `service/${target.name}`, [{ op: 'replace', path: `/spec/ports/${service.spec.ports.indexOf(port)}/${field}`, value }], 'json');

/** A targetPort that is a name: each container needs a port of that name and protocol. */
function namedPort(subject: Subject, name: string): Found[] {
  const { target, port, scope, own } = subject;
  const having = own.filter((p) => portsIn(p).some((c) => c.name === name && c.protocol === port.protocol));
  if (having.length === own.length) return [];
  const base = { confidence: 'confirmed' as const, object: serviceRef(target) };
  const otherProtocol = own.flatMap((p) => portsIn(p).filter((c) => c.name === name && c.protocol !== port.protocol))[0];
  const isNone = having.length === 0;
  if (isNone && otherProtocol) {
    return [
      {
        ...base,
        code: 'protocol-mismatch',
        severity: 'error',
        scope,
        message: `${titleOf(subject)}: its protocol is ${port.protocol}, the containers' port "${name}" is ${otherProtocol.protocol}`,
        evidence: [
          { source: 'service', text: `port ${port.port}/${port.protocol} → targetPort ${name}` },
          { source: 'pods', text: `container port ${name} (${otherProtocol.containerPort}) is ${otherProtocol.protocol}` },
        ],
        fix: [changePort(subject, `Change the protocol of Service port ${port.port} to ${otherProtocol.protocol}`, 'protocol', otherProtocol.protocol)],
      },
    ];
  }
  const sameProtocol = own.flatMap((p) => portsIn(p).filter((c) => c.protocol === port.protocol));
  const declared = [...new Set(sameProtocol.map((c) => (c.name ? `${c.name} (${c.containerPort})` : String(c.containerPort))))];
  const instead = sameProtocol[0] && (sameProtocol[0].name || sameProtocol[0].containerPort);
  const without = own.filter((p) => !having.includes(p)).map((p) => p.metadata.name);
  return [
    {
      ...base,
      code: 'named-port-missing',
      severity: isNone ? 'error' : 'warning',
      scope: isNone ? scope : 'part',
      message: isNone
        ? `${titleOf(subject)}: no container has a port named "${name}" (targetPort); container ports: ${some(declared) || 'none'}`
        : `${titleOf(subject)}: ${plural(without.length, 'pod')} of ${own.length} (${some(without)}) ${without.length === 1 ? 'has' : 'have'} no port named "${name}" (targetPort) and ${without.length === 1 ? 'gets' : 'get'} no requests`,
      evidence: [
        { source: 'service', text: `port ${port.port} → targetPort ${name}` },
        { source: 'pods', text: `container ports: ${some(declared, 6) || 'none is declared'}` },
      ],
      fix:
        instead === undefined
          ? [{ text: `Declare a port named "${name}" in the container, or use its number as targetPort` }]
          : [
              changePort(subject, `Change targetPort of Service "${target.name}" to "${instead}"`, 'targetPort', instead),
              { text: `Or name the container's port "${name}"` },
            ],
    },
  ];
}

/** EndpointSlices that a person created: the API matches their ports with the Service's by name. */
function manualEndpoints(subject: Subject, endpoints: readonly Endpoint[], slice: EndpointSlice | undefined): Found[] {
  const { target, port, scope } = subject;
  const base = { severity: 'error' as const, confidence: 'confirmed' as const, scope, object: serviceRef(target) };
  const sameName = endpoints.filter((e) => e.portName === port.name);
  if (sameName.length === 0) {
    const offered = [...new Set(endpoints.map((e) => e.portName))];
    const names = offered.map((o) => `"${o}"`).join(', ');
    const rename = slice && [
      patch(
        `Name the port of EndpointSlice "${slice.metadata.name}" "${port.name}"`,
        target.namespace,
        `endpointslice/${slice.metadata.name}`,
        [{ op: 'replace', path: '/ports/0/name', value: port.name }],
        'json',
      ),
    ];
    return [
      {
        ...base,
        code: 'endpoint-port-name-mismatch',
        message: `${titleOf(subject)}: its name is "${port.name}", the manually created endpoints name their port ${names}; ports are matched by name, so they get no requests`,
        evidence: [
          { source: 'service', text: `port ${port.port} is named "${port.name}"` },
          { source: 'endpointslices', text: `ports named ${names}` },
        ],
        fix: [...(rename && offered.length === 1 ? rename : []), { text: 'Or give the Service port the name that the endpoints have' }],
      },
    ];
  }
  if (sameName.some((e) => e.protocol === port.protocol)) return [];
  return [
    {
      ...base,
      code: 'protocol-mismatch',
      message: `${titleOf(subject)}: its protocol is ${port.protocol}, its manually created endpoints use ${sameName[0]?.protocol}`,
      evidence: [{ source: 'endpointslices', text: `port "${port.name}" is ${sameName[0]?.protocol}` }],
      fix: [{ text: `Give the Service port and the endpoints the same protocol`, command: kubectl(target.namespace, 'edit', 'service', target.name) }],
    },
  ];
}

/** A headless name resolves to the pods, so nothing translates the Service's port number. */
function headlessPort(subject: Subject): Found[] {
  const { target, port, own } = subject;
  const declared = [...new Set(own.flatMap(portsIn).map((c) => c.containerPort))];
  if (typeof port.targetPort !== 'number' || port.targetPort === port.port || own.length === 0 || declared.includes(port.port)) return [];
  return [
    {
      code: 'headless-port-mismatch',
      severity: 'warning',
      confidence: 'likely',
      scope: 'part',
      object: serviceRef(target),
      message: `Service "${target.name}" is headless: clients connect to port ${port.port} of the pods, because targetPort ${port.targetPort} is not used`,
      evidence: [
        { source: 'service', text: `clusterIP: None, port ${port.port} → targetPort ${port.targetPort}` },
        { source: 'pods', text: `container ports: ${declared.join(', ') || 'none declared'}` },
      ],
      fix: [changePort(subject, `Change port ${port.port} of Service "${target.name}" to ${port.targetPort}`, 'port', port.targetPort)],
    },
  ];
}

export const portNames = check({
  id: 'endpoints/port-names',
  title: 'Each Service port matches a port of the endpoints',
  needs: ['target', 'service', 'pods', 'slices'],
  codes: ['named-port-missing', 'protocol-mismatch', 'endpoint-port-name-mismatch', 'headless-port-mismatch'],
  run({ target, service, pods, slices }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const ports = portsAsked(service, target.port) ?? [];
    const own = podsOf(service, pods);
    const endpoints = endpointsOf(slices);
    const findings = ports.flatMap((port): Found[] => {
      const subject: Subject = { target, service, port, scope: ports.length > 1 ? 'part' : 'all', own };
      if (typeof port.targetPort === 'string' && own.length > 0 && service.spec.selector) return namedPort(subject, port.targetPort);
      return [
        ...(!service.spec.selector && endpoints.length > 0 ? manualEndpoints(subject, endpoints, slices[0]) : []),
        ...(isHeadless(service) ? headlessPort(subject) : []),
      ];
    });
    return judged('', findings);
  },
});
