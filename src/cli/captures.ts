import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CannotRun } from '../catalog/cannot-run.ts';
import { anonymized } from '../facts/anonymize.ts';
import { CaptureError, readCapture, type Recording, writeCapture } from '../facts/capture.ts';

/** Reads a capture file. Throws CannotRun with what is wrong with it. */
export function replayed(file: string): Recording {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`The capture ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); check the path.`);
  }
  try {
    return readCapture(text);
  } catch (error) {
    if (error instanceof CaptureError) throw new CannotRun(`The capture ${file} is damaged or is none: ${error.message}. Record it again with --capture.`);
    throw error;
  }
}

/** Throws CannotRun where a file could not be written, because its folder is not there or not writable. */
export function checkFolder(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (error) {
    throw new CannotRun(`The file ${file} cannot be written (${(error as NodeJS.ErrnoException).code}); choose another path.`);
  }
}

/** Checked before a run, not after it: an incident can be diagnosed only once. Throws CannotRun where a file could not be written. */
export function checkFiles(options: { capture: string | undefined; anonymize: boolean }, outputs: readonly { file?: string }[]): void {
  if (options.anonymize && options.capture === undefined)
    throw new CannotRun('--anonymize is for the file of --capture; give both: --capture FILE --anonymize.');
  for (const file of [options.capture, ...outputs.map((o) => o.file)]) if (file !== undefined) checkFolder(file);
}

/** Writes a capture file, on demand one that names nobody. Throws CannotRun where that fails. */
export function save(recording: Recording, file: string, isAnonymous = false): void {
  try {
    writeFileSync(file, writeCapture(isAnonymous ? anonymized(recording) : recording));
  } catch (error) {
    throw new CannotRun(`The capture ${file} cannot be written (${(error as NodeJS.ErrnoException).code}); choose another path.`);
  }
}
