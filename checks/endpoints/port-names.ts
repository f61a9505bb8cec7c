import type { EndpointSlice, Pod, Service, ServicePort } from '../../src/facts/objects.ts';
import { type Endpoint, endpointsOf, isHeadless, lasting, podsOf, portsAsked } from '../../src/facts/selectors.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { Connections, FactTypes, Target } from '../../src/facts/facts.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { kubectl, patch } from '../fix.ts';
import { plural, probeEvidence, serviceRef, some } from '../format.ts';

type Found = Draft<'named-port-missing' | 'protocol-mismatch' | 'endpoint-port-name-mismatch' | 'headless-port-mismatch'>;

/** One Service port and what it is compared with. */
interface Subject {
  target: Target;
  service: Service;
  port: ServicePort;
  /** `all` where it is the only port that was asked for. */
  scope: 'all' | 'part';
  own: readonly Pod[];
}

const portsIn = (pod: Pod) => lasting(pod.spec).flatMap((c) => c.ports);

const titleOf = ({ target, port }: Subject): string => `Service "${target.name}", port ${port.port}`;

/** A fix that changes one field of the Service port. */
const changePort = ({ target, service, port }: Subject, text: string, field: 'protocol' | 'targetPort' | 'port', value: string | number) =>
  patch(text, target.namespace, `service/${target.name}`, [{ op: 'replace', path: `/spec/ports/${service.spec.ports.indexOf(port)}/${field}`, value }], 'json');

/** The pods' sockets show a program on the port for this protocol, and for no other. */
function speaksOnly(own: readonly Pod[], number: number, protocol: ServicePort['protocol'], listeners: Fact<FactTypes['listeners']>): boolean {
  const read = own.flatMap((p) => (listeners.seen && listeners.value[p.metadata.name]?.seen ? [listeners.value[p.metadata.name]] : []));
  const sockets = read.flatMap((r) => (r?.seen ? (r.value.sockets ?? []) : [])).filter((x) => x.port === number);
  return sockets.length > 0 && sockets.every((x) => x.protocol.toUpperCase() === protocol);
}

/** A targetPort that is a name: each container needs a port of that name and protocol. */
function namedPort(subject: Subject, name: string, listeners: Fact<FactTypes['listeners']>): Found[] {
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
        fix: speaksOnly(own, otherProtocol.containerPort, port.protocol, listeners)
          ? [
              {
                text: `Change the protocol of the containers' port "${name}" to ${port.protocol}: the program listens on ${otherProtocol.containerPort}/${port.protocol}`,
              },
            ]
          : [changePort(subject, `Change the protocol of Service port ${port.port} to ${otherProtocol.protocol}`, 'protocol', otherProtocol.protocol)],
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

/** What shows whether the pods of a headless Service answer on the Service's own port. */
interface Seen {
  connections: Fact<Connections>;
  listeners: Fact<FactTypes['listeners']>;
}

/** Whether a pod answers on a port: a connection shows it best, then its sockets. Undefined where neither is known. */
function answersOn(pod: string, port: number, protocol: ServicePort['protocol'], { connections, listeners }: Seen): boolean | undefined {
  const kind = protocol === 'UDP' ? 'udp' : 'tcp';
  const tried = (connections.seen ? connections.value.list : []).find((c) => c.pod === pod && c.kind === kind && c.target.endsWith(`:${port}`));
  if (tried?.outcome === 'answered') return true;
  if (tried?.outcome === 'refused') return false;
  const read = listeners.seen ? listeners.value[pod] : undefined;
  if (read?.seen && read.value.sockets) return read.value.sockets.some((x) => x.protocol === kind && x.port === port);
  return undefined;
}

/** A headless name resolves to the pods, so nothing translates the Service's port number. */
function headlessPort(subject: Subject, endpoints: readonly Endpoint[], given: Seen): Found[] {
  const { target, port, own, scope } = subject;
  const behind = endpoints.filter((e) => e.portName === port.name && e.protocol === port.protocol && e.port !== null && e.port !== port.port);
  const offered = [...new Set(behind.map((e) => e.port as number))];
  const [instead] = offered;
  if (instead === undefined || own.length === 0) return [];
  const pods = [...new Set(behind.flatMap((e) => e.pod ?? []))];
  const answers = pods.map((pod) => answersOn(pod, port.port, port.protocol, given));
  if (answers.includes(true)) return [];
  const declared = [...new Set(own.flatMap(portsIn).map((c) => c.containerPort))];
  // Without a connection or sockets only the declared ports speak, and they are documentation.
  const isKnown = answers.includes(false);
  if (!isKnown && (declared.includes(port.port) || declared.length === 0)) return [];
  const servesInstead = pods.some((pod) => answersOn(pod, instead, port.protocol, given) === true);
  return [
    {
      code: 'headless-port-mismatch',
      severity: isKnown ? 'error' : 'warning',
      confidence: isKnown ? 'confirmed' : 'likely',
      scope: isKnown ? scope : 'part',
      object: serviceRef(target),
      message: `Service "${target.name}" is headless: clients connect to its port ${port.port} on the pods, which listen on ${servesInstead || !isKnown ? offered.join(', ') : 'another port'} (targetPort is not used)`,
      evidence: [
        { source: 'service', text: `clusterIP: None, port ${port.port} → targetPort ${port.targetPort ?? port.port}` },
        { source: 'pods', text: `container ports: ${declared.join(', ') || 'none declared'}` },
        ...(given.connections.seen
          ? given.connections.value.list
              .filter((c) => (c.hop === 'endpoint' || c.hop === 'target-port') && c.servicePort === port.port)
              .slice(0, 4)
              .map((c) => probeEvidence(given.connections.seen ? given.connections.value.from : '', c))
          : []),
      ],
      fix: [
        changePort(
          subject,
          `Change port ${port.port} of Service "${target.name}" to ${instead}; clients then connect to ${target.name}:${instead}`,
          'port',
          instead,
        ),
        { text: `Or make the program listen on port ${port.port}. Clients that look up SRV records get port ${instead} already` },
      ],
      pods,
    },
  ];
}

export const portNames = check({
  id: 'endpoints/port-names',
  title: 'Each Service port matches a port of the endpoints',
  needs: ['target', 'service', 'pods', 'slices'],
  uses: ['connections', 'listeners'],
  codes: ['named-port-missing', 'protocol-mismatch', 'endpoint-port-name-mismatch', 'headless-port-mismatch'],
  run({ target, service, pods, slices, connections, listeners }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no endpoints of its own');
    const ports = portsAsked(service, target.port) ?? [];
    const own = podsOf(service, pods);
    const endpoints = endpointsOf(slices);
    const findings = ports.flatMap((port): Found[] => {
      const subject: Subject = { target, service, port, scope: ports.length > 1 ? 'part' : 'all', own };
      const headless = isHeadless(service) ? headlessPort(subject, endpoints, { connections, listeners }) : [];
      if (typeof port.targetPort === 'string' && own.length > 0 && service.spec.selector)
        return [...namedPort(subject, port.targetPort, listeners), ...headless];
      return [...(!service.spec.selector && endpoints.length > 0 ? manualEndpoints(subject, endpoints, slices[0]) : []), ...headless];
    });
    return judged(findings);
  },
});
