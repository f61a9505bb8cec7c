/** Packs the built program and the Node that runs it as a container image, and gives it to the nodes of a cluster that ../shared/cluster started. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = new URL('../../', import.meta.url).pathname;

function must(command: string, ...args: string[]): string {
  const ran = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A docker-archive of one layer. Answers its file. */
function pack(image: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-image-'));
  const files = join(folder, 'root');
  for (const part of ['bin', 'dist', 'docs/codes', 'demo/incidents', 'package.json']) cpSync(join(root, part), join(files, 'app', part), { recursive: true });
  cpSync(process.execPath, join(files, 'node'));
  chmodSync(join(files, 'node'), 0o755);
  const libraries = must('ldd', process.execPath)
    .split(/\s+/)
    .filter((word) => word.startsWith('/'));
  for (const library of libraries) {
    mkdirSync(join(files, dirname(library)), { recursive: true });
    cpSync(realpathSync(library), join(files, library));
  }
  const layer = join(folder, 'layer.tar');
  must('tar', '--owner=0', '--group=0', '-C', files, '-cf', layer, '.');
  const id = digest(layer);
  const config = join(folder, 'config.json');
  writeFileSync(
    config,
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Entrypoint: ['/node', '/app/bin/k8s-doctor.js'], User: '65532:65532', WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${id}`] },
    }),
  );
  const configId = digest(config);
  renameSync(config, join(folder, `${configId}.json`));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify([{ Config: `${configId}.json`, RepoTags: [image], Layers: ['layer.tar'] }]));
  const archive = join(folder, 'image.tar');
  must('tar', '-C', folder, '-cf', archive, 'manifest.json', `${configId}.json`, 'layer.tar');
  return archive;
}

/** Imports the image into the containerd of every node in `lab`. */
export function giveToNodes(image: string, lab: string): void {
  const archive = pack(image);
  for (const node of readdirSync(lab).filter((name) => existsSync(join(lab, name, 'containerd.sock'))))
    must('ctr', '-a', join(lab, node, 'containerd.sock'), '-n', 'k8s.io', 'images', 'import', archive);
}
