/** Who owns an object beside Kubernetes, and who set its fields when: read off labels, annotations, owner references and managedFields. */

/** A program or a controller that keeps an object as it wants it. */
export interface Owner {
  /** As a person says it: `Helm release "web"`. */
  name: string;
  /** It puts the object back by itself; others only at their next run. */
  reverts: boolean;
}

/** The fields that one manager set, and when it did so last (metav1.ManagedFieldsEntry). Field paths, never values. */
export interface FieldChange {
  manager: string;
  operation: string;
  /** RFC 3339. */
  time: string;
  fields: string[];
}

interface RawMeta {
  labels?: Record<string, string> | null | undefined;
  annotations?: Record<string, string> | null | undefined;
  ownerReferences?: readonly { kind: string; name: string; controller?: boolean | undefined }[] | null | undefined;
  managedFields?: readonly RawEntry[] | null | undefined;
}

interface RawEntry {
  manager?: string | undefined;
  operation?: string | undefined;
  time?: string | null | undefined;
  subresource?: string | undefined;
  fieldsV1?: unknown;
}

/** Owners that Kubernetes itself has for its objects; they do not write a template or a spec back. */
const builtIn = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'Service', 'Node', 'Pod'];

interface Sign {
  owner(value: string): string;
  reverts: boolean;
}

/** Labels and annotations by which tools mark what they made, each as its own documentation names it. */
const signs: Record<string, Sign> = {
  // helm.sh/docs/chart_best_practices/labels, "meta.helm.sh" annotations
  'meta.helm.sh/release-name': { owner: (x) => `Helm release "${x}"`, reverts: false },
  // argo-cd.readthedocs.io, "Resource Tracking"
  'argocd.argoproj.io/tracking-id': { owner: (x) => `Argo CD application "${x.split(':')[0]}"`, reverts: true },
  'argocd.argoproj.io/instance': { owner: (x) => `Argo CD application "${x}"`, reverts: true },
  // fluxcd.io/flux/components/kustomize/kustomizations, helm/helmreleases
  'kustomize.toolkit.fluxcd.io/name': { owner: (x) => `Flux Kustomization "${x}"`, reverts: true },
  'helm.toolkit.fluxcd.io/name': { owner: (x) => `Flux HelmRelease "${x}"`, reverts: true },
  // kubernetes/kubernetes, cluster/addons/addon-manager
  'addonmanager.kubernetes.io/mode': { owner: (x) => `the cluster's addon manager (${x})`, reverts: true },
  // olm.operatorframework.io
  'olm.owner': { owner: (x) => `Operator Lifecycle Manager (${x})`, reverts: true },
  // fleet.rancher.io
  'objectset.rio.cattle.io/id': { owner: (x) => `Rancher Fleet (${x})`, reverts: true },
  // carvel.dev/kapp
  'kapp.k14s.io/app': { owner: (x) => `kapp application "${x}"`, reverts: false },
};

/** Managers of fields that are such tools, where they leave no label. */
const managers: readonly [RegExp, string, boolean][] = [
  [/^argocd/, 'Argo CD', true],
  [/^(kustomize|helm)-controller$/, 'Flux', true],
  [/^(Terraform|HashiCorp)/, 'Terraform', false],
  [/^pulumi/, 'Pulumi', false],
];

/** The owners of an object that a change must go through, or that would undo it. */
export function ownersOf({ labels, annotations, ownerReferences, managedFields }: RawMeta): Owner[] {
  const marked = Object.entries({ ...annotations, ...labels }).flatMap(([key, value]): Owner[] => {
    const sign = Object.hasOwn(signs, key) ? signs[key] : undefined;
    return sign ? [{ name: sign.owner(value), reverts: sign.reverts }] : [];
  });
  const operators = (ownerReferences ?? [])
    .filter((o) => o.controller && !builtIn.includes(o.kind))
    .map((o): Owner => ({ name: `${o.kind} "${o.name}"`, reverts: true }));
  const byManager = (managedFields ?? []).flatMap((f) =>
    managers.filter(([is]) => is.test(f.manager ?? '')).map(([, name, reverts]): Owner => ({ name, reverts })),
  );
  const known = [...marked, ...operators];
  const all = [...known, ...byManager.filter((m) => !known.some((k) => k.name.startsWith(m.name)))];
  return [...new Map(all.map((o) => [o.name, o])).values()];
}

const maxFields = 80;
const isField = (key: string) => key.startsWith('f:');

/** The paths of fieldsV1 (sigs.k8s.io/structured-merge-diff): `f:` is a field, `k:` an item by its keys, `v:` an item of a set, `.` the thing itself. */
function pathsOf(node: unknown, path: string): string[] {
  if (typeof node !== 'object' || node === null) return [path];
  const below = Object.entries(node).filter(([key]) => isField(key) || key.startsWith('k:'));
  if (below.length === 0) return path === '' ? [] : [path];
  return below.flatMap(([key, value]) => pathsOf(value, isField(key) ? `${path}${path && '.'}${key.slice(2)}` : path));
}

/** Fields that people set; a status is written by controllers all the time. */
const isWanted = (path: string) => !path.startsWith('status') && !path.includes('.annotations') && !path.includes('.env.');

/** Who set which fields, the newest first. */
export function historyOf(managedFields: readonly RawEntry[] | null | undefined): FieldChange[] {
  return (managedFields ?? [])
    .flatMap((f): FieldChange[] => {
      const fields = [...new Set(pathsOf(f.fieldsV1, '').filter(isWanted))].slice(0, maxFields);
      if (!f.time || fields.length === 0 || f.subresource === 'status') return [];
      return [{ manager: f.manager ?? '', operation: f.operation ?? '', time: f.time, fields }];
    })
    .toSorted((a, b) => (a.time < b.time ? 1 : -1));
}
