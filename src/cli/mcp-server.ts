/** The tools and prompts of the MCP server. Each tool answers text for a reader and the JSON of the contract. */
import { type CallToolResult, fromJsonSchema, McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { inFront, pipeline } from '../../checks/pipeline.ts';
import diagnosisSchema from '../../docs/schemas/diagnosis.schema.json' with { type: 'json' };
import reachSchema from '../../docs/schemas/reach.schema.json' with { type: 'json' };
import scanSchema from '../../docs/schemas/scan.schema.json' with { type: 'json' };
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Code, codes, issues } from '../catalog/codes.ts';
import { knownCode } from '../catalog/known-code.ts';
import { type Cluster, connect, resources } from '../cluster/index.ts';
import { cleanDeep, clean } from '../report/clean.ts';
import { render } from '../report/render.ts';
import { renderScan } from '../report/scan/render.ts';
import { asJson, only, scanOf } from '../scan/scan.ts';
import { scanCluster } from '../scan/scan-cluster.ts';
import { refuse, runLive } from './live-run.ts';
import type { McpOptions } from './mcp.ts';
import { judgeReach } from './reach.ts';
import { diagnosisOf } from './svc.ts';
import { shippedText } from './shipped.ts';
import { prepare } from './svc-run.ts';

/** What all calls share: when to end, and which are running. */
interface Calls {
  signal: AbortSignal;
  running: Set<Promise<unknown>>;
}

interface Answer {
  text: string;
  json: object;
}

/** Milliseconds for one diagnosis. */
const runTimeoutMs = 30_000;
const plain = { colour: false, unicode: true, columns: 100 };

const instructions = (probes: boolean): string =>
  `Why does a Kubernetes Service not connect? diagnose_service names one root cause with evidence and a fix; scan lists all Services that are not right; reach says whether policies allow a connection; explain describes a code. ${
    probes
      ? 'Diagnoses make real connections from a debug pod, which is removed.'
      : 'This server only reads objects: no connection is made, and nothing in the cluster changes.'
  } Nothing is repaired: show the fix to a person.`;

/** The schema of a tool's answer: without descriptions, which the context of a model has no room for. */
function short(schema: object): object {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([key, x]) => !(key === 'description' && typeof x === 'string'));
    return Object.fromEntries(entries.map(([key, x]) => [key, strip(x)]));
  };
  return strip(schema) as object;
}

const outputs = (schema: object) => fromJsonSchema<Record<string, unknown>>(short(schema));

const namespace = z.string().optional().describe("Namespace; default: the kubeconfig context's");
const party = 'pod/NAME, deploy/NAME, NAMESPACE/pod/NAME, namespace/NAME, node/NAME, external';

/** A server for one connection of a client. */
export function mcpServer(options: McpOptions, env: NodeJS.ProcessEnv, calls: Calls): McpServer {
  const server = new McpServer({ name: 'k8s-doctor', version: options.version }, { instructions: instructions(options.allowProbes) });

  /** Runs one call; a failure that a person can read is the answer. */
  async function answer(
    context: ServerContext,
    run: (signal: AbortSignal, progress: (done: number, total: number, text: string) => void) => Promise<Answer>,
  ): Promise<CallToolResult> {
    const token = context.mcpReq._meta?.progressToken;
    const progress = (done: number, total: number, message: string) => {
      if (token === undefined) return;
      // A client that is gone gets no progress, and its call ends by its signal.
      context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: token, progress: done, total, message } }).catch(() => {});
    };
    const call = run(AbortSignal.any([calls.signal, context.mcpReq.signal]), progress);
    calls.running.add(call);
    try {
      const { text, json } = await call;
      return { content: [{ type: 'text', text }], structuredContent: json };
    } catch (error) {
      if (!(error instanceof CannotRun)) throw error;
      return { content: [{ type: 'text', text: clean(error.message) }], isError: true };
    } finally {
      calls.running.delete(call);
    }
  }

  const connected = async <T>(place: string | undefined, use: (cluster: Cluster) => Promise<T>): Promise<T> => {
    const cluster = await connect({ ...options, namespace: place ?? options.namespace }, env);
    try {
      return await use(cluster);
    } finally {
      cluster.close();
    }
  };

  server.registerTool(
    'diagnose_service',
    {
      title: 'Diagnose a Service',
      description: 'Finds the root cause why a Service does not connect, with evidence and fixes.',
      inputSchema: z.object({
        service: z.string().describe('NAME, NAMESPACE/NAME, a DNS name, or a URL'),
        namespace,
        from: z.string().optional().describe(`Whose connection: ${party}; default: a plain pod in the Service's namespace`),
        port: z.string().optional().describe('Service port, by name or number; default: all'),
        probe: z
          .enum(['none', 'auto'])
          .optional()
          .describe(
            `none: read objects only. auto: make connections${options.allowProbes ? ' (default)' : '; refused, because this server was started without --allow-probes'}`,
          ),
      }),
      outputSchema: outputs(diagnosisSchema),
      annotations: { readOnlyHint: !options.allowProbes, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    },
    (asked, context) => answer(context, (signal, progress) => diagnosed(asked, options, env, signal, progress)),
  );

  server.registerTool(
    'scan',
    {
      title: 'Scan all Services',
      description: 'Lists the Services of a namespace, or of all, that are not right, by their objects only; what several have in common first.',
      inputSchema: z.object({
        namespace,
        all_namespaces: z.boolean().optional().describe('Scan the whole cluster'),
        only: z.array(z.string()).optional().describe('Only Services with one of these codes'),
      }),
      outputSchema: outputs(scanSchema),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (asked, context) =>
      answer(context, (signal, progress) =>
        connected(asked.namespace, async (cluster) => {
          const startedAt = new Date().toISOString();
          const started = performance.now();
          const found = await scanCluster(cluster, {
            pipeline,
            inFront,
            namespace: asked.all_namespaces ? undefined : cluster.namespace,
            shard: undefined,
            accepted: [],
            signal,
            onProgress: (now) => progress(now.listed, now.listed + now.remaining, `${now.listed} objects read`),
          });
          const all = found.services.length;
          const codesAsked = (asked.only ?? []).map(knownCode);
          const whole = scanOf({
            version: options.version,
            startedAt,
            durationMs: Math.round(performance.now() - started),
            clusters: [{ context: cluster.context, requests: cluster.requests(), error: null }],
            // What is right would fill the context of a model with nothing.
            services: found.services.filter((s) => s.status !== 'healthy'),
            missing: found.missing,
          });
          const scan = only(whole, codesAsked);
          const text = await renderScan(scan, 'text', { unicode: true, columns: 100, namespaces: true, changes: undefined });
          const head = `${all} Services, of which ${scan.services.length} ${codesAsked.length > 0 ? 'have such a cause' : 'are not right by their objects'}.`;
          return { text: scan.services.length === 0 ? head : `${head}\n\n${text}`, json: cleanDeep(asJson(scan)) };
        }),
      ),
  );

  server.registerTool(
    'reach',
    {
      title: 'Do policies allow a connection?',
      description: 'Judges NetworkPolicies (and admin, Cilium and Calico policies) for one connection; no packet is sent.',
      inputSchema: z.object({
        from: z.string().describe(`${party}, or an address`),
        to: z.string().describe(`${party}, svc/NAME, or an address`),
        port: z.string().optional().describe("The receiving pod's port, or the Service's, by number or name"),
        protocol: z.enum(['TCP', 'UDP', 'SCTP']).optional(),
        namespace,
      }),
      outputSchema: outputs(reachSchema),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (asked, context) =>
      answer(context, () =>
        judgeReach(
          {
            ...options,
            from: asked.from,
            to: asked.to,
            port: asked.port,
            protocol: asked.protocol ?? 'TCP',
            namespace: asked.namespace ?? options.namespace,
            manifests: undefined,
            replay: undefined,
            test: undefined,
            matrix: false,
            allNamespaces: false,
            output: [],
          },
          env,
        ),
      ),
  );

  server.registerTool(
    'list_services',
    {
      title: 'List Services',
      description: 'Lists Services with their types, addresses and ports.',
      inputSchema: z.object({ namespace, all_namespaces: z.boolean().optional() }),
      outputSchema: z.object({
        services: z.array(z.object({ namespace: z.string(), name: z.string(), type: z.string(), clusterIP: z.string(), ports: z.array(z.string()) })),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (asked, context) =>
      answer(context, (signal) =>
        connected(asked.namespace, async (cluster) => {
          const listed = await cluster.list(resources.services, { namespace: asked.all_namespaces ? undefined : cluster.namespace, signal });
          if (!listed.ok) throw new CannotRun(`The Services cannot be listed (${listed.failure.why}); check your rights and the cluster.`);
          const services = cleanDeep(listed.value.map(rowOf));
          const text = services.map((s) => `${s.namespace}/${s.name}  ${s.type}  ${s.clusterIP}  ${s.ports.join(',')}`).join('\n');
          return { text: text || 'There is no Service.', json: { services } };
        }),
      ),
  );

  server.registerTool(
    'explain',
    {
      title: 'Explain a code',
      description: 'The symptom, cause and fix of a code; without one, all codes.',
      inputSchema: z.object({ code: z.string().optional().describe('Such as selector-mismatch') }),
      outputSchema: z.object({ codes: z.array(z.object({ code: z.string(), issue: z.string(), symptom: z.string(), resolution: z.string() })) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ code }, context) =>
      answer(context, async () => {
        const rowsOf = (names: Code[]) => names.map((name) => ({ code: name, ...issues[codes[name]] }));
        if (code === undefined) {
          const rows = rowsOf(Object.keys(codes) as Code[]);
          return { text: rows.map((r) => `${r.code}: ${r.issue}`).join('\n'), json: { codes: rows } };
        }
        const known = knownCode(code);
        return { text: shippedText(`docs/codes/${known}.md`), json: { codes: rowsOf([known]) } };
      }),
  );

  server.registerPrompt(
    'incident',
    {
      title: 'A Service does not connect',
      description: 'Finds the cause and proposes the repair',
      argsSchema: z.object({
        service: z.string().describe('NAME or NAMESPACE/NAME'),
        symptom: z.string().optional().describe('What was seen, such as "connection refused"'),
      }),
    },
    ({ service, symptom }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: `The Kubernetes Service ${service} does not connect${symptom === undefined ? '' : ` (${symptom})`}. Call diagnose_service for it. Say in two sentences what the cause is and what shows it, then give the command of the first fix with what it changes for others. If the verdict is undecided, say which right or fact is missing. Do not run the command.`,
          },
        },
      ],
    }),
  );
  return server;
}

interface Listed {
  metadata: { namespace: string; name: string };
  spec?: { type?: string; clusterIP?: string; externalName?: string; ports?: { port: number; protocol?: string }[] | null };
}

function rowOf(item: unknown) {
  const { metadata, spec } = item as Listed;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    type: spec?.type ?? 'ClusterIP',
    clusterIP: spec?.clusterIP ?? spec?.externalName ?? '',
    ports: (spec?.ports ?? []).map((p) => `${p.port}/${p.protocol ?? 'TCP'}`),
  };
}

async function diagnosed(
  asked: { service: string; namespace?: string | undefined; from?: string | undefined; port?: string | undefined; probe?: 'none' | 'auto' | undefined },
  options: McpOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  progress: (done: number, total: number, text: string) => void,
): Promise<Answer> {
  if (asked.probe === 'auto' && !options.allowProbes)
    throw new CannotRun('This server only reads objects; to let it make connections, start it with: k8s-doctor mcp --allow-probes.');
  const probe = asked.probe ?? (options.allowProbes ? 'auto' : 'none');
  const named = { name: asked.service, from: asked.from, port: asked.port, probe, nodes: '10', matrix: false, advice: false, http: undefined };
  const place = asked.namespace ?? options.namespace;
  const { cluster, target } = await prepare({ ...options, ...named, asGroup: options.asGroups, namespace: place }, env, null);
  try {
    let done = 0;
    const left: string[] = [];
    const recording = await runLive(
      cluster,
      target,
      { image: options.image, nodeImage: undefined, timeoutMs: runTimeoutMs, version: options.version },
      {
        onEvent(event) {
          if (event.type === 'checked') progress(++done, pipeline.length, event.report.title);
        },
        onLeft: (why) => void left.push(why),
        signal,
      },
    );
    if (signal.aborted)
      throw new CannotRun(
        left.length > 0
          ? `Cancelled; a debug pod could not be removed (${left.join(', ')}): run "k8s-doctor cleanup".`
          : 'Cancelled; nothing is left behind in the cluster.',
      );
    refuse(recording.facts, cluster.context);
    const diagnosis = diagnosisOf(recording);
    return { text: await render(diagnosis, recording.requests, 'text', plain), json: cleanDeep(diagnosis) };
  } finally {
    cluster.close();
  }
}
