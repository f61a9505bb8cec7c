import type { FactTypes } from '../../src/facts/facts.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { Pod, Service } from '../../src/facts/objects.ts';
import { endpointsOf, portsAsked, targetsOf } from '../../src/facts/selectors.ts';
import { type Decision, decide, type Direction } from '../../src/policy/evaluate.ts';
import { check, type Draft, type Judgement, judged, skip, unknown } from '../check.ts';
import { clientText, plural, some } from '../words.ts';
import { allowFix, clientParty, denialEvidence, podParty, policiesOf, policyNames } from './parties.ts';

interface Given {
  target: FactTypes['target'];
  service: Service | null;
  slices: FactTypes['slices'];
  pods: Pod[];
  client: FactTypes['client'];
  policies: FactTypes['policies'];
  namespaces: Fact<FactTypes['namespaces']>;
}

/** Judges one direction for the client and every endpoint pod, on the pods' own ports (policies see packets after DNAT). */
function judge<C extends 'policy-denies-ingress' | 'policy-denies-egress'>(direction: Direction, code: C, given: Given): Judgement<C> {
  const { target, service, slices, pods, client, policies, namespaces } = given;
  if (!service || service.spec.type === 'ExternalName') return skip('no pods belong to it');
  const from = client && clientParty(client, namespaces);
  if (!from?.pod) return skip('the client is outside of the cluster');
  const home = direction === 'ingress' ? target.namespace : from.pod.namespace;
  const own = policiesOf(policies, home);
  if (!own) return unknown(`the NetworkPolicies of namespace ${home} could not be read`);
  if (own.length === 0) return judged(`no policies in namespace ${home}`);

  const endpoints = endpointsOf(slices);
  const pairs = (portsAsked(service, target.port) ?? []).flatMap((port) =>
    targetsOf(port, endpoints).flatMap((e) => {
      const pod = pods.find((p) => p.metadata.name === e.pod);
      if (e.port === null) return [];
      const to = pod ? podParty(pod, namespaces) : { pod: null, addresses: [e.address] };
      if (direction === 'ingress' && !pod) return [];
      const decision =
        direction === 'ingress' ? decide('ingress', to, from, e.port, port.protocol, own) : decide('egress', from, to, e.port, port.protocol, own);
      return [{ to, port: e.port, protocol: port.protocol, name: e.pod ?? e.address, decision }];
    }),
  );
  if (pairs.length === 0) return skip('there is no endpoint to connect to');
  const denied = pairs.filter((p) => p.decision.verdict === 'denied');
  const first = denied[0];
  if (!first) {
    const left = pairs.find((p) => p.decision.verdict === 'unknown');
    if (left) return unknown(left.decision.why);
    return judged(
      (first ?? pairs.every((p) => p.decision.isolating.length === 0))
        ? 'no policy selects the pods'
        : `${policyNames(pairs.find((p) => p.decision.by)?.decision as Decision)} allow${pairs[0]?.decision.isolating.length === 1 ? 's' : ''} it`,
    );
  }
  const who = clientText(target, client);
  const names = [...new Set(denied.map((d) => d.name))];
  const total = new Set(pairs.map((p) => p.name)).size;
  const part = denied.length < pairs.length;
  const others = direction === 'ingress' ? from : first.to;
  const ports = [...new Set(denied.map((d) => d.port))].join(', ');
  const nearest = first.decision.nearest[0];
  const reason = nearest ? `its nearest rule ${nearest.reason}` : `${first.decision.isolating.length === 1 ? 'it has' : 'they have'} no ${direction} rule`;
  const blocker = first.decision.isolating.length === 1 ? 'NetworkPolicy' : 'NetworkPolicies';
  const draft: Draft<C> = {
    code,
    severity: 'error',
    confidence: 'likely',
    scope: part ? 'part' : 'all',
    object: { kind: 'NetworkPolicy', namespace: home, name: (nearest?.policy ?? first.decision.isolating[0])?.metadata.name ?? '' },
    message:
      direction === 'ingress'
        ? `${blocker} ${policyNames(first.decision)} in namespace ${home} block${first.decision.isolating.length === 1 ? 's' : ''} ${who} from ${part ? `${names.length} of ${total}` : plural(total, 'pod')} behind Service "${target.name}" on port ${ports}: ${reason}`
        : `${blocker} ${policyNames(first.decision)} in namespace ${home} do${first.decision.isolating.length === 1 ? 'es' : ''} not let ${who} out to ${part ? `${names.length} of ${total}` : plural(total, 'pod')} behind Service "${target.name}" on port ${ports}: ${reason}`,
    evidence: [...denialEvidence(first.decision, direction), { source: 'policy', text: `denied: ${who} → ${some(names.map((n) => `${n}:${first.port}`))}` }],
    fix: allowFix(
      first.decision,
      direction,
      others,
      first.port,
      first.protocol,
      direction === 'ingress' ? `Let ${who} in` : 'Let the client out to these pods',
    ),
    pods: names,
  };
  return judged('', [draft]);
}

const facts = { needs: ['target', 'service', 'slices', 'pods', 'client', 'policies'], uses: ['namespaces'] } as const;

export const ingress = check({
  id: 'network-policy/ingress',
  title: "Policies let the client in to the Service's pods",
  ...facts,
  codes: ['policy-denies-ingress'],
  run: (given) => judge('ingress', 'policy-denies-ingress', given),
});

export const egress = check({
  id: 'network-policy/egress',
  title: "Policies let the client out to the Service's pods",
  ...facts,
  codes: ['policy-denies-egress'],
  run: (given) => judge('egress', 'policy-denies-egress', given),
});
