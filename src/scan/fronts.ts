/** What is in front of Services, judged by its objects alone: Ingresses, and routes of the Gateway API. */
import type { Check } from '../../checks/check.ts';
import { type Fact, seen, unseen, valueOf } from '../facts/fact.ts';
import type { FactTypes } from '../facts/facts.ts';
import type { Ingress, Route } from '../facts/front.ts';
import { controllersOf, type FrontRef, proxyOf } from '../gather/front.ts';
import { reasoned } from '../verdict/judge.ts';
import { type Inventory, nothingRead } from './inventory.ts';
import { notOfService, type Scanned, visible } from './judge.ts';
import type { Kind } from './kinds.ts';
import { everywhere, type Named } from './store.ts';

type Front = FactTypes['front'];
type Object = Ingress | Route;

/** All of one kind; where the cluster does not serve it, there are none. */
function allOf<T extends Named>(kinds: readonly Kind<T>[]): Fact<T[]> {
  const lists = kinds.map((k) => k.store.all()).filter((l) => l.seen || l.reason !== 'not-found');
  return lists.find((l) => !l.seen) ?? seen(lists.flatMap((l) => valueOf(l) ?? []));
}

/** What is known of everything in front of Services, without the pods that take the requests. */
function frontOf({ kinds }: Inventory): Omit<Front, 'proxy'> {
  const { gateways, gatewayClasses, referenceGrants, routes } = kinds.gatewayApi;
  return {
    ingresses: allOf([kinds.ingresses]),
    ingressClasses: allOf([kinds.ingressClasses]),
    routes: allOf(routes),
    gateways: allOf(gateways),
    gatewayClasses: allOf(gatewayClasses),
    referenceGrants: allOf(referenceGrants),
    namespaces: kinds.namespaces.store.all(),
    services: kinds.services.store.all(),
    secrets: {},
  };
}

const hostsOf = (object: Object): string[] => ('kind' in object ? object.spec.hostnames : [...new Set(object.spec.rules.map((r) => r.host))].filter(Boolean));

type Proxies = Map<string, Promise<Front['proxy']>>;

/** Milliseconds for which pods that are asked for, because a scan of some namespaces does not hold them, count as known. */
const proxiesKnownMs = 30_000;
const asked = new WeakMap<Inventory, { at: number; proxies: Proxies }>();

/** The pods of controllers that are known: what is held is looked up each time. */
function proxiesFor(inventory: Inventory): Proxies {
  const before = asked.get(inventory);
  if (before && Date.now() - before.at < proxiesKnownMs) return before.proxies;
  const proxies: Proxies = new Map();
  if (!inventory.kinds.pods.store.covers(everywhere)) asked.set(inventory, { at: Date.now(), proxies });
  return proxies;
}

function remembered<T>(all: Map<string, T>, key: string, make: () => T): T {
  const known = all.get(key);
  if (known !== undefined) return known;
  const made = make();
  all.set(key, made);
  return made;
}

/** Judges all Ingresses and routes that are held. Asks for the pods of their controllers where a scan of some namespaces does not hold them. */
export async function judgeFronts(checks: readonly Check[], inventory: Inventory, context: string, signal: AbortSignal): Promise<Scanned[]> {
  const known = frontOf(inventory);
  const objects: Object[] = [...(valueOf(known.ingresses) ?? []), ...(valueOf(known.routes) ?? [])];
  const services = inventory.kinds.services.store;
  const notHeld = unseen('not-needed', 'Services of other namespaces', 'only some namespaces are scanned');
  const proxies = proxiesFor(inventory);
  /** The front with the pods of a controller: many have the same one. */
  const fronts = new Map<string, Promise<Front>>();
  const frontFor = (ref: FrontRef, isHeld: boolean): Promise<Front> => {
    const controllers = controllersOf(ref, known);
    const key = JSON.stringify([controllers.gateway, controllers.isNamed, controllers.kinds.map((k) => k.name)]);
    const proxy = remembered(proxies, key, () => proxyOf(inventory.held, controllers, valueOf(known.services) ?? [], signal));
    return remembered(fronts, `${key} ${isHeld}`, async () => ({ ...known, ...(!isHeld && { services: notHeld }), proxy: await proxy }));
  };
  /** A route may name a Service of a namespace that is not scanned. */
  const isHeldFor = (object: Object): boolean =>
    !('kind' in object) || object.spec.rules.every((r) => r.backendRefs.every((b) => services.covers(b.namespace ?? object.metadata.namespace)));
  const unread = nothingRead();
  const scanned: Scanned[] = [];
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    const kind = 'kind' in object ? object.kind : 'Ingress';
    const ref: FrontRef = { kind: kind === 'Ingress' ? 'ingress' : 'route', namespace, name };
    const target = {
      namespace,
      name: '',
      from: { kind: 'namespace' as const, namespace, name: '' },
      probe: 'none' as const,
      nodes: 'client' as const,
      matrix: false,
      front: ref,
    };
    const facts = { ...unread, target: seen(target), front: seen(await frontFor(ref, isHeldFor(object))) };
    const { verdict } = reasoned(checks, facts);
    scanned.push({
      kind,
      context,
      namespace,
      name,
      ...notOfService,
      ports: hostsOf(object),
      status: verdict.status,
      summary: verdict.causes[0]?.message ?? verdict.summary,
      causes: verdict.causes.map(visible),
      ignored: [],
      from: `namespace/${namespace}`,
    });
  }
  return scanned;
}
