/** How one node's rules are listed, and read: in kube-proxy's pod, in Cilium's agent, or by a pod on the node. */
import { type Cluster, type Failure, failed, noRule, ok } from '../cluster/index.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { NodeRules } from '../facts/facts.ts';
import type { Pod } from '../facts/objects.ts';
import { type Family, familyOf } from '../facts/selectors.ts';
import { runNodePod } from '../probes/node-pod.ts';
import { readCilium } from '../proxy/cilium.ts';
import { iptablesReader } from '../proxy/iptables.ts';
import { readIpvs } from '../proxy/ipvs.ts';
import { type Handling, keyOf, type Packet } from '../proxy/model.ts';
import { nftJsonReader } from '../proxy/nft-json.ts';
import { nftReader } from '../proxy/nft-text.ts';
import { judgeRules, type Listing } from '../proxy/read.ts';
import type { RuleReader, Wanted } from '../proxy/rule.ts';
import { type Context, fromFailure } from './collector.ts';
import { firstContainerOf } from './places.ts';
import { type Shell, batched } from './batched-shell.ts';

/** A listing of a large cluster takes seconds to write. */
const listingTimeoutMs = 15_000;

const isMissingTool = (f: Failure) => f.reason === 'not-possible';

/** A command's lines as a listing. nft says of a table that is not there what a shell says of a file. */
const listing =
  (shell: Shell, command: string[]): Listing<Failure> =>
  async (line) => {
    const ran = await shell(command, line);
    if (!ran.ok) return ran.failure;
    const { exitCode, stderr } = ran.value;
    if (exitCode === 0 || /No such file or directory/.test(stderr)) return undefined;
    return {
      reason: 'malformed',
      what: `what ${command[0]} lists`,
      why: stderr.trim().split('\n')[0] || `it ended with ${exitCode}`,
      rule: noRule,
    };
  };

async function linesOf(shell: Shell, command: string[]): Promise<string[]> {
  const lines: string[] = [];
  const ran = await shell(command, (line) => lines.push(line));
  return ran.ok && ran.value.exitCode === 0 ? lines : [];
}

/** Files what becomes of each packet under its address and where it starts. */
function file(known: NodeRules['modes'][string], packets: readonly Packet[], handled: readonly Handling[]): NodeRules['modes'][string] {
  packets.forEach((p, i) => {
    const handling = handled[i];
    if (handling) (known[keyOf(p)] ??= {})[p.origin] = handling;
  });
  return known;
}

type ByMode = readonly (readonly [mode: string, handled: readonly Handling[]])[];
/** What the rules of one family of addresses do with its packets, by mode; in `bare` modes kube-proxy has no rule of this family. */
interface Found {
  present: ByMode;
  bare: ByMode;
}

/** Reads one node's rules in each mode that it may have them in. */
export async function rulesOf(
  commands: Shell,
  from: string,
  packets: readonly Packet[],
  likely: Wanted['likely'],
  mode: string | null,
  /** The families of the Service's own addresses. */
  needed: readonly Family[],
): Promise<Fact<NodeRules>> {
  const shell = batched(commands);

  async function read(own: readonly Packet[]): Promise<Fact<Found>> {
    const isV6 = familyOf(own[0]?.address ?? '') === 'IPv6';
    const by = (reader: (w: Wanted) => RuleReader, command: string[]) => judgeRules(reader, listing(shell, command), { packets: own, likely });
    const table = ['table', isV6 ? 'ip6' : 'ip', 'kube-proxy'];
    const [iptables, nft] = await Promise.all([by(iptablesReader, [isV6 ? 'ip6tables-save' : 'iptables-save']), by(nftReader, ['nft', 'list', ...table])]);
    const failure = [iptables, nft].flatMap((r) => ('error' in r && !isMissingTool(r.error) ? [r.error] : []))[0];
    if (failure) return fromFailure(failure);
    const found = [iptables, nft].some((r) => !('error' in r) && r.rules.present);
    const ipvsWorthAsking = mode === 'ipvs' || (mode === null && !('rules' in nft && nft.rules.present));
    const virtual = ipvsWorthAsking ? await linesOf(shell, ['cat', '/proc/net/ip_vs']) : [];
    const ipvs = readIpvs(virtual, own);
    if (mode === 'ipvs' && virtual.length === 0) return unseen('not-possible', 'the IPVS table', 'the image has nothing to read /proc/net/ip_vs with');
    // Its head is always there; without an entry nothing of IPVS is kube-proxy's, unless that is its mode.
    // What kube-proxy writes into iptables in this mode only prepares packets for IPVS.
    if (mode === 'ipvs' || ipvs.present) return seen({ present: [['ipvs', ipvs.handled]], bare: [] });
    // Where a tool is missing, what it would have listed is not known to be absent.
    for (const r of [iptables, nft]) if ('error' in r && !found) return fromFailure(r.error);
    const all: [string, readonly Handling[]][] = [];
    const bare: [string, readonly Handling[]][] = [];
    if ('rules' in iptables) (iptables.rules.present ? all : bare).push(['iptables', iptables.handled]);
    if ('rules' in nft && !nft.rules.present) bare.push(['nftables', nft.handled]);
    if ('rules' in nft && nft.rules.present) {
      // The text may hold what is not known here; the JSON says the same in a fixed form.
      const json = nft.handled.some((h) => h.unread.length > 0) ? await by(nftJsonReader, ['nft', '-j', 'list', ...table]) : nft;
      all.push(['nftables', 'error' in json || json.handled.some((h) => h.unread.length > 0) ? nft.handled : json.handled]);
    }
    return seen({ present: all, bare });
  }

  const families = [...Map.groupBy(packets, (p) => familyOf(p.address)).values()];
  // Beside each other, so that one opening does for both.
  const readings = await Promise.all(families.map(async (own) => ({ own, found: await read(own) })));
  const modes: NodeRules['modes'] = {};
  // Rules of a family that the Service does not use decide nothing about it.
  const isNeeded = (own: readonly Packet[]) => needed.length === 0 || needed.includes(familyOf(own[0]?.address ?? ''));
  const [failure] = readings.flatMap(({ own, found }) => (found.seen || !isNeeded(own) ? [] : [found]));
  if (failure) return failure;
  for (const { own, found } of readings) {
    if (!found.seen) continue;
    for (const [name, handled] of found.value.present) file((modes[name] ??= {}), own, handled);
  }
  // In a mode in which kube-proxy writes rules, a family without any has lost them.
  for (const { own, found } of readings)
    if (found.seen && found.value.present.length === 0) for (const [name, handled] of found.value.bare) if (modes[name]) file(modes[name], own, handled);
  return seen({ from, modes });
}

/** A command in a container of a running pod. */
export const execIn =
  (cluster: Cluster, pod: Pod): Shell =>
  async (command, onLine) => {
    const where = firstContainerOf(pod);
    const ran = await cluster.exec(where, command, listingTimeoutMs, onLine);
    return ran.ok ? ok({ exitCode: ran.value.exitCode, stderr: ran.value.stderr }) : ran;
  };

export async function ciliumRules(cluster: Cluster, agent: Pod, packets: readonly Packet[]): Promise<Fact<NodeRules>> {
  const shell = execIn(cluster, agent);
  for (const program of ['cilium-dbg', 'cilium']) {
    const lines: string[] = [];
    const ran = await shell([program, 'service', 'list', '-o', 'json'], (line) => lines.push(line));
    if (!ran.ok && isMissingTool(ran.failure)) continue;
    if (!ran.ok) return fromFailure(ran.failure);
    const found = readCilium(lines.join('\n'), packets);
    if (!found) return unseen('malformed', `the Services that Cilium handles, in pod ${agent.metadata.name}`, `${program} answers in another form`);
    return seen({ from: `pod ${agent.metadata.name}`, modes: found.present ? { cilium: file({}, packets, found.handled) } : {} });
  }
  return unseen('not-possible', `the Services that Cilium handles, in pod ${agent.metadata.name}`, 'it has neither cilium-dbg nor cilium');
}

/** Lists all rules of a node without a kube-proxy pod by a pod of k8s-doctor's own; the listings are then at hand. */
export async function listedByPod(context: Context, node: string, image: string | undefined): Promise<Shell | Fact<never>> {
  const what = `the rules of node ${node}`;
  if (!image)
    return unseen('not-possible', what, 'no kube-proxy runs there as a pod, and no image with iptables is known on the nodes; name one with --node-image');
  context.progress(`reading the rules of ${node} with a debug pod on it (${image})`);
  const ran = await runNodePod(context, node, image, {
    'iptables-save': ['iptables-save'],
    'ip6tables-save': ['ip6tables-save'],
    'nft list table ip kube-proxy': ['nft', 'list', 'table', 'ip', 'kube-proxy'],
    'nft list table ip6 kube-proxy': ['nft', 'list', 'table', 'ip6', 'kube-proxy'],
    'cat /proc/net/ip_vs': ['cat', '/proc/net/ip_vs'],
  });
  if (!ran.ok) return fromFailure(ran.failure);
  return async (command, onLine) => {
    const output = ran.value[command.join(' ')];
    // The kubelet keeps the last 10 MB of a log: of a longer listing the beginning is gone.
    if (command[0]?.endsWith('tables-save') && /^(-A|:)/.test(output?.log ?? '')) {
      return failed({ reason: 'malformed', what, why: 'the listing is longer than the log that the kubelet keeps', rule: noRule });
    }
    if (output?.exitCode === 0) for (const line of output.log.split('\n')) onLine(line);
    if (!output || output.exitCode >= 126) {
      return failed({ reason: 'not-possible', what, why: `the image ${image} has no ${command[0]}`, rule: noRule });
    }
    return ok({ exitCode: output.exitCode, stderr: output.exitCode === 0 ? '' : output.log });
  };
}
