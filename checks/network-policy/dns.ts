import type { Client, FactTypes } from '../../src/facts/facts.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { isFinished, isReady, ownLabels } from '../../src/facts/selectors.ts';
import { isNodeLocal, type ResolvConf } from '../../src/dns/resolv-conf.ts';
import type { Fact } from '../../src/facts/fact.ts';
import { serversOf as resolverServers } from '../../src/model/name-way.ts';
import { clientParty, type Known, type Namespaces, partyOf, policiesKnown, type Question, unjudgedPolicies, unreadPolicies } from '../../src/model/parties.ts';
import { smallestChange } from '../../src/policy/change.ts';
import { type Decision, decide } from '../../src/policy/decide.ts';
import type { Party } from '../../src/policy/rule.ts';
import { outside } from '../../src/policy/world.ts';
import { check, type Draft, judged, skip, unknown } from '../check.ts';
import { ownResolvConf } from '../dns/evidence.ts';
import { openingOf } from './opening.ts';
import { clientText } from '../format.ts';
import { blamedRef, blockers, blockerText, denialEvidence, written } from './denial.ts';

const dnsPort = 53;

/** A server that the client's resolver asks. `local`: a cache on the client's node. */
interface Server {
  server: string;
  to: Party;
  local: boolean;
}

interface Asked extends Question {
  protocol: 'UDP' | 'TCP';
  server: string;
  local: boolean;
  decision: Decision;
  /** A policy selects the client for egress, or the server for ingress. */
  isSelected: boolean;
}

/** Servers of the client's own, or one replica of the cluster's DNS. */
function serversOf(others: readonly string[], dnsPods: readonly Pod[], namespaces: Namespaces): Server[] {
  const replicas = dnsPods.filter((p) => !isFinished(p) && p.status.podIPs.length > 0);
  if (others.length > 0)
    return others.map((a) => {
      const pod = replicas.find((p) => p.status.podIPs.some((i) => i.ip === a));
      return { server: a, to: pod ? { ...partyOf(pod, namespaces), addresses: [a] } : outside(a), local: isNodeLocal(a) };
    });
  const replica = replicas.find(isReady) ?? replicas[0];
  return replica ? [{ server: `DNS pod ${replica.metadata.name}`, to: partyOf(replica, namespaces), local: false }] : [];
}

/** Egress of the client, then ingress of the server, over each transport. */
const askAll = (servers: readonly Server[], from: Party, known: Known): Asked[] =>
  servers.flatMap(({ server, to, local }) =>
    (['UDP', 'TCP'] as const).map((protocol): Asked => {
      const connection = { port: dnsPort, protocol };
      const leaving = { direction: 'egress' as const, self: from, other: to, connection, protocol, server, local };
      const out = decide('egress', from, to, connection, known.set);
      const isSelected = out.selecting.length > 0;
      if (out.verdict !== 'allowed' || !to.pod) return { ...leaving, decision: out, isSelected };
      const into = decide('ingress', to, from, connection, known.set);
      return { ...leaving, direction: 'ingress', self: to, other: from, decision: into, isSelected: isSelected || into.selecting.length > 0 };
    }),
  );

/** The labels of the cluster's DNS pods. */
const dnsLabels = { 'k8s-app': 'kube-dns' };

function denial(
  first: Asked,
  denied: readonly Asked[],
  known: Known,
  who: string,
  pods: readonly Party[],
  dnsPods: readonly Party[],
): Draft<'policy-denies-dns'> {
  const isUdp = first.protocol === 'UDP';
  const same = denied.filter((d) => d.direction === first.direction && d.server === first.server);
  const { decision, direction } = first;
  const blamed = decision.by?.policy ?? blockers(decision, direction)[0];
  const clientLabels = ownLabels((direction === 'egress' ? first.self : first.other).pod?.labels ?? {});
  const change = smallestChange({
    direction,
    denied: same,
    candidates: written(blockers(decision, direction), known),
    set: known.set,
    labels: direction === 'egress' && first.other.pod ? dnsLabels : undefined,
    own:
      direction === 'egress'
        ? { labels: clientLabels, name: `allow-dns-for-${first.self.pod?.name}` }
        : { labels: dnsLabels, name: `allow-dns-for-${first.other.pod?.name}` },
    known: [...pods, ...dnsPods],
  });
  const server = first.local ? `the DNS cache of its node (${first.server})` : 'DNS';
  return {
    code: 'policy-denies-dns',
    severity: isUdp ? 'error' : 'warning',
    // "Traffic to the node where a Pod is running is always allowed": not every plug-in does so for a cache on the node.
    confidence: first.local ? 'possible' : 'likely',
    scope: isUdp ? 'all' : 'part',
    object: blamedRef(blamed, ''),
    message: `${blockerText(decision, direction, 'blocks', 'block')} ${who} from ${server}, port 53 over ${same.map((d) => d.protocol).join(' and ')}`,
    evidence: [
      ...denialEvidence(first, decision),
      ...(isUdp && same.length === 1 ? [{ source: 'policy', text: 'TCP is allowed, but resolvers ask over UDP and use TCP for long answers only' }] : []),
      ...(first.local
        ? [{ source: 'policy', text: 'the API allows a pod to reach its own node; not every plug-in applies this to the address of a cache' }]
        : []),
    ],
    fix: openingOf(`${who} to ask DNS`, direction, decision, change),
  };
}

/** The client's own servers that are not the cluster's DNS. */
function otherServers(client: Client, conf: ResolvConf | undefined, dnsService: Fact<FactTypes['dnsService']>): string[] {
  const clusterIps = dnsService.seen ? (dnsService.value?.spec.clusterIPs ?? []) : undefined;
  return (resolverServers(client, conf) ?? []).filter((a) => (clusterIps ? !clusterIps.includes(a) : isNodeLocal(a)));
}

/** Resolvers ask over UDP first and use TCP for long answers only: a denial of UDP breaks names, one of TCP rarely does. */
export const dns = check({
  id: 'network-policy/dns',
  title: "Policies allow the client to reach the cluster's DNS",
  needs: ['target', 'client', 'policies', 'dnsPods'],
  uses: ['pods', 'namespaces', 'pluginPolicies', 'connections', 'dnsService'],
  codes: ['policy-denies-dns'],
  run({ target, client, policies, dnsPods, pods, namespaces, pluginPolicies, connections, dnsService }) {
    if (!client || client.kind === 'external' || client.kind === 'node') return skip('no policy applies to the client');
    const others = otherServers(client, ownResolvConf(connections), dnsService);
    if (others.length === 0 && client.pod?.spec.dnsPolicy === 'Default') return skip("the client's dnsPolicy is Default");
    const unread = unreadPolicies(client.namespace, policies, pluginPolicies);
    if (unread !== undefined) return unknown(unread);
    const known = policiesKnown(policies, pluginPolicies);
    const partiesOf = (some: readonly Pod[]) => some.filter((p) => !isFinished(p)).map((p) => partyOf(p, namespaces));
    const servers = serversOf(others, dnsPods, namespaces);
    if (servers.length === 0) return skip('no DNS pod is known');

    const asked = askAll(servers, clientParty(client, namespaces), known);
    const denied = asked.filter((a) => a.decision.verdict === 'denied');
    const first = denied.find((d) => d.protocol === 'UDP') ?? denied[0];
    if (first) return judged([denial(first, denied, known, clientText(target, client), partiesOf(pods.seen ? pods.value : []), partiesOf(dnsPods))]);
    const open = asked.find((a) => a.decision.verdict === 'unknown');
    if (open) return unknown(open.decision.why);
    const [ofServer] = asked.filter((a) => a.direction === 'ingress');
    const unsure = (ofServer && unreadPolicies(ofServer.self.pod?.namespace ?? '', policies, pluginPolicies)) ?? unjudgedPolicies(known);
    if (unsure !== undefined) return unknown(unsure);
    return judged([], asked.some((a) => a.isSelected) ? 'policies allow DNS' : '');
  },
});
