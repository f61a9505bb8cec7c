import { valueOf } from '../../src/facts/fact.ts';
import { dialledPort, endpointsOf, targetsOf } from '../../src/facts/selectors.ts';
import { callersOf } from '../../src/front/extension.ts';
import { decided, policiesKnown, receiverOf, unjudgedPolicies, unreadPolicies } from '../../src/model/parties.ts';
import { blockOf } from '../../src/policy/change.ts';
import { outside } from '../../src/policy/world.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { blockerText, denialEvidence } from '../network-policy/denial.ts';
import { plural, serviceRef, some } from '../format.ts';
import { callEvidence, failedCalls } from './evidence.ts';

export const policies = check({
  id: 'api-server/policies',
  title: 'Policies let the API server in',
  needs: ['target', 'extension', 'service', 'slices', 'pods', 'policies'],
  uses: ['namespaces', 'pluginPolicies', 'apiServerCalls'],
  codes: ['policy-denies-ingress'],
  run({ target, extension, service, slices, pods, policies, namespaces, pluginPolicies, apiServerCalls }) {
    const caller = callersOf(extension).find((c) => c.service?.namespace === target.namespace && c.service.name === target.name);
    const port = service?.spec.ports.find((p) => p.port === caller?.service?.port);
    if (!service || !port) return skip('no Service is called');
    const unread = unreadPolicies(target.namespace, policies, pluginPolicies);
    if (unread !== undefined) return unknown(unread);
    const addresses = valueOf(extension.apiServers) ?? [];
    const known = policiesKnown(policies, pluginPolicies);
    const asked = targetsOf(port, endpointsOf(slices)).flatMap((endpoint) => {
      const pod = pods.find((p) => p.metadata.name === endpoint.pod);
      const dialled = dialledPort(service, port, endpoint);
      const to = receiverOf(endpoint.address, pod, namespaces);
      const found = dialled === null ? undefined : decided('ingress', outside(...addresses), to, { port: dialled, protocol: port.protocol }, known);
      return found ? [{ ...found, name: endpoint.pod ?? endpoint.address }] : [];
    });
    const denied = asked.filter((a) => a.decision.verdict === 'denied');
    const [first] = denied;
    if (!first) {
      if (asked.some((a) => a.decision.verdict === 'unknown')) return unknown('policies leave it open whether the API server gets in');
      const unjudged = unjudgedPolicies(known);
      if (unjudged !== undefined) return unknown(unjudged);
      return judged([], asked.some((a) => a.decision.selecting.length > 0) ? 'allowed' : 'no policy selects the pods');
    }
    const from = addresses.length > 0 ? `the API server (${some(addresses)})` : 'the API server';
    return judged([
      {
        code: 'policy-denies-ingress',
        severity: 'error',
        // Some plug-ins let the API server through where it runs on the pod's own node; a call that failed shows that this one does not.
        confidence: failedCalls(apiServerCalls).length > 0 ? 'confirmed' : 'likely',
        scope: denied.length === asked.length ? 'all' : 'part',
        object: serviceRef(target),
        message: `${blockerText(first.decision, 'ingress', 'blocks', 'block')} ${from} from ${plural(denied.length, 'pod')} behind Service "${target.name}" on port ${first.connection.port}`,
        evidence: [...denialEvidence(first, first.decision), ...callEvidence(extension, apiServerCalls)],
        fix: [
          {
            text: `Allow port ${first.connection.port} of these pods from ${addresses.length > 0 ? some(addresses.map(blockOf)) : 'the addresses of the API servers'} (ipBlock); a NetworkPolicy cannot name the API server by labels`,
          },
        ],
        pods: denied.map((d) => d.name),
      },
    ]);
  },
});
