/** Marks what looks like a secret in free text (messages, log lines, configuration), so that a capture can be shared. */
const hidden = '‹redacted›';

const patterns: [RegExp, string][] = [
  [/\b(authorization\s*[:=]\s*)(?:(?:bearer|basic|token)\s+)?\S+/gi, `$1${hidden}`],
  [/\b(bearer\s+)[A-Za-z0-9._~+/-]{8,}=*/gi, `$1${hidden}`],
  [/(:\/\/)[^\s/:@]*:[^\s@]+@/g, `$1${hidden}@`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, hidden],
  [
    /\b((?:[A-Za-z0-9]+[_-])*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi,
    `$1${hidden}`,
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, hidden],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, hidden],
];

/** Whether something was left out of a text. */
export const isRedacted = (text: string): boolean => text.includes(hidden);

/** A word of each pattern: one pass over a text instead of one for each, as most hold none of them. */
const words = /authorization|bearer|:\/\/|eyj|passw|pwd|secret|token|key|credential|akia|asia/i;

export const redact = (text: string): string => (words.test(text) ? patterns.reduce((t, [pattern, by]) => t.replace(pattern, by), text) : text);

/** Redacts every string inside a value. */
export function redactDeep<T>(value: T): T {
  if (typeof value === 'string') return redact(value) as T;
  if (Array.isArray(value)) return value.map(redactDeep) as T;
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, x]) => [k, redactDeep(x)])) as T;
  return value;
}
