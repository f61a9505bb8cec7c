import { defineConfig } from 'vitest/config';
import { shellScripts } from './rolldown.config.ts';

export default defineConfig({
  plugins: [shellScripts],
  test: {
    projects: [
      // The time limit is for a test that hangs; a slow machine has found nothing.
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.{ts,tsx}'], exclude: ['**/node_modules/**', 'test/e2e/**'], testTimeout: 600_000, maxWorkers: 2 },
      },
      // Against the cluster that KUBECONFIG names; scenarios break shared parts of it, so they run one after another.
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 240_000, hookTimeout: 120_000, fileParallelism: false, maxConcurrency: 3 },
      },
    ],
  },
});
