import { nearestNames } from '../../src/catalog/nearest-names.ts';
import { check, judged, unknown } from '../check.ts';
import { serviceRef } from '../format.ts';

export const exists = check({
  id: 'service/exists',
  title: 'The Service exists',
  needs: ['target', 'service'],
  uses: ['nearServices', 'namespaces'],
  codes: ['service-not-found'],
  run({ target, service, nearServices, namespaces }) {
    const { namespace, name } = target;
    if (service) {
      const ports = service.spec.ports.map((p) => `${p.port} → ${p.targetPort ?? p.port}`).join(', ');
      const address =
        service.spec.type === 'ExternalName'
          ? (service.spec.externalName ?? '')
          : service.spec.clusterIP === 'None'
            ? 'headless'
            : service.spec.clusterIPs.join(', ');
      return judged(`${service.spec.type} ${address}${ports ? `, port ${ports}` : ''}`);
    }
    if (!nearServices.seen && nearServices.reason !== 'forbidden') return unknown(nearServices.why);
    const near = nearServices.seen ? nearServices.value : [];
    const elsewhere = near.filter((s) => s.name === name && s.namespace !== namespace);
    const here = near.filter((s) => s.namespace === namespace).map((s) => s.name);
    const similar = nearestNames(name, here)
      .slice(0, 3)
      .map((n) => ({ namespace, name: n }));
    const own = namespaces.seen ? namespaces.value[namespace] : undefined;
    const noNamespace = own?.seen === true && own.value === null;
    const meant = elsewhere[0] ?? similar[0];
    const hint =
      elsewhere.length > 0
        ? `; a Service of that name exists in namespace ${elsewhere.map((s) => s.namespace).join(', ')}`
        : similar.length > 0
          ? `; similar: ${similar.map((s) => `"${s.name}"`).join(', ')}`
          : '';
    return judged('', [
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
