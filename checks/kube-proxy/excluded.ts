import { isHeadless } from '../../src/facts/selectors.ts';
import { excludingLabels } from '../../src/proxy/expected.ts';
import { check, judged, skip } from '../check.ts';
import { serviceRef } from '../format.ts';
import { patch } from '../fix.ts';

/** kube-proxy ignores Services with one of two labels (KEP-2447). */
export const excluded = check({
  id: 'kube-proxy/excluded',
  title: 'kube-proxy handles the Service',
  needs: ['target', 'service'],
  codes: ['service-excluded-from-proxy'],
  run({ target, service }) {
    if (!service || isHeadless(service) || service.spec.type === 'ExternalName') return skip('the Service has no virtual IP');
    const label = excludingLabels.find((l) => service.metadata.labels[l] !== undefined);
    if (!label) return judged([]);
    return judged([
      {
        code: 'service-excluded-from-proxy',
        severity: 'error',
        confidence: 'likely',
        scope: 'all',
        object: serviceRef(target),
        message: `Service "${target.name}" has the label ${label}=${service.metadata.labels[label]}, so kube-proxy ignores it and its virtual IP has no rules`,
        evidence: [{ source: 'service', text: `metadata.labels: ${label}=${service.metadata.labels[label]}` }],
        fix: [
          patch(`Remove the label ${label} from Service "${target.name}"`, target.namespace, `service/${target.name}`, {
            metadata: { labels: { [label]: null } },
          }),
          { text: 'Or run the proxy that the label names' },
        ],
      },
    ]);
  },
});
