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

/** Cleans every string inside a value; `by` says how (with `cleanLines`, breaks stay). */
export function cleanDeep<T>(value: T, by: (text: string) => string = clean): T {
  if (typeof value === 'string') return by(value) as T;
  if (Array.isArray(value)) return value.map((x) => cleanDeep(x, by)) as T;
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, x]) => [by(k), cleanDeep(x, by)])) as T;
  return value;
}
