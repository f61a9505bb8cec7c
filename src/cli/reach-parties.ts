/** The two sides of `reach`, as a person names them. */
import ipaddr from 'ipaddr.js';
import * as v from 'valibot';
import { CannotRun } from '../catalog/cannot-run.ts';
import { nearest } from '../catalog/nearest-names.ts';
import { service as serviceSchema } from '../facts/objects.ts';
import { matchesLabels } from '../facts/selectors.ts';
import type { Connection, Party } from '../policy/rule.ts';
import { byAddress, byName, namespaceLabelsOf, outside, type World } from '../policy/world.ts';
import { workloads } from './target.ts';

export interface PartyRef {
  kind: 'pod' | 'workload' | 'namespace' | 'node' | 'service' | 'address' | 'external';
  namespace: string;
  name: string;
  /** For `workload`: deployments, statefulsets, daemonsets or replicasets. */
  resource?: string;
}

const forms = 'pod/NAME, deploy/NAME, svc/NAME, NAMESPACE/pod/NAME, namespace/NAME, node/NAME, external or an address';

/** Reads `--from` or `--to`. Throws CannotRun for what it does not know. */
export function parseParty(option: string, text: string | undefined, namespace: string): PartyRef {
  if (text === undefined) throw new CannotRun(`Whose connection? Give --${option} ${forms}.`);
  if (ipaddr.isValid(text)) return { kind: 'address', namespace: '', name: text };
  if (text === 'external') return { kind: 'external', namespace: '', name: '' };
  const parts = text.split('/');
  const [home = '', kind = '', name = ''] = parts.length === 3 ? parts : [namespace, ...parts];
  const bad = () => new CannotRun(`--${option} "${text}" is not known; give ${forms}.`);
  if (parts.length < 2 || parts.length > 3 || parts.some((p) => p === '')) throw bad();
  if (['pod', 'pods', 'po'].includes(kind)) return { kind: 'pod', namespace: home, name };
  if (workloads[kind]) return { kind: 'workload', namespace: home, name, resource: workloads[kind] };
  if (['svc', 'service', 'services'].includes(kind)) return { kind: 'service', namespace: home, name };
  if (parts.length === 2 && ['namespace', 'ns', 'namespaces'].includes(kind)) return { kind: 'namespace', namespace: name, name: '' };
  if (parts.length === 2 && ['node', 'nodes', 'no'].includes(kind)) return { kind: 'node', namespace: '', name };
  throw bad();
}

const podsIn = (world: World, namespace: string) => world.pods.filter((p) => p.pod?.namespace === namespace);

/** The pod of this name; throws CannotRun, with the nearest name, where there is none. */
export function podCalled(world: World, namespace: string, name: string, what = 'pod'): Party {
  const found = byName(world, namespace, name);
  if (found) return found;
  const near = nearest(
    name,
    podsIn(world, namespace).map((p) => p.pod?.name ?? ''),
  );
  throw new CannotRun(`There is no ${what} "${name}" in namespace ${namespace} among the objects at hand${near ? `; did you mean "${near}"?` : '.'}`);
}

/** A running pod of a workload; its template where none is there (manifests). */
function podOfWorkload(world: World, who: PartyRef): Party {
  const template = podCalled(world, who.namespace, who.name, who.resource?.replace(/s$/, ''));
  const labels = { matchLabels: template.pod?.labels ?? {} };
  return podsIn(world, who.namespace).find((p) => p !== template && p.addresses.length > 0 && matchesLabels(labels, p.pod?.labels ?? {})) ?? template;
}

/** PartyRef connects, or is connected to; not for a Service, which is several. */
export function partyOf(world: World, who: PartyRef): Party {
  switch (who.kind) {
    case 'address':
      return byAddress(world, who.name);
    case 'external':
      return outside();
    case 'node': {
      const node = world.nodes.find((n) => n.node?.name === who.name);
      if (node) return node;
      const near = nearest(
        who.name,
        world.nodes.map((n) => n.node?.name ?? ''),
      );
      throw new CannotRun(`There is no node "${who.name}" among the objects at hand${near ? `; did you mean "${near}"?` : '.'}`);
    }
    case 'namespace': {
      // A plain pod without labels of its own.
      const labels = podsIn(world, who.namespace)[0]?.pod?.namespaceLabels ?? world.namespaces.get(who.namespace);
      return {
        pod: {
          namespace: who.namespace,
          name: '',
          labels: {},
          namespaceLabels: namespaceLabelsOf(who.namespace, labels),
          hostNetwork: false,
          node: null,
          ports: [],
        },
        node: null,
        addresses: [],
      };
    }
    case 'workload':
      return podOfWorkload(world, who);
    default:
      return podCalled(world, who.namespace, who.name);
  }
}

interface RawService {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; namespace?: string };
  spec?: { clusterIP?: string; clusterIPs?: string[] };
}

/** Of Kubernetes' own; Knative has a kind of this name, too. */
export const isService = (o: { kind?: string; apiVersion?: string }) => o.kind === 'Service' && (o.apiVersion ?? 'v1') === 'v1';

export interface Receiver {
  name: string;
  party: Party;
  connection: Connection;
}

const asNumber = (text: string | undefined): number | undefined => {
  const n = Number(text);
  return text !== undefined && Number.isInteger(n) && n >= 1 && n <= 65_535 ? n : undefined;
};

/** The port of one receiver: a number, the name of one that it declares, or the only one that it declares. */
function portOf(party: Party, port: string | undefined, protocol: Connection['protocol']): number | undefined {
  const declared = party.pod?.ports.filter((p) => p.protocol === protocol) ?? [];
  if (port === undefined) return declared[0]?.port;
  return declared.find((p) => p.name === port)?.port ?? asNumber(port);
}

/** The receivers with the ports on their own side: of a Service its pods, on their targetPort. */
export function receivers(world: World, objects: readonly unknown[], who: PartyRef, port: string | undefined, protocol: Connection['protocol']): Receiver[] {
  const services = (objects as RawService[]).filter(isService);
  // A Service's virtual IP belongs to no pod: policies see the pods behind it.
  const virtual = who.kind === 'address' ? services.find((o) => o.spec?.clusterIP === who.name || o.spec?.clusterIPs?.includes(who.name)) : undefined;
  if (who.kind !== 'service' && !virtual) {
    const party = partyOf(world, who);
    const number = portOf(party, port, protocol);
    if (number === undefined)
      throw new CannotRun(`--port "${port ?? ''}" is neither a port number nor the name of one that the receiving pod declares; give the pod's port.`);
    return [{ name: party.pod?.name ?? who.name, party, connection: { port: number, protocol } }];
  }
  const inNamespace = services.filter((o) => (o.metadata?.namespace ?? 'default') === who.namespace);
  const found = virtual ?? inNamespace.find((o) => o.metadata?.name === who.name);
  if (!found) {
    const near = nearest(
      who.name,
      inNamespace.map((o) => o.metadata?.name ?? ''),
    );
    throw new CannotRun(`There is no Service "${who.name}" in namespace ${who.namespace} among the objects at hand${near ? `; did you mean "${near}"?` : '.'}`);
  }
  const namespace = found.metadata?.namespace ?? 'default';
  const name = found.metadata?.name ?? '';
  const { spec } = v.parse(serviceSchema, found);
  const ports = spec.ports.filter((p) => p.protocol === protocol && (port === undefined || p.name === port || String(p.port) === port));
  if (ports.length === 0)
    throw new CannotRun(
      `Service "${name}" has no ${protocol} port "${port ?? ''}"; it has ${spec.ports.map((p) => `${p.port}/${p.protocol}`).join(', ') || 'none'}.`,
    );
  const selector = spec.selector ?? {};
  const pods = Object.keys(selector).length === 0 ? [] : podsIn(world, namespace).filter((p) => matchesLabels({ matchLabels: selector }, p.pod?.labels ?? {}));
  const live = pods.filter((p) => p.addresses.length > 0);
  const all = (live.length > 0 ? live : pods).flatMap((party) =>
    ports.flatMap((p): Receiver[] => {
      const target = p.targetPort ?? p.port;
      const number = typeof target === 'number' ? target : portOf(party, target, protocol);
      return number === undefined ? [] : [{ name: party.pod?.name ?? '', party, connection: { port: number, protocol } }];
    }),
  );
  if (all.length === 0) throw new CannotRun(`Service "${name}" selects no pod among the given objects; check its selector and its targetPort.`);
  return all;
}
