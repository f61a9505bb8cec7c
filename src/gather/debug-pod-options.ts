/** The labels and the image of a debug pod that replaces the client. */
import type { Fact } from '../facts/fact.ts';
import type { Client } from '../facts/facts.ts';
import type { Node } from '../facts/objects.ts';
import { valueOf } from './collector.ts';

/** The client's labels that policies select, for a debug pod that replaces it. */
export function policyLabels(client: Client, policies: readonly Record<string, Fact<unknown>>[]): Record<string, string> {
  const text = JSON.stringify(policies.flatMap((p) => Object.values(p).map((f) => valueOf(f) ?? [])));
  return Object.fromEntries(Object.entries(client.labels).filter(([key]) => text.includes(key)));
}

/** The images of a node, or of each where it is not known which. */
export const imagesOn = (nodes: readonly Node[] | undefined, node: string | null): string[][] =>
  (nodes ?? []).filter((n) => !node || n.metadata.name === node).map((n) => (n.status.images ?? []).flatMap((i) => i.names ?? []));
