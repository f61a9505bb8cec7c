/**
 * How quickly it starts, in pairs: each run of the program next to one of the other command, so that a change in the
 * machine's speed concerns both. Prints medians in milliseconds and the median of the pairs' ratios.
 * The live pairs need a cluster, kubectl, and a healthy Service; that with the client's own container also a pod with a shell:
 * `node test/bench/start.ts NAMESPACE SERVICE [POD]`.
 */
import { spawnSync } from 'node:child_process';

const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;
const [namespace, service, pod] = process.argv.slice(2);
const runs = 15;

function time(command: string, args: string[]): number {
  const started = process.hrtime.bigint();
  const ran = spawnSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (ran.error) throw ran.error;
  return Number(process.hrtime.bigint() - started) / 1e6;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function pair(name: string, mine: [string, string[]], other: [string, string[]], limit: number): void {
  for (const [command, args] of [mine, other]) time(command, args);
  const measured = Array.from({ length: runs }, () => [time(...mine), time(...other)] as const);
  const ratio = median(measured.map(([a, b]) => a / b));
  const [a, b] = [median(measured.map(([x]) => x)), median(measured.map(([, x]) => x))];
  console.log(`${name}: ${a.toFixed(0)} ms against ${b.toFixed(0)} ms, ratio ${ratio.toFixed(2)} (wanted: at most ${limit})`);
}

const node = process.execPath;
pair('--version against node -e 0', [node, [program, '--version']], [node, ['-e', '0']], 2);
pair('--help against node -e 0', [node, [program, '--help']], [node, ['-e', '0']], 3);
if (namespace && service) {
  pair(
    'svc --probe none against kubectl get',
    [node, [program, 'svc', service, '-n', namespace, '--probe', 'none', '-q', '-o', 'json']],
    ['kubectl', ['get', 'svc,endpointslices,pods,networkpolicies', '-n', namespace, '-o', 'json']],
    3,
  );
  const diagnosis = (...options: string[]): [string, string[]] => [node, [program, 'svc', service, '-n', namespace, '-q', '-o', 'json', ...options]];
  const image = ['--image=busybox:1.37', '--image-pull-policy=IfNotPresent'];
  pair(
    'svc with a debug pod against kubectl run',
    diagnosis(),
    ['kubectl', ['run', '-n', namespace, '--rm', '-i', '--restart=Never', ...image, 'k8s-doctor-bench', '--', 'true']],
    1.5,
  );
  if (pod)
    pair(
      "svc with the client's own container against kubectl exec",
      diagnosis('--from', `pod/${pod}`),
      ['kubectl', ['exec', '-n', namespace, pod, '--', 'true']],
      4,
    );
} else console.log('Name a namespace and a Service for the pair with kubectl.');
