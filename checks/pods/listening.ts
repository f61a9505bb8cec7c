import { valueOf } from '../../src/facts/fact.ts';
import type { Connection } from '../../src/facts/facts.ts';
import type { Pod, Service, ServicePort } from '../../src/facts/objects.ts';
import { dialledPort, endpointsOf, familiesOf, isReady, podsOf, portsAsked, splitTarget } from '../../src/facts/selectors.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { plural, podRef, probeEvidence, serviceRef, some } from '../format.ts';
import { kubectl, patch } from '../fix.ts';
import { nameOf, objectOf, ownerFacts, ownerOf, type Workloads } from './owner.ts';
import { aside } from './out.ts';
import { type Given, endpointOf, questionsBothWays } from '../../src/model/parties.ts';
import { getsThrough, placeOf, placeOfClient } from '../../src/model/forwarding.ts';
import { rejectsDenied } from '../../src/model/pod-way.ts';
import { hostPort } from '../../src/proxy/model.ts';
import { hasSidecar } from '../../src/mesh/member.ts';
import { type Serving, type ServingCode, servingOf } from '../../src/model/serving.ts';

interface Found extends Serving {
  pod: Pod;
  number: number;
  tried: Connection | undefined;
}

/** The finding's message. `who` names the pods: `pod web-1`, `2 of 3 pods (…)`. */
function message(code: ServingCode, first: Found, port: ServicePort, who: string, elsewhere: readonly number[]): string {
  if (code === 'listens-on-loopback') return `The program in ${who} listens on ${first.loopback}:${first.number} only, which no other pod can reach`;
  if (code === 'protocol-mismatch')
    return `Service port ${port.port} is ${port.protocol}, but ${who} listen${who.startsWith('pod ') ? 's' : ''} on port ${first.number}/${port.protocol === 'UDP' ? 'TCP' : 'UDP'}`;
  if (first.family !== undefined)
    return `The program in ${who} listens on port ${first.number} of IPv4 addresses only: connections over ${first.family} are refused`;
  const isHint = first.confidence === 'possible';
  const instead = elsewhere.length > 0 ? `; ${isHint ? 'it declares' : 'open ports'}: ${some(elsewhere.map(String))}` : '';
  return `${isHint ? 'Possibly nothing' : 'Nothing'} listens on port ${first.number} (targetPort of Service port ${port.port}) in ${who}${instead}`;
}

function fix(
  code: ServingCode,
  first: Found,
  port: ServicePort,
  elsewhere: readonly number[],
  namespace: string,
  service: string,
  change: (field: string, value: string | number) => object,
  othersServe: boolean,
): Fix[] {
  if (code === 'listens-on-loopback')
    return [{ text: `Configure the program to listen on 0.0.0.0:${first.number} (all addresses) instead of ${first.loopback}:${first.number}` }];
  if (first.family !== undefined)
    return [
      {
        text: `Configure the program to listen on [::]:${first.number}, which takes connections of both families; or take ${first.family} out of Service "${service}" (spec.ipFamilies) until it does`,
        command: kubectl(namespace, 'edit', 'service', service),
      },
    ];
  if (code === 'protocol-mismatch') {
    const spoken = port.protocol === 'UDP' ? 'TCP' : 'UDP';
    return [patch(`Change the protocol of Service port ${port.port} to ${spoken}`, namespace, `service/${service}`, change('protocol', spoken), 'json')];
  }
  const only = elsewhere.length === 1 ? elsewhere[0] : undefined;
  if (only !== undefined)
    return [patch(`Change targetPort of Service "${service}" to ${only}`, namespace, `service/${service}`, change('targetPort', only), 'json')];
  if (elsewhere.length === 0)
    return [
      {
        text: `Find out why the program does not listen on port ${first.number}: read its log, and check the port in its configuration`,
        command: kubectl(namespace, 'logs', first.pod.metadata.name, '--tail=20'),
      },
    ];
  if (othersServe) return [];
  return [
    {
      text: `Change targetPort of Service "${service}" to the one of these ports that serves its clients`,
      command: kubectl(namespace, 'edit', 'service', service),
    },
  ];
}

/** While other pods serve the port, the program or what its pod declares is wrong rather than the Service. */
function corrected({ pod, number }: Found, port: ServicePort, names: readonly string[]): Fix {
  const who = some(names);
  const text =
    typeof port.targetPort === 'string'
      ? `Correct the container port "${port.targetPort}" of ${who}, or make its program listen on port ${number}`
      : `Make the program of ${who} listen on port ${number}, as in other pods`;
  return { text, command: kubectl(pod.metadata.namespace, 'describe', 'pod', pod.metadata.name) };
}

/** While other pods serve: a workload whose pods all fail gets none until it is corrected, and single pods no requests. */
function setAside(service: Service, bad: readonly Pod[], ready: readonly Pod[], workloads: Workloads): Fix[] {
  const [first] = bad;
  const owner = first && ownerOf(first, workloads);
  const isOwn = (p: Pod) => ownerOf(p, workloads)?.workload === owner?.workload;
  if (!owner) return bad.some((p) => p.metadata.ownerReferences.length > 0) ? [] : aside(service, bad);
  if (owner.kind === 'DaemonSet' || !bad.every(isOwn) || ready.some((p) => isOwn(p) && !bad.includes(p))) return [];
  const text = `Scale ${nameOf(owner)}, whose pods do not serve this port, to zero until it is corrected`;
  return [patch(text, owner.workload.metadata.namespace, objectOf(owner), { spec: { replicas: 0 } })];
}

/** The endpoints, as `address:port`, to which a policy of either side denies the client's connections, or may. */
function deniedEndpoints(given: Given): Set<string> {
  const { service } = given;
  if (!service) return new Set();
  const denied = questionsBothWays(given, service).filter((q) => q.decision.verdict !== 'allowed');
  return new Set(denied.map((q) => hostPort(endpointOf(q).addresses[0] ?? '', q.connection.port)));
}

export const listening = check({
  id: 'pods/listening',
  title: 'The ready pods listen on the targetPort',
  needs: ['target', 'service', 'pods', 'slices'],
  uses: ['listeners', 'connections', 'client', 'policies', 'pluginPolicies', 'namespaces', 'networkDaemons', 'nodes', 'forwarding', ...ownerFacts],
  codes: ['target-port-not-listening', 'listens-on-loopback', 'protocol-mismatch'],
  run({ target, service, pods, slices, listeners, connections, client, policies, pluginPolicies, namespaces, networkDaemons, nodes, forwarding, ...owners }) {
    if (!service || service.spec.type === 'ExternalName') return skip('the Service has no pods of its own');
    const ready = podsOf(service, pods).filter((p) => isReady(p) || service.spec.publishNotReadyAddresses);
    if (ready.length === 0) return skip('no pod is ready');
    const endpoints = Map.groupBy(endpointsOf(slices), (e) => e.pod);
    const made = connections.seen ? connections.value : undefined;
    const asked = (portsAsked(service, target.port) ?? []).filter((p) => p.protocol !== 'SCTP');

    // Where the plug-in rejects what a policy denies, a refusal is the plug-in's, and says nothing of the program.
    const isRejected =
      rejectsDenied({ networkDaemons, nodes }) && client.seen && policies.seen
        ? deniedEndpoints({ target, service, slices, pods, client: client.value, policies: policies.value, namespaces, pluginPolicies })
        : new Set<string>();

    /** Pods that refused a connection, and whose ports could not be read. */
    const unread = new Set<string>();
    const looked = asked.map((port) => ({
      port,
      found: ready.flatMap((pod): Found[] => {
        const inside = listeners.seen ? listeners.value[pod.metadata.name] : undefined;
        // A pod of two families is an endpoint in each.
        const own = (endpoints.get(pod.metadata.name) ?? []).filter((e) => e.portName === port.name && e.protocol === port.protocol);
        const each = own.flatMap((endpoint): Found[] => {
          const number = dialledPort(service, port, endpoint);
          if (number === null) return [];
          const met = made?.list.find(
            (c) => c.hop === 'endpoint' && c.pod === pod.metadata.name && c.servicePort === port.port && splitTarget(c.target).address === endpoint.address,
          );
          // A firewall may refuse in the place of the program, and a sidecar answers for one that may not listen.
          const isElsewhere =
            met &&
            (isRejected.has(met.target) ||
              getsThrough(forwarding, placeOfClient(valueOf(client), made?.node ?? null), placeOf(pod), endpoint.address) === false);
          const saysNothing = (met?.outcome === 'refused' && isElsewhere) || (met?.outcome === 'answered' && hasSidecar(pod));
          const tried = saysNothing ? undefined : met;
          const to = { port: number, protocol: port.protocol, address: endpoint.address };
          const serving = servingOf(pod, to, inside?.seen ? inside.value : undefined, tried);
          if (!serving && tried?.outcome === 'refused') unread.add(pod.metadata.name);
          return serving ? [{ ...serving, pod, number, tried }] : [];
        });
        const [failing] = each.filter((f) => f.code !== null);
        return failing ? [failing] : each.slice(0, 1);
      }),
    }));

    const findings = looked.flatMap(({ port, found }) =>
      [...Map.groupBy(found, (f) => f.code)].flatMap(([code, bad]): Draft<ServingCode>[] => {
        const first = bad[0];
        if (code === null || !first) return [];
        const all = bad.length === ready.length;
        const names = bad.map((b) => b.pod.metadata.name);
        const who = !all
          ? `${bad.length} of ${plural(ready.length, 'pod')} (${some(names)})`
          : ready.length === 1
            ? `pod ${names[0]}`
            : `the ${plural(ready.length, 'pod')} of Service "${target.name}"`;
        const othersServe = found.some((f) => f.code === null);
        const elsewhere = [...new Set(bad.flatMap((b) => b.elsewhere))];
        const named = typeof port.targetPort === 'string' ? ` (${first.number})` : '';
        const change = (field: string, value: string | number) => [{ op: 'replace', path: `/spec/ports/${service.spec.ports.indexOf(port)}/${field}`, value }];
        return [
          {
            code,
            severity: 'error',
            confidence: first.confidence,
            scope: all && asked.length === 1 && (first.family === undefined || familiesOf(service).length === 1) ? 'all' : 'part',
            object: code === 'listens-on-loopback' ? podRef(first.pod) : serviceRef(target),
            message: message(code, first, port, who, elsewhere),
            evidence: [
              { source: 'service', text: `port ${port.port} → targetPort ${port.targetPort ?? port.port}${named}` },
              ...bad.slice(0, 3).flatMap((b) => [...b.evidence, ...(b.tried && made ? [probeEvidence(made.from, b.tried)] : [])]),
            ],
            fix: [
              ...fix(code, first, port, elsewhere, target.namespace, target.name, change, othersServe),
              ...(all
                ? []
                : setAside(
                    service,
                    bad.map((b) => b.pod),
                    ready,
                    owners,
                  )),
              ...(othersServe && code === 'target-port-not-listening' && first.family === undefined ? [corrected(first, port, names)] : []),
            ],
            pods: names,
          },
        ];
      }),
    );
    const all = looked.flatMap(({ found }) => found);
    if (all.length === 0) return unknown('the listening ports of the pods could not be read');
    if (findings.length === 0 && unread.size > 0) return unknown(`the listening ports of ${some([...unread])}, which refused a connection, could not be read`);
    const open = new Set(all.filter((f) => f.code === null).map((f) => f.number));
    return judged(findings, open.size > 0 ? `listening on ${[...open].join(', ')}` : '');
  },
});
