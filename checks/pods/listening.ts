import ipaddr from 'ipaddr.js';
import type { Connection, Listeners } from '../../src/facts/facts.ts';
import type { Pod, Service } from '../../src/facts/objects.ts';
import { endpointsOf, isReady, podsOf, portsAsked } from '../../src/facts/selectors.ts';
import { check, type Draft, type Evidence, judged, skip, unknown } from '../check.ts';
import { patch, plural, podRef, probeEvidence, serviceRef, some } from '../words.ts';

type Code = 'target-port-not-listening' | 'listens-on-loopback' | 'protocol-mismatch';
type Port = Service['spec']['ports'][number];

const isLoopback = (address: string) => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback';

interface Seen {
  code: Code | null;
  evidence: Evidence[];
  confidence: 'confirmed' | 'likely' | 'possible';
  /** Ports on which the pod does listen, for all to reach. */
  open: number[];
  loopback: string;
}

const declared = (pod: Pod, protocol: string) => pod.spec.containers.flatMap((c) => c.ports.filter((p) => p.protocol === protocol).map((p) => p.containerPort));

/** What one pod does with one port number, from what is known of its sockets, its loopback, and connections to it. */
function look(pod: Pod, number: number, port: Port, listening: Listeners | undefined, tried: Connection | undefined): Seen | undefined {
  const name = pod.metadata.name;
  const transport = port.protocol === 'UDP' ? 'udp' : 'tcp';
  const other = transport === 'tcp' ? 'udp' : 'tcp';
  const refused = tried?.outcome === 'refused';
  if (tried?.outcome === 'answered') return { code: null, evidence: [], confidence: 'confirmed', open: [number], loopback: '' };
  const sockets = listening?.sockets;
  if (sockets) {
    const open = [...new Set(sockets.filter((s) => s.protocol === transport && !isLoopback(s.address)).map((s) => s.port))];
    const list = sockets.filter((s) => s.protocol === transport).map((s) => `${s.address}:${s.port}`);
    const evidence: Evidence[] = [{ source: 'sockets', text: `${name} listens on ${some(list, 5) || `no ${transport.toUpperCase()} port`}` }];
    if (open.includes(number)) return { code: null, evidence, confidence: 'confirmed', open, loopback: '' };
    const onLoopback = sockets.find((s) => s.protocol === transport && s.port === number);
    if (onLoopback) return { code: 'listens-on-loopback', evidence, confidence: 'confirmed', open, loopback: onLoopback.address };
    const otherSocket = sockets.find((s) => s.protocol === other && s.port === number);
    if (otherSocket)
      return {
        code: 'protocol-mismatch',
        evidence: [{ source: 'sockets', text: `${name} listens on ${other.toUpperCase()} ${otherSocket.address}:${number}` }],
        confidence: 'confirmed',
        open,
        loopback: '',
      };
    return { code: 'target-port-not-listening', evidence, confidence: 'confirmed', open, loopback: '' };
  }
  const forwarded = listening?.forwarded ?? {};
  const here = forwarded[String(number)];
  const answering = Object.entries(forwarded)
    .filter(([, answer]) => answer === 'answered')
    .map(([p]) => Number(p))
    .filter((p) => p !== number);
  const told: Evidence[] = Object.entries(forwarded).map(([p, answer]) => ({ source: 'port-forward', text: `${name}, port ${p} on its loopback: ${answer}` }));
  if (here === 'refused') return { code: 'target-port-not-listening', evidence: told, confidence: 'confirmed', open: answering, loopback: '' };
  if (refused)
    return here === 'answered'
      ? { code: 'listens-on-loopback', evidence: told, confidence: 'confirmed', open: [], loopback: '127.0.0.1' }
      : { code: 'target-port-not-listening', evidence: told, confidence: 'confirmed', open: answering, loopback: '' };
  if (here === 'answered') return { code: null, evidence: told, confidence: 'likely', open: [number], loopback: '' };
  if (tried) return undefined;
  // Nothing was tried. What a pod declares is documentation, so it is a suspicion at most, and none where a probe uses the port.
  const says = declared(pod, port.protocol);
  const probed = pod.spec.containers.flatMap((c) => [c.readinessProbe?.httpGet?.port, c.readinessProbe?.tcpSocket?.port]).filter((p) => typeof p === 'number');
  if (says.length === 0 || says.includes(number) || probed.includes(number)) return undefined;
  return {
    code: 'target-port-not-listening',
    evidence: [
      { source: 'pods', text: `${name} declares ${some(says.map(String))}${probed.length > 0 ? `, and its probe succeeds on ${probed.join(', ')}` : ''}` },
    ],
    confidence: 'possible',
    open: says,
    loopback: '',
  };
}

export const listening = check({
  id: 'pods/listening',
  title: 'The ready pods listen on the targetPort',
  needs: ['target', 'service', 'pods', 'slices'],
  uses: ['listeners', 'connections'],
  codes: ['target-port-not-listening', 'listens-on-loopback', 'protocol-mismatch'],
  run({ target, service, pods, slices, listeners, connections }) {
    if (!service || service.spec.type === 'ExternalName') return skip('no pods belong to it');
    const ready = podsOf(service, pods).filter((p) => isReady(p) || service.spec.publishNotReadyAddresses);
    if (ready.length === 0) return skip('no pod is ready');
    const endpoints = endpointsOf(slices);
    const made = connections.seen ? connections.value : undefined;
    const findings: Draft<Code>[] = [];
    let looked = 0;
    const open = new Set<number>();
    for (const port of portsAsked(service, target.port) ?? []) {
      if (port.protocol === 'SCTP') continue;
      const seen = ready.flatMap((pod) => {
        const endpoint = endpoints.find((e) => e.pod === pod.metadata.name && e.portName === port.name && e.protocol === port.protocol);
        if (endpoint?.port == null) return [];
        const number = endpoint.port;
        const fact = listeners.seen ? listeners.value[pod.metadata.name] : undefined;
        const tried = made?.list.find((c) => c.hop === 'endpoint' && c.pod === pod.metadata.name && c.servicePort === port.port);
        const result = look(pod, number, port, fact?.seen ? fact.value : undefined, tried);
        return result ? [{ pod, number, tried, ...result }] : [];
      });
      looked += seen.length;
      for (const s of seen) if (s.code === null) open.add(s.number);
      for (const code of ['target-port-not-listening', 'listens-on-loopback', 'protocol-mismatch'] as const) {
        const bad = seen.filter((s) => s.code === code);
        const first = bad[0];
        if (!first) continue;
        const all = bad.length === ready.length;
        const who = all
          ? ready.length === 1
            ? `pod ${first.pod.metadata.name}`
            : `the ${plural(ready.length, 'pod')} of Service "${target.name}"`
          : `${bad.length} of ${plural(ready.length, 'pod')} (${some(bad.map((b) => b.pod.metadata.name))})`;
        const elsewhere = [...new Set(bad.flatMap((b) => b.open))].filter((p) => p !== first.number);
        const index = service.spec.ports.indexOf(port);
        const several = (portsAsked(service, target.port) ?? []).length > 1;
        const message =
          code === 'listens-on-loopback'
            ? `The program in ${who} listens on ${first.loopback}:${first.number} only, so nothing outside of the pod can reach it`
            : code === 'protocol-mismatch'
              ? `Service port ${port.port} is ${port.protocol}, but ${who} take${all && ready.length > 1 ? '' : 's'} ${port.protocol === 'UDP' ? 'TCP' : 'UDP'} on ${first.number}`
              : `${first.confidence === 'possible' ? 'Perhaps nothing' : 'Nothing'} listens on port ${first.number}, the targetPort of Service port ${port.port}, in ${who}${elsewhere.length > 0 ? `; ${first.confidence === 'possible' ? 'declared' : 'open'} there: ${some(elsewhere.map(String))}` : ''}`;
        findings.push({
          code,
          severity: 'error',
          confidence: first.confidence,
          scope: all && !several ? 'all' : 'part',
          object: code === 'listens-on-loopback' ? podRef(first.pod) : serviceRef(target),
          message,
          evidence: [
            {
              source: 'service',
              text: `port ${port.port} → targetPort ${port.targetPort ?? port.port}${typeof port.targetPort === 'string' ? ` (${first.number})` : ''}`,
            },
            ...bad.slice(0, 3).flatMap((b) => [...b.evidence, ...(b.tried && made ? [probeEvidence(made.from, b.tried)] : [])]),
          ],
          fix:
            code === 'listens-on-loopback'
              ? [{ text: `Let the program listen on 0.0.0.0:${first.number} (all addresses) instead of ${first.loopback}` }]
              : code === 'protocol-mismatch'
                ? [
                    patch(
                      'Give the Service port the protocol that the program speaks',
                      target.namespace,
                      `service/${target.name}`,
                      [{ op: 'replace', path: `/spec/ports/${index}/protocol`, value: port.protocol === 'UDP' ? 'TCP' : 'UDP' }],
                      'json',
                    ),
                  ]
                : elsewhere.length === 1
                  ? [
                      patch(
                        `Lead the Service port to ${elsewhere[0]}`,
                        target.namespace,
                        `service/${target.name}`,
                        [{ op: 'replace', path: `/spec/ports/${index}/targetPort`, value: elsewhere[0] }],
                        'json',
                      ),
                    ]
                  : [
                      {
                        text: 'Set targetPort to the port that the program listens on, or let the program listen there',
                        command: `kubectl -n ${target.namespace} edit service ${target.name}`,
                      },
                    ],
          pods: bad.map((b) => b.pod.metadata.name),
        });
      }
    }
    if (findings.length === 0 && looked === 0) return unknown('what listens in the pods could not be seen');
    return judged(`listening on ${[...open].join(', ')}`, findings);
  },
});
