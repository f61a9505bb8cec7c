/** Breaking a Service as a scenario's folder says, and repairing what heal.sh has to repair. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './expectation.ts';
import { apply, createNamespace, kubectl, must, run } from './kubectl.ts';

/** All scenarios in some folders. */
export const foldersOf = (dirs: readonly string[]): string[] =>
  dirs.flatMap((dir) => readdirSync(dir).map((name) => join(dir, name))).filter((folder) => existsSync(join(folder, 'case.json')));

const caseOf = (folder: string): Case => JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Case;

/** What of the cluster decides which scenarios are for it. */
export interface Kind {
  release: string;
  mode: string;
  families: 'ipv4' | 'dual';
  /** What was put on it: Contour takes requests (../shared/cluster/contour/install), Istio adds sidecars (test/e2e/istio/install). */
  has: { contour: boolean; istio: boolean };
}

export async function kindOfCluster(): Promise<Kind> {
  const version = JSON.parse(await must('get', '--raw', '/version')) as { gitVersion: string };
  const proxy = await must('-n', 'kube-system', 'get', 'configmap', 'kube-proxy', '-o', 'jsonpath={.data}');
  const ranges = await must('get', 'nodes', '-o', 'jsonpath={.items[0].spec.podCIDRs}');
  const [contour, istio] = await Promise.all([
    kubectl('-n', 'projectcontour', 'get', 'daemonset', 'envoy'),
    kubectl('-n', 'istio-system', 'get', 'deployment', 'istiod'),
  ]);
  return {
    release: version.gitVersion,
    mode: /mode: \W*(\w+)/.exec(proxy)?.[1] ?? 'iptables',
    families: ranges.includes('::') ? 'dual' : 'ipv4',
    has: { contour: contour.code === 0, istio: istio.code === 0 },
  };
}

export function isFor(folder: string, kind: Kind): boolean {
  const { families, modes, needs } = caseOf(folder);
  if (needs !== undefined && !kind.has[needs]) return false;
  return (families === undefined || families === kind.families) && (modes === undefined || modes.includes(kind.mode));
}

/** Those that are much like others run every night, the others with every change. */
export const isForNow = (folder: string): boolean => process.env['NIGHTLY'] !== undefined || caseOf(folder).nightly !== true;

/** What breaks more than its own namespace, or reads other ones, needs the cluster for itself. */
export const isAlone = (folder: string): boolean =>
  existsSync(join(folder, 'break.sh')) || existsSync(join(folder, 'heal.sh')) || caseOf(folder).alone === true;

/** The Gateway of the routes: Contour's, or that which GATEWAY (`NAMESPACE/NAME`) names, of another controller. */
const [gatewayNamespace = '', gatewayName = ''] = (process.env['GATEWAY'] ?? 'projectcontour/contour').split('/');
const gateway = { namespace: gatewayNamespace, name: gatewayName };

async function script(folder: string, name: string, namespace: string): Promise<void> {
  if (!existsSync(join(folder, name))) return;
  const ran = await run('bash', ['-e', join(folder, name)], {
    env: { NS: namespace, GATEWAY_NAMESPACE: gateway.namespace, GATEWAY_NAME: gateway.name },
    cwd: folder,
  });
  if (ran.code !== 0) throw new Error(`${name}: ${ran.stderr.trim()}`);
}

/** Creates the namespace and the objects, and breaks what the scenario breaks. */
export async function broken(folder: string, scenario: Case, namespace: string): Promise<void> {
  await createNamespace(namespace);
  const objects = readFileSync(join(folder, 'objects.yaml'), 'utf8').replaceAll(
    'name: contour, namespace: projectcontour',
    `name: ${gateway.name}, namespace: ${gateway.namespace}`,
  );
  await apply(namespace, objects);
  for (const wait of scenario.wait ?? []) await must('-n', namespace, 'wait', '--timeout=60s', ...wait);
  await script(folder, 'break.sh', namespace);
  await new Promise((r) => setTimeout(r, (scenario.settle ?? 2) * 1000));
}

export const healed = (folder: string, namespace: string): Promise<void> => script(folder, 'heal.sh', namespace);
