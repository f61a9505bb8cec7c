import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CannotRun } from '../catalog/cannot-run.ts';
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

/** Writes a capture file. Throws CannotRun where that fails. */
export function save(recording: Recording, file: string): void {
  try {
    writeFileSync(file, writeCapture(recording));
  } catch (error) {
    throw new CannotRun(`The capture ${file} cannot be written (${(error as NodeJS.ErrnoException).code}); choose another path.`);
  }
}
