import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'rolldown';

/** Imports shell scripts as text; the tests use it too. */
export const shellScripts = {
  name: 'shell-scripts',
  load: (id: string) => (id.endsWith('.sh') ? { code: `export default ${JSON.stringify(readFileSync(id, 'utf8'))};`, moduleType: 'js' as const } : null),
};

interface Package {
  name: string;
  version: string;
  license: string;
}

const packageIn = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package;

/** The bill of materials (CycloneDX 1.6): what is in the bundle, by its package URLs. */
function billOf(packages: readonly Package[], own: Package): object {
  const component =
    (type: string) =>
    ({ name, version, license }: Package) => {
      const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
      return { type, 'bom-ref': purl, name, version, purl, licenses: [license.includes(' ') ? { expression: license } : { license: { id: license } }] };
    };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: component('application')(own) },
    components: packages.map(component('library')),
  };
}

/** Writes the licences of all packages that got into the bundle beside it, as they ask for, and the bill of materials. */
const licences: Plugin = {
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
    const folders = [...new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []))].toSorted();
    const packages = folders.map(packageIn);
    const texts = folders.map((folder, i) => {
      const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
      return `${packages[i]?.name} ${packages[i]?.version} (${packages[i]?.license})\n\n${file ? readFileSync(join(folder, file), 'utf8').trim() : ''}\n`;
    });
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: texts.join(`\n${'-'.repeat(80)}\n\n`) });
    this.emitFile({ type: 'asset', fileName: 'sbom.cdx.json', source: `${JSON.stringify(billOf(packages, packageIn('.')), null, 2)}\n` });
  },
};

/**
 * What libraries import and this program never runs: React's developer tools, which Ink loads on demand, and undici. client-node
 * would send its requests with undici; here node:https sends them. undici is more than a third of the bundle.
 */
const unused: Record<string, string> = {
  'react-devtools-core': 'export default { connectToDevTools() {} };',
  undici: `const no = () => { throw new Error('undici is not in this bundle'); };
export { no as fetch, no as Agent, no as ProxyAgent };`,
};
const withoutUnused: Plugin = {
  name: 'without-unused',
  resolveId: (id) => (id in unused ? { id: `\0unused:${id}` } : null),
  load: (id) => unused[id.replace('\0unused:', '')] ?? null,
};

/**
 * An ES import of node:http reads all its exports. One of them, WebSocket, makes Node load another HTTP client, which takes some
 * 30 ms. The built-in module without that export loads at once.
 */
const quickHttp: Plugin = {
  name: 'quick-http',
  resolveId: (id) => (id === 'http' || id === 'node:http' ? { id: '\0http' } : null),
  load: (id) =>
    id === '\0http'
      ? `const http = process.getBuiltinModule('node:http');
export const { Agent, ClientRequest, IncomingMessage, METHODS, STATUS_CODES, createServer, get, globalAgent, request } = http;
export default http;`
      : null,
};

// One bundle, split by command: a start loads only what its command uses (a module load costs more than its code).
export default defineConfig({
  input: { main: 'src/cli/main.ts' },
  platform: 'node',
  output: { dir: 'dist', format: 'esm', minify: true, cleanDir: true, chunkFileNames: '[name]-[hash].js' },
  treeshake: { moduleSideEffects: [{ test: /@kubernetes\/client-node/, sideEffects: false }] },
  // React's own checks of its users more than double the time that drawing takes.
  transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  plugins: [shellScripts, withoutUnused, quickHttp, licences],
});
