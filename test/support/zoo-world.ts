/** What was recorded of the zoo: its objects, each node's rules, and what real connections met. */
import * as v from 'valibot';
import * as o from '../../src/facts/objects.ts';

const seen = v.object({
  /** Who connected: a pod on a node, or the node itself. */
  from: v.object({ node: v.string(), hostNetwork: v.boolean(), address: v.string() }),
  to: v.object({ address: v.string(), port: v.number(), protocol: v.picklist(['TCP', 'UDP']) }),
  /** `refused`, `timed-out`, or the address of the pod that answered; one for each attempt. */
  outcomes: v.array(v.string()),
  /** The client's address as the backend saw it; null where nothing answered, or for UDP. */
  seenAs: v.nullable(v.string()),
});

export const zooWorld = v.object({
  mode: v.string(),
  nodes: v.array(v.object({ name: v.string(), zone: v.string(), address: v.string() })),
  services: v.array(o.service),
  slices: v.array(o.endpointSlice),
  rules: v.record(v.string(), v.record(v.string(), v.string())),
  seen: v.array(seen),
});
export type ZooWorld = v.InferOutput<typeof zooWorld>;
export type Seen = v.InferOutput<typeof seen>;
