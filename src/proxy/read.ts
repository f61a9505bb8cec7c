import type { Handling } from './model.ts';
import type { RuleReader, Ruleset, Wanted } from './rule.ts';
import { handle } from './walk.ts';

/** Chains can jump to chains that were read before; kube-proxy's are three levels deep. */
const maxReadings = 4;

/** Gives each line of a listing to `line`. Called again where a second reading is needed. */
export type Listing<E> = (line: (text: string) => void) => Promise<E | undefined>;

export interface Judged {
  rules: Ruleset;
  handled: Handling[];
}

/**
 * Reads a listing of rules as often as needed (mostly once) and says what becomes of each packet. `list` answers an error,
 * which ends the reading, or undefined.
 */
export async function judgeRules<E>(reader: (wanted: Wanted) => RuleReader, list: Listing<E>, wanted: Wanted): Promise<Judged | { error: E }> {
  const known = new Set<string>();
  for (let reading = 1; ; reading++) {
    const one = reader({ packets: wanted.packets, likely: (chain) => known.has(chain) || wanted.likely(chain) });
    const error = await list((text) => one.line(text));
    if (error !== undefined) return { error };
    const { rules, missed } = one.end();
    if (missed.length === 0 || reading === maxReadings) {
      const cut = [...rules.cutOff.map((t) => `${t} ends early`), ...(missed.length > 0 ? [`chains ${missed.join(', ')}`] : [])];
      const handled = wanted.packets.map((p) => handle(rules, p));
      return { rules, handled: cut.length === 0 ? handled : handled.map((h) => ({ ...h, unread: [...h.unread, ...cut] })) };
    }
    for (const chain of missed) known.add(chain);
  }
}
