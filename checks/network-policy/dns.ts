import type { Client } from '../../src/facts/facts.ts';
import { isFinished, isReady } from '../../src/facts/selectors.ts';
import type { ResolvConf } from '../../src/dns/resolv-conf.ts';
import { smallestChange } from '../../src/policy/change.ts';
import { type Decision, decide } from '../../src/policy/decide.ts';
import type { Party } from '../../src/policy/rule.ts';
import { outside } from '../../src/policy/world.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { isNodeLocal, ownResolvConf } from '../dns/evidence.ts';
import { clientText } from '../format.ts';
import { patch } from '../fix.ts';
import { blockers, blockerText, clientParty, denialEvidence, partyOf, policiesKnown, type Question, written } from './parties.ts';

const dnsPort = 53;
/** The servers that the client asks, as far as its resolv.conf or its spec tells; empty where it asks the cluster's. */
function ownServers(client: Client, conf: ResolvConf | undefined): string[] {
  if (conf) return conf.nameservers;
  return client.pod?.spec.dnsPolicy === 'None' ? (client.pod.spec.dnsConfig?.nameservers ?? []) : [];
}

interface Asked extends Question {
  protocol: 'UDP' | 'TCP';
  server: string;
  local: boolean;
  decision: Decision;
}

/** Resolvers ask over UDP first and use TCP for long answers only: a denial of UDP breaks names, one of TCP rarely does. */
export const dns = check({
  id: 'network-policy/dns',
  title: "Policies let the client reach the cluster's DNS",
  needs: ['target', 'client', 'policies', 'dnsPods'],
  uses: ['namespaces', 'pluginPolicies', 'connections', 'dnsService'],
  codes: ['policy-denies-dns'],
  run({ target, client, policies, dnsPods, namespaces, pluginPolicies, connections, dnsService }) {
    if (!client || client.kind === 'external' || client.kind === 'node') return skip('no policy applies to the client');
    const from = clientParty(client, namespaces);
    const clusterIps = dnsService.seen ? (dnsService.value?.spec.clusterIPs ?? []) : undefined;
    const others = ownServers(client, ownResolvConf(connections)).filter((a) => (clusterIps ? !clusterIps.includes(a) : isNodeLocal(a)));
    if (others.length === 0 && client.pod?.spec.dnsPolicy === 'Default') return skip("the client's dnsPolicy is Default");
    if (!policies[client.namespace]?.seen) return unknown(`the NetworkPolicies of namespace ${client.namespace} could not be read`);
    const known = policiesKnown(policies, pluginPolicies);
    const replicas = dnsPods.filter((p) => !isFinished(p) && p.status.podIPs.length > 0);
    const replica = replicas.find(isReady) ?? replicas[0];
    const servers: { server: string; to: Party; local: boolean }[] =
      others.length > 0
        ? others.map((a) => {
            const pod = replicas.find((p) => p.status.podIPs.some((i) => i.ip === a));
            return { server: a, to: pod ? { ...partyOf(pod, namespaces), addresses: [a] } : outside(a), local: isNodeLocal(a) };
          })
        : replica
          ? [{ server: `DNS pod ${replica.metadata.name}`, to: partyOf(replica, namespaces), local: false }]
          : [];
    if (servers.length === 0) return skip('no DNS pod is known');

    const asked = servers.flatMap(({ server, to, local }) =>
      (['UDP', 'TCP'] as const).map((protocol): Asked => {
        const connection = { port: dnsPort, protocol };
        const leaving = { direction: 'egress' as const, self: from, other: to, connection, protocol, server, local };
        const out = decide('egress', from, to, connection, known.set);
        if (out.verdict !== 'allowed' || !to.pod) return { ...leaving, decision: out };
        return { ...leaving, direction: 'ingress', self: to, other: from, decision: decide('ingress', to, from, connection, known.set) };
      }),
    );
    const denied = asked.filter((a) => a.decision.verdict === 'denied');
    const first = denied.find((d) => d.protocol === 'UDP') ?? denied[0];
    if (!first) {
      const left = asked.find((a) => a.decision.verdict === 'unknown');
      if (left) return unknown(left.decision.why);
      if (known.blind.length > 0) return unknown(`some policies could not be judged: ${known.blind.join(', ')}`);
      return judged(asked.every((a) => a.decision.selecting.length === 0) ? '' : 'policies allow DNS');
    }
    const udp = first.protocol === 'UDP';
    const same = denied.filter((d) => d.direction === first.direction && d.server === first.server);
    const { decision, direction } = first;
    const blamed = decision.by?.policy ?? blockers(decision, direction)[0];
    const change = smallestChange(
      direction,
      same,
      written(blockers(decision, direction), known),
      known.set,
      direction === 'egress' && first.other.pod ? { 'k8s-app': 'kube-dns' } : undefined,
    );
    const over = same.map((d) => d.protocol).join(' and ');
    const draft: Draft<'policy-denies-dns'> = {
      code: 'policy-denies-dns',
      severity: udp ? 'error' : 'warning',
      // "Traffic to the node where a Pod is running is always allowed": not by every plug-in, where a cache on the node is asked.
      confidence: first.local ? 'possible' : 'likely',
      scope: udp ? 'all' : 'part',
      object: { kind: blamed?.kind ?? 'NetworkPolicy', namespace: blamed?.namespace ?? '', name: blamed?.name ?? '' },
      message: `${blockerText(decision, direction, 'keeps', 'keep')} ${clientText(target, client)} from asking DNS (${first.local ? `the node's own cache at ${first.server}, ` : ''}port 53 over ${over})`,
      evidence: [
        ...denialEvidence(first, decision),
        ...(udp && same.length === 1 ? [{ source: 'policy', text: 'TCP is allowed, but resolvers ask over UDP and use TCP for long answers only' }] : []),
        ...(first.local
          ? [{ source: 'policy', text: 'a pod may always reach its own node, says the API; not every plug-in holds to that for such an address' }]
          : []),
      ],
      fix: change
        ? [
            patch(
              `Allow DNS as well: ${change.opens}; the queries would then be allowed`,
              change.policy.metadata.namespace,
              `networkpolicy/${change.policy.metadata.name}`,
              change.patch,
              'json',
            ),
          ]
        : [],
    };
    return judged('', [draft]);
  },
});
