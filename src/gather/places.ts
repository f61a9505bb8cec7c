/** Where a command is run, or a log is read. */
import type { Pod } from '../facts/objects.ts';

/** The first container of a pod: that of kube-proxy, and of other programs that run alone in theirs. */
export const firstContainerOf = ({ metadata, spec }: Pod): { namespace: string; pod: string; container: string } => ({
  namespace: metadata.namespace,
  pod: metadata.name,
  container: spec.containers[0]?.name ?? '',
});
