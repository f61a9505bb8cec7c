import { nearestNames } from '../../src/catalog/nearest-names.ts';
import { valueOf } from '../../src/facts/fact.ts';
import type { Target } from '../../src/facts/facts.ts';
import type { Namespace, Service } from '../../src/facts/objects.ts';
import { endpointsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, unknown } from '../check.ts';
import { kubectl } from '../fix.ts';
import { serviceRef } from '../format.ts';

/** A Service that goes away, by itself or with its namespace. As long as it has ready endpoints it may still answer. */
function beingDeleted(target: Target, service: Service, namespace: Namespace | null | undefined, isServed: boolean): Draft<'being-deleted'> | undefined {
  const isLeaving = namespace?.metadata.deletionTimestamp != null || namespace?.status.phase === 'Terminating';
  const since = isLeaving ? namespace?.metadata.deletionTimestamp : service.metadata.deletionTimestamp;
  if (!isLeaving && since == null) return undefined;
  const what = isLeaving ? `Namespace "${target.namespace}"` : `Service "${target.name}"`;
  const remains = (isLeaving ? (namespace?.status.conditions ?? []) : []).filter((c) => c.type.endsWith('Remaining') && c.status === 'True');
  return {
    code: 'being-deleted',
    severity: isServed ? 'warning' : 'error',
    confidence: 'confirmed',
    scope: 'all',
    object: isLeaving ? { kind: 'Namespace', namespace: '', name: target.namespace } : serviceRef(target),
    message: isLeaving
      ? `${what} is being deleted${since ? ` (since ${since})` : ''}, and everything in it with it`
      : `${what} is being deleted${since ? ` (since ${since})` : ''}; a finalizer keeps it`,
    evidence: [
      { source: isLeaving ? 'namespaces' : 'service', text: `metadata.deletionTimestamp: ${since ?? 'not set'}` },
      ...remains.map((c) => ({ source: 'namespaces', text: c.message ?? c.type })),
    ],
    fix: [
      isLeaving
        ? {
            text: `Find out what deleted namespace "${target.namespace}", and create it again; what keeps it is in its status`,
            command: `kubectl get namespace ${target.namespace} -o yaml`,
          }
        : {
            text: 'Find out what deleted it and which finalizer keeps it, and create it again',
            command: kubectl(target.namespace, 'get', 'service', target.name, '-o', 'yaml'),
          },
    ],
  };
}

export const exists = check({
  id: 'service/exists',
  title: 'The Service exists',
  needs: ['target', 'service'],
  uses: ['nearServices', 'namespaces', 'slices'],
  codes: ['service-not-found', 'being-deleted'],
  run({ target, service, nearServices, namespaces, slices }) {
    const { namespace, name } = target;
    const own = namespaces.seen ? namespaces.value[namespace] : undefined;
    if (service) {
      const ports = service.spec.ports.map((p) => `${p.port} → ${p.targetPort ?? p.port}`).join(', ');
      const address =
        service.spec.type === 'ExternalName'
          ? (service.spec.externalName ?? '')
          : service.spec.clusterIP === 'None'
            ? 'headless'
            : service.spec.clusterIPs.join(', ');
      const isServed = slices.seen && endpointsOf(slices.value).some((e) => e.ready);
      const leaving = beingDeleted(target, service, own ? valueOf(own) : undefined, isServed);
      return judged(leaving ? [leaving] : [], `${service.spec.type} ${address}${ports ? `, port ${ports}` : ''}`);
    }
    if (!nearServices.seen && nearServices.reason !== 'forbidden') return unknown(nearServices.why);
    const near = nearServices.seen ? nearServices.value : [];
    const elsewhere = near.filter((s) => s.name === name && s.namespace !== namespace);
    const here = near.filter((s) => s.namespace === namespace).map((s) => s.name);
    const similar = nearestNames(name, here)
      .slice(0, 3)
      .map((n) => ({ namespace, name: n }));
    const noNamespace = own?.seen === true && own.value === null;
    const meant = elsewhere[0] ?? similar[0];
    const hint =
      elsewhere.length > 0
        ? `; a Service of that name exists in namespace ${elsewhere.map((s) => s.namespace).join(', ')}`
        : similar.length > 0
          ? `; similar: ${similar.map((s) => `"${s.name}"`).join(', ')}`
          : '';
    return judged([
      {
        code: 'service-not-found',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: serviceRef(target),
        message: noNamespace ? `Namespace "${namespace}" does not exist${hint}` : `Service "${name}" does not exist in namespace ${namespace}${hint}`,
        evidence: [
          { source: 'services', text: noNamespace ? `namespaces "${namespace}" not found` : `services "${name}" not found in namespace ${namespace}` },
          ...near.slice(0, 10).map((s) => ({ source: 'services', text: `${s.namespace}/${s.name} exists` })),
        ],
        fix: meant
          ? [
              {
                text: `Diagnose Service "${meant.name}" in namespace ${meant.namespace} instead`,
                command: `k8s-doctor svc ${meant.name} -n ${meant.namespace}`,
              },
            ]
          : [{ text: 'List all Services', command: 'kubectl get services -A' }],
      },
    ]);
  },
});
