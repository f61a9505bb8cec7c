/** What a team sets once: a file, and variables that go before it. Options of the command go before both. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { parse } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { PodDefaults } from '../probes/pod-defaults.ts';
import { readRules, type Rule } from '../scan/accepted.ts';

export interface Config {
  /** For debug pods. */
  image: string | undefined;
  nodeImage: string | undefined;
  /** Causes that are accepted, for scans. */
  accepted: Rule[];
  pods: PodDefaults | undefined;
}

const text = v.pipe(v.string('wants a text'), v.nonEmpty('is empty'));
// Kubernetes documentation, "Labels and Selectors": syntax and character set.
const key = v.pipe(v.string(), v.regex(/^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/, 'is no valid key'));
const labels = v.record(
  key,
  v.pipe(v.string('wants a text; put it in quotes'), v.regex(/^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/, 'is no valid value of a label')),
);
const annotations = v.record(key, v.string('wants a text; put it in quotes'));
const toleration = v.strictObject({
  key: v.optional(key),
  operator: v.optional(v.picklist(['Exists', 'Equal'], 'wants Exists or Equal')),
  value: v.optional(v.string()),
  effect: v.optional(v.picklist(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], 'wants NoSchedule, PreferNoSchedule or NoExecute')),
  tolerationSeconds: v.optional(v.number()),
});
const debugPods = v.strictObject({
  labels: v.optional(labels, {}),
  annotations: v.optional(annotations, {}),
  tolerations: v.optional(v.array(toleration, 'wants a list'), []),
  priorityClassName: v.optional(text),
});
const schema = v.strictObject({ image: v.optional(text), nodeImage: v.optional(text), ignore: v.optional(text), debugPods: v.optional(debugPods) });
type Written = v.InferOutput<typeof schema>;

const fields = 'image, nodeImage, ignore, debugPods.{labels, annotations, tolerations, priorityClassName}';

function valid<T extends v.GenericSchema>(wanted: T, given: unknown, where: string): v.InferOutput<T> {
  const read = v.safeParse(wanted, given);
  if (read.success) return read.output;
  if (Array.isArray(given) && wanted.type === 'strict_object') throw new CannotRun(`${where} is a list; write the fields ${fields}.`);
  const [issue] = read.issues;
  const place = v.getDotPath(issue);
  if (issue.type === 'strict_object' && issue.expected === 'never') throw new CannotRun(`${where}: there is no field "${place}"; there are ${fields}.`);
  throw new CannotRun(`${where}: ${place ?? 'the whole'} ${issue.message}.`);
}

function readYaml(content: string, where: string): unknown {
  try {
    return parse(content, { logLevel: 'error' });
  } catch (error) {
    throw new CannotRun(`${where} is not YAML (${(error as Error).message.split('\n')[0]?.replace(/:$/, '')}); correct it.`);
  }
}

/** The file: `--config`, K8S_DOCTOR_CONFIG, or the user's own where there is one (XDG Base Directory Specification). */
function fileOf(asked: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const named = asked ?? env['K8S_DOCTOR_CONFIG'];
  if (named) return named;
  const own = join(env['XDG_CONFIG_HOME'] || join(env['HOME'] ?? homedir(), '.config'), 'k8s-doctor', 'config.yaml');
  return existsSync(own) ? own : undefined;
}

function contentOf(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRun(`${what} ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** `a=b,c=d` */
function pairs(name: string, given: string | undefined): Record<string, string> | undefined {
  if (!given) return undefined;
  const entries = given.split(',').map((pair) => pair.split(/=(.*)/s).slice(0, 2));
  const wrong = entries.find((entry) => entry.length < 2);
  if (wrong) throw new CannotRun(`${name}: "${wrong.join('')}" has no value; write key=value,key=value.`);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Reads the configuration. Throws CannotRun that names the file or the variable, and the field. */
export function readConfig(asked: string | undefined, env: NodeJS.ProcessEnv): Config {
  const file = fileOf(asked, env);
  const written: Written = file === undefined ? {} : valid(schema, readYaml(contentOf(file, 'The configuration'), file) ?? {}, file);
  const own = written.debugPods;
  const given = (name: string) => env[`K8S_DOCTOR_${name}`] || undefined;
  const tolerations = given('TOLERATIONS');
  const pods = {
    labels: { ...own?.labels, ...valid(labels, pairs('K8S_DOCTOR_LABELS', given('LABELS')) ?? {}, 'K8S_DOCTOR_LABELS') },
    annotations: { ...own?.annotations, ...valid(annotations, pairs('K8S_DOCTOR_ANNOTATIONS', given('ANNOTATIONS')) ?? {}, 'K8S_DOCTOR_ANNOTATIONS') },
    tolerations:
      tolerations === undefined
        ? (own?.tolerations ?? [])
        : valid(v.array(toleration, 'wants a list'), readYaml(tolerations, 'K8S_DOCTOR_TOLERATIONS'), 'K8S_DOCTOR_TOLERATIONS'),
    priorityClassName: given('PRIORITY_CLASS') ?? own?.priorityClassName,
  };
  const isSet = Object.keys(pods.labels).length + Object.keys(pods.annotations).length + pods.tolerations.length > 0 || pods.priorityClassName !== undefined;
  const ignore = given('IGNORE') ?? (written.ignore !== undefined && file !== undefined ? resolve(dirname(file), written.ignore) : undefined);
  return {
    image: given('IMAGE') ?? written.image,
    nodeImage: given('NODE_IMAGE') ?? written.nodeImage,
    accepted: ignore === undefined ? [] : readRules(contentOf(ignore, 'The list of accepted causes'), ignore),
    pods: isSet ? pods : undefined,
  };
}
