import { readFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';
import * as v from 'valibot';
import { parse } from 'yaml';
import { CannotRun, nearest } from '../catalog/words.ts';
import type { Decision, Party } from '../policy/evaluate.ts';
import { problemsOf } from '../policy/manifest.ts';
import { byAddress, byName, type Reach, reach, type World, worldOf } from '../policy/world.ts';
import { readManifests } from './manifests.ts';

export interface ReachOptions {
  from: string | undefined;
  to: string | undefined;
  port: string | undefined;
  protocol: 'TCP' | 'UDP' | 'SCTP';
  manifests: string | undefined;
  test: string | undefined;
  namespace: string | undefined;
  json: boolean;
}

/** Says whether policies let a connection through, or holds a list of expectations against them. Answers the exit status: 0 allowed, 1 denied, 2 can't tell. */
export function reachCommand(options: ReachOptions, out: NodeJS.WriteStream): number {
  if (options.manifests === undefined) throw new CannotRun('reach needs the objects to judge by: give -f DIR with manifests.');
  const world = load(options.manifests);
  return options.test === undefined ? one(world, options, out) : all(world, options.test, options.json, out);
}

function load(path: string): World {
  const manifests = readManifests(path);
  for (const { object, at } of manifests) {
    const problem = object.kind === 'NetworkPolicy' ? problemsOf(object)[0] : undefined;
    if (problem)
      throw new CannotRun(
        `${at(problem.path)}: NetworkPolicy "${object.metadata?.name ?? ''}", ${problem.path.join('.') || 'the object'}: ${problem.message}.`,
      );
  }
  // One by one first, so that what is malformed can be named with its place.
  for (const { object, at } of manifests) {
    try {
      worldOf([object]);
    } catch (error) {
      if (!(error instanceof v.ValiError)) throw error;
      const issue = (error.issues as v.BaseIssue<unknown>[])[0];
      const steps = (issue?.path ?? []).map((s) => s.key as string | number);
      throw new CannotRun(`${at(steps)}: ${object.kind} "${object.metadata?.name ?? ''}", ${steps.join('.') || 'the object'}: ${issue?.message}.`);
    }
  }
  return worldOf(manifests.map((m) => m.object));
}

/** `pod/NAME`, `NAMESPACE/pod/NAME`, or an address. */
function party(world: World, option: string, text: string | undefined, namespace: string): Party {
  if (text === undefined) throw new CannotRun(`Whose connection? Give --${option} pod/NAME, NAMESPACE/pod/NAME or an address.`);
  if (ipaddr.isValid(text)) return byAddress(world, text);
  const parts = text.split('/');
  const [home, kind, name] = parts.length === 3 ? parts : [namespace, ...parts];
  if (!name || !['pod', 'deploy', 'deployment', 'sts', 'statefulset', 'ds', 'daemonset'].includes(kind ?? ''))
    throw new CannotRun(`--${option} "${text}" is not known; give pod/NAME, NAMESPACE/pod/NAME or an address.`);
  return named(world, home ?? namespace, name);
}

function named(world: World, namespace: string, name: string): Party {
  const found = byName(world, namespace, name);
  if (found) return found;
  const near = nearest(
    name,
    world.pods.filter((p) => p.pod?.namespace === namespace).map((p) => p.pod?.name ?? ''),
  );
  throw new CannotRun(`The manifests hold no pod "${name}" in namespace ${namespace}${near ? `; did you mean "${near}"?` : '.'}`);
}

const explained = (d: Decision) => ({
  verdict: d.verdict,
  why: d.why,
  policies: d.isolating.map((p) => p.metadata.name),
  by: d.by && { policy: d.by.policy.metadata.name, rule: d.by.index + 1 },
  nearest: d.nearest.map((m) => ({ policy: m.policy.metadata.name, rule: m.index + 1, reason: m.reason })),
});

const lines = (direction: string, d: Decision): string[] => [
  `  ${direction.padEnd(8)} ${d.verdict}: ${d.why}`,
  ...d.nearest.slice(0, 3).map((m) => `           ${m.policy.metadata.name}, rule ${m.index + 1}: ${m.reason}`),
];

function one(world: World, options: ReachOptions, out: NodeJS.WriteStream): number {
  const namespace = options.namespace ?? 'default';
  const from = party(world, 'from', options.from, namespace);
  const to = party(world, 'to', options.to, namespace);
  const port = Number(options.port ?? to.pod?.ports.find((p) => p.protocol === options.protocol)?.port ?? Number.NaN);
  const byPortName = to.pod?.ports.find((p) => p.name === options.port && p.protocol === options.protocol)?.port;
  const number = byPortName ?? port;
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new CannotRun(`--port "${options.port ?? ''}" is neither a port number nor the name of one; give the pod's port.`);
  const result = reach(world, from, to, number, options.protocol);
  const text = `${options.from} → ${options.to}, ${number}/${options.protocol}: ${result.verdict}`;
  if (options.json)
    out.write(
      `${JSON.stringify({ apiVersion: 'k8s-doctor/v1', kind: 'Reach', verdict: result.verdict, port: number, protocol: options.protocol, egress: explained(result.egress), ingress: explained(result.ingress) }, null, 2)}\n`,
    );
  else out.write(`${[text, ...lines('egress', result.egress), ...lines('ingress', result.ingress)].join('\n')}\n`);
  return { allowed: 0, denied: 1, unknown: 2 }[result.verdict];
}

const side = v.union([v.strictObject({ namespace: v.string(), pod: v.string() }), v.strictObject({ ip: v.string() })], 'wants {namespace, pod} or {ip}');
const expectations = v.array(
  v.object({ from: side, to: side, port: v.number(), protocol: v.optional(v.picklist(['TCP', 'UDP', 'SCTP']), 'TCP'), allowed: v.boolean() }),
  'wants a list of {from, to, port, protocol, allowed}',
);
type Side = v.InferOutput<typeof side>;

function readExpectations(file: string): v.InferOutput<typeof expectations> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`The test file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}); check the path.`);
  }
  let raw: unknown;
  try {
    // JSON first: it is many times quicker to read, and YAML holds it.
    raw = file.endsWith('.json') ? JSON.parse(text) : parse(text);
  } catch (error) {
    throw new CannotRun(`The test file ${file} cannot be read: ${(error as Error).message.split('\n')[0]}.`);
  }
  const read = v.safeParse(expectations, raw, { abortEarly: true });
  if (read.success) return read.output;
  throw new CannotRun(`The test file ${file}, ${v.getDotPath(read.issues[0]) ?? 'the whole'}: ${read.issues[0].message}.`);
}

function all(world: World, file: string, json: boolean, out: NodeJS.WriteStream): number {
  const find = (s: Side): Party => ('ip' in s ? byAddress(world, s.ip) : named(world, s.namespace, s.pod));
  const textOf = (s: Side) => ('ip' in s ? s.ip : `${s.namespace}/${s.pod}`);
  const tests = readExpectations(file);
  const failures = tests.flatMap((t) => {
    const result: Reach = reach(world, find(t.from), find(t.to), t.port, t.protocol);
    if (result.verdict === (t.allowed ? 'allowed' : 'denied')) return [];
    return [{ ...t, verdict: result.verdict, egress: result.egress.why, ingress: result.ingress.why }];
  });
  const passed = tests.length - failures.length;
  if (json) out.write(`${JSON.stringify({ apiVersion: 'k8s-doctor/v1', kind: 'ReachTest', passed, failed: failures.length, failures }, null, 2)}\n`);
  else {
    for (const f of failures)
      out.write(
        `✗ ${textOf(f.from)} → ${textOf(f.to)}, ${f.port}/${f.protocol}: expected ${f.allowed ? 'allowed' : 'denied'}, is ${f.verdict}\n    egress: ${f.egress}\n    ingress: ${f.ingress}\n`,
      );
    out.write(`${passed} passed, ${failures.length} failed\n`);
  }
  return failures.length === 0 ? 0 : 1;
}
