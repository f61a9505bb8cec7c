import ipaddr from 'ipaddr.js';
import { nearest } from '../../src/catalog/nearest-names.ts';
import { type Corefile, CorefileError, forwarders, kubernetesZones, parseCorefile, releasedPlugins } from '../../src/dns/corefile.ts';
import { clusterDomain, parseResolvConf, type ResolvConf } from '../../src/dns/resolv-conf.ts';
import { unreadOf } from '../../src/facts/fact.ts';
import { isReady } from '../../src/facts/selectors.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { check, type Draft, type Evidence, type Fix, judged, skip, unknown } from '../check.ts';
import { corrected, type Correction, withKubernetes, word, zones } from './corefile-fixes.ts';
import { logLines } from './evidence.ts';

type Found = Draft<'dns-config-invalid' | 'dns-zone-mismatch'>;

const object = { kind: 'ConfigMap', namespace: 'kube-system', name: 'coredns' };
const editCorefile = 'kubectl -n kube-system edit configmap coredns';
const correct = { text: 'Correct the Corefile in ConfigMap "coredns"', command: editCorefile };

/** What a Corefile is judged with. */
interface Subject {
  corefile: string;
  /** No DNS pod is ready. */
  isDown: boolean;
  logs: readonly string[];
  dnsPods: readonly Pod[];
}

/** The correction as changes where it is known, or the place to make one. */
const fixFor = ({ corefile, dnsPods }: Subject, correction: Correction | undefined): Fix[] => {
  const fixes = corrected(corefile, dnsPods, correction);
  return fixes.length > 0 ? fixes : [correct];
};

/** Loopback is the DNS pod itself; so is, in the end, the address of its own Service. */
function isItself(target: string, clusterIps: readonly string[] | undefined): boolean {
  const bare = target.replace(/^(?:dns|tls):\/\//, '');
  // 10.0.0.2:53, [fd00::2]:53, or an address alone.
  const address = /^\[(.+)\](?::\d+)?$/.exec(bare)?.[1] ?? (bare.split(':').length === 2 ? (bare.split(':')[0] ?? '') : bare);
  // A path such as /etc/resolv.conf is no address; ipaddr.js throws for it, which takes long.
  return (/^[\d.]+$|:/.test(address) && ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback') || (clusterIps?.includes(address) ?? false);
}

/** CoreDNS keeps its last good configuration until it restarts, so an invalid one breaks nothing before that. */
function invalid(subject: Subject, line: number | undefined, why: string, more: Evidence[] = [], correction?: Correction): Found {
  const { corefile, isDown } = subject;
  return {
    code: 'dns-config-invalid',
    severity: isDown ? 'error' : 'warning',
    confidence: isDown ? 'confirmed' : 'likely',
    scope: 'all',
    object,
    message: `The Corefile is not valid (${line === undefined ? '' : `line ${line}: `}${why})${isDown ? '' : '; CoreDNS uses the last valid one until it restarts'}`,
    evidence: [
      ...(line === undefined ? [] : [{ source: 'configmap', text: `Corefile line ${line}: ${corefile.split('\n')[line - 1]?.trim() ?? ''}` }]),
      ...more,
    ],
    fix: fixFor(subject, correction),
  };
}

/** CoreDNS logs why it could not read its Corefile, with the line. */
function complaint(subject: Subject): Found | undefined {
  const found = subject.logs.map((text) => /Corefile:(\d+) - Error during parsing: (.*)/.exec(text)).find((m) => m !== null);
  if (!found || !subject.isDown) return undefined;
  const directive = /Unknown directive '([^']+)'/.exec(found[2] ?? '')?.[1];
  const near = directive === undefined ? undefined : nearest(directive, releasedPlugins);
  const line = Number(found[1]);
  const correction = directive === undefined || near === undefined ? undefined : word(line, directive, near, `Write "${near}" in the place of "${directive}"`);
  return invalid(subject, line, `${found[2]}${near === undefined ? '' : `; did you mean "${near}"?`}`, [{ source: 'log', text: found[0] }], correction);
}

/** A plugin that no release of CoreDNS has, with one of a similar name. */
function misspelt(subject: Subject, file: Corefile): Found | undefined {
  const [found] = file.servers
    .flatMap((server) => server.plugins)
    .flatMap((p) => {
      const near = releasedPlugins.includes(p.name) ? undefined : nearest(p.name, releasedPlugins);
      return near === undefined ? [] : [{ line: p.line, name: p.name, near }];
    });
  if (!found) return undefined;
  const correction = word(found.line, found.name, found.near, `Write "${found.near}" in the place of "${found.name}"`);
  return invalid(subject, found.line, `there is no plugin "${found.name}"; did you mean "${found.near}"?`, [], correction);
}

/** CoreDNS forwards to itself, or to a server that forwards to it. */
function loop(subject: Subject, file: Corefile, clusterIps: readonly string[] | undefined): Found | undefined {
  const { isDown, logs } = subject;
  const logged = logs.find((l) => /plugin\/loop: Loop/.test(l));
  const [self] = forwarders(file).flatMap((f) => f.to.filter((t) => isItself(t, clusterIps)).map((to) => ({ to, line: f.line })));
  if (logged === undefined && !self) return undefined;
  const to = self ? `it forwards to ${self.to}` : "it forwards to a server that returns the question, such as a cache on the node's loopback";
  return {
    code: 'dns-config-invalid',
    severity: isDown ? 'error' : 'warning',
    confidence: logged === undefined ? 'likely' : 'confirmed',
    scope: 'all',
    object,
    message: `CoreDNS asks itself in a loop: ${to}${logged === undefined ? '' : '; the plugin loop stops it'}`,
    evidence: [
      ...(self ? [{ source: 'configmap', text: `Corefile line ${self.line}: forward to ${self.to}` }] : []),
      ...(logged === undefined ? [] : [{ source: 'log', text: logged }]),
    ],
    fix: [
      ...(self
        ? corrected(
            subject.corefile,
            subject.dnsPods,
            word(self.line, self.to, '/etc/resolv.conf', `Forward to the servers of the node (/etc/resolv.conf) in the place of ${self.to}`),
          ).map((f): Fix => ({ ...f, assumes: "the node's own resolv.conf does not name CoreDNS or a loopback cache" }))
        : []),
      { text: "Forward to the real upstream servers, or give the kubelet a resolvConf without the node's loopback cache", command: editCorefile },
    ],
  };
}

const withoutKubernetes = (subject: Subject, file: Corefile, resolv: ResolvConf | undefined): Found => ({
  code: 'dns-config-invalid',
  severity: 'error',
  confidence: 'likely',
  scope: 'all',
  object,
  message: 'The Corefile has no "kubernetes" plugin, so CoreDNS resolves no Service',
  evidence: [{ source: 'configmap', text: 'no server block has the plugin kubernetes' }],
  fix: fixFor(subject, withKubernetes(file.servers, (resolv && clusterDomain(resolv)) ?? 'cluster.local')),
});

const zonesText = (served: readonly string[]): string => served.filter((z) => !z.endsWith('.arpa')).join(', ');

/** The pods' domain, where CoreDNS serves another. */
function otherZone(subject: Subject, file: Corefile, served: readonly string[], resolv: ResolvConf | undefined): Found | undefined {
  const domain = resolv && clusterDomain(resolv);
  const plugin = file.servers.flatMap((s) => s.plugins).find((p) => p.name === 'kubernetes');
  if (!domain || served.some((z) => z === '' || domain === z || domain.endsWith(`.${z}`))) return undefined;
  return {
    code: 'dns-zone-mismatch',
    severity: 'error',
    confidence: 'likely',
    scope: 'all',
    object,
    message: `CoreDNS serves Services under ${zonesText(served)}, the pods look them up under ${domain}`,
    evidence: [
      { source: 'configmap', text: `Corefile: kubernetes ${plugin?.args.join(' ')}` },
      { source: 'resolv.conf', text: `search ${resolv?.search.join(' ')}` },
    ],
    fix: fixFor(subject, plugin && zones(plugin, domain)),
  };
}

export const config = check({
  id: 'dns/config',
  title: "CoreDNS serves the cluster's domain",
  needs: ['corefile'],
  uses: ['dnsPods', 'connections', 'corefileCustom', 'dnsLogs', 'dnsService'],
  codes: ['dns-config-invalid', 'dns-zone-mismatch'],
  run({ corefile, dnsPods, connections, corefileCustom, dnsLogs, dnsService }) {
    if (corefile === null) return skip('there is no Corefile in kube-system');
    const logs = logLines(dnsLogs, () => true, Number.POSITIVE_INFINITY).map(({ line }) => line);
    const subject: Subject = { corefile, isDown: dnsPods.seen && !dnsPods.value.some(isReady), logs, dnsPods: dnsPods.seen ? dnsPods.value : [] };
    let file: Corefile;
    try {
      file = parseCorefile(corefile, corefileCustom.seen ? (corefileCustom.value ?? {}) : {});
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error;
      return judged([invalid(subject, error.line, error.message)]);
    }
    const served = kubernetesZones(file)?.map((z) => z.replace(/\.$/, ''));
    // What the Corefile imports may hold any plugin.
    const unread = /^\s*import\s/m.test(corefile) ? unreadOf(corefileCustom) : undefined;
    const resolv = connections.seen && connections.value.resolvConf !== null ? parseResolvConf(connections.value.resolvConf) : undefined;
    const found =
      complaint(subject) ??
      misspelt(subject, file) ??
      loop(subject, file, dnsService.seen ? dnsService.value?.spec.clusterIPs : undefined) ??
      (served ? otherZone(subject, file, served, resolv) : unread === undefined ? withoutKubernetes(subject, file, resolv) : undefined);
    if (found) return judged([found]);
    if (unread !== undefined) return unknown(unread);
    return judged([], `CoreDNS serves ${zonesText(served ?? []) || 'every zone'}`);
  },
});
