import { valueOf } from '../../src/facts/fact.ts';
import { controllerKind, ofTheCloud } from '../../src/front/controllers.ts';
import { choose } from '../../src/front/choose.ts';
import { isReady } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { patch } from '../fix.ts';
import { plural, some } from '../format.ts';

export const routeClass = check({
  id: 'route/class',
  title: 'Its class names a controller, and the controller runs',
  needs: ['target', 'front'],
  codes: ['route-class-missing', 'route-controller-down'],
  run({ target, front }) {
    const chosen = choose(front, target);
    if (!chosen) return skip('there is nothing whose class could be judged');
    const { ingress, gateway } = chosen;
    if (!ingress && !gateway) return skip('no Ingress and no Gateway is concerned');
    const found = ingress ? ofIngress(front, ingress) : ofGateway(front, gateway as NonNullable<typeof gateway>);
    if (found.kind === 'unknown') return unknown(found.why);
    if (found.kind === 'wrong') return judged([found.draft]);
    const { controller } = found;
    if (!front.proxy.seen) return unknown(front.proxy.why);
    const { value: proxy } = front.proxy;
    if (!proxy)
      return ofTheCloud(controller) || !controllerKind(controller)
        ? judged([], `class ${found.name}, controller ${controller}`)
        : unknown(`the pods of ${controller} were not found`);
    const ready = proxy.pods.filter(isReady);
    if (ready.length > 0) return judged([], `class ${found.name}: ${proxy.controller}, ${ready.length} of ${plural(proxy.pods.length, 'pod')} ready`);
    const [first] = proxy.pods;
    return judged([
      {
        code: 'route-controller-down',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: first
          ? { kind: 'Pod', namespace: first.metadata.namespace, name: first.metadata.name }
          : { kind: ingress ? 'IngressClass' : 'GatewayClass', namespace: '', name: found.name },
        message: first
          ? `${proxy.controller}: ${proxy.pods.length === 1 ? 'the only pod that takes the requests is not ready' : `none of ${proxy.pods.length} pods that take the requests is ready`}`
          : `${proxy.controller}: no pod takes the requests of class ${found.name}`,
        evidence: proxy.pods.slice(0, 3).map((p) => ({ source: 'pods', text: `${p.metadata.namespace}/${p.metadata.name}: ${p.status.phase}, not ready` })),
        fix: [
          {
            text: `Find out why ${proxy.controller} does not run`,
            command: first ? `kubectl -n ${first.metadata.namespace} describe pod ${first.metadata.name}` : 'kubectl get pods -A',
          },
        ],
      },
    ]);
  },
});

type Found = { kind: 'right'; name: string; controller: string } | { kind: 'unknown'; why: string } | { kind: 'wrong'; draft: Draft<'route-class-missing'> };
type Front = Parameters<typeof choose>[0];
type Chosen = NonNullable<ReturnType<typeof choose>>;

function ofIngress(front: Front, ingress: NonNullable<Chosen['ingress']>): Found {
  if (!front.ingressClasses.seen) return { kind: 'unknown', why: front.ingressClasses.why };
  const classes = front.ingressClasses.value;
  const { namespace, name } = ingress.metadata;
  const asked = ingress.spec.ingressClassName ?? ingress.classAnnotation;
  const defaults = classes.filter((c) => c.isDefault);
  const own = asked == null ? defaults[0] : classes.find((c) => c.metadata.name === asked);
  if (own) return { kind: 'right', name: own.metadata.name, controller: own.spec.controller };
  // Controllers may serve Ingresses without a class, or of a class that no object describes.
  const addressed = ingress.status.loadBalancer.ingress.length > 0 || (front.proxy.seen && front.proxy.value !== null);
  if (addressed) return { kind: 'right', name: asked ?? 'none', controller: '' };
  const names = classes.map((c) => c.metadata.name);
  const to = names.length === 1 ? names[0] : undefined;
  return {
    kind: 'wrong',
    draft: {
      code: 'route-class-missing',
      severity: 'error',
      // A controller may serve what no object describes.
      confidence: 'likely',
      scope: 'all',
      object: { kind: 'Ingress', namespace, name },
      message:
        asked == null
          ? `Ingress "${name}" names no class, and no IngressClass is the default`
          : `Ingress "${name}" is of class "${asked}", which does not exist${names.length > 0 ? `; there are: ${some(names)}` : '; there is no IngressClass'}`,
      evidence: [
        {
          source: 'ingress',
          text:
            asked == null
              ? 'spec.ingressClassName is not set'
              : ingress.spec.ingressClassName != null
                ? `spec.ingressClassName: ${asked}`
                : `annotation kubernetes.io/ingress.class: ${asked}`,
        },
        { source: 'ingressclasses', text: names.length > 0 ? names.join(', ') : 'none' },
      ],
      fix: to
        ? [patch(`Set the class of Ingress "${name}" to "${to}"`, namespace, `ingress/${name}`, { spec: { ingressClassName: to } })]
        : [{ text: 'Set spec.ingressClassName to the class of a controller that runs', command: 'kubectl get ingressclasses' }],
    },
  };
}

function ofGateway(front: Front, gateway: NonNullable<Chosen['gateway']>): Found {
  if (!front.gatewayClasses.seen) return { kind: 'unknown', why: front.gatewayClasses.why };
  const asked = gateway.spec.gatewayClassName;
  const own = front.gatewayClasses.value.find((c) => c.metadata.name === asked);
  const accepted = own?.status.conditions.find((c) => c.type === 'Accepted');
  // Some controllers are given one Gateway in their own settings: they write its status, and leave the class alone.
  const isServed = gateway.status.conditions.some((c) => (c.type === 'Programmed' || c.type === 'Accepted') && c.status === 'True');
  if (own && (accepted?.status === 'True' || isServed)) return { kind: 'right', name: asked, controller: own.spec.controllerName };
  const names = (valueOf(front.gatewayClasses) ?? []).map((c) => c.metadata.name);
  return {
    kind: 'wrong',
    draft: {
      code: 'route-class-missing',
      severity: 'error',
      confidence: 'confirmed',
      scope: 'all',
      object: own
        ? { kind: 'GatewayClass', namespace: '', name: asked }
        : { kind: 'Gateway', namespace: gateway.metadata.namespace, name: gateway.metadata.name },
      message: own
        ? `No controller has accepted GatewayClass "${asked}" (${own.spec.controllerName})${accepted?.message ? `: ${accepted.message}` : ''}`
        : `Gateway "${gateway.metadata.name}" is of class "${asked}", which does not exist${names.length > 0 ? `; there are: ${some(names)}` : ''}`,
      evidence: [
        {
          source: 'gatewayclasses',
          text: own ? `Accepted: ${accepted?.status ?? 'not set'}${accepted?.reason ? `, ${accepted.reason}` : ''}` : names.join(', ') || 'none',
        },
      ],
      fix: [
        {
          text: own ? `Check that the controller ${own.spec.controllerName} runs` : 'Set spec.gatewayClassName to a class that exists',
          command: 'kubectl get gatewayclasses',
        },
      ],
    },
  };
}
