import type { Fact } from '../../src/facts/fact.ts';
import type { Client, FactTypes } from '../../src/facts/facts.ts';
import type { Service } from '../../src/facts/objects.ts';
import {
  type Asked,
  endpointOf,
  type Given,
  type Known,
  partyOf,
  policiesKnown,
  questions,
  unjudgedPolicies,
  unreadPolicies,
} from '../../src/model/parties.ts';
import { isFinished, ownLabels } from '../../src/facts/selectors.ts';
import { blockOf, portsOf, smallestChange } from '../../src/policy/change.ts';
import { type NearMiss, nearMisses } from '../../src/policy/decide.ts';
import { pluginOf } from '../../src/policy/plugin.ts';
import type { Direction, Policy } from '../../src/policy/rule.ts';
import { type Draft, type Fix, type Judgement, judged, skip, unknown } from '../check.ts';
import { clientText, overFamily, plural, some } from '../format.ts';
import { patch } from '../fix.ts';
import { editOf, openingOf } from './opening.ts';
import { beforeDnat, blamedRef, blockers, blockerText, denialEvidence, inWrongNamespace, written } from './denial.ts';

/** The change that would allow all denied connections, tried on the evaluator; a text only where no NetworkPolicy can. */
function fixOf(
  direction: Direction,
  denied: readonly Asked[],
  known: Known,
  { service, client, pods, namespaces }: TrafficFacts & { service: Service; client: Client },
  who: string,
): Fix[] {
  const first = denied[0];
  if (!first) return [];
  if (first.decision.by) return openingOf(who, direction, first.decision, undefined);
  // The policy with the nearest rule first.
  const near = nearMisses(direction, first.self, first.other, first.connection, first.decision).map((m) => m.policy);
  const candidates = written([...new Set([...near, ...blockers(first.decision, direction)])], known);
  const selector = service.spec.selector ?? undefined;
  const name = `allow-${client.name || client.namespace || client.kind}-to-${service.metadata.name}`;
  const labels = direction === 'ingress' ? selector : ownLabels(client.labels);
  const change = smallestChange({
    direction,
    denied,
    candidates,
    set: known.set,
    labels: direction === 'egress' ? selector : undefined,
    own: labels && { labels, name },
    known: pods.filter((p) => !isFinished(p)).map((p) => partyOf(p, namespaces)),
  });
  const isOutside = client.kind === 'external' && !change;
  return openingOf(isOutside ? `${who}, by an ipBlock of their addresses` : who, direction, first.decision, change);
}

/** Addresses are matched by every plug-in, also those of pods on a node's network, which selectors need not match. */
function byAddress(direction: Direction, left: readonly Asked[], addresses: readonly string[], first: Policy | undefined, known: Known): Fix[] {
  if (!first) return [];
  const [own] = written([first], known);
  const ports = portsOf(left);
  if (!own || addresses.length === 0)
    return [{ text: `Allow the connection by addresses in ${first.kind} "${first.name}", which does not depend on the plug-in`, command: editOf(first) }];
  const peers = addresses.map((a) => ({ ipBlock: { cidr: blockOf(a) } }));
  const rule = { [direction === 'ingress' ? 'from' : 'to']: peers, ports };
  const operation =
    own.spec[direction].length === 0 ? { op: 'add', path: `/spec/${direction}`, value: [rule] } : { op: 'add', path: `/spec/${direction}/-`, value: rule };
  const { namespace, name } = own.metadata;
  const text = `Allow ${addresses.join(' and ')} by an ipBlock in NetworkPolicy "${name}": selectors need not match pods on a node's network, addresses do`;
  return [{ ...patch(text, namespace, `networkpolicy/${name}`, [operation], 'json'), affects: [`it also allows everything else on the network of that node`] }];
}

/** Policies whose effect the API leaves to the plug-in: a hint, which a lost packet turns into the likely cause. */
function leftOpen<C extends 'policy-denies-ingress' | 'policy-denies-egress'>(
  direction: Direction,
  code: C,
  left: readonly Asked[],
  total: number,
  who: string,
  service: Service,
  client: Client,
  known: Known,
): Draft<C> {
  const { decision, name, connection } = left[0] as Asked;
  const names = [...new Set(left.map((a) => a.name))];
  const policies = decision.selecting.filter((p) => p.isolates[direction]);
  const first = policies[0] ?? decision.by?.policy;
  const addresses = direction === 'ingress' ? client.addresses : [];
  return {
    code,
    severity: 'error',
    confidence: 'possible',
    scope: left.length < total ? 'part' : 'all',
    object: blamedRef(first, ''),
    message: `${blockerText({ ...decision, by: null }, direction, 'can block', 'can block')} ${who} from Service "${service.metadata.name}": ${decision.why}`,
    evidence: [
      ...policies.slice(0, 3).map((p) => ({ source: 'policy', text: `${p.name} selects the pod for ${direction}` })),
      ...(decision.by ? [{ source: 'policy', text: `${decision.by.rule.field} of ${decision.by.policy.name} leaves it open` }] : []),
      { source: 'policy', text: `left to the plug-in: ${who} → ${name}:${connection.port} (${decision.why})` },
    ],
    fix: byAddress(direction, left, addresses, first, known),
    pods: names,
  };
}

type TrafficFacts = Given & { networkDaemons: Fact<FactTypes['networkDaemons']> };

export function judgeTraffic<C extends 'policy-denies-ingress' | 'policy-denies-egress'>(direction: Direction, code: C, given: TrafficFacts): Judgement<C> {
  const { target, service, client, policies, pluginPolicies } = given;
  if (!service || service.spec.type === 'ExternalName') return skip('the Service has no pods of its own');
  if (!client) return skip('the client is not known');
  if (direction === 'egress' && (client.kind === 'external' || client.kind === 'node'))
    return skip(`no policy applies to ${client.kind === 'node' ? 'a node' : 'clients outside the cluster'}`);
  const home = direction === 'ingress' ? target.namespace : client.namespace;
  const unread = unreadPolicies(home, policies, pluginPolicies);
  if (unread !== undefined) return unknown(unread);
  const known = policiesKnown(policies, pluginPolicies);
  const asked = questions(direction, given, service, known);
  if (asked.length === 0) return skip('there is no endpoint to connect to');
  const [first, ...more] = asked.filter((a) => a.decision.verdict === 'denied');
  if (first) return judged([denial(direction, code, [first, ...more], asked, known, { ...given, service, client })]);
  const left = asked.filter((a) => a.decision.verdict === 'unknown');
  const isBlind = left.some((a) => (a.decision.by?.rule.unjudged.length ?? 0) > 0);
  if (left[0] && isBlind) return unknown(left[0].decision.why);
  if (left.length > 0) return judged([leftOpen(direction, code, left, asked.length, clientText(target, client), service, client, known)]);
  const unjudged = unjudgedPolicies(known);
  if (unjudged !== undefined) return unknown(unjudged);
  const by = asked.flatMap((a) => (a.decision.by ? [a.decision.by.policy.name] : []))[0];
  return judged([], by === undefined ? (asked[0]?.decision.why ?? '') : `"${by}" allows it`);
}

/** Why the first connection is denied, in a few words. */
function reasonOf(direction: Direction, first: Asked, nearest: NearMiss | undefined): string {
  if (first.decision.by) return `${first.decision.by.rule.field} denies it`;
  if (nearest) return `its nearest rule ${nearest.reason}`;
  return `${blockers(first.decision, direction).length === 1 ? 'it has' : 'they have'} no ${direction} rule`;
}

function denial<C extends 'policy-denies-ingress' | 'policy-denies-egress'>(
  direction: Direction,
  code: C,
  denied: readonly [Asked, ...Asked[]],
  asked: readonly Asked[],
  known: Known,
  given: TrafficFacts & { service: Service; client: Client },
): Draft<C> {
  const { target, service, client, networkDaemons } = given;
  const [first] = denied;
  const who = `${client.kind === 'external' ? 'clients ' : ''}${clientText(target, client)}`;
  const names = [...new Set(denied.map((d) => d.name))];
  const total = new Set(asked.map((a) => a.name)).size;
  const part = denied.length < asked.length;
  const ports = [...new Set(denied.map((d) => d.connection.port))].join(', ');
  const [nearest] = nearMisses(direction, first.self, first.other, first.connection, first.decision);
  const isolating = blockers(first.decision, direction);
  const addressOf = (a: Asked) => endpointOf(a).addresses[0] ?? '';
  const over = overFamily(denied.map(addressOf), asked.map(addressOf));
  const those = `${part && names.length < total ? `${names.length} of ` : ''}${plural(total, 'pod')}`;
  const behind = `behind Service "${target.name}" on port ${ports}${over}: ${reasonOf(direction, first, nearest)}`;
  const blocks = blockerText(first.decision, direction, 'blocks', 'block');
  const blamed = first.decision.by?.policy ?? nearest?.policy ?? isolating[0];
  // A node port replaces the source by the node's address, unless the policy is Local; some plug-ins allow that address.
  const behindNode = client.kind === 'external' && service.spec.externalTrafficPolicy !== 'Local';
  // Few plug-ins enforce the kinds of the whole cluster; nearly all enforce NetworkPolicies.
  const unheardOf = first.decision.by?.policy.namespace === '' && !(networkDaemons.seen && pluginOf(networkDaemons.value, []));
  const home = direction === 'ingress' ? target.namespace : client.namespace;
  return {
    code,
    severity: 'error',
    confidence: behindNode || unheardOf ? 'possible' : 'likely',
    scope: part ? 'part' : 'all',
    object: blamedRef(blamed, home),
    message: direction === 'ingress' ? `${blocks} ${who} from ${those} ${behind}` : `${blocks} egress of ${who} to ${those} ${behind}`,
    evidence: [
      ...denialEvidence(first, first.decision),
      ...beforeDnat(
        direction,
        written(isolating, known),
        service.spec.clusterIPs.filter((ip) => ip !== 'None'),
        { service: first.servicePort, pod: first.connection.port },
      ),
      ...inWrongNamespace(first, known),
      ...(behindNode
        ? [
            {
              source: 'policy',
              text: "externalTrafficPolicy is Cluster: a packet that enters through a node may have the node's own address, which some plug-ins allow",
            },
          ]
        : []),
      { source: 'policy', text: `denied: ${who} → ${some([...new Set(denied.map((d) => `${d.name}:${d.connection.port}`))])}` },
    ],
    fix: fixOf(direction, denied, known, given, who),
    pods: names,
  };
}

/** What both checks read. */
export const facts = {
  needs: ['target', 'service', 'slices', 'pods', 'client', 'policies'],
  uses: ['namespaces', 'pluginPolicies', 'networkDaemons'],
} as const;
