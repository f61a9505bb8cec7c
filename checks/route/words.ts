/** How checks quote the conditions of what is in front of a Service. */
import type { Condition } from '../../src/facts/objects.ts';

/** A condition that says no, as it is written. */
export const conditionText = (c: Condition): string => `${c.type}=${c.status}${c.reason ? `, ${c.reason}` : ''}${c.message ? `: ${c.message}` : ''}`;

export const isNo = (c: Condition): boolean => c.status === 'False';
