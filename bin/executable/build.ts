/**
 * Makes executables that need no Node: npm run executable [-- linux-x64 linux-arm64]. Each is Node itself, of the release that is pinned here,
 * with the bundle and the files that ship as its assets (Node documentation, "Single executable applications").
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../../', import.meta.url).pathname;
const out = join(root, 'dist', 'executable');
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const shipped = ['dist/', 'docs/codes/', 'demo/incidents/'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && !e.parentPath.startsWith(out))
    .map((e) => join(e.parentPath, e.name).slice(root.length)),
);

/** Node for a platform, as its npm package brings it. */
function nodeFor(platform: string, folder: string): string {
  if (platform === `${process.platform}-${process.arch}`) return process.execPath;
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', `node-${platform}@${process.versions.node}`], { cwd: folder, encoding: 'utf8' })) as {
    filename: string;
  }[];
  if (!packed) throw new Error(`npm has no Node ${process.versions.node} for ${platform}`);
  execFileSync('tar', ['-xzf', packed.filename, 'package/bin/node'], { cwd: folder });
  return join(folder, 'package/bin/node');
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-executable-'));
try {
  writeFileSync(join(folder, 'files'), JSON.stringify(shipped));
  const config = {
    main: join(root, 'bin/executable/main.cjs'),
    output: join(folder, 'blob'),
    disableExperimentalSEAWarning: true,
    // The loader that main.cjs reaches for is called experimental; nobody who runs this can act on that.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    assets: { files: join(folder, 'files'), ...Object.fromEntries(shipped.map((path) => [path, join(root, path)])) },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  execFileSync(process.execPath, ['--experimental-sea-config', join(folder, 'config.json')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : [`${process.platform}-${process.arch}`];
  for (const platform of wanted) {
    const file = join(out, `k8s-doctor-${platform}`);
    copyFileSync(nodeFor(platform, folder), file);
    chmodSync(file, 0o755);
    execFileSync(join(root, 'node_modules/.bin/postject'), [file, 'NODE_SEA_BLOB', join(folder, 'blob'), '--sentinel-fuse', fuse], { stdio: 'ignore' });
    console.log(`${file}  ${(statSync(file).size / 1e6).toFixed(0)} MB`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
