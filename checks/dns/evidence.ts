/** What several checks of DNS read: the replicas' logs, the client's own resolv.conf, which addresses are a cache on the node. */
import ipaddr from 'ipaddr.js';
import { parseResolvConf, type ResolvConf } from '../../src/dns/resolv-conf.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { Connections } from '../../src/facts/facts.ts';
import type { Fix } from '../check.ts';
import { kubectl } from '../fix.ts';

/** Of each log the last `most` lines that are wanted; `key` is `pod/container`. */
export const logLines = (logs: Fact<Record<string, Fact<string>>>, wanted: (line: string) => boolean, most: number): { key: string; line: string }[] =>
  (logs.seen ? Object.entries(logs.value) : []).flatMap(([key, log]) =>
    log.seen
      ? log.value
          .split('\n')
          .filter(wanted)
          .slice(-most)
          .map((line) => ({ key, line }))
      : [],
  );

/** resolv.conf as it is in the client; what a stand-in has is not what the client has. */
export const ownResolvConf = (connections: Fact<Connections>): ResolvConf | undefined =>
  connections.seen && !connections.value.standIn && connections.value.resolvConf !== null ? parseResolvConf(connections.value.resolvConf) : undefined;

/** NodeLocal DNSCache listens on a link-local address of the node itself, by default 169.254.20.10. */
export const isNodeLocal = (address: string): boolean => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'linkLocal';

/** For an answer that is behind the API. */
export const staleFix = (pod: string): Fix => ({
  text: 'An old answer may be cached as long as the cache plugin says (30 s as a rule); if it lasts, see whether CoreDNS can still watch the API server',
  command: kubectl('kube-system', 'logs', pod),
});
