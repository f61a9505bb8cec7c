import ipaddr from 'ipaddr.js';

export interface ResolvConf {
  nameservers: string[];
  search: string[];
  ndots: number;
}

/** Reads a resolv.conf: the last `search` or `domain` line wins, ndots is 1 where it is not set (resolv.conf(5)). */
export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { nameservers: [], search: [], ndots: 1 };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0]) conf.nameservers.push(values[0]);
    else if (keyword === 'search') conf.search = values;
    else if (keyword === 'domain' && values[0]) conf.search = [values[0]];
    else if (keyword === 'options') {
      const ndots = values.map((o) => /^ndots:(\d+)$/.exec(o)?.[1]).find((n) => n !== undefined);
      // resolv.conf(5): larger values are silently capped at 15.
      if (ndots !== undefined) conf.ndots = Math.min(Number(ndots), 15);
    }
  }
  return conf;
}

/** The cluster's domain as the search list of a pod of `namespace` shows it (`NAMESPACE.svc.DOMAIN`); undefined where it does not. */
export function clusterDomain(conf: ResolvConf): string | undefined {
  return conf.search.map((s) => /^svc\.(.+?)\.?$/.exec(s)?.[1]).find((d) => d !== undefined);
}

/** NodeLocal DNSCache listens on a link-local address of the node itself, by default 169.254.20.10. */
export const isNodeLocal = (address: string): boolean => ipaddr.isValid(address) && ipaddr.parse(address).range() === 'linkLocal';
