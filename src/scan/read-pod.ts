/**
 * Reads a pod as the schema of facts does (`o.pod`), four times as fast: a large cluster has a hundred thousand. Whatever has another form than
 * usual is left to the schema. `test/scan/read-pod.test.ts` holds the two against each other.
 */
import * as v from 'valibot';
import { remembering, template } from '../cluster/index.ts';
import { derived } from '../facts/derived.ts';
import { type Fact, seen, unseen } from '../facts/fact.ts';
import * as o from '../facts/objects.ts';
import { redact } from '../facts/redact.ts';
import { withoutSecrets } from '../gather/reduced.ts';
import { interning } from './interning.ts';

type Raw = Record<string, unknown>;
type Metadata = o.Pod['metadata'];
type Status = o.Pod['status'];

/** Images and reasons are few, and come again with each pod. */
const redactOnce = remembering(redact);

/** Thrown where a field is not as usual. */
const odd = Symbol('odd');
function fail(): never {
  throw odd;
}

const isRaw = (x: unknown): x is Raw => typeof x === 'object' && x !== null && !Array.isArray(x);
const raw = (x: unknown): Raw => (isRaw(x) ? x : fail());
const text = (x: unknown): string => (typeof x === 'string' ? x : fail());
const list = <T>(x: unknown, each: (item: Raw) => T): T[] =>
  x === undefined || x === null ? [] : Array.isArray(x) ? x.map((item) => each(raw(item))) : fail();

/** Copies the fields that are there, each a text or null. */
function copyTexts<K extends string>(
  from: Raw,
  to: Partial<Record<K, string | null | undefined>>,
  keys: readonly K[],
  by: (x: string) => string = (x) => x,
): void {
  for (const key of keys) {
    const value = from[key];
    if (value === undefined) continue;
    to[key] = value === null ? null : by(text(value));
  }
}

function metadataOf(from: Raw, labelsOf: (x: unknown) => Metadata['labels'], ownersOf: (x: unknown) => Metadata['ownerReferences']): Metadata {
  const meta: Metadata = {
    name: text(from['name']),
    namespace: from['namespace'] === undefined ? '' : text(from['namespace']),
    labels: labelsOf(from['labels'] ?? {}),
    ownerReferences: ownersOf(from['ownerReferences'] ?? []),
  };
  if (from['uid'] !== undefined) meta.uid = text(from['uid']);
  copyTexts(from, meta, ['creationTimestamp', 'deletionTimestamp']);
  const { generation } = from;
  if (generation !== undefined) meta.generation = typeof generation === 'number' ? generation : fail();
  return meta;
}

function stateOf(x: unknown): o.ContainerStatus['state'] {
  if (x === undefined) return {};
  const { waiting, running, terminated, ...rest } = raw(x);
  // Only the usual ones: at most one of the three.
  if (terminated !== undefined || Object.keys(rest).length > 0 || waiting === null || running === null) return v.parse(o.containerState, x);
  const state: o.ContainerStatus['state'] = {};
  if (waiting !== undefined) copyTexts(raw(waiting), (state.waiting = {}), ['reason', 'message']);
  if (running !== undefined) copyTexts(raw(running), (state.running = {}), ['startedAt']);
  return state;
}

function containerOf(from: Raw): o.ContainerStatus {
  const { ready = false, restartCount = 0, image = '', started } = from;
  if (typeof ready !== 'boolean' || typeof restartCount !== 'number') return fail();
  const status: o.ContainerStatus = {
    name: text(from['name']),
    ready,
    restartCount,
    image: redactOnce(text(image)),
    state: stateOf(from['state']),
    lastState: stateOf(from['lastState']),
  };
  if (started !== undefined) status.started = started === null || typeof started === 'boolean' ? started : fail();
  return status;
}

function conditionOf(from: Raw): o.Condition {
  const condition: o.Condition = { type: text(from['type']), status: text(from['status']) };
  copyTexts(from, condition, ['lastTransitionTime']);
  copyTexts(from, condition, ['reason'], redactOnce);
  copyTexts(from, condition, ['message'], redact);
  return condition;
}

function statusOf(from: Raw): Status {
  const status: Status = {
    phase: from['phase'] === undefined ? 'Unknown' : text(from['phase']),
    podIPs: list(from['podIPs'], (i) => ({ ip: text(i['ip']) })),
    conditions: list(from['conditions'], conditionOf),
    containerStatuses: list(from['containerStatuses'], containerOf),
    initContainerStatuses: list(from['initContainerStatuses'], containerOf),
  };
  if (from['podIP'] !== undefined) status.podIP = text(from['podIP']);
  if (from['hostIP'] !== undefined) status.hostIP = text(from['hostIP']);
  copyTexts(from, status, ['startTime']);
  copyTexts(from, status, ['reason', 'message'], redact);
  return status;
}

/** A container that waits or has ended says why in words that may quote anything. */
const speaks = ({ state, lastState }: o.ContainerStatus): boolean => [state, lastState].some((s) => s.waiting || s.terminated);

interface RawContainer {
  volumeMounts?: unknown;
}
interface RawSpec {
  [template]?: RawSpec;
  nodeName?: string;
  hostname?: string;
  volumes?: unknown;
  containers?: RawContainer[];
  initContainers?: RawContainer[];
}

/**
 * A reader of pods. What the pods of one template share is read and kept once: a spec is each pod's own only by its node, its hostname, and the
 * name of the volume with its token, which is not kept.
 */
export function podReader(): (pod: unknown) => Fact<o.Pod> {
  const specOf = interning((json) => v.parse(o.podSpec, JSON.parse(json)));
  const labelsOf = interning((json) => v.parse(o.meta.entries.labels, JSON.parse(json)));
  const ownersOf = interning((json) => v.parse(o.meta.entries.ownerReferences, JSON.parse(json)));
  const withoutMounts = (containers: RawContainer[] | undefined) => containers?.map((c) => ({ ...c, volumeMounts: undefined }));

  /** Of templates that are shared already. */
  const specOfTemplate = derived((from: RawSpec) => specOf(from));
  function sharedOf(given: RawSpec): o.Pod['spec'] {
    const from = given[template];
    const { containers, initContainers } = given;
    if (!from) return specOf({ ...given, volumes: undefined, containers: withoutMounts(containers), initContainers: withoutMounts(initContainers) });
    return specOfTemplate(from);
  }

  function usual(pod: unknown): o.Pod {
    const { metadata, spec: given, status } = raw(pod);
    const { nodeName, hostname, ...rest } = raw(given) as RawSpec;
    const spec = {
      ...sharedOf(rest),
      ...(nodeName !== undefined && { nodeName: text(nodeName) }),
      ...(hostname !== undefined && { hostname: text(hostname) }),
    };
    const read: o.Pod = { metadata: metadataOf(raw(metadata), labelsOf, ownersOf), spec, status: statusOf(raw(status)) };
    return [...read.status.containerStatuses, ...read.status.initContainerStatuses].some(speaks) ? withoutSecrets(read) : read;
  }

  return (pod) => {
    try {
      return seen(usual(pod));
    } catch (error) {
      if (error !== odd && !(error instanceof v.ValiError) && !(error instanceof TypeError)) throw error;
    }
    const read = v.safeParse(o.pod, pod, { abortEarly: true });
    if (read.success) return seen(withoutSecrets(read.output));
    return unseen('malformed', 'pods', `${v.getDotPath(read.issues[0]) ?? ''}: ${read.issues[0].message}`);
  };
}
