/** What several DNS checks read: the replicas' logs, the client's own resolv.conf. */
import { parseResolvConf, type ResolvConf } from '../../src/dns/resolv-conf.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { Connections } from '../../src/facts/facts.ts';
import type { Fix } from '../check.ts';
import { kubectl } from '../fix.ts';

/** The last `most` wanted lines of each log; `key` is `pod/container`. */
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

/** resolv.conf of the client itself; that of a debug pod can differ. */
export const ownResolvConf = (connections: Fact<Connections>): ResolvConf | undefined =>
  connections.seen && !connections.value.standIn && connections.value.resolvConf !== null ? parseResolvConf(connections.value.resolvConf) : undefined;

/** For an answer that is older than the objects. */
export const staleFix = (pod: string): Fix => ({
  text: `Wait for the TTL of the cache plugin (30 s by default); if the answer stays, read the log of "${pod}": CoreDNS may have lost its watch on the API server`,
  command: kubectl('kube-system', 'logs', pod),
});
