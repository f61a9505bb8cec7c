#!/usr/bin/env node
// kubectl runs this for `kubectl doctor …`: the words in, what can follow out, and a last line for its shell scripts (4: no file names).
import { fileURLToPath } from 'node:url';

// What is begun in the background is the program itself, not this file again.
process.argv.splice(1, 1, fileURLToPath(new URL('k8s-doctor.js', import.meta.url)), '__complete', '--for-kubectl');
await import('./k8s-doctor.js');
