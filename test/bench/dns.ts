/**
 * How long asking every DNS replica takes, with one replica and with twenty: `npm run bench:dns -- NAMESPACE SERVICE CLIENT`.
 * It scales the Deployment coredns of the cluster that KUBECONFIG names, and back to two: use a cluster that nobody needs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Recording } from '../../src/facts/capture.ts';

const [namespace, service, client] = process.argv.slice(2);
if (namespace === undefined || service === undefined || client === undefined) throw new Error('Give a namespace, a Service and a pod in it.');
const program = new URL('../../bin/k8s-doctor.js', import.meta.url).pathname;
const file = join(mkdtempSync(join(tmpdir(), 'k8s-doctor-bench-')), 'capture.json');
const runs = 9;

const kubectl = (...args: string[]) => execFileSync('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Milliseconds from when the replicas were known until the last had answered. */
function asking(): number {
  spawnSync(
    process.execPath,
    [program, 'svc', service ?? '', '-n', namespace ?? '', '--from', `pod/${client}`, '-q', '-o', `json=${file}.json`, '--capture', file],
    { stdio: 'ignore' },
  );
  const { facts, settledMs } = JSON.parse(readFileSync(file, 'utf8')) as Recording;
  if (!facts.dnsAnswers.seen) throw new Error(`the replicas were not asked: ${facts.dnsAnswers.why}`);
  return (settledMs.dnsAnswers ?? Number.NaN) - Math.max(settledMs.dnsPods ?? 0, settledMs.corefile ?? 0, settledMs.pods ?? 0, settledMs.service ?? 0);
}

const measured = [1, 20].map((replicas) => {
  kubectl('-n', 'kube-system', 'scale', 'deployment/coredns', `--replicas=${replicas}`);
  kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=180s');
  const ms = median(Array.from({ length: runs }, asking));
  console.log(`${replicas} replica${replicas === 1 ? '' : 's'}: all had answered after ${ms} ms (median of ${runs})`);
  return ms;
});
kubectl('-n', 'kube-system', 'scale', 'deployment/coredns', '--replicas=2');
console.log(`ratio ${((measured[1] ?? Number.NaN) / (measured[0] ?? Number.NaN)).toFixed(2)} (wanted: at most 2)`);
