#!/usr/bin/env node
// kubectl runs this for `kubectl doctor …`: the words in, what can follow out, and a last line for its shell scripts (4: no file names).
process.argv.splice(2, 0, '__complete', '--for-kubectl');
await import('./k8s-doctor.js');
