import { defineConfig } from 'rolldown';

// One bundle, split by command: a start loads only what its command uses (a module load costs more than its code).
export default defineConfig({
  input: { main: 'src/cli/main.ts' },
  platform: 'node',
  output: { dir: 'dist', format: 'esm', minify: true, cleanDir: true, chunkFileNames: '[name]-[hash].js' },
  treeshake: { moduleSideEffects: [{ test: /@kubernetes\/client-node/, sideEffects: false }] },
});
