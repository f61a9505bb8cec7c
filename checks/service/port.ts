import { portsAsked } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { serviceRef } from '../format.ts';

export const port = check({
  id: 'service/port',
  title: 'The Service has the requested port',
  needs: ['target', 'service'],
  codes: ['service-port-missing'],
  run({ target, service }) {
    if (!service) return skip('the Service does not exist');
    if (service.spec.type === 'ExternalName') return skip('an ExternalName has no ports');
    const ports = service.spec.ports.map((p) => `${p.port}${p.name ? ` (${p.name})` : ''}`);
    if (portsAsked(service, target.port)) return judged([]);
    return judged([
      {
        code: 'service-port-missing',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: serviceRef(target),
        message: `Service "${target.name}" has no port ${target.port}; its ports: ${ports.join(', ') || 'none'}`,
        evidence: [{ source: 'service', text: `spec.ports: ${ports.join(', ') || 'none'}` }],
        fix: [
          {
            text: `Connect to port ${ports.join(' or ')}, or add port ${target.port} to Service "${target.name}"`,
            command: `kubectl -n ${target.namespace} edit service ${target.name}`,
          },
        ],
      },
    ]);
  },
});
