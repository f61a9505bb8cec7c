/** What a managed platform changes for checks: who does what no pod of kube-system does, and where packets are dropped below Kubernetes. */
import { parseResolvConf } from '../src/dns/resolv-conf.ts';
import type { Fact } from '../src/facts/fact.ts';
import type { FactTypes } from '../src/facts/facts.ts';
import type { Pod } from '../src/facts/objects.ts';
import { type Platform, platformOf } from '../src/facts/platform.ts';
import type { Fix } from './check.ts';

interface Given {
  nodes: Fact<FactTypes['nodes']>;
  networkDaemons?: Fact<FactTypes['networkDaemons']>;
  connections?: Fact<FactTypes['connections']>;
}

export function platformIn({ nodes, networkDaemons, connections }: Given): Platform | undefined {
  const resolvConf = connections?.seen ? connections.value.resolvConf : null;
  return platformOf(
    nodes.seen ? nodes.value : [],
    networkDaemons?.seen ? networkDaemons.value.map((d) => d.name) : [],
    resolvConf === null ? [] : parseResolvConf(resolvConf).nameservers,
  );
}

/** Why the DNS of kube-system is not judged here: a platform answers itself, and none of its pods does. */
export function dnsElsewhere(given: Given, dnsPods: readonly Pod[]): string | undefined {
  const platform = platformIn(given);
  if (!platform?.dns || dnsPods.length > 0) return undefined;
  return `${platform.dns.by} answers on ${platform.name}: ${platform.dns.look}`;
}

/** Where to look for packets that are lost although every object lets them through. */
export const outsideKubernetes = (nodes: Fact<FactTypes['nodes']>): Fix[] => {
  const platform = platformIn({ nodes });
  return platform ? [{ text: platform.firewall }] : [];
};
