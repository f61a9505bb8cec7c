import { type Decision, decide } from '../../src/policy/evaluate.ts';
import { isFinished, isReady } from '../../src/facts/selectors.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { clientText } from '../words.ts';
import { allowFix, clientParty, denialEvidence, podParty, policiesOf, policyNames } from './parties.ts';

const dnsPort = 53;

/** Resolvers ask over UDP first and use TCP for long answers only: a denial of UDP breaks names, one of TCP rarely does. */
export const dns = check({
  id: 'network-policy/dns',
  title: "Policies let the client reach the cluster's DNS",
  needs: ['target', 'client', 'policies', 'dnsPods'],
  uses: ['namespaces'],
  codes: ['policy-denies-dns'],
  run({ target, client, policies, dnsPods, namespaces }) {
    const from = client && clientParty(client, namespaces);
    if (!from?.pod) return skip('the client is outside of the cluster');
    const policy = client?.pod?.spec.dnsPolicy ?? 'ClusterFirst';
    if (policy === 'None' || policy === 'Default') return skip(`the client's dnsPolicy is ${policy}`);
    const replicas = dnsPods.filter((p) => !isFinished(p) && p.status.podIPs.length > 0);
    const replica = replicas.find(isReady) ?? replicas[0];
    if (!replica) return skip('no DNS pod is known');
    const to = podParty(replica, namespaces);
    const out = policiesOf(policies, from.pod.namespace);
    if (!out) return unknown(`the NetworkPolicies of namespace ${from.pod.namespace} could not be read`);
    const into = policiesOf(policies, replica.metadata.namespace);
    const decisions = (['UDP', 'TCP'] as const).map((protocol): { protocol: 'UDP' | 'TCP'; decision: Decision; direction: 'egress' | 'ingress' } => {
      const leaving = decide('egress', from, to, dnsPort, protocol, out);
      if (leaving.verdict !== 'allowed' || !into) return { protocol, decision: leaving, direction: 'egress' };
      return { protocol, decision: decide('ingress', to, from, dnsPort, protocol, into), direction: 'ingress' };
    });
    const denied = decisions.filter((d) => d.decision.verdict === 'denied');
    const first = denied.find((d) => d.protocol === 'UDP') ?? denied[0];
    if (!first) {
      const left = decisions.find((d) => d.decision.verdict === 'unknown');
      return left ? unknown(left.decision.why) : judged(decisions.every((d) => d.decision.isolating.length === 0) ? '' : 'policies allow DNS');
    }
    const udp = first.protocol === 'UDP';
    const where = first.direction === 'egress' ? from.pod.namespace : replica.metadata.namespace;
    return judged('', [
      {
        code: 'policy-denies-dns',
        severity: udp ? 'error' : 'warning',
        confidence: 'likely',
        scope: udp ? 'all' : 'part',
        object: { kind: 'NetworkPolicy', namespace: where, name: (first.decision.nearest[0]?.policy ?? first.decision.isolating[0])?.metadata.name ?? '' },
        message: `${first.decision.isolating.length === 1 ? 'NetworkPolicy' : 'NetworkPolicies'} ${policyNames(first.decision)} in namespace ${where} keep${first.decision.isolating.length === 1 ? 's' : ''} ${clientText(target, client)} from asking DNS (port 53 over ${denied.map((d) => d.protocol).join(' and ')})`,
        evidence: denialEvidence(first.decision, first.direction),
        fix: allowFix(first.decision, first.direction, first.direction === 'egress' ? to : from, dnsPort, 'UDP', 'Allow DNS as well'),
      },
    ]);
  },
});
