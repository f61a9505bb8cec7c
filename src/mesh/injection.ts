/** Whether a pod asks for a sidecar and has none (Istio documentation, "Controlling the injection policy"; Linkerd, "Automatic Proxy Injection"). */
import type { Injector, MeshPod } from '../facts/mesh.ts';
import { matchesLabels } from '../facts/selectors.ts';
import { membershipOf } from './member.ts';

export interface Missing {
  /** What asks for a sidecar: `label istio.io/rev=canary of namespace shop` */
  asked: string;
  /** True where a webhook would add one now: the pod is older than that. */
  isServed: boolean;
}

/** The label or annotation by which a pod, or its namespace, asks for a sidecar. */
function askedBy(pod: MeshPod, namespaceLabels: Record<string, string>): string | undefined {
  if (pod.proxySettings['linkerd.io/inject'] === 'enabled') return 'annotation linkerd.io/inject=enabled';
  const own = pod.labels['sidecar.istio.io/inject'] ?? pod.proxySettings['sidecar.istio.io/inject'];
  if (own === 'false' || namespaceLabels['istio-injection'] === 'disabled' || pod.hostNetwork) return undefined;
  if (own === 'true') return 'label sidecar.istio.io/inject=true';
  if (pod.labels['istio.io/rev'] !== undefined) return `label istio.io/rev=${pod.labels['istio.io/rev']}`;
  const where = `of namespace ${pod.namespace}`;
  if (namespaceLabels['istio-injection'] === 'enabled') return `label istio-injection=enabled ${where}`;
  // The older label decides where a namespace has both.
  return namespaceLabels['istio.io/rev'] === undefined ? undefined : `label istio.io/rev=${namespaceLabels['istio.io/rev']} ${where}`;
}

const everything = { matchLabels: {}, matchExpressions: [] };

/** Undefined where the pod has its sidecar, or nothing asks for one. */
export function missingSidecar(pod: MeshPod, namespaceLabels: Record<string, string>, injectors: readonly Injector[]): Missing | undefined {
  const asked = membershipOf(pod) === null ? askedBy(pod, namespaceLabels) : undefined;
  if (asked === undefined) return undefined;
  const isServed =
    asked.includes('linkerd') ||
    injectors.some((i) =>
      i.webhooks.some((w) => matchesLabels(w.namespaceSelector ?? everything, namespaceLabels) && matchesLabels(w.objectSelector ?? everything, pod.labels)),
    );
  return { asked, isServed };
}
