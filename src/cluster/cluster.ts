import { setImmediate } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type AccessRule, failed, type Failure, fromStatus, ok, type Result } from './failure.ts';
import { openHttp, type Request } from './http.ts';
import { type Fields, type ListHead, type ListReader, listReader, protobufType } from './protobuf.ts';
import { type KubeOptions, loadKubeConfig } from './kubeconfig.ts';
import { logIn } from './login.ts';
import type { Command, ExecOutput, Tunnel } from './sockets.ts';

/** A kind of object as the API server's paths name it. */
export interface Resource {
  group: string;
  version: string;
  plural: string;
  /** Where it is known, an answer has to be of it. */
  kind?: string;
}

export const resources = {
  services: { group: '', version: 'v1', plural: 'services', kind: 'Service' },
  pods: { group: '', version: 'v1', plural: 'pods', kind: 'Pod' },
  namespaces: { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' },
  nodes: { group: '', version: 'v1', plural: 'nodes', kind: 'Node' },
  events: { group: '', version: 'v1', plural: 'events', kind: 'Event' },
  configmaps: { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' },
  endpointslices: { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices', kind: 'EndpointSlice' },
  authorizationpolicies: { group: 'security.istio.io', version: 'v1', plural: 'authorizationpolicies', kind: 'AuthorizationPolicy' },
  destinationrules: { group: 'networking.istio.io', version: 'v1', plural: 'destinationrules', kind: 'DestinationRule' },
  sidecars: { group: 'networking.istio.io', version: 'v1', plural: 'sidecars', kind: 'Sidecar' },
  networkpolicies: { group: 'networking.k8s.io', version: 'v1', plural: 'networkpolicies', kind: 'NetworkPolicy' },
  deployments: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' },
  replicasets: { group: 'apps', version: 'v1', plural: 'replicasets', kind: 'ReplicaSet' },
  statefulsets: { group: 'apps', version: 'v1', plural: 'statefulsets', kind: 'StatefulSet' },
  daemonsets: { group: 'apps', version: 'v1', plural: 'daemonsets', kind: 'DaemonSet' },
  jobs: { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job' },
  resourcequotas: { group: '', version: 'v1', plural: 'resourcequotas', kind: 'ResourceQuota' },
  serviceaccounts: { group: '', version: 'v1', plural: 'serviceaccounts', kind: 'ServiceAccount' },
  ingresses: { group: 'networking.k8s.io', version: 'v1', plural: 'ingresses', kind: 'Ingress' },
  httproutes: { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'httproutes', kind: 'HTTPRoute' },
  grpcroutes: { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'grpcroutes', kind: 'GRPCRoute' },
  referencegrants: { group: 'gateway.networking.k8s.io', version: 'v1beta1', plural: 'referencegrants', kind: 'ReferenceGrant' },
  validatingwebhookconfigurations: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: 'validatingwebhookconfigurations',
    kind: 'ValidatingWebhookConfiguration',
  },
  mutatingwebhookconfigurations: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: 'mutatingwebhookconfigurations',
    kind: 'MutatingWebhookConfiguration',
  },
  apiservices: { group: 'apiregistration.k8s.io', version: 'v1', plural: 'apiservices', kind: 'APIService' },
  selfsubjectreviews: { group: 'authentication.k8s.io', version: 'v1', plural: 'selfsubjectreviews', kind: 'SelfSubjectReview' },
  selfsubjectaccessreviews: { group: 'authorization.k8s.io', version: 'v1', plural: 'selfsubjectaccessreviews', kind: 'SelfSubjectAccessReview' },
  clusterrolebindings: { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterrolebindings', kind: 'ClusterRoleBinding' },
} as const satisfies Record<string, Required<Resource>>;

/** A patch of one object. */
export interface ObjectPatch {
  resource: Resource;
  /** Absent for kinds of the whole cluster. */
  namespace: string | undefined;
  name: string;
  type: 'merge' | 'json' | 'strategic';
  body: unknown;
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

type Head = ListHead['metadata'];

interface Page {
  kind?: unknown;
  items?: unknown[] | null;
  metadata?: Head;
}

/** A page that is being read. */
interface Reading {
  /** What it says of itself, as soon as that is known; undefined where it failed before. */
  head: Promise<Head | undefined>;
  /** How many items it had, when all were handed over. */
  items: Promise<Result<number>>;
}

export interface ListOptions {
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string;
  fieldSelector?: string;
  /** The wanted fields of a built-in kind, where the list is to be read in protobuf. What answers in JSON is read as that. */
  protobuf?: Fields;
  signal?: AbortSignal | undefined;
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: { metadata: { resourceVersion: string } };
}

/** The one door to the API server. Every failure comes back as a value, with the RBAC rule that the request used. */
export interface Cluster {
  /** The namespace of the chosen context; `default` where it names none. */
  namespace: string;
  context: string;
  /** All contexts of the kubeconfig. */
  contexts: readonly string[];
  /** The URL of the API server. */
  server: string;
  /** Reads one object; null where it does not exist. */
  get(resource: Resource, name: string, namespace?: string, signal?: AbortSignal): Promise<Result<unknown>>;
  /** Whether an object is there; of it only its metadata is sent (Kubernetes API concepts, "Metadata-only fetches"). */
  exists(resource: Resource, name: string, namespace: string, signal?: AbortSignal): Promise<Result<boolean>>;
  /**
   * Reads a list page by page, and hands over each item as it comes; nothing else of a page is kept. `onPage`: how many came, and how many
   * more there are as far as the API server says. Answers the list's resourceVersion.
   */
  each(resource: Resource, options: ListOptions, onItem: (item: unknown) => void, onPage?: (count: number, remaining: number) => void): Promise<Result<string>>;
  /** Reads a whole list, in pages. */
  list(resource: Resource, options: ListOptions): Promise<Result<unknown[]>>;
  /** A container's log, or its last lines where `tailLines` says so, and those of the last seconds; of its previous run where `previous` is true. */
  logs(
    namespace: string,
    pod: string,
    container: string,
    options: { tailLines?: number; sinceSeconds?: number; previous?: boolean; signal?: AbortSignal | undefined },
  ): Promise<Result<string>>;
  /** With `onLine`, the lines of stdout go there as they come, and are not kept. */
  exec(
    where: { namespace: string; pod: string; container: string },
    command: Command,
    timeoutMs: number,
    onLine?: (line: string) => void,
  ): Promise<Result<ExecOutput>>;
  portForward(where: { namespace: string; pod: string }, port: number): Promise<Result<Tunnel>>;
  /**
   * Has the API server make a GET to a pod (its `proxy` subresource), and answers the status of what came back, or, in its
   * words, why it could not reach the pod. `name` has the form `https:web-1:8443`.
   */
  relay(where: { namespace: string; name: string }, path: string, signal?: AbortSignal): Promise<Result<{ status: number } | { unreached: string }>>;
  /** The API groups and versions that are served: `apps/v1`. */
  apiVersions(signal?: AbortSignal): Promise<Result<string[]>>;
  /** The release that the API server runs: `v1.35.4`. */
  release(signal?: AbortSignal): Promise<Result<string>>;
  /** Whether a version of an API group answers: the API server itself, or who serves it for it. */
  serves(group: string, version: string, signal?: AbortSignal): Promise<Result<void>>;
  /**
   * Patches an object as the field manager `k8s-doctor`. In a dry run the API server judges it with all its admission and keeps nothing
   * (`dryRun=All`). Answers the object as it is then.
   */
  patch(change: ObjectPatch, dryRun: boolean, signal?: AbortSignal): Promise<Result<unknown>>;
  /** Creates an object as the field manager `k8s-doctor`, or tries to. */
  create(resource: Resource, namespace: string | undefined, object: object, dryRun: boolean, signal?: AbortSignal): Promise<Result<unknown>>;
  /** Deletes an object, and only the one with this uid. One that is not there is no failure. */
  delete(resource: Resource, namespace: string | undefined, name: string, uid: string): Promise<Result<void>>;
  createPod(namespace: string, pod: object): Promise<Result<unknown>>;
  /** Adds a container to a running pod. It can't be taken out again, only end. */
  addEphemeralContainer(namespace: string, pod: string, container: { name: string }): Promise<Result<unknown>>;
  /** Removes a pod at once (no grace period). A pod that is not there is no failure. */
  deletePod(namespace: string, name: string): Promise<Result<void>>;
  createJob(namespace: string, job: object): Promise<Result<unknown>>;
  /** Removes a Job; its pods are then removed by the cluster's garbage collection. One that is not there is no failure. */
  deleteJob(namespace: string, name: string): Promise<Result<void>>;
  /** Reports the states of one pod, or of all with a label, as they come, the present ones first, until `onPod` returns false or `signal` aborts. */
  watchPods(
    namespace: string,
    which: { name: string } | { labelSelector: string },
    signal: AbortSignal,
    onPod: (pod: unknown) => boolean,
  ): Promise<Result<void>>;
  /**
   * Reports what changes after a version of a list, as it comes, until the API server ends it after some minutes, or `signal` aborts. A failure with
   * status 410 means that the API server has forgotten what came after `version` (Kubernetes API concepts, "Efficient detection of changes").
   */
  watch(resource: Resource, options: ListOptions & { version: string }, onEvent: (event: WatchEvent) => void): Promise<Result<void>>;
  requests(): number;
  close(): void;
}

export interface ConnectOptions extends KubeOptions {
  /** Whom to speak for, instead of what the kubeconfig says. */
  as?: string | undefined;
  asGroups?: string[] | undefined;
  /** Called before a credential plug-in asks the person on the terminal; null where none may, because the screen is taken. */
  beforeAsking?: (() => void) | null | undefined;
  namespace?: string | undefined;
  /** Bounds one request, in milliseconds. */
  requestTimeoutMs: number;
}

/** Objects remember by it who set which field (metadata.managedFields). */
const fieldManager = 'k8s-doctor';
const asDoctor = (dryRun: boolean): string => `fieldManager=${fieldManager}${dryRun ? '&dryRun=All' : ''}`;

/** Objects in a page: as kubectl asks for, or more where they come quickly or are small, because each page costs the API server as much again. */
const pageSizes = { usual: 500, quick: 2000, streamed: 5000 };
/** Milliseconds for one object of a page, below which it came quickly: a large page is then far from the limit of a request. */
const quickMs = 1;
/** So often the API server may forget the version of a list while it is read. */
const mostForgotten = 5;
const openAtOnce = 6;
/** After so many seconds the API server ends a watch, and the next begins. */
const watchSeconds = 300;
const watchAttempts = 20;
const watchPauseMs = 200;

/** The rule that a request for `resource` uses. */
export function rule(resource: Resource, verb: string, namespace?: string, name?: string): AccessRule {
  return {
    apiGroups: [resource.group],
    resources: [resource.plural],
    verbs: [verb],
    ...(name !== undefined && { resourceNames: [name] }),
    ...(namespace !== undefined && { namespace }),
  };
}

/** Exec and port-forward over WebSocket start as a GET; API servers from v1.35 on ask for `create` as well. */
const podSubresourceRule = (subresource: string, namespace: string, verbs: string[]): AccessRule => ({
  apiGroups: [''],
  resources: [`pods/${subresource}`],
  verbs,
  namespace,
});

function pathOf(resource: Resource, namespace?: string, name?: string): string {
  const base = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`;
  return `${base}${namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${resource.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** What is wrong with an answer that was to be a list: something between here and the API server may answer anything. An empty list can be null. */
function notAList(answer: unknown, { kind }: Resource): string | undefined {
  if (typeof answer !== 'object' || answer === null) return 'the answer is no list';
  const { kind: given, items } = answer as Page;
  const isList = typeof given === 'string' && given.endsWith('List') && (kind === undefined || given === `${kind}List` || given === 'List');
  if (!isList) return `the answer is ${typeof given === 'string' && given ? `of kind ${given}` : 'no list'}, not ${kind ? `a ${kind}List` : 'a list'}`;
  return items == null || Array.isArray(items) ? undefined : 'its items are no list';
}

/** The same of an answer that was to be one object. */
function notTheObject(answer: unknown, { kind }: Resource, name: string): string | undefined {
  const given = answer as { kind?: unknown; metadata?: { name?: unknown } } | null;
  if (given?.metadata?.name === name && (kind === undefined || given.kind === kind)) return undefined;
  return `the answer is ${typeof given?.kind === 'string' ? `of kind ${given.kind}` : 'no object'}, not ${kind ?? 'the object'} "${name}"`;
}

/** A URL without the name and password that it may have. */
function withoutUser(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname === '/' ? '' : pathname}`;
}

const inWords = (resource: Resource, namespace?: string, name?: string) =>
  name !== undefined
    ? `${resource.plural} "${name}"${namespace === undefined ? '' : ` in namespace ${namespace}`}`
    : `${resource.plural} ${namespace === undefined ? 'of the whole cluster' : `in namespace ${namespace}`}`;

/** Reads credentials and prepares requests to the API server; sends nothing yet. Throws CannotRun where there are no usable credentials. */
export async function connect(options: ConnectOptions, env: NodeJS.ProcessEnv): Promise<Cluster> {
  const chosen = loadKubeConfig(options, env);
  if (options.as !== undefined) chosen.user = { ...chosen.user, as: options.as, 'as-groups': undefined, 'as-uid': undefined, 'as-user-extra': undefined };
  if (options.asGroups !== undefined) chosen.user['as-groups'] = options.asGroups;
  const login = await logIn(chosen, env, options.beforeAsking === undefined ? () => {} : options.beforeAsking);
  const http = await openHttp(login, options.requestTimeoutMs);

  async function parse<T>(sent: Promise<Result<string>>, what: string, access: AccessRule): Promise<Result<T>> {
    const answer = await sent;
    if (!answer.ok) return answer;
    try {
      return ok(JSON.parse(answer.value) as T);
    } catch {
      return failed({ reason: 'malformed', what, why: 'the answer is not JSON', rule: access });
    }
  }

  /** True where the API server answers for the group but has no such kind: it says that with a 404 in plain text, as anything in front of it could. */
  async function isNotServed({ group, version, plural }: Resource, signal: AbortSignal | undefined): Promise<boolean> {
    if (group === '') return false;
    const what = `the kinds of ${group}/${version}`;
    const access = { apiGroups: [], resources: [`/apis/${group}/${version}`], verbs: ['get'] };
    const answer = await parse<{ resources?: { name: string }[] }>(
      http.send({ method: 'GET', path: `/apis/${group}/${version}`, what, rule: access, signal }),
      what,
      access,
    );
    return answer.ok && Array.isArray(answer.value.resources) && !answer.value.resources.some((r) => r.name === plural);
  }

  /** Begins to read one page of a list, in protobuf where the server writes it. */
  function readPage(request: Request, resource: Resource, fields: Fields | undefined, onItem: (item: unknown) => void): Reading {
    const head = Promise.withResolvers<Head | undefined>();
    const malformed = (why: string) => failed({ reason: 'malformed', what: request.what, why, rule: request.rule });
    let count = 0;
    const hand = (items: readonly unknown[]) => {
      count += items.length;
      for (const item of items) onItem(item);
    };

    async function inJson(answer: Result<string>): Promise<Result<number>> {
      const page = await parse<Page>(Promise.resolve(answer), request.what, request.rule);
      if (!page.ok) return page;
      const wrong = notAList(page.value, resource);
      if (wrong !== undefined) return malformed(wrong);
      head.resolve(page.value.metadata ?? {});
      // The API server makes the next page while this one is taken in; its request leaves only when this gives way.
      await setImmediate();
      hand(page.value.items ?? []);
      return ok(count);
    }

    async function inProtobuf(wanted: Fields): Promise<Result<number>> {
      let wrong: string | undefined;
      let reader: ListReader | undefined;
      let text: Buffer[] = [];
      const taken = (read: () => unknown[]) => {
        if (wrong !== undefined || !reader) return;
        let items: unknown[] = [];
        try {
          items = read();
        } catch (error) {
          wrong = `the answer is not protobuf (${(error as Error).message})`;
          return;
        }
        if (reader.head) wrong = notAList(reader.head, resource);
        if (reader.head && wrong === undefined) {
          head.resolve(reader.head.metadata);
          hand(items);
        }
      };
      const ran = await http.chunks({ ...request, accept: `${protobufType},application/json` }, (isProtobuf) => {
        // Where the request is sent again, this page begins again.
        [wrong, count, text] = [undefined, 0, []];
        const own = isProtobuf ? listReader(wanted) : undefined;
        reader = own;
        return own ? (chunk) => taken(() => own.take(chunk)) : (chunk) => text.push(chunk);
      });
      if (!ran.ok) return ran;
      if (!reader) return inJson(ok(Buffer.concat(text).toString('utf8')));
      taken(() => (reader as ListReader).end());
      return wrong === undefined ? ok(count) : malformed(wrong);
    }

    const items = fields ? inProtobuf(fields) : http.send(request).then(inJson);
    void items.then(() => head.resolve(undefined));
    return { head: head.promise, items };
  }

  async function each(
    resource: Resource,
    { namespace, labelSelector, fieldSelector, protobuf, signal }: ListOptions,
    onItem: (item: unknown) => void,
    onPage?: (count: number, remaining: number) => void,
  ): Promise<Result<string>> {
    const what = inWords(resource, namespace);
    const access = rule(resource, 'list', namespace);
    const largest = protobuf ? pageSizes.streamed : pageSizes.quick;
    let limit: number = protobuf ? largest : pageSizes.usual;
    function pageFrom(token: string) {
      const query = new URLSearchParams({ limit: String(limit) });
      if (labelSelector) query.set('labelSelector', labelSelector);
      if (fieldSelector) query.set('fieldSelector', fieldSelector);
      if (token) query.set('continue', token);
      const path = `${pathOf(resource, namespace)}?${query.toString()}`;
      const stop = new AbortController();
      const request = { method: 'GET' as const, path, what, rule: access, signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal };
      return { token, limit, askedAt: performance.now(), stop: () => stop.abort(), ...readPage(request, resource, protobuf, onItem) };
    }
    let forgotten = 0;
    /** Asks again for what a failure kept back. */
    async function after(failure: Failure, asked: ReturnType<typeof pageFrom>): Promise<Result<typeof asked>> {
      if (failure.reason === 'timed-out' && asked.limit > pageSizes.usual && !signal?.aborted) {
        // Over a slow link a large page does not come within the limit of a request.
        limit = pageSizes.usual;
        return ok(pageFrom(asked.token));
      }
      if (failure.status === 404 && (await isNotServed(resource, signal))) {
        const why = `the API server serves no ${resource.plural} of ${resource.group}/${resource.version}`;
        return failed({ ...failure, reason: 'not-found', why });
      }
      // The rest of the list is read as it is now (Kubernetes API concepts, "Resource versions and 410 Gone").
      const canGoOn = failure.status === 410 && failure.continue !== undefined && ++forgotten <= mostForgotten;
      return canGoOn ? ok(pageFrom(failure.continue ?? '')) : failed(failure);
    }
    let version = '';
    let page = pageFrom('');
    for (;;) {
      const head = await page.head;
      const next = head?.continue ? pageFrom(head.continue) : undefined;
      const items = await page.items;
      if (!items.ok) {
        next?.stop();
        const again = await after(items.failure, page);
        if (!again.ok) return again;
        page = again.value;
        continue;
      }
      limit = performance.now() - page.askedAt < quickMs * items.value ? largest : pageSizes.usual;
      onPage?.(items.value, head?.remainingItemCount ?? 0);
      version ||= head?.resourceVersion ?? '';
      if (!next) return ok(version);
      page = next;
    }
  }

  function create(resource: Resource, namespace: string, body: object, what: string): Promise<Result<unknown>> {
    const access = rule(resource, 'create', namespace);
    return parse(http.send({ method: 'POST', path: pathOf(resource, namespace), body, what, rule: access }), what, access);
  }

  async function remove(resource: Resource, namespace: string, name: string, how: string, what: string): Promise<Result<void>> {
    const path = `${pathOf(resource, namespace, name)}?${how}`;
    const answer = await http.send({ method: 'DELETE', path, what, rule: rule(resource, 'delete', namespace) });
    return answer.ok || answer.failure.reason === 'not-found' ? ok(undefined) : answer;
  }

  const sockets = () => import('./sockets.ts');
  const opening = pLimit(openAtOnce);
  const connection = async () => {
    await http.fresh();
    return { login, agent: http.agent, opening, closed: http.closed };
  };

  return {
    namespace: options.namespace ?? chosen.namespace ?? 'default',
    context: chosen.context,
    contexts: chosen.contexts,
    server: withoutUser(chosen.cluster.server),

    async get(resource, name, namespace, signal) {
      const what = inWords(resource, namespace, name);
      // RBAC takes a Namespace itself as lying in the namespace of its name, so a Role there is enough.
      const access = rule(resource, 'get', resource.plural === 'namespaces' ? name : namespace, name);
      const answer = await parse<unknown>(http.send({ method: 'GET', path: pathOf(resource, namespace, name), what, rule: access, signal }), what, access);
      if (!answer.ok) return answer.failure.reason === 'not-found' ? ok(null) : answer;
      const wrong = notTheObject(answer.value, resource, name);
      return wrong === undefined ? answer : failed({ reason: 'malformed', what, why: wrong, rule: access });
    },

    async exists(resource, name, namespace, signal) {
      const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
      const request = { method: 'GET' as const, path: pathOf(resource, namespace, name), accept, what: inWords(resource, namespace, name), signal };
      const answer = await http.send({ ...request, rule: rule(resource, 'get', namespace, name) });
      if (answer.ok) return ok(true);
      return answer.failure.reason === 'not-found' ? ok(false) : answer;
    },

    each,

    async list(resource, options) {
      const items: unknown[] = [];
      const ran = await each(resource, options, (item) => items.push(item));
      return ran.ok ? ok(items) : ran;
    },

    logs(namespace, pod, container, { tailLines, sinceSeconds, previous = false, signal }) {
      const query = new URLSearchParams({
        container,
        previous: String(previous),
        ...(sinceSeconds !== undefined && { sinceSeconds: String(sinceSeconds) }),
        ...(tailLines !== undefined && { tailLines: String(tailLines), limitBytes: '65536' }),
      });
      return http.send({
        method: 'GET',
        path: `${pathOf(resources.pods, namespace, pod)}/log?${query.toString()}`,
        what: `the log of pod ${namespace}/${pod}, container ${container}`,
        rule: podSubresourceRule('log', namespace, ['get']),
        signal,
      });
    },

    async exec(where, command, timeoutMs, onLine) {
      const access = podSubresourceRule('exec', where.namespace, ['create', 'get']);
      return (await sockets()).exec(await connection(), where, command, timeoutMs, access, onLine);
    },

    async portForward(where, port) {
      return (await sockets()).portForward(await connection(), where, port, podSubresourceRule('portforward', where.namespace, ['create', 'get']));
    },

    async relay({ namespace, name }, path, signal) {
      const what = `a request by the API server to pod ${namespace}/${name}`;
      const access = podSubresourceRule('proxy', namespace, ['get']);
      const answer = await http.status({ method: 'GET', path: `${pathOf(resources.pods, namespace, name)}/proxy${path}`, what, rule: access, signal });
      if (!answer.ok) return answer;
      const { status, said } = answer.value;
      if (said === '') return ok({ status });
      // The program behind the API server can answer in JSON, too: only a Status of the API server counts.
      const failure = fromStatus(status, said, what, access);
      if (failure.why.startsWith('error trying to reach service')) return ok({ unreached: failure.why });
      return /^not allowed to |^pods "[^"]+" not found/.test(failure.why) ? failed(failure) : ok({ status });
    },

    async apiVersions(signal) {
      const what = 'the kinds that the API server knows';
      const access = { apiGroups: [], resources: ['/apis'], verbs: ['get'] };
      const answer = await parse<{ groups?: { versions?: { groupVersion: string }[] }[] }>(
        http.send({ method: 'GET', path: '/apis', what, rule: access, signal }),
        what,
        access,
      );
      return answer.ok ? ok((answer.value.groups ?? []).flatMap((g) => (g.versions ?? []).map((x) => x.groupVersion))) : answer;
    },

    async release(signal) {
      const what = 'the version of the API server';
      const access = { apiGroups: [], resources: ['/version'], verbs: ['get'] };
      const answer = await parse<{ gitVersion?: unknown }>(http.send({ method: 'GET', path: '/version', what, rule: access, signal }), what, access);
      if (!answer.ok) return answer;
      const { gitVersion } = answer.value;
      return typeof gitVersion === 'string' ? ok(gitVersion) : failed({ reason: 'malformed', what, why: 'the answer has no gitVersion', rule: access });
    },

    async serves(group, version, signal) {
      const path = `/apis/${encodeURIComponent(group)}/${encodeURIComponent(version)}`;
      const what = `the API ${group}/${version}`;
      const access = { apiGroups: [], resources: [path], verbs: ['get'] };
      const answer = await http.status({ method: 'GET', path, what, rule: access, signal });
      if (!answer.ok) return answer;
      const { status, said } = answer.value;
      if (status < 300) return ok(undefined);
      return failed(
        said === '' ? { reason: 'unreachable', what, why: `the API server answers ${status}`, rule: access } : fromStatus(status, said, what, access),
      );
    },

    patch({ resource, namespace, name, type, body }, dryRun, signal) {
      const what = `${dryRun ? 'trying a change of' : 'changing'} ${inWords(resource, namespace, name)}`;
      const access = rule(resource, 'patch', namespace, name);
      const path = `${pathOf(resource, namespace, name)}?${asDoctor(dryRun)}`;
      return parse(http.send({ method: 'PATCH', path, body, contentType: patchTypes[type], what, rule: access, signal }), what, access);
    },

    create(resource, namespace, object, dryRun, signal) {
      const what = `${dryRun ? 'trying to create' : 'creating'} one of ${inWords(resource, namespace)}`;
      const access = rule(resource, 'create', namespace);
      const path = `${pathOf(resource, namespace)}?${asDoctor(dryRun)}`;
      return parse(http.send({ method: 'POST', path, body: object, what, rule: access, signal }), what, access);
    },

    async delete(resource, namespace, name, uid) {
      const what = `deleting ${inWords(resource, namespace, name)}`;
      const body = { preconditions: { uid } };
      const answer = await http.send({
        method: 'DELETE',
        path: pathOf(resource, namespace, name),
        body,
        what,
        rule: rule(resource, 'delete', namespace, name),
      });
      return answer.ok || answer.failure.reason === 'not-found' ? ok(undefined) : answer;
    },

    createPod: (namespace, pod) => create(resources.pods, namespace, pod, `creating a debug pod in namespace ${namespace}`),
    createJob: (namespace, job) => create(resources.jobs, namespace, job, `creating a Job of debug pods in namespace ${namespace}`),
    deletePod: (namespace, name) => remove(resources.pods, namespace, name, 'gracePeriodSeconds=0', `removing the debug pod ${namespace}/${name}`),
    deleteJob: (namespace, name) => remove(resources.jobs, namespace, name, 'propagationPolicy=Background', `removing the Job ${namespace}/${name}`),

    addEphemeralContainer(namespace, pod, container) {
      const what = `adding an ephemeral container to pod ${namespace}/${pod}`;
      const access = podSubresourceRule('ephemeralcontainers', namespace, ['patch']);
      const path = `${pathOf(resources.pods, namespace, pod)}/ephemeralcontainers`;
      const body = { spec: { ephemeralContainers: [container] } };
      return parse(http.send({ method: 'PATCH', path, body, contentType: patchTypes.strategic, what, rule: access }), what, access);
    },

    async watchPods(namespace, which, signal, onPod) {
      const query = new URLSearchParams({ watch: 'true', ...('name' in which ? { fieldSelector: `metadata.name=${which.name}` } : which) });
      const what = 'name' in which ? `watching pod ${namespace}/${which.name}` : `watching the debug pods in namespace ${namespace}`;
      const access = rule(resources.pods, 'watch', namespace);
      const path = `${pathOf(resources.pods, namespace)}?${query.toString()}`;
      let wanted = true;
      // A watch may end, or report an error, at any time; a new one begins with the present states (Kubernetes API concepts, "Efficient detection of changes").
      for (let attempt = 0; attempt < watchAttempts; attempt++) {
        const seen = await http.lines({ method: 'GET', path, what, rule: access, signal }, (line) => {
          const { type, object } = JSON.parse(line) as { type: string; object: unknown };
          if (type === 'ERROR') return false;
          wanted = onPod(object);
          return wanted;
        });
        if (!seen.ok || !wanted) return seen;
        await new Promise((r) => setTimeout(r, watchPauseMs));
      }
      return failed({ reason: 'unreachable', what, why: 'the API server ended the watch again and again', rule: access });
    },

    async watch(resource, { namespace, labelSelector, fieldSelector, signal, version }, onEvent) {
      const query = new URLSearchParams({
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        timeoutSeconds: String(watchSeconds),
        ...(labelSelector && { labelSelector }),
        ...(fieldSelector && { fieldSelector }),
      });
      const what = `watching ${inWords(resource, namespace)}`;
      const access = rule(resource, 'watch', namespace);
      // A connection that died unnoticed brings neither events nor the end of the watch.
      const over = AbortSignal.timeout((watchSeconds + 30) * 1000);
      let failure: Failure | undefined;
      const ran = await http.lines(
        {
          method: 'GET',
          path: `${pathOf(resource, namespace)}?${query.toString()}`,
          what,
          rule: access,
          signal: signal ? AbortSignal.any([signal, over]) : over,
        },
        (line) => {
          const { type, object } = JSON.parse(line) as WatchEvent | { type: 'ERROR'; object: { code?: number } };
          if (type === 'ERROR') failure = fromStatus(object.code ?? 500, JSON.stringify(object), what, access);
          else onEvent({ type, object });
          return failure === undefined;
        },
      );
      return failure ? failed(failure) : ran;
    },

    requests: () => http.count(),
    close: () => http.close(),
  };
}
