/** Words that readers would have to read twice, each with what to write instead. Codes, JSON keys and the issue table stay as they are. */
export const banned: readonly [RegExp, string][] = [
  [/\bmend(s|ed|ing)?\b/gi, 'fix, repair'],
  [/\bleads?\b|\bled\b|\bleading to\b/gi, 'forwards, routes or sends to; resolves to; causes'],
  [/\btold\b|\btells?\b/gi, 'shows, prints, reports'],
  [/\bought\b/gi, 'must, should'],
  [/\black(s|ed|ing)?\b/gi, 'is missing, has no'],
  [/\blook(s|ed|ing)? (at|into|after)\b/gi, 'checks, reads'],
  [/\ball the same\b/gi, 'anyway, still works'],
  [/\bhand-written\b|\bby hand\b/gi, 'manually created'],
  [/\bstands?\b|\bstood\b/gi, 'is'],
  [/\bnowhere\b(?!\.example)/gi, 'say what happens to the packet'],
  [/\bin vain\b/gi, 'without success'],
  [/\banew\b/gi, 'again'],
  [/\bshall\b/gi, 'must'],
  [/\bwhoever\b/gi, 'name the person or the program'],
  [/\bwhatever (became|happened)\b/gi, 'in every case'],
  [/\botherwise than\b/gi, 'differs from'],
  [/\b(out|in)side of\b/gi, 'outside, inside'],
  [/\bfails for some\b/gi, 'some connections fail'],
  [/\b(no|at) fault\b/gi, 'say what is wrong'],
  [/\bheld? against\b|\bholds? (it|them|that|what) against\b/gi, 'compared with'],
  [/\bas yet\b/gi, 'so far'],
];

/** Texts that a contract fixes. */
const fixed = [
  'Correct the Service or its hand-written endpoints',
  // A field of captured facts.
  /\bleads: (v\.|route|true|false|!)|\.leads\b|"leads"/g,
];

export interface Hit {
  /** `FILE:LINE` */
  at: string;
  word: string;
  instead: string;
}

/** The banned words in a text, with their lines. */
export function bannedIn(name: string, text: string): Hit[] {
  return text.split('\n').flatMap((line, i) => {
    const open = fixed.reduce<string>((t, f) => t.replaceAll(f, ''), line);
    return banned.flatMap(([pattern, instead]) => (open.match(pattern) ?? []).map((word): Hit => ({ at: `${name}:${i + 1}`, word, instead })));
  });
}
