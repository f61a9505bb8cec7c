/**
 * A capture that can be given away: names, namespaces, labels, hosts and addresses are replaced, each by the same one everywhere, so that
 * a replay says the same about other names. Words of Kubernetes, ports, times and image tags stay.
 */
import { createHmac, randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { Recording } from './capture.ts';
import { vocabulary } from './vocabulary.ts';

/** Fields whose whole text is a name that somebody chose. */
const naming =
  /^(name|generateName|namespace|nodeName|node|pod|host|hostname|hostnames|hosts|subdomain|serviceAccount|serviceAccountName|secretName|uid|image|images|names|issuer|externalName|gatewayClassName|ingressClassName|loadBalancerClass|principals|notPrincipals|containers|manager|slice|url|path|via|from|of|key|values|value)$/;
/** Records whose keys were chosen by somebody, too. */
const keyed =
  /^(labels|matchLabels|nodeSelector|selector|podSelector|sourceLabels|podLogs|proxyLogs|dnsLogs|dnsAnswers|namespaces|policies|nodeRules|nodeRulesLater|conntrack|proxyHealth|routes|forwarding|listeners|nodeRequests|secrets|services|destinations|pluginPolicies|dryRuns|corefileCustom)$/;

const word = /[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*/;
const words = (text: string): string[] => text.match(new RegExp(word, 'g')) ?? [];
const isCommon = (word: string): boolean => word.length < 2 || vocabulary.has(word.toLowerCase()) || /^(v?\d+|\d+[munkKMGTPE]i?)$/.test(word);
/** `db.corp.example` in the middle of a text. */
const hostLike = /\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}\b/gi;
const addressLike =
  /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?)(\/\d{1,3})?(?![\w:]*:[0-9a-fA-F]{0,4}:)/;
const addressOrWord = new RegExp(`${addressLike.source}|${word.source}`, 'g');

/** All words by which somebody could be known. */
function identifiers(facts: unknown): Set<string> {
  const found = new Set<string>();
  const add = (text: string) => {
    for (const word of words(text)) if (!isCommon(word)) found.add(word);
  };
  const walk = (value: unknown, isName: boolean, isKeyed: boolean): void => {
    if (typeof value === 'string') {
      if (isName || isKeyed) add(value);
      else for (const host of value.match(hostLike) ?? []) add(host);
    } else if (Array.isArray(value)) for (const item of value) walk(item, isName, isKeyed);
    else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) {
        if (isKeyed) add(key);
        walk(item, naming.test(key), keyed.test(key) || (isKeyed && key === 'value'));
      }
  };
  walk(facts, false, false);
  return found;
}

/** Ranges whose meaning is in the address itself: loopback, link-local, multicast. */
const kept = /^(unspecified|broadcast|multicast|linkLocal|loopback)$/;

/** Addresses that keep their common prefixes, so that a range still holds the same addresses. The first eight bits stay. */
function addressesBy(key: Buffer): (text: string, bits: number | undefined) => string {
  const flips = new Map<string, number>();
  const flip = (prefix: string): number => {
    const known = flips.get(prefix);
    if (known !== undefined) return known;
    const bit = (createHmac('sha256', key).update(prefix).digest()[0] ?? 0) & 1;
    flips.set(prefix, bit);
    return bit;
  };
  return (text, bits) => {
    const address = ipaddr.parse(text);
    if (kept.test(address.range())) return text;
    const before = address
      .toByteArray()
      .map((b) => b.toString(2).padStart(8, '0'))
      .join('');
    let after = '';
    for (let i = 0; i < before.length; i++) {
      const isHost = bits !== undefined && i >= bits;
      after += isHost ? '0' : i < 8 ? before[i] : String(Number(before[i]) ^ flip(`${address.kind()} ${before.slice(0, i)}`));
    }
    const bytes = (after.match(/.{8}/g) ?? []).map((b) => Number.parseInt(b, 2));
    return ipaddr.fromByteArray(bytes).toString();
  };
}

/** A recording in which nobody is named. With the same key the same names become the same ones; by default each call has a key of its own. */
export function anonymized(recording: Recording, key: Buffer = randomBytes(32)): Recording {
  const replace = new Map<string, string>();
  // By the key and not by their order, which would show who comes first in the alphabet.
  for (const word of identifiers(recording.facts)) {
    const digest = createHmac('sha256', key).update(word.toLowerCase()).digest('hex');
    // The first letter keeps a name valid for DNS; capitals stay a difference.
    const name = `x${digest.slice(0, 7)}`;
    replace.set(word, word === word.toLowerCase() ? name : word === word.toUpperCase() ? name.toUpperCase() : `X${name.slice(1)}`);
  }
  const addressOf = addressesBy(key);
  const text = (value: string): string => {
    const withoutKeys = value.replace(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g, '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----');
    return withoutKeys.replace(addressOrWord, (match, range: string | undefined) => {
      const address = range === undefined ? match : match.slice(0, -range.length);
      if (!/[.:]/.test(match)) return replace.get(match) ?? match;
      return ipaddr.isValid(address) ? `${addressOf(address, range === undefined ? undefined : Number(range.slice(1)))}${range ?? ''}` : match;
    });
  };
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, item]) => [text(k), walk(item)]));
  };
  return { ...recording, facts: walk(recording.facts) as Recording['facts'] };
}
