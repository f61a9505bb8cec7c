/** What the facts say about one connection, however it went. */
import type { Code } from '../catalog/codes.ts';
import type { UnseenReason } from '../facts/fact.ts';
import type { Connection } from '../facts/facts.ts';

/** A connection that was made or could be made, without its result. */
export type Attempt = Pick<Connection, 'kind' | 'hop' | 'target' | 'servicePort' | 'pod' | 'node'>;

/** What becomes of a connection. `lost`: its packets get no answer. `failing`: a DNS server reports a failure. `reset`: a proxy takes it, and closes it or answers with an error. */
export type Fate = 'connects' | 'refused' | 'lost' | 'not-found' | 'failing' | 'reset';

/** A place on the way where facts stop the connection, or may stop it. */
export interface Stop {
  /** What becomes of a connection that ends here. */
  fates: readonly Fate[];
  /** True where the facts decide; false where they leave it open, or where it concerns only a share of the connections. */
  certain: boolean;
  /** Evidence speaks for it that falls short of certain. */
  likely?: boolean;
  /** What decides, or what leaves it open. */
  why: string;
  /** The codes of the findings that report it. */
  codes: readonly Code[];
  /** The pods concerned, where it concerns pods. */
  pods?: readonly string[];
  /** The node whose rules are meant. */
  nodes?: readonly string[];
  /** The Service whose rules or pods are meant, where it is not the diagnosed one. */
  service?: string;
  /** Why the evidence was not read, where it was not: nothing is known to be wrong. */
  unseen?: UnseenReason;
}

export interface Prediction {
  /** `open`: the facts allow more than one. */
  fate: Fate | 'open';
  /** All fates that the facts allow. */
  fates: Fate[];
  /** In the order of the packet's way. */
  stops: Stop[];
}

/** The first certain stop ends the way; uncertain ones before it leave open whether it gets there. */
export function predictionOf(stops: Stop[]): Prediction {
  const end = stops.findIndex((s) => s.certain);
  const met = end < 0 ? stops : stops.slice(0, end + 1);
  const fates = [...new Set<Fate>([...met.flatMap((s) => s.fates), ...(end < 0 ? (['connects'] as const) : [])])];
  const [only] = fates;
  return { fate: fates.length === 1 && only ? only : 'open', fates, stops };
}

const fateByOutcome: Record<Connection['outcome'], Fate | 'silent'> = {
  answered: 'connects',
  refused: 'refused',
  'timed-out': 'lost',
  'no-route': 'lost',
  reset: 'reset',
  'no-answer': 'silent',
  'name-not-found': 'not-found',
  'dns-timed-out': 'lost',
  'dns-failed': 'failing',
};

/** Whether a connection that went like this can have ended at a stop. */
export function fits(stop: Pick<Stop, 'fates'>, c: Pick<Connection, 'kind' | 'outcome' | 'status'>): boolean {
  // A proxy that reads HTTP answers with an error in the place of a reset.
  if (c.outcome === 'answered' && (c.status ?? 0) >= 400 && stop.fates.includes('reset')) return true;
  const seen = fateByOutcome[c.outcome];
  // How a failed lookup shows depends on the tool: some report a server's silence as a name that does not exist.
  if (c.kind === 'dns') return seen !== 'connects' && stop.fates.some((f) => f !== 'connects');
  // Over UDP silence proves nothing: a lost packet looks the same.
  if (seen === 'silent') return stop.fates.includes('lost');
  return stop.fates.includes(seen);
}
