import yargs, { type Argv } from 'yargs';
import { CannotRun } from '../catalog/cannot-run.ts';
import { isDrawable, type Paint } from './first-paint.ts';
import type { Screen } from './output.ts';

/** Wrong words on the command line; the message ends with how to get help. */
class UsageError extends Error {}

/** `90s`, `2m`, `500ms` or a number of seconds, as milliseconds; 0 means no limit, as kubectl's --request-timeout has it. */
function duration(name: string, text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!found) throw new UsageError(`--${name} "${text}" is not a time; write it like 500ms, 30s or 2m.`);
  const ms = Number(found[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(found[2] ?? 's') as 'ms' | 's' | 'm' | 'h'];
  return ms === 0 ? 2_147_483_647 : ms;
}

const kubectlOptions = <T>(y: Argv<T>) =>
  y
    .option('namespace', { alias: 'n', type: 'string', requiresArg: true, describe: "namespace of the Service (default: the context's)" })
    .option('context', { type: 'string', requiresArg: true, describe: 'kubeconfig context' })
    .option('cluster', { type: 'string', requiresArg: true, describe: 'kubeconfig cluster' })
    .option('user', { type: 'string', requiresArg: true, describe: 'kubeconfig user' })
    .option('kubeconfig', { type: 'string', requiresArg: true, describe: 'path of the kubeconfig' })
    .option('as', { type: 'string', requiresArg: true, describe: 'user to impersonate' })
    .option('as-group', { type: 'string', array: true, requiresArg: true, describe: 'group to impersonate (can be repeated)' })
    .option('config', { type: 'string', requiresArg: true, describe: 'configuration FILE (default: ~/.config/k8s-doctor/config.yaml)' })
    .option('request-timeout', { type: 'string', requiresArg: true, default: '10s', describe: 'limit for one request' });

const verboseOption = <T>(y: Argv<T>) =>
  y.option('verbose', { alias: 'v', type: 'boolean', default: false, describe: 'stack traces; a line of progress for each check' });

const formatOption = <T>(y: Argv<T>, describe: string) =>
  y.option('output', { alias: 'o', type: 'string', array: true, requiresArg: true, nargs: 1, default: [] as string[], describe });

const allNamespaces = (describe: string) => ({ alias: 'A', type: 'boolean', default: false, describe }) as const;

const failOn = { choices: ['warning', 'degraded', 'faulty'] as const, default: 'degraded' as const, describe: 'from what on the exit status is 1' };

const outputOptions = <T>(y: Argv<T>) =>
  formatOption(y, 'text, wide, json, yaml, markdown, junit, sarif, html; or FORMAT=FILE (can be repeated)')
    .option('color', { type: 'boolean', default: true, describe: 'colours on a terminal (--no-color: none)' })
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'no progress on stderr' });

const svcOptions = <T>(y: Argv<T>) =>
  outputOptions(kubectlOptions(verboseOption(y)))
    .option('from', {
      type: 'string',
      requiresArg: true,
      describe: 'whose connection: pod/NAME, deploy/NAME, NAMESPACE/pod/NAME, namespace/NAME, node/NAME, external',
    })
    .option('port', { type: 'string', requiresArg: true, describe: 'Service port, by name or number (default: all)' })
    .option('probe', {
      choices: ['auto', 'none', 'debug-pod', 'ephemeral'] as const,
      default: 'auto' as const,
      describe: 'how to test connections; ephemeral: a container in the client pod, which stays listed there; none: change nothing',
    })
    .option('http', { type: 'string', requiresArg: true, describe: 'also GET this path of every endpoint: /healthz' })
    .option('image', { type: 'string', requiresArg: true, describe: 'image for debug pods (default: one that the nodes have)' })
    .option('node-image', { type: 'string', requiresArg: true, describe: 'image with iptables and nft, for nodes without a kube-proxy pod' })
    .option('nodes', { type: 'string', requiresArg: true, default: '10', describe: 'nodes whose rules are read: all, client, or a number' })
    .option('matrix', { type: 'boolean', default: false, describe: 'also connect from every node to every endpoint, with a Job that is removed afterwards' })
    .option('advice', { type: 'boolean', default: false, describe: 'also what could be better, apart from causes, each with its source' })
    .option('timeout', { type: 'string', requiresArg: true, default: '30s', describe: 'limit for the whole run' })
    .option('interactive', { alias: 'i', type: 'boolean', default: false, describe: 'stay in the terminal UI to inspect the result' })
    .option('watch', { alias: 'w', type: 'boolean', default: false, describe: 'run again and again, and print changes' })
    .option('wait', { type: 'boolean', default: false, describe: 'look again until the Service connects, for at most --timeout' })
    .option('fail-on', failOn)
    .option('ui', { choices: ['auto', 'always', 'never'] as const, default: 'auto' as const, describe: 'the terminal UI; never: plain text, line by line' })
    .option('capture', { type: 'string', requiresArg: true, describe: 'write the collected facts to FILE' })
    .option('anonymize', { type: 'boolean', default: false, describe: 'in that FILE, replace names, labels, hosts and addresses' })
    .option('replay', { type: 'string', requiresArg: true, describe: 'diagnose from a captured FILE instead of a cluster' })
    .option('since', { type: 'string', requiresArg: true, describe: 'show what changed since an earlier capture FILE' });

/** Options that can be given more than once; for the others a second one is a mistake. */
const repeatable = new Set(['output', 'o', 'as-group', 'asGroup', 'only', 'merge', '_']);

/** What the commands need: where to write, and the place for the chosen command's run. */
interface Start {
  version: string;
  screen(colour: boolean): Screen;
  answer(run: () => Promise<number>): void;
}

/** With what the configuration says where the command says nothing. */
async function configured<A extends { config: string | undefined; image?: string | undefined; nodeImage?: string | undefined }>(a: A) {
  const { readConfig } = await import('./config.ts');
  const { image, nodeImage, accepted, pods } = readConfig(a.config, process.env);
  return { ...a, image: a.image ?? image, nodeImage: a.nodeImage ?? nodeImage, accepted, pods };
}

const connection = <A extends { asGroup: string[] | undefined; requestTimeout: string }>(a: A) => ({
  ...a,
  asGroups: a.asGroup,
  requestTimeoutMs: duration('request-timeout', a.requestTimeout),
});

const svcCommand = <T>(y: Argv<T>, { version, screen, answer }: Start) =>
  y.command(
    'svc [name]',
    'diagnose one Service',
    (own) => svcOptions(own.positional('name', { type: 'string', describe: 'NAME, NAMESPACE/NAME, a DNS name, or a URL' })),
    (a) =>
      answer(async () => {
        const { svc } = await import('./svc.ts');
        return svc(await configured(asTyped(a, version)), screen(a.color));
      }),
  );

/** The options of `svc` that a question in front of a Service has, too. */
const frontCommand =
  (kind: 'ingress' | 'route' | 'url', describe: string, what: string) =>
  <T>(y: Argv<T>, { version, screen, answer }: Start) =>
    y.command(
      `${kind} [name]`,
      describe,
      (own) =>
        svcOptions(own.positional('name', { type: 'string', describe: what }))
          .option('host', { type: 'string', requiresArg: true, describe: 'the host to ask for (default: that of its first rule)' })
          .option('path', { type: 'string', requiresArg: true, describe: 'the path to ask for (default: that of its first rule)' }),
      (a) => answer(async () => (await import('./front.ts')).front({ ...(await configured(asTyped(a, version))), kind }, screen(a.color))),
    );
const ingressCommand = frontCommand('ingress', 'diagnose an Ingress, and the Service behind it, by a real request', 'NAME or NAMESPACE/NAME');
const routeCommand = frontCommand('route', 'diagnose a route of the Gateway API (HTTPRoute, GRPCRoute, TLSRoute, TCPRoute)', 'NAME or NAMESPACE/NAME');
const urlCommand = frontCommand('url', 'find what claims a host and path, and diagnose it', 'https://shop.example.com/cart');

/** A question that begins at the API server, which calls Services. */
const extensionCommand =
  (kind: 'webhook' | 'apiservice', describe: string) =>
  <T>(y: Argv<T>, { version, screen, answer }: Start) =>
    y.command(
      `${kind} [name]`,
      describe,
      (own) => svcOptions(own.positional('name', { type: 'string', describe: 'its name' })),
      (a) =>
        answer(async () =>
          (await import('./front.ts')).front({ ...(await configured(asTyped(a, version))), host: undefined, path: undefined, kind }, screen(a.color)),
        ),
    );
const webhookCommand = extensionCommand('webhook', 'diagnose an admission webhook, and the Service that the API server calls for it');
const apiServiceCommand = extensionCommand('apiservice', 'diagnose an APIService, and the Service that serves it');

const fixCommand = <T>(y: Argv<T>, { version, screen, answer }: Start) =>
  y.command(
    'fix [name]',
    'repair one Service: show the changes, ask, apply them, and prove the result by a connection',
    (own) =>
      svcOptions(own.positional('name', { type: 'string', describe: 'NAME, NAMESPACE/NAME, a DNS name, or a URL' }))
        .option('yes', { alias: 'y', type: 'boolean', default: false, describe: 'change without asking, for runbooks' })
        .option('undo', { type: 'string', requiresArg: true, describe: 'take back the changes of a fix, from the FILE that it wrote' })
        .option('force', { type: 'boolean', default: false, describe: 'change also what another owner (GitOps, an operator) would put back' }),
    (a) =>
      answer(async () => {
        const { fix } = await import('./fix.ts');
        return fix(await configured(asTyped(a, version)), screen(a.color));
      }),
  );

const scanCommand = <T>(y: Argv<T>, { version, screen, answer }: Start) =>
  y.command(
    'scan',
    'check all Services of a namespace, or of all (-A), by their objects only; worst first',
    (own) =>
      formatOption(kubectlOptions(own), 'text, json, yaml, markdown, junit, sarif, html; or FORMAT=FILE (can be repeated)')
        .option('all-namespaces', allNamespaces('in all namespaces'))
        .option('context', { type: 'string', requiresArg: true, describe: 'kubeconfig context, or several (a,b,c): one scan of all their clusters' })
        .option('all-contexts', { type: 'boolean', default: false, describe: 'the clusters of all contexts' })
        .option('only', {
          type: 'string',
          array: true,
          nargs: 1,
          requiresArg: true,
          default: [] as string[],
          describe: 'only Services with this cause (can be repeated)',
        })
        .option('ignore', { type: 'string', requiresArg: true, describe: 'FILE of causes that are accepted: a list of {code, namespace, service, reason}' })
        .option('since', { type: 'string', requiresArg: true, describe: 'show what is different since an earlier scan (FILE of -o json)' })
        .option('shard', { type: 'string', requiresArg: true, describe: 'one part of the namespaces: I/N, for an indexed Job' })
        .option('merge', {
          type: 'string',
          array: true,
          requiresArg: true,
          default: [] as string[],
          describe: 'join the FILEs that scans of parts wrote (-o json), without a cluster',
        })
        .option('fail-on', { ...failOn, choices: ['degraded', 'faulty'] as const })
        .option('probe', { type: 'boolean', default: false, describe: 'then test the connections of Services that the objects do not settle, by debug pods' })
        .option('budget', { type: 'string', requiresArg: true, default: '30s', describe: 'with --probe: tests are begun within this time' })
        .option('at-once', { type: 'number', requiresArg: true, default: 3, describe: 'with --probe: so many Services at once' })
        .option('image', { type: 'string', requiresArg: true, describe: 'image for debug pods (default: one that the nodes have)' })
        .option('watch', { alias: 'w', type: 'boolean', default: false, describe: 'go on, and print a line for each Service whose state changes' })
        .option('events', { type: 'boolean', default: false, describe: 'with --watch: also write each change into the cluster, as an Event of the Service' })
        .option('metrics', { type: 'string', requiresArg: true, describe: 'with --watch: serve metrics for Prometheus at PORT or ADDRESS:PORT' })
        .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'no progress on stderr' }),
    (a) =>
      answer(async () =>
        (await import('./scan.ts')).scan({ ...(await configured(connection(a))), budgetMs: duration('budget', a.budget), version }, screen(true)),
      ),
  );

const reachCommand = <T>(y: Argv<T>, { screen, answer }: Start) =>
  y.command(
    'reach',
    'do policies allow a connection? From the cluster, a capture, or manifests (-f)',
    (own) =>
      formatOption(kubectlOptions(own), 'text, json; html for --matrix; or FORMAT=FILE (can be repeated)')
        .option('from', {
          type: 'string',
          requiresArg: true,
          describe: 'pod/NAME, deploy/NAME, NAMESPACE/pod/NAME, namespace/NAME, node/NAME, external, or an address',
        })
        .option('to', { type: 'string', requiresArg: true, describe: 'the same, or svc/NAME' })
        .option('port', { type: 'string', requiresArg: true, describe: "the receiving pod's port, or the Service's, by number or name" })
        .option('protocol', { choices: ['TCP', 'UDP', 'SCTP'] as const, default: 'TCP' as const, describe: 'transport protocol' })
        .option('manifests', { alias: 'f', type: 'string', requiresArg: true, describe: 'judge a file or folder of manifests, without a cluster' })
        .option('replay', { type: 'string', requiresArg: true, describe: 'judge a captured FILE' })
        .option('matrix', { type: 'boolean', default: false, describe: 'every pod to every other: of -n NAMESPACE[,NAMESPACE…], or of all (-A)' })
        .option('all-namespaces', allNamespaces('with --matrix: all namespaces'))
        .option('test', {
          type: 'string',
          requiresArg: true,
          describe: 'file with a list of {from, to, port, protocol, allowed} to test the policies with',
        }),
    (a) => answer(async () => (await import('./reach.ts')).reachCommand(connection(a), screen(true))),
  );

const cleanupCommand = <T>(y: Argv<T>, { answer }: Start) =>
  y.command(
    'cleanup',
    'remove debug pods that a killed run left behind',
    (own) => kubectlOptions(own).option('all-namespaces', allNamespaces('in all namespaces')),
    (a) => answer(async () => (await import('./cleanup.ts')).cleanup(connection(a), process.env, process.stdout)),
  );

const rbacCommand = <T>(y: Argv<T>, { answer }: Start) =>
  y.command(
    'rbac',
    'print the Roles that a run needs, ready to apply',
    (own) =>
      own
        .option('namespace', { alias: 'n', type: 'string', requiresArg: true, describe: 'namespace of the Service (default: default)' })
        .option('from', { type: 'string', requiresArg: true, describe: 'whose connection, as for svc: its namespace counts' })
        .option('probe', {
          choices: ['auto', 'none', 'debug-pod', 'ephemeral'] as const,
          default: 'auto' as const,
          describe: 'for this way to connect; none: the rights to read only',
        })
        .option('node-pods', {
          type: 'boolean',
          default: false,
          describe: 'also to read the rules of nodes without a kube-proxy pod by pods in kube-system, a right as powerful as root there',
        })
        .option('matrix', { type: 'boolean', default: false, describe: 'also to connect from every node by a Job (svc --matrix)' })
        .option('http', { type: 'boolean', default: false, describe: 'also to send requests to pods through the API server (svc --http)' })
        .option('front', { type: 'boolean', default: false, describe: 'also to read what is in front of Services (ingress, route, url, webhook, apiservice)' })
        .option('advice', { type: 'boolean', default: false, describe: 'also to read what advice is given by (svc --advice)' })
        .option('all-namespaces', allNamespaces('one ClusterRole for all namespaces')),
    (a) => answer(async () => (await import('./rbac.ts')).rbac(a, process.stdout)),
  );

const demoCommand = <T>(y: Argv<T>, { screen, answer }: Start) =>
  y.command(
    'demo [incident]',
    'replay an incident that was recorded on a real cluster',
    (own) =>
      outputOptions(own.positional('incident', { type: 'string', describe: 'its name; without a name: list them' }))
        .option('tour', { type: 'boolean', default: false, describe: 'three incidents for somebody new, one after another' })
        .option('interactive', { alias: 'i', type: 'boolean', default: false, describe: 'inspect it in the terminal UI' }),
    (a) => answer(async () => (await import('./demo.ts')).demo(a, screen(a.color))),
  );

const explainCommand = <T>(y: Argv<T>, { answer }: Start) =>
  y.command(
    'explain [code]',
    'print the symptom, cause and fix of a code',
    (own) => own.positional('code', { type: 'string', describe: 'such as selector-mismatch; without a code: list them' }),
    (a) => answer(async () => (await import('./explain.ts')).explain(a.code, process.stdout)),
  );

const completionCommand = <T>(y: Argv<T>, { answer }: Start) =>
  y.command(
    'completion [shell]',
    'print the completion script for bash, zsh or fish',
    (own) => own.positional('shell', { type: 'string', describe: 'default: the one that SHELL names' }),
    (a) => answer(async () => (await import('./completion.ts')).completion(a.shell, process.env, process.stdout)),
  );

const plainFormats = <T>(y: Argv<T>) => formatOption(kubectlOptions(y), 'text, json, yaml; or FORMAT=FILE (can be repeated)');

const versionCommand = <T>(y: Argv<T>, { version, screen, answer }: Start) =>
  y.command(
    'version',
    'print the version, and that of the API server',
    (own) => plainFormats(own).option('client', { type: 'boolean', default: false, describe: 'only the version of k8s-doctor' }),
    (a) => answer(async () => (await import('./version.ts')).version({ ...connection(a), version }, screen(true))),
  );

const mcpCommand = <T>(y: Argv<T>, { version, answer }: Start) =>
  y.command(
    'mcp',
    'serve assistants over the Model Context Protocol (stdio); reads objects only',
    (own) =>
      kubectlOptions(own)
        .option('allow-probes', { type: 'boolean', default: false, describe: 'let diagnoses make connections, with debug pods' })
        .option('image', { type: 'string', requiresArg: true, describe: 'image for debug pods (default: one that the nodes have)' }),
    (a) => answer(async () => (await import('./mcp.ts')).mcp({ ...(await configured(connection(a))), version }, process.env)),
  );

const selfcheckCommand = <T>(y: Argv<T>, { version, screen, answer }: Start) =>
  y.command(
    ['selfcheck', 'doctor'],
    'is the kubeconfig usable, what may you do, and what would a run create?',
    (own) => plainFormats(own).option('image', { type: 'string', requiresArg: true, describe: 'image for debug pods (default: one that the nodes have)' }),
    (a) => answer(async () => (await import('./selfcheck.ts')).selfcheck({ ...(await configured(connection(a))), version }, screen(true))),
  );

function parser(words: string[], start: Start) {
  const base = yargs(words)
    .scriptName('k8s-doctor')
    .locale('en')
    .usage('Finds out why a Kubernetes Service does not connect, and proves it.\n\nk8s-doctor svc NAME [-n NAMESPACE] [--from pod/CLIENT]');
  const commands = [
    svcCommand,
    ingressCommand,
    routeCommand,
    urlCommand,
    webhookCommand,
    apiServiceCommand,
    fixCommand,
    scanCommand,
    reachCommand,
    demoCommand,
    explainCommand,
    cleanupCommand,
    rbacCommand,
    selfcheckCommand,
    mcpCommand,
    completionCommand,
    versionCommand,
  ];
  return verboseOption(commands.reduce((y, add) => add(y, start), base))
    .version(start.version)
    .help()
    .alias('help', 'h')
    .demandCommand(1, '')
    .strict()
    .recommendCommands()
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail(refuseWords);
}

/** The help of a command, or of all. */
export function helpOf(command: string | undefined, version: string): Promise<string> {
  const paint = { erase: () => {} };
  const y = parser([], { version, screen: (colour) => screenWith(paint, colour), answer: () => {} });
  return new Promise((resolve) => void y.parse([...(command === undefined ? [] : [command]), '--help'], {}, (_error, _argv, output) => resolve(output)));
}

const screenWith = (paint: Paint, colour: boolean): Screen => ({
  stdout: process.stdout,
  paint,
  env: process.env,
  colour: colour && process.stdout.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
});

/** The typed options of `svc`, with times in milliseconds. */
const asTyped = <A extends { requestTimeout: string; timeout: string }>(a: A, version: string) => ({
  ...a,
  requestTimeoutMs: duration('request-timeout', a.requestTimeout),
  timeoutMs: duration('timeout', a.timeout),
  version,
});

/** `k8s-doctor` without a command: the explorer, where the terminal can draw it. */
async function exploring(words: string[], version: string, paint: Paint): Promise<number> {
  const parsed = await svcOptions(yargs(words)).strict().demandCommand(0, 0).version(false).help(false).exitProcess(false).fail(refuseWords).parseAsync();
  if (parsed.ui === 'never') throw new UsageError('Which command?');
  return (await import('./terminal-ui.ts')).explore({ ...(await configured(asTyped(parsed, version))), name: undefined }, screenWith(paint, parsed.color));
}

/** Options without a command have no message. */
function refuseWords(message: string | null, error: Error | undefined): never {
  throw error ?? new UsageError(message ?? 'Which command?');
}

/** Runs the command that the words name and sets the exit status. Every failure ends here as one sentence. */
export async function main(words: string[], version: string, paint: Paint): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader (head, less) has closed the pipe.
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    throw error;
  });
  const verbose = words.includes('-v') || words.includes('--verbose');
  try {
    let run: (() => Promise<number>) | undefined;
    const y = parser(words, { version, screen: (colour) => screenWith(paint, colour), answer: (chosen) => (run = chosen) });
    const namesNothing = words.length === 0 || (words[0]?.startsWith('-') && !words.some((w) => /^(-h|--help|--version)$/.test(w)));
    if (namesNothing && isDrawable(process.env)) {
      process.exitCode = await exploring(words, version, paint);
      return;
    }
    if (words.length === 0) {
      process.stderr.write(`${await y.getHelp()}\n`);
      process.exitCode = 3;
      return;
    }
    const parsed = await y.parseAsync();
    const twice = Object.entries(parsed).find(([name, value]) => Array.isArray(value) && !repeatable.has(name));
    if (twice) throw new UsageError(`--${twice[0]} is given more than once; give it once.`);
    if (run) process.exitCode = await run();
  } catch (error) {
    paint.erase();
    process.exitCode = report(error as Error, verbose);
  }
}

function report(error: Error, verbose: boolean): number {
  const signal = (error as { signal?: string }).signal;
  if (signal !== undefined) {
    process.stderr.write(`${error.message}\n`);
    return { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal] ?? 3;
  }
  const usage = error instanceof UsageError || error.name === 'YError';
  const known = usage || error instanceof CannotRun;
  const text = usage
    ? `${error.message
        .replace(/\s+/g, ' ')
        .trim()
        .replace(/(?<![.?])$/, '.')} Run "k8s-doctor --help" for the options.`
    : known
      ? error.message
      : `k8s-doctor failed unexpectedly (${error.message}); run it again with -v and report what it prints.`;
  process.stderr.write(`${text}\n`);
  if (verbose) process.stderr.write(`${error.stack}\n`);
  return 3;
}
