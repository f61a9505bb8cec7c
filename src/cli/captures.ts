import { readFileSync, writeFileSync } from 'node:fs';
import { CannotRun } from '../catalog/words.ts';
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

/** Writes a capture file. Throws CannotRun where that fails. */
export function save(recording: Recording, file: string): void {
  try {
    writeFileSync(file, writeCapture(recording));
  } catch (error) {
    throw new CannotRun(`The capture ${file} cannot be written (${(error as NodeJS.ErrnoException).code}); choose another path.`);
  }
}
