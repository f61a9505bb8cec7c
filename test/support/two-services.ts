/** A healthy Service, and one whose program listens on another port: each is called shop, beside a pod client, in a namespace of its own. */
import { readFileSync } from 'node:fs';
import type { Diagnosis } from '../../src/diagnose/diagnosis.ts';
import { apply, createNamespace, deleteNamespace, must } from './kubectl.ts';

export const kinds = ['healthy', 'faulty'] as const;
export type Kind = (typeof kinds)[number];
const scenarios: Record<Kind, string> = { healthy: 'healthy-canary', faulty: 'port-named-in-arguments' };

/** Their namespaces; `create` waits until the pods are ready. */
export function twoServices(prefix: string) {
  const namespaces: Record<Kind, string> = { healthy: `${prefix}-healthy`, faulty: `${prefix}-faulty` };
  return {
    namespaces,
    create: () =>
      Promise.all(
        kinds.map(async (kind) => {
          await createNamespace(namespaces[kind]);
          await apply(namespaces[kind], readFileSync(new URL(`../e2e/scenarios/${scenarios[kind]}/objects.yaml`, import.meta.url), 'utf8'));
          await must('-n', namespaces[kind], 'wait', '--timeout=60s', '--for=condition=Ready', 'pod', '--all');
        }),
      ),
    remove: () => Promise.all(kinds.map((kind) => deleteNamespace(namespaces[kind]))),
  };
}

/** Causes that are another one than the Service's own. An undecided verdict names the failure that it saw, and what it could not see of its cause. */
export const otherCauses = (kind: Kind, { status, causes }: Diagnosis['verdict']): string[] =>
  causes
    .map((c) => c.code)
    .filter((code) => kind === 'healthy' || !(code === 'target-port-not-listening' || (status === 'undecided' && code === 'endpoint-failing')));
