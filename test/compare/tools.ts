/** The programs that are compared: how each is run on a cluster, and what of its output is about one namespace. */
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { doctor, kubectl, run } from '../support/kubectl.ts';

export interface Answer {
  /** What the program has to say against the namespace, or against the cluster's own parts: a line for each complaint. */
  complaints: string[];
  /** Lines that a person reads. */
  lines: number;
  ms: number;
}

export interface Tool {
  name: string;
  /** The version that it prints of itself; undefined: it is not on this machine. */
  version: () => Promise<string | undefined>;
  /** `args`: of the scenario, for the one that is asked about a Service. */
  ask: (namespace: string, args: readonly string[]) => Promise<Answer>;
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

/** The version in what a program prints of itself. */
async function versionOf(command: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { code, stdout } = await run(command, args);
    return code === 0 ? (/v?\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'of an unknown version') : undefined;
  } catch {
    return undefined;
  }
}

const own = (name: string, ...options: string[]): Tool => ({
  name,
  version: async () => (await doctor(['--version'])).stdout.trim(),
  async ask(_, args) {
    const [text, json] = [await doctor([...args, ...options, '-q']), await doctor([...args, ...options, '-q', '-o', 'json'])];
    const { causes } = (JSON.parse(json.stdout) as Diagnosis).verdict;
    return { complaints: causes.flatMap((c) => [c.message, ...c.evidence.map((e) => e.text)]), lines: linesOf(text.stdout).length, ms: text.ms };
  },
});

interface Popeye {
  popeye: { sections: { linter: string; issues?: Record<string, { level: number; message: string }[]> }[] };
}

const popeye: Tool = {
  name: 'popeye',
  version: () => versionOf('popeye', 'version'),
  async ask(namespace) {
    const [text, json] = [await run('popeye', ['-A']), await run('popeye', ['-A', '-o', 'json'])];
    const { sections } = (JSON.parse(json.stdout) as Popeye).popeye;
    const complaints = sections.flatMap(({ linter, issues }) =>
      Object.entries(issues ?? {})
        .filter(([object]) => object.startsWith(`${namespace}/`) || object.startsWith('kube-system/'))
        // From its level "warning" on.
        .flatMap(([object, found]) => found.filter((f) => f.level >= 2).map((f) => `${linter} ${object}: ${f.message}`)),
    );
    return { complaints, lines: linesOf(text.stdout).length, ms: text.ms };
  },
};

interface K8sGpt {
  results: { kind: string; name: string; error: { Text: string }[] }[] | null;
}

/** All analyzers that judge what a Service needs, its optional ones too; without a language model, which explains and does not find. */
const analyzers = 'Pod,Service,Deployment,ReplicaSet,StatefulSet,Ingress,Node,NetworkPolicy,ConfigMap,Log';

const k8sgpt: Tool = {
  name: 'k8sgpt',
  version: () => versionOf('k8sgpt', 'version'),
  async ask(namespace) {
    const text = await run('k8sgpt', ['analyze', '--filter', analyzers]);
    const json = await run('k8sgpt', ['analyze', '--filter', analyzers, '-o', 'json']);
    const results = (JSON.parse(json.stdout) as K8sGpt).results ?? [];
    const complaints = results
      .filter(({ name }) => name.startsWith(`${namespace}/`) || name.startsWith('kube-system/'))
      .flatMap(({ kind, name, error }) => error.map((e) => `${kind} ${name}: ${e.Text}`));
    return { complaints, lines: linesOf(text.stdout).length, ms: text.ms };
  },
};

/** What the Kubernetes documentation has a person read ("Debug Services"), one after another; it prints facts and complains of nothing. */
const byKubectl: Tool = {
  name: 'kubectl',
  version: () => versionOf('kubectl', 'version', '--client'),
  async ask(namespace) {
    const commands = [
      ['get', 'services,endpointslices,pods,deployments,networkpolicies', '-o', 'wide'],
      ['describe', 'service'],
      ['describe', 'pods'],
      ['describe', 'networkpolicies'],
      ['get', 'events'],
      ['logs', '-l', 'app=shop', '--all-containers', '--tail=20'],
      ['exec', 'client', '--', '/agnhost', 'connect', 'shop:80', '--timeout=3s'],
      ['get', 'pods,daemonsets,deployments', '-n', 'kube-system', '-o', 'wide'],
    ];
    const ran = [];
    for (const command of commands) ran.push(await kubectl('-n', namespace, ...command));
    const complaints = ran.flatMap((r) => linesOf(r.stdout + r.stderr));
    return { complaints, lines: complaints.length, ms: ran.reduce((sum, r) => sum + r.ms, 0) };
  },
};

export const tools: readonly Tool[] = [own('k8s-doctor'), own('k8s-doctor --probe none', '--probe', 'none'), popeye, k8sgpt, byKubectl];
