/** The tests of the room that ROOM names, for Stryker. */
import { defineConfig } from 'vitest/config';
import { shellScripts } from '../../rolldown.config.ts';
import { rooms } from './rooms.ts';

export default defineConfig({
  plugins: [shellScripts],
  // One worker for all files: most of the time would otherwise go into loading the same modules again.
  test: { isolate: false, include: rooms[process.env['ROOM'] ?? '']?.tests ?? [], testTimeout: 60_000 },
});
