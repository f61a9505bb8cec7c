import { CannotRun } from './cannot-run.ts';
import { type Code, codes } from './codes.ts';
import { nearest } from './nearest-names.ts';

/** The code that a person names. Throws CannotRun for one that there is not. */
export function knownCode(code: string): Code {
  const all = Object.keys(codes) as Code[];
  const found = all.find((c) => c === code);
  if (found) return found;
  const near = nearest(code, all);
  throw new CannotRun(`There is no code "${code}"${near ? `; did you mean "${near}"?` : '; "k8s-doctor explain" lists them.'}`);
}
