/** Marks what looks like a secret in free text (messages, log lines, configuration), so that a capture can be shared. */
export const hidden = '‹redacted›';

/** What a secret is called where its value follows: `DB_PASSWORD=`, `"clientSecret": "…"`, `X-Api-Key: …`, `--token …`. */
const name =
  '(?:passw(?:or)?d|passphrase|secret|token|credentials?|signature|(?:api|access|secret|private|account|shared|signing|encryption|master|auth|client|license|subscription|functions)[_-]?key)';
/** The same, too short to be looked for within other words, or a word that is mostly something else. */
const shortName = '(?<![a-z0-9])(?:pwd|sig|[a-z0-9]{1,30}[_-]pass|(?:pass|auth)(?=[\'"\\\\=]))';
/** After the name: further words (`SECRET_KEY_BASE`), the end of a quotation (in JSON within JSON too), and what separates it from the value. */
const separator = '(?:[_-][a-z0-9]{1,30}){0,3}\\\\?["\']?\\s{0,8}(?:[=:]|%3[AD])\\s{0,8}';
/** What follows is no secret where it means "nothing", or goes on in words: `failed to fetch anonymous token: Get "https://…"`. */
const noSecret =
  '(?!(?:true|false|null|nil|none)\\b|(?:get|post|put|patch|delete|head|dial|rpc|context|unexpected|failed|error|cannot|could|unable|invalid|timed|not|(?:serviceaccount|secret|pod)s?)\\s)';
/** Up to the end of the quotation, or of the word; a text may end before either. */
const value = '(?:\\\\"[^"\\\\]*(?:\\\\")?|"(?:[^"\\\\]|\\\\.)*"?|\'[^\']*\'?|[^\\s,;&]+)';

/** Forms that a provider gives its tokens, so that they are found without a name. */
const tokens = [
  '(?<![-_])eyJ[\\w-]{8,}\\.[\\w-]{8,}\\.[\\w-]*',
  '(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\\b',
  'gh[pousr]_[A-Za-z0-9]{20,}',
  'github_pat_\\w{20,}',
  'gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|oas)-[\\w-]{16,}',
  'xox[a-z]-[\\w-]{10,}',
  'AIza[\\w-]{30,}',
  'ya29\\.[\\w-]{10,}',
  'GOCSPX-[\\w-]{20,}',
  '(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}',
  'whsec_[A-Za-z0-9+/=]{10,}',
  'sk-[\\w-]{20,}',
  'npm_[A-Za-z0-9]{20,}',
  'pypi-[\\w-]{20,}',
  'hv[sbr]\\.[\\w-]{16,}',
  'dckr_[a-z]{3}_[\\w-]{10,}',
  'do[opr]_v1_[a-f0-9]{20,}',
  'hf_[A-Za-z0-9]{20,}',
  'dapi[a-f0-9]{32}',
  'gl(?:sa|c)_[\\w=]{20,}',
  'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{20,}',
  'ATATT3[\\w=-]{20,}',
  'SG\\.[\\w-]{8,}\\.[\\w-]{8,}',
  'AGE-SECRET-KEY-1\\w+',
  'bot\\d{6,}:[\\w-]{20,}',
];

const patterns: [RegExp, string | ((found: string) => string)][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)/g, hidden],
  // The lines of a key whose beginning was cut off; those of a certificate are for everybody.
  [/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----|^[A-Za-z0-9+/]{60,80}={0,2}$/gm, (found) => (found.startsWith('-') ? found : hidden)],
  [/\b(authorization["']?\s{0,8}[:=]\s{0,8}["']?)(?:(?:bearer|basic|token|digest|negotiate)\s+)?[^\s"']+/gi, `$1${hidden}`],
  [/\b(bearer\s+)[A-Za-z0-9._~+/-]{8,}=*/gi, `$1${hidden}`],
  [/\b((?:set-)?cookie["']?\s{0,8}[:=]\s{0,8})[^\r\n]+/gi, `$1${hidden}`],
  // An image with a digest (`docker-pullable://nginx@sha256:…`) has no user.
  [/(:\/\/)(?:[^\s/:@]{0,200}:[^\s@]{1,200}|[^\s/:@]{1,200})@(?!sha\d+:)/g, `$1${hidden}@`],
  [/\b((?:hooks\.slack\.com\/[a-z]+|discord(?:app)?\.com\/api\/webhooks)\/)[\w/-]+/g, `$1${hidden}`],
  [new RegExp(`(?<![A-Za-z0-9])(?:${tokens.join('|')})`, 'g'), hidden],
  [new RegExp(`((?:${name}|${shortName})${separator})${noSecret}${value}`, 'gi'), `$1${hidden}`],
  [new RegExp(`(--?(?:[a-z]{1,30}-){0,3}${name}\\s{1,8})(?:"[^"]*"?|'[^']*'?|[^\\s"']+)`, 'gi'), `$1${hidden}`],
  // What programs take by a letter: curl -u USER:PASSWORD, mysql -pPASSWORD.
  [/(\s(?:-u|--user|--proxy-user)[\s=]?)(?!\d+:\d+\b)[^\s:-][^\s:]{0,100}:\S+/g, `$1${hidden}`],
  [/(\b(?:redis-cli\b[^\n]{0,200}?\s-a|(?:mysql\w*|mariadb\w*|sshpass|(?:docker|podman|oc|registry) login)\b[^\n]{0,200}?\s-p)\s?)\S+/g, `$1${hidden}`],
  // In prose: a quotation, or what looks like no word.
  [
    /\b(?<!unexpected )((?:password|passphrase|passwd|token|api ?key|secret key)\s{1,8}(?:(?:is|was)\s{1,8})?)(?:"[^"]+"?|'[^']+'?|`[^`]+`?|(?=[^\s"']{0,100}\d)(?=[^\s"']{0,100}[a-z])[^\s"',;]{6,})/gi,
    `$1${hidden}`,
  ],
];

/** Whether something was left out of a text. */
export const isRedacted = (text: string): boolean => text.includes(hidden);

/** The text without what looks like a secret: under a name of one, in a form that providers give theirs, in a header, a URL or a command line. */
export const redact = (text: string): string => patterns.reduce((t, [pattern, by]) => t.replace(pattern, by as string), text);

/** What a policy of a plug-in (Cilium's headers and headerMatches) asks of a header, whatever it looks like. */
const ofHeaders = (value: unknown): unknown => {
  if (typeof value === 'string') return value.replace(/[:=\s][\s\S]*/, `: ${hidden}`);
  if (Array.isArray(value)) return value.map(ofHeaders);
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, x]) => [key, key === 'value' ? hidden : x]));
};

/** Redacts every string inside a value. */
export function redactDeep<T>(value: T): T {
  if (typeof value === 'string') return redact(value) as T;
  if (Array.isArray(value)) return value.map(redactDeep) as T;
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([k, x]) => [k, /^header(?:s|Matches)$/.test(k) ? ofHeaders(x) : redactDeep(x)])) as T;
}
