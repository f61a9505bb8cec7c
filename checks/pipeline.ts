import { isExtensionKind } from '../src/front/extension.ts';
import type { Check } from './check.ts';
import { call } from './api-server/call.ts';
import { certificate as servedCertificate } from './api-server/certificate.ts';
import { policies as apiServerPolicies } from './api-server/policies.ts';
import { reference } from './api-server/reference.ts';
import { registered } from './api-server/registered.ts';
import { answers } from './dns/answers.ts';
import { client } from './dns/client.ts';
import { config } from './dns/config.ts';
import { hostsFile } from './dns/hosts-file.ts';
import { names } from './dns/names.ts';
import { nodeLocal } from './dns/node-local.ts';
import { replicas } from './dns/replicas.ts';
import { search } from './dns/search.ts';
import { service as dnsService } from './dns/service.ts';
import { upstream } from './dns/upstream.ts';
import { families } from './endpoints/families.ts';
import { overlap } from './endpoints/overlap.ts';
import { portNames } from './endpoints/port-names.ts';
import { ready } from './endpoints/ready.ts';
import { selector } from './endpoints/selector.ts';
import { slices } from './endpoints/slices.ts';
import { conntrack } from './kube-proxy/conntrack.ts';
import { excluded } from './kube-proxy/excluded.ts';
import { leftover } from './kube-proxy/leftover.ts';
import { rules } from './kube-proxy/rules.ts';
import { running } from './kube-proxy/running.ts';
import { syncing } from './kube-proxy/syncing.ts';
import { dns as policyDns } from './network-policy/dns.ts';
import { authorization } from './mesh/authorization.ts';
import { injection } from './mesh/injection.ts';
import { routing } from './mesh/routing.ts';
import { tls as mutualTls } from './mesh/tls.ts';
import { enforced } from './network-policy/enforced.ts';
import { egress } from './network-policy/egress.ts';
import { ingress } from './network-policy/ingress.ts';
import { endpoints } from './path/endpoints.ts';
import { forwarding } from './path/forwarding.ts';
import { clientNode } from './path/client-node.ts';
import { http } from './path/http.ts';
import { healthCheck } from './path/health-check.ts';
import { loadBalancer as throughLoadBalancer } from './path/load-balancer.ts';
import { matrix } from './path/matrix.ts';
import { name } from './path/name.ts';
import { nodePorts } from './path/node-ports.ts';
import { payload } from './path/payload.ts';
import { replies } from './path/replies.ts';
import { tls } from './path/tls.ts';
import { virtualIp } from './path/virtual-ip.ts';
import { containers } from './pods/containers.ts';
import { created } from './pods/created.ts';
import { listening } from './pods/listening.ts';
import { readiness } from './pods/readiness.ts';
import { scheduled } from './pods/scheduled.ts';
import { updated } from './pods/updated.ts';
import { attached } from './route/attached.ts';
import { backends } from './route/backends.ts';
import { routeClass } from './route/class.ts';
import { exists as claimed } from './route/exists.ts';
import { gateway } from './route/gateway.ts';
import { request } from './route/request.ts';
import { rule } from './route/rule.ts';
import { tls as certificate } from './route/tls.ts';
import { exists } from './service/exists.ts';
import { externalName } from './service/external-name.ts';
import { loadBalancer } from './service/load-balancer.ts';
import { port } from './service/port.ts';
import { sourceRanges } from './service/source-ranges.ts';
import { trafficPolicy } from './service/traffic-policy.ts';

/** THE order: what a person would check first comes first. */
export const pipeline: readonly Check[] = [
  exists,
  port,
  externalName,
  loadBalancer,
  trafficPolicy,
  sourceRanges,

  selector,
  overlap,
  families,
  slices,
  portNames,
  ready,

  created,
  updated,
  scheduled,
  containers,
  readiness,
  listening,

  ingress,
  egress,
  policyDns,
  enforced,

  injection,
  routing,
  mutualTls,
  authorization,

  replicas,
  dnsService,
  config,
  nodeLocal,
  client,
  search,
  hostsFile,
  answers,
  names,
  upstream,

  running,
  excluded,
  syncing,
  rules,
  leftover,
  conntrack,

  clientNode,
  forwarding,
  name,
  virtualIp,
  endpoints,
  payload,
  replies,
  tls,
  http,
  throughLoadBalancer,
  nodePorts,
  healthCheck,
  matrix,
];

/** What is in front of the Service, where the question begins there. */
export const inFront: readonly Check[] = [claimed, routeClass, gateway, attached, rule, backends, certificate, request];
/** What makes the API server call the Service, where the question begins there. */
const atApiServer: readonly Check[] = [registered, reference, servedCertificate, apiServerPolicies, call];
export const everyCheck: readonly Check[] = [...atApiServer, ...inFront, ...pipeline];

/** The checks of a run. Where no Service is behind it, what is in front is all there is to judge. */
export function pipelineFor({ front, name }: { front?: { kind: string }; name: string }): readonly Check[] {
  if (!front) return pipeline;
  const before = isExtensionKind(front.kind) ? atApiServer : inFront;
  return name === '' ? before : [...before, ...pipeline];
}
