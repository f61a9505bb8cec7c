/** All targets in one file, and the one that FUZZ names in the form in which Jazzer.js calls it. */
import { fuzzTargets } from './targets.ts';

export { fuzzTargets };
export const fuzz = (bytes: Buffer): void => fuzzTargets[process.env['FUZZ'] ?? '']?.run(bytes);
