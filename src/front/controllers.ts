/** Controllers of Ingresses and Gateways, and the pods that take the requests for them, as their own manifests label them. */

export interface ControllerKind {
  name: string;
  /** Of `spec.controller` of an IngressClass, `spec.controllerName` of a GatewayClass. */
  controller: RegExp;
  /** Label selectors of the pods that take the requests; the first that finds some. `{gateway}` is the name of the Gateway. */
  proxies: readonly string[];
  /** The classes of Ingresses that it serves without an IngressClass object by its default settings; null: those that name no class. */
  unlisted?: readonly (string | null)[];
}

export const controllerKinds: readonly ControllerKind[] = [
  { name: 'Contour', controller: /^projectcontour\.io\//, proxies: ['app=envoy', 'app.kubernetes.io/component=envoy'], unlisted: [null, 'contour'] },
  {
    name: 'ingress-nginx',
    controller: /^k8s\.io\/ingress-nginx/,
    proxies: ['app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller', 'app.kubernetes.io/name=ingress-nginx'],
  },
  {
    name: 'NGINX',
    controller: /^nginx\.org\/|^gateway\.nginx\.org\//,
    proxies: ['gateway.networking.k8s.io/gateway-name={gateway}', 'app.kubernetes.io/name=nginx-ingress', 'app=nginx-ingress'],
  },
  { name: 'Traefik', controller: /^traefik\.io\//, proxies: ['app.kubernetes.io/name=traefik'], unlisted: [null, 'traefik'] },
  {
    name: 'HAProxy',
    controller: /^haproxy\.org\/|^haproxy-ingress\.github\.io\//,
    proxies: ['app.kubernetes.io/name=kubernetes-ingress', 'run=haproxy-ingress', 'app.kubernetes.io/name=haproxy-ingress'],
  },
  {
    name: 'Kong',
    controller: /^ingress-controllers\.konghq\.com\/|^konghq\.com\//,
    proxies: ['app.kubernetes.io/component=app,app.kubernetes.io/name=kong', 'app=ingress-kong'],
  },
  { name: 'Envoy Gateway', controller: /^gateway\.envoyproxy\.io\//, proxies: ['gateway.envoyproxy.io/owning-gateway-name={gateway}'] },
  { name: 'Istio', controller: /^istio\.io\//, proxies: ['gateway.networking.k8s.io/gateway-name={gateway}', 'istio=ingressgateway'] },
  { name: 'Cilium', controller: /^cilium\.io\/|^io\.cilium\//, proxies: ['k8s-app=cilium-envoy', 'k8s-app=cilium'] },
];

export const controllerKind = (controller: string): ControllerKind | undefined => controllerKinds.find((k) => k.controller.test(controller));

/** What such controllers are, where they answer for themselves: a load balancer of the cloud has no pods. */
export const ofTheCloud = (controller: string): boolean => /\.k8s\.aws\/|networking\.gke\.io\/|^azure|ingress\.azure|networking\.azure/i.test(controller);

/** The labels that each selector of such pods wants. */
const wanted = controllerKinds.flatMap((k) => k.proxies.map((selector) => selector.split(',').map((pair) => pair.split('='))));

/** Whether a pod may be one that takes requests, for whatever Gateway. */
export const mayTakeRequests = (labels: Readonly<Record<string, string>>): boolean =>
  wanted.some((pairs) => pairs.every(([key = '', value]) => (value === '{gateway}' ? key in labels : labels[key] === value)));
