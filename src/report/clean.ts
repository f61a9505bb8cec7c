/**
 * Text from the cluster may hold terminal escapes, control characters and marks that turn the writing direction.
 * They are taken out here, once, before anything is shown.
 */
// C0 and C1 controls, ANSI escape sequences, bidirectional marks (Unicode UAX #9), zero-width and line separators.
// oxlint-disable-next-line no-control-regex
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

// Every escape begins with a control character. Most texts hold none of all these.
// oxlint-disable-next-line no-control-regex
const suspect = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

export const clean = (text: string): string =>
  suspect.test(text)
    ? text
        .replace(escapes, '')
        .replace(controls, '')
        .replace(/[\t\n]+/g, ' ')
    : text;

/** Cleans a text of several lines; the breaks between them are ours. */
export const cleanLines = (text: string): string => text.split('\n').map(clean).join('\n');

/** Cleans every string inside a value; `by` says how (with `cleanLines`, breaks stay). Answers the value itself where there is nothing to clean, as nearly always. */
export function cleanDeep<T>(value: T, by: (text: string) => string = clean): T {
  if (typeof value === 'string') return by(value) as T;
  if (!value || typeof value !== 'object') return value;
  let isClean = true;
  const cleaned = <X>(before: X): X => {
    const after = cleanDeep(before, by);
    isClean &&= Object.is(after, before);
    return after;
  };
  const copy = Array.isArray(value) ? value.map(cleaned) : Object.entries(value).map(([k, x]) => [cleaned(k), cleaned<unknown>(x)] as const);
  if (isClean) return value;
  return (Array.isArray(value) ? copy : Object.fromEntries(copy as [string, unknown][])) as T;
}
