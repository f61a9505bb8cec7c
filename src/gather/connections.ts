import { domainOf } from '../dns/corefile.ts';
import { clusterDomain, parseResolvConf } from '../dns/resolv-conf.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import type { Client, Connection, Connections } from '../facts/facts.ts';
import type { NetworkPolicy } from '../facts/objects.ts';
import { endpointsOf, isHeadless, portsAsked } from '../facts/selectors.ts';
import { chooseImage, runDebugPod } from '../probes/debug-pod.ts';
import { runEphemeral } from '../probes/ephemeral.ts';
import { buildScript, connectTimeoutS, type Patience, readRecords, type Task } from '../probes/script.ts';
import { externalConnections } from './external-connections.ts';
import { connectionsOf, dnsServers, plan, type Planned } from './connection-plan.ts';
import { membershipOf } from '../mesh/member.ts';
import { deniedGotThrough } from '../model/let-through.ts';
import { isLostNode, whyLost } from './lost-nodes.ts';
import { type Context, collector, fromFailure, read, valueOf } from './collector.ts';
import { imagesOn, policyLabels } from './debug-pod-options.ts';

/** A pod that has run for a while is known to the network plug-in. */
const atOnce: Patience = { tries: 1, settleS: 0 };

/** A new pod's first packets may come before the plug-in knows it: those let in are held back, those held back are let out. */
function asNewPod(policies: Record<string, Fact<NetworkPolicy[]>>, namespace: string): Patience {
  const own = policies[namespace];
  const isolates = own?.seen && own.value.some((p) => p.spec.policyTypes.includes('Egress') || p.spec.egress.length > 0);
  return { tries: 3, settleS: isolates ? 3 : 0 };
}

/** What policies deny got through from a new pod: either nothing enforces them, or the plug-in is slow. Time shows which. */
const afterLong: Patience = { tries: 3, settleS: 10 };

function interpret(planned: readonly Planned[], output: string): { list: Connection[]; resolvConf: string | null } {
  const records = readRecords(output);
  const resolvConf = records.find((r) => r.id === 'resolv.conf')?.output ?? null;
  const domain = resolvConf === null ? undefined : clusterDomain(parseResolvConf(resolvConf));
  // The client's own domain is known only now.
  const inDomain = (p: Planned) =>
    p.task.kind === 'name' && p.task.domain !== undefined ? p.target.replace(`.svc.${p.task.domain}`, `.svc.${domain ?? p.task.domain}`) : p.target;
  return {
    list: connectionsOf(
      planned.map((p) => ({ ...p, target: inDomain(p) })),
      records,
    ),
    resolvConf,
  };
}

/** True where the tools at hand could look the name up and connect over TCP. Few images have a tool for UDP; that is no reason to look for another. */
const complete = (planned: Planned[], list: Connection[]) =>
  (['name', 'tcp'] as const).every(
    (kind) => !planned.some((p) => p.task.kind === kind) || list.some((c) => (kind === 'name' ? c.hop === 'name' : c.kind === kind)),
  );

export const connections = collector({
  fact: 'connections',
  after: ['service', 'slices', 'pods', 'client', 'mesh', 'nodes', 'policies', 'pluginPolicies', 'namespaces', 'corefile', 'dnsService', 'dnsPods'],
  access: [
    { ...read('pods/exec', ['create', 'get'], 'client'), probes: ['auto'] },
    { ...read('pods', ['create', 'watch', 'delete'], 'client'), probes: ['auto', 'debug-pod'] },
    { ...read('pods/ephemeralcontainers', ['patch'], 'client'), probes: ['ephemeral'] },
    { ...read('pods', ['watch'], 'client'), probes: ['ephemeral'] },
    read('pods/log', ['get'], 'client'),
  ],
  impact: 'exec',
  when({ service, slices }, target) {
    const svc = valueOf(service);
    if (!svc) return 'the Service is not known';
    if (portsAsked(svc, target.port) === undefined) return 'the Service has no such port';
    if (svc.spec.type === 'ExternalName') return true;
    return endpointsOf(valueOf(slices) ?? []).some((e) => e.ready || e.serving) ? true : 'there is no endpoint to connect to';
  },
  async collect(context, { service, slices, pods, client, mesh, nodes, policies, pluginPolicies, namespaces, corefile, dnsService, dnsPods }) {
    const svc = valueOf(service);
    if (!client.seen) return client;
    if (!svc || !client.value) return unseen('not-possible', 'connections', 'the client is not known');
    const who = client.value;
    if (who.kind === 'external')
      return externalConnections(context, svc, portsAsked(svc, context.target.port) ?? [], endpointsOf(valueOf(slices) ?? []), valueOf(nodes));
    const { planned: all, total } = plan(
      svc,
      context.target,
      endpointsOf(valueOf(slices) ?? []),
      domainOf(valueOf(corefile)),
      dnsServers(valueOf(dnsService), valueOf(dnsPods) ?? []),
      who.addresses,
    );
    const self = valueOf(valueOf(mesh)?.client ?? seen(null)) ?? null;
    const isBehindProxy = self !== null && membershipOf(self) !== null;
    // What a client's proxy sends to a pod's own address bypasses the mesh, unless the Service has no other.
    const planned = isBehindProxy && !isHeadless(svc) ? all.filter((p) => p.hop !== 'http' || p.pod === null) : all;
    const tasks = planned.map((p) => p.task);
    const made = (from: string, standIn: boolean, node: string | null, output: string, what = planned): Connections => ({
      from,
      standIn,
      node,
      endpointsTotal: total,
      ...interpret(what, output),
    });

    if (who.node !== null && isLostNode(valueOf(nodes) ?? [], who.node)) return unseen('not-possible', 'connections from the client', whyLost(who.node));
    const image = context.image ?? chooseImage(imagesOn(valueOf(nodes), who.node));
    const ephemeral = async (): Promise<Fact<Connections>> => {
      const where = { namespace: who.namespace, pod: who.name };
      const ran = await runEphemeral(context.cluster, where, image, buildScript(tasks, atOnce), context.signal, context.progress);
      return ran.ok ? seen(made(`pod/${who.name} (ephemeral container)`, false, who.node, ran.value)) : fromFailure(ran.failure);
    };
    if (who.pod && context.target.probe === 'ephemeral') return ephemeral();
    // The proxy of a mesh takes every connection of its pod itself: only what comes back over one says anything.
    const saysNothing = isBehindProxy && context.target.http === undefined;
    const own = who.pod && context.target.probe === 'auto' && !saysNothing ? await fromPod(context, who, tasks) : undefined;
    if (own?.seen) {
      const result = made(`pod/${who.name}`, false, who.node, own.value);
      if (complete(planned, result.list)) return seen(result);
    }
    // Nothing is nearer to the client; but the container stays listed in the pod, so the person is asked first.
    const question = `pod/${who.name} has no tools, or no memory to spare, to connect with. Add an ephemeral container (${image}) to it, which stays listed there? Without it a debug pod is used instead.`;
    if (own && (own.seen || own.reason === 'not-possible') && (await context.consent?.(question))) {
      const inPod = await ephemeral();
      if (inPod.seen) return inPod;
    }
    const labels = who.pod ? policyLabels(who, [valueOf(policies) ?? {}, valueOf(pluginPolicies) ?? {}]) : {};
    const fromNewPod = async (patience: Patience): Promise<Fact<Connections>> => {
      const ran = await fromDebugPod(
        context,
        who,
        all.map((p) => p.task),
        image,
        labels,
        patience,
      );
      if (!ran.seen) return ran;
      const { node, output } = ran.value;
      return seen(made(who.kind === 'node' ? `node/${who.name}` : `debug pod (${node ?? 'no node'})`, who.pod !== null, node, output, all));
    };
    const first = await fromNewPod(asNewPod(valueOf(policies) ?? {}, who.namespace));
    // A user without exec rights may still create a pod; where that fails too, the first refusal is reported.
    if (!first.seen) return own?.seen === false && own.reason === 'forbidden' ? own : first;
    const given = {
      target: context.target,
      service: svc,
      slices: valueOf(slices) ?? [],
      pods: valueOf(pods) ?? [],
      client: who,
      policies: valueOf(policies) ?? {},
      pluginPolicies,
      namespaces,
    };
    if (!deniedGotThrough(given, svc, valueOf(dnsPods) ?? [], first.value.list)) return first;
    const second = await fromNewPod(afterLong);
    return second.seen ? second : first;
  },
});

async function fromPod({ cluster, progress }: Context, who: Client, tasks: readonly Task[]): Promise<Fact<string>> {
  progress(`connecting from pod/${who.name}`);
  // All at once, unless its container is short of memory.
  const timeoutMs = (connectTimeoutS + 6 + tasks.length) * 1000;
  const script = buildScript(tasks, atOnce);
  const container = who.pod?.spec.containers[0]?.name ?? '';
  const ran = await cluster.exec({ namespace: who.namespace, pod: who.name, container }, { script }, timeoutMs);
  return ran.ok ? seen(ran.value.stdout) : fromFailure(ran.failure);
}

async function fromDebugPod(
  context: Context,
  who: Client,
  tasks: readonly Task[],
  image: string,
  labels: Record<string, string>,
  patience: Patience,
): Promise<Fact<{ output: string; node: string | null }>> {
  const ran = await runDebugPod(
    context.cluster,
    context.janitor,
    {
      namespace: who.namespace,
      image,
      owner: context.owner,
      node: who.node,
      hostNetwork: who.hostNetwork,
      labels,
      ...(who.pod?.metadata.uid !== undefined && { standsFor: { name: who.name, uid: who.pod.metadata.uid } }),
      script: buildScript(tasks, patience),
    },
    context.signal,
    context.progress,
  );
  return ran.ok ? seen({ output: ran.value.output, node: ran.value.node }) : fromFailure(ran.failure);
}
