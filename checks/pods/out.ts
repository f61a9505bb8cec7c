/** Pods that are to get no more requests, while others serve: replaced, or taken out of the Service until somebody corrects them. */
import type { Pod, Service } from '../../src/facts/objects.ts';
import type { Fix } from '../check.ts';
import { fixBy, patchOf, restartOf } from '../fix.ts';

/** A pod of a controller is deleted and replaced; one by itself loses the label by which the Service selects it. `hope`: what a new pod is expected to do. */
export function withoutPods(service: Service, pods: readonly Pod[], hope: string): Fix[] {
  const [key] = Object.keys(service.spec.selector ?? {});
  if (key === undefined || pods.length === 0) return [];
  const names = pods.map((p) => p.metadata.name).join(', ');
  if (pods.every((p) => p.metadata.ownerReferences.some((o) => o.controller)))
    return [
      {
        ...fixBy(`Delete ${names}; its controller makes another pod`, ...pods.map((p) => restartOf(p.metadata.namespace, p.metadata.name))),
        assumes: `a new pod ${hope}`,
      },
    ];
  return [aside(service, pods)].flat();
}

/** Without the label of the selector a pod keeps running and gets no requests. */
export function aside(service: Service, pods: readonly Pod[]): Fix[] {
  const [key] = Object.keys(service.spec.selector ?? {});
  if (key === undefined || pods.length === 0) return [];
  const names = pods.map((p) => p.metadata.name).join(', ');
  return [
    fixBy(
      `Take ${names} out of Service "${service.metadata.name}" until it is corrected: remove its label ${key}`,
      ...pods.map((p) => patchOf(p.metadata.namespace, `pod/${p.metadata.name}`, { metadata: { labels: { [key]: null } } })),
    ),
  ];
}
