import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'rolldown';

/** Writes the licences of all packages that got into the bundle beside it, as they ask for. */
const licences: Plugin = {
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
    const folders = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []));
    const texts = [...folders].toSorted().map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
      const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
      return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), 'utf8').trim() : ''}\n`;
    });
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: texts.join(`\n${'-'.repeat(80)}\n\n`) });
  },
};

/** Ink asks for React's developer tools where an environment variable says so; a bundle has no use for them. */
const withoutDevtools: Plugin = {
  name: 'without-devtools',
  resolveId: (id) => (id === 'react-devtools-core' ? { id: '\0no-devtools' } : null),
  load: (id) => (id === '\0no-devtools' ? 'export default { connectToDevTools() {} };' : null),
};

// One bundle, split by command: a start loads only what its command uses (a module load costs more than its code).
export default defineConfig({
  input: { main: 'src/cli/main.ts' },
  platform: 'node',
  output: { dir: 'dist', format: 'esm', minify: true, cleanDir: true, chunkFileNames: '[name]-[hash].js' },
  treeshake: { moduleSideEffects: [{ test: /@kubernetes\/client-node/, sideEffects: false }] },
  // React's own checks of its users more than double the time that drawing takes.
  transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  plugins: [withoutDevtools, licences],
});
