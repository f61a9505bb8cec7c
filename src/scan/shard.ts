/** A part of a large cluster: each namespace is in exactly one of several parts. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { CannotRun } from '../catalog/cannot-run.ts';
import { type Cluster, resources } from '../cluster/index.ts';
import { namespace } from '../facts/objects.ts';

export interface Shard {
  index: number;
  of: number;
}

/** Reads `I/N`. I is counted from 0, as an indexed Job does, or from 1: N/N is the same part as 0/N. Throws CannotRun for anything else. */
export function parseShard(text: string): Shard {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (!(shard.of > 0 && shard.index <= shard.of)) throw new CannotRun(`--shard "${text}" is not a part; write I/N, such as 0/4 to 3/4.`);
  return { ...shard, index: shard.index % shard.of };
}

export const isIn = ({ index, of }: Shard, name: string): boolean => createHash('sha256').update(name).digest().readUInt32BE(0) % of === index;

/** The namespaces of a part. Throws CannotRun where namespaces cannot be listed. */
export async function namespacesIn(cluster: Cluster, shard: Shard, signal: AbortSignal): Promise<string[]> {
  const listed = await cluster.list(resources.namespaces, { signal });
  if (!listed.ok) throw new CannotRun(`--shard needs to list the namespaces (${listed.failure.why}).`);
  return v
    .parse(v.array(namespace), listed.value)
    .map((n) => n.metadata.name)
    .filter((name) => isIn(shard, name));
}
