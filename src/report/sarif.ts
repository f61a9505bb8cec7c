import { type Code, codes, issueOf } from '../catalog/codes.ts';
import type { Diagnosis } from '../diagnose/diagnosis.ts';
import type { Finding } from '../verdict/verdict.ts';

const levels = { error: 'error', warning: 'warning', info: 'note' } as const;
const ruleOrder = Object.keys(codes) as Code[];

/**
 * Where a finding lies: an object of a cluster, as a logical location (SARIF 2.1.0, section 3.33). GitHub's code scanning refuses the whole file where a
 * result has no physical location, so its name is given as a path, too.
 */
function location({ object }: Finding) {
  const parts = [object.namespace, object.kind, object.name].filter((x) => x !== '');
  return {
    physicalLocation: { artifactLocation: { uri: parts.map(encodeURIComponent).join('/') }, region: { startLine: 1 } },
    logicalLocations: [{ name: object.name, kind: 'resource', fullyQualifiedName: parts.join('/') }],
  };
}

const markdown = (f: Finding): string =>
  [
    f.message,
    ...f.evidence.map((e) => `- ${e.source}: ${e.text}`),
    ...f.fix.map((x) => `Fix: ${x.text}${x.command === undefined ? '' : `\n${x.command}`}`),
  ].join('\n');

/** A finding of a run, and what else is known of it. */
export interface SarifResult {
  f: Finding;
  properties: Record<string, unknown>;
}

/** Findings as SARIF 2.1.0 (OASIS), as code scanning reads it: a result each. */
export function sarif(version: string, startedAt: string, properties: Record<string, unknown>, findings: readonly SarifResult[]): string {
  const used = ruleOrder.filter((code) => findings.some(({ f }) => f.code === code));
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'k8s-doctor',
            version,
            rules: used.map((code) => {
              const { issue, symptom, resolution } = issueOf(code);
              return {
                id: code,
                shortDescription: { text: `${issue}: ${symptom}` },
                fullDescription: { text: `${issue}: ${symptom}. ${resolution}.` },
                help: { text: `${resolution}. k8s-doctor explain ${code}` },
              };
            }),
          },
        },
        invocations: [{ executionSuccessful: true, startTimeUtc: startedAt }],
        properties,
        results: findings.map(({ f, properties: more }) => ({
          ruleId: f.code,
          ruleIndex: used.indexOf(f.code),
          level: levels[f.severity],
          message: { text: markdown(f) },
          locations: [location(f)],
          properties: { ...more, confidence: f.confidence },
        })),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

/** The findings of a diagnosis; the verdict and its causes among the properties. */
export function renderSarif(d: Diagnosis): string {
  const isCause = (f: Finding) => d.verdict.causes.some((c) => c.code === f.code && c.message === f.message);
  const findings = d.checks.flatMap((c) => c.findings.map((f) => ({ f, properties: { check: c.id, cause: isCause(f) } })));
  const { status, summary } = d.verdict;
  return sarif(d.version, d.startedAt, { service: `${d.service.namespace}/${d.service.name}`, status, summary }, findings);
}
