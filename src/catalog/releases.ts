/** The releases of Kubernetes on which k8s-doctor is tested (docs/clusters.md). */
export const tested = { oldest: 33, newest: 37 } as const;

export type Skew = 'tested' | 'older' | 'newer' | 'unknown';

/** Whether a release (`v1.35.4`, `v1.33.5-eks-1234`) is among the tested ones; `unknown` where it has no such form. */
export function skewOf(release: string): Skew {
  const found = /^v?1\.(\d+)/.exec(release);
  if (!found) return 'unknown';
  const minor = Number(found[1]);
  return minor < tested.oldest ? 'older' : minor > tested.newest ? 'newer' : 'tested';
}

const range = `v1.${tested.oldest} to v1.${tested.newest}`;

/** What the skew means for a person. */
export const skewText: Record<Skew, string> = {
  tested: `among the releases that k8s-doctor is tested with (${range})`,
  older: `older than the releases that k8s-doctor is tested with (${range}): what it does not have is named as not seen`,
  newer: `newer than the releases that k8s-doctor is tested with (${range}): rules in a new form are named as not understood`,
  unknown: `not a release that k8s-doctor knows; it is tested with ${range}`,
};
