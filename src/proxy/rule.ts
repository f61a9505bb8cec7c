/**
 * Rules of netfilter in one form. `iptables.ts` and `nft.ts` translate what a node lists into it; `walk.ts` knows only this.
 */
import ipaddr from 'ipaddr.js';
import type { Packet } from './model.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
export interface Range {
  text: string;
  parsed: [Address, number];
}

/** What a rule asks of a packet. `not` turns the answer round. */
export type Match = { not?: boolean } & (
  | { asks: 'source' | 'destination'; ranges: Range[] }
  | { asks: 'protocol'; names: string[] }
  | { asks: 'port'; ranges: [number, number][] }
  /** Whether the address is one of the node's own. */
  | { asks: 'local'; of: 'source' | 'destination' }
  /** Holds for this share of the packets, drawn at random. */
  | { asks: 'chance'; share: number }
  | { asks: 'mark'; value: number; mask: number }
  /** Whether this client got this backend before, at most so many seconds ago; a new client did not. */
  | { asks: 'known-client'; seconds: number }
  /** States of connection tracking, in lower case. */
  | { asks: 'state'; states: string[] }
  | { asks: 'interface'; name: string; of: 'in' | 'out' }
  | { asks: 'unknown'; text: string }
);

/** Clears the bits of `mask`, then turns those of `value`: iptables' --set-xmark. */
export interface Mark {
  does: 'mark';
  value: number;
  mask: number;
}

export type Action =
  | { does: 'jump' | 'goto'; chain: string }
  | { does: 'return' | 'accept' | 'drop' | 'reject' | 'masquerade' | 'nothing' }
  | { does: 'dnat'; to: string }
  | Mark
  /** Its end is not known: it may let the packet go on, or not. */
  | { does: 'unknown' };

export interface Rule {
  matches: Match[];
  /** What it does to the mark before its action, once all of it matches: a rule of nftables can do several things. */
  marks?: Mark[];
  action: Action;
  /** As it is written. */
  text: string;
}

/** A point at which the kernel meets a packet. */
export interface Hook {
  at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  type: 'filter' | 'nat';
  chain: string;
}

/** The rules that matter to the packets that were asked about. Chains are named `TABLE/CHAIN`. */
export interface Ruleset {
  chains: Map<string, Rule[]>;
  /** In the order in which the kernel comes by them. */
  hooks: Hook[];
  /** Whether kube-proxy's own rules are among them. */
  present: boolean;
  /** Tables whose end is not there. */
  cutOff: string[];
}

/** Reads a list line by line, and keeps what the asked packets can meet. */
export interface RuleReader {
  line(text: string): void;
  /** `missed`: chains that rules jump to and that were read before that was known; a second reading keeps them. */
  end(): { rules: Ruleset; missed: string[] };
}

export interface Wanted {
  /** All of one family of addresses. */
  packets: readonly Packet[];
  /** Whether rules are likely to jump to a chain, asked before the chain is read. */
  likely(chain: string): boolean;
}

/** Names that kube-proxy gives to the chains of one Service or endpoint, of which a node may have tens of thousands. */
const ofOneService = /\/KUBE-[A-Z]+-[A-Z2-7]{16}$|\/(service|endpoint|external|firewall)-[A-Z2-7]{8}-/;

/** Remembers the chains whose rules were passed over. Those of one Service are not kept: any of them may have gone by. */
export function passedOver(): { add(chain: string): void; mayHave(chain: string): boolean } {
  const names = new Set<string>();
  return {
    add(chain) {
      if (!ofOneService.test(chain)) names.add(chain);
    },
    mayHave: (chain) => names.has(chain) || ofOneService.test(chain),
  };
}

/** An address or a range (`10.0.0.0/8`); undefined where it is none. */
export function rangeOf(text: string): Range | undefined {
  if (ipaddr.isValidCIDR(text)) return { text, parsed: ipaddr.parseCIDR(text) };
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.parse(text);
  return { text, parsed: [address, address.kind() === 'ipv4' ? 32 : 128] };
}

const addresses = new Map<string, Address>();
function parse(text: string): Address {
  const known = addresses.get(text);
  if (known) return known;
  const address = ipaddr.parse(text);
  if (addresses.size > 10_000) addresses.clear();
  addresses.set(text, address);
  return address;
}

export function inRange(address: string, [base, bits]: Range['parsed']): boolean {
  const parsed = parse(address);
  return parsed.kind() === base.kind() && parsed.match(base, bits);
}

/** The one host that a range is, if it is one. */
export const hostOf = ({ parsed: [address, bits] }: Range): string | undefined =>
  bits === (address.kind() === 'ipv4' ? 32 : 128) ? address.toString() : undefined;
