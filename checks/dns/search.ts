import { derived } from '../../src/facts/derived.ts';
import { domainOf } from '../../src/dns/corefile.ts';
import { clusterDomain, type ResolvConf } from '../../src/dns/resolv-conf.ts';
import { questionsFor, wasted, workingForms } from '../../src/dns/resolver.ts';
import type { Fact } from '../../src/facts/fact.ts';
import type { Client, FactTypes, Target } from '../../src/facts/facts.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { clientText, plural } from '../format.ts';
import { ownResolvConf } from './evidence.ts';

/** With the kubelet's own list (three domains, ndots 5) a full name costs three failing questions. */
const usualWaste = 3;

const domainIn = (corefile: Fact<FactTypes['corefile']>): string => domainOf(corefile.seen ? corefile.value : undefined);

/** resolv.conf as the kubelet creates it for a pod (dns-pod-service, "Pod's DNS Policy"); the node's own domains are not known here. */
function written(client: Client, domain: string): Pick<ResolvConf, 'search' | 'ndots'> | undefined {
  const spec = client.pod?.spec;
  const policy = spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'Default' || (policy === 'ClusterFirst' && client.hostNetwork)) return undefined;
  const own = policy === 'None' ? [] : [`${client.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  const ndots = spec?.dnsConfig?.options.find((o) => o.name === 'ndots')?.value;
  return { search: [...own, ...(spec?.dnsConfig?.searches ?? [])], ndots: ndots == null ? (policy === 'None' ? 1 : 5) : Math.min(Number(ndots), 15) };
}

/** Many Services of a scan are asked for by the same client. */
const writtenFor = derived((client: Client) => derived((corefile: Fact<FactTypes['corefile']>) => written(client, domainIn(corefile))));

/** How many questions fail before that for a name of another domain. */
const wastedOutside = derived((conf: Pick<ResolvConf, 'search' | 'ndots'>) =>
  questionsFor('www.example.com', conf, 'glibc').findIndex((q) => q === 'www.example.com'),
);

const formsText = (target: Target, forms: readonly string[]) =>
  forms.length > 0 ? forms.join(', ') : `none of ${target.name}, ${target.name}.${target.namespace}`;

/** A model of the client's resolver: which forms of the name resolve to the Service, and how many questions fail before the right one. */
export const search = check({
  id: 'dns/search',
  title: "The client's search list resolves the Service's names without needless questions",
  needs: ['target', 'service', 'client'],
  uses: ['connections', 'corefile'],
  codes: ['dns-pod-config', 'dns-zone-mismatch'],
  run({ target, service, client, connections, corefile }) {
    if (!service) return skip('the Service does not exist');
    if (!client || client.kind === 'external' || client.kind === 'node') return skip('the client is not a pod');
    const read = ownResolvConf(connections);
    const domain = (read && clusterDomain(read)) ?? domainIn(corefile);
    const conf = read ?? writtenFor(client)(corefile);
    const findings: Draft<'dns-pod-config' | 'dns-zone-mismatch'>[] = [];
    const who = clientText(target, client);
    const object = { kind: 'Pod', namespace: client.namespace, name: client.name };
    const source = read ? 'resolv.conf' : 'pods';
    if (target.domain !== undefined && target.domain !== domain) {
      findings.push({
        code: 'dns-zone-mismatch',
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object,
        message: `The given name has the domain ${target.domain}, this cluster has ${domain}: the full name is ${target.name}.${target.namespace}.svc.${domain}`,
        evidence: [{ source, text: conf ? `search ${conf.search.join(' ')}` : `the Corefile serves ${domain}` }],
        fix: [{ text: `Use ${target.name}.${target.namespace}, which works with any cluster domain` }],
      });
    }
    if (!conf) return judged(findings, "its node's search list is not known");
    const right = `${target.name}.${target.namespace}.svc.${domain}`;
    const forms = workingForms({ name: target.name, namespace: target.namespace, domain }, conf);
    const cost = wasted(right, right, conf);
    const outside = wastedOutside(conf);
    if ((cost ?? 0) > usualWaste || outside > usualWaste) {
      const most = Math.max(cost ?? 0, outside);
      findings.push({
        code: 'dns-pod-config',
        severity: 'warning',
        confidence: 'confirmed',
        scope: 'part',
        object,
        message: `${who} asks ${plural(most, 'failing question')} before the right one, each for IPv4 and IPv6 (ndots ${conf.ndots}, ${plural(conf.search.length, 'search domain')}): each lookup makes ${2 * (most + 1)} queries`,
        evidence: [
          { source, text: `search ${conf.search.join(' ')}; ndots ${conf.ndots}` },
          {
            source: 'resolver',
            text: `for ${right} it asks ${questionsFor(right, conf, 'glibc')
              .slice(0, most + 1)
              .join(', then ')}`,
          },
        ],
        fix: [{ text: `Write a dot at the end of the name (${right}.), or set ndots to 2 and fewer searches in the pod's dnsConfig` }],
      });
    }
    return judged(findings, `${formsText(target, forms)} ${forms.length === 1 ? 'resolves' : 'resolve'} to it`);
  },
});
