/** The tests that TESTS names (separated by spaces), for Stryker. */
import { defineConfig } from 'vitest/config';
import { shellScripts } from '../../rolldown.config.ts';

export default defineConfig({
  plugins: [shellScripts],
  // One worker for all files: most of the time would otherwise go into loading the same modules again.
  test: { isolate: false, include: process.env['TESTS']?.split(' ') ?? [], testTimeout: 60_000 },
});
