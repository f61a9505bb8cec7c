/** Corrections of a Corefile, line by line; CoreDNS is restarted, so that they hold at once. */
import type { Directive, Server } from '../../src/dns/corefile.ts';
import type { Pod } from '../../src/facts/objects.ts';
import { isRedacted } from '../../src/facts/redact.ts';
import type { Fix } from '../check.ts';
import { fixBy, patchOf, restartOf } from '../fix.ts';

/** How to get from the Corefile as it is to the right one. */
export interface Correction {
  text: string;
  /** The lines in the place of one; counted from 1. */
  line: number;
  lines(old: string): string[];
}

/** The changes for a correction; none where the text, as it was read, is not whole: secrets in it were left out. */
export function corrected(corefile: string, dnsPods: readonly Pod[], correction: Correction | undefined): Fix[] {
  if (!correction || isRedacted(corefile)) return [];
  const lines = corefile.split('\n');
  const old = lines[correction.line - 1];
  if (old === undefined) return [];
  const next = [...lines.slice(0, correction.line - 1), ...correction.lines(old), ...lines.slice(correction.line)].join('\n');
  if (next === corefile) return [];
  const restarts = dnsPods.filter((p) => p.metadata.ownerReferences.length > 0).map((p) => restartOf(p.metadata.namespace, p.metadata.name));
  return [fixBy(correction.text, patchOf('kube-system', 'configmap/coredns', { data: { Corefile: next } }), ...restarts)];
}

/** Another word on a line, the first time that it is there. */
export const word = (line: number, from: string, to: string, text: string): Correction => ({
  text: `${text} (line ${line} of the Corefile)`,
  line,
  lines: (old) => [old.replace(from, to)],
});

/** The zones of the plugin kubernetes with the pods' domain in the place of those that no pod asks for. */
export function zones(plugin: Directive, domain: string): Correction | undefined {
  const wrong = plugin.args.filter((z) => !z.replace(/\.$/, '').endsWith('.arpa'));
  if (wrong.length === 0) return undefined;
  return {
    text: `Serve ${domain} by the plugin kubernetes, in the place of ${wrong.join(', ')} (line ${plugin.line} of the Corefile)`,
    line: plugin.line,
    lines: (old) => [wrong.slice(1).reduce((text, z) => text.replace(` ${z}`, ''), old.replace(wrong[0] ?? '', domain))],
  };
}

/** The plugin kubernetes as kubeadm has it (cmd/kubeadm/app/phases/addons/dns/manifests.go), at the top of the block for all names. */
export function withKubernetes(servers: readonly Server[], domain: string): Correction | undefined {
  const server = servers.find((s) => s.keys.some((k) => /^(?:dns:\/\/)?\.(?::53)?$/.test(k)));
  if (!server) return undefined;
  return {
    text: `Add the plugin kubernetes for ${domain} to the block of line ${server.line} of the Corefile`,
    line: server.line,
    lines: (old) => [
      old,
      `    kubernetes ${domain} in-addr.arpa ip6.arpa {`,
      '       pods insecure',
      '       fallthrough in-addr.arpa ip6.arpa',
      '       ttl 30',
      '    }',
    ],
  };
}
