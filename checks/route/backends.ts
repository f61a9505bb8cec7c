import { nearestNames } from '../../src/catalog/nearest-names.ts';
import type { Service } from '../../src/facts/objects.ts';
import { gatewayGroup } from '../../src/front/attached.ts';
import { type Backend, type Claim, claimsOfIngress, claimsOfRoute } from '../../src/front/claims.ts';
import { choose } from '../../src/front/choose.ts';
import { check, type Draft, type Fix, judged, skip, unknown } from '../check.ts';
import { fixBy, kubectl, patch } from '../fix.ts';
import { plural, some } from '../format.ts';
import { conditionText } from './words.ts';

type Front = Parameters<typeof choose>[0];

/** Whether a ReferenceGrant lets a route of another namespace name the Service (Gateway API, ReferenceGrant). */
function isGranted(front: Front, claim: Claim, backend: Backend): boolean | undefined {
  if (backend.namespace === claim.namespace) return true;
  if (!front.referenceGrants.seen) return undefined;
  return front.referenceGrants.value.some(
    ({ metadata, spec }) =>
      metadata.namespace === backend.namespace &&
      spec.from.some((f) => f.group === gatewayGroup && f.kind === claim.kind && f.namespace === claim.namespace) &&
      spec.to.some((t) => t.group === backend.group && t.kind === backend.kind && (t.name == null || t.name === backend.name)),
  );
}

/** Where the backend is written, as a JSON Pointer. */
function pointerOf(claim: Claim, backend: Backend, field: 'name' | 'port' | 'weight'): string {
  const rule = claim.field
    .replace(/\.matches\[\d+\]$/, '')
    .replaceAll('.', '/')
    .replaceAll(/\[(\d+)\]/g, '/$1');
  if (claim.kind !== 'Ingress') return `/${rule}/backendRefs/${claim.backends.indexOf(backend)}/${field}`;
  return `/${claim.field === 'spec.defaultBackend' ? rule : `${rule}/backend`}/service/${field}`;
}

const rewritten = (text: string, claim: Claim, backend: Backend, field: 'name' | 'port' | 'weight', value: unknown): Fix =>
  patch(text, claim.namespace, `${claim.kind.toLowerCase()}/${claim.name}`, [{ op: 'replace', path: pointerOf(claim, backend, field), value }], 'json');

/** Which of several backends is to serve is not known. */
function weighted(claim: Claim, edit: string): Fix[] {
  const [first, ...others] = claim.backends;
  return first && others.length === 0
    ? [rewritten(`Give Service "${first.name}" weight 1 in ${claim.field}`, claim, first, 'weight', 1)]
    : [{ text: `Give a backend of ${claim.field} that is to serve a weight of more than 0`, command: edit }];
}

interface Problem {
  backend: Backend;
  text: string;
  fix: Fix[];
}

function problemOf(front: Front, services: readonly Service[], claim: Claim, backend: Backend): Problem | undefined {
  const { namespace, name, port } = backend;
  const found = services.find((s) => s.metadata.namespace === namespace && s.metadata.name === name);
  const own = services.filter((s) => s.metadata.namespace === namespace).map((s) => s.metadata.name);
  const wrong = (text: string, fix: Fix[]): Problem => ({ backend, text, fix });
  if (isGranted(front, claim, backend) === false) {
    const manifest = {
      apiVersion: `${gatewayGroup}/v1beta1`,
      kind: 'ReferenceGrant',
      metadata: { name: `${claim.namespace}-to-${name}`, namespace },
      spec: { from: [{ group: gatewayGroup, kind: claim.kind, namespace: claim.namespace }], to: [{ group: '', kind: 'Service', name }] },
    };
    return wrong(`Service ${namespace}/${name} is in another namespace, and no ReferenceGrant there lets it be named`, [
      fixBy(`Create a ReferenceGrant in namespace ${namespace}`, {
        how: 'create',
        kind: 'referencegrant',
        namespace,
        name: manifest.metadata.name,
        manifest,
      }),
    ]);
  }
  if (!found) {
    const near = nearestNames(name, own)[0];
    return wrong(`Service ${namespace}/${name} does not exist${near ? `; did you mean "${near}"?` : ''}`, [
      near
        ? rewritten(`Name Service "${near}" in ${claim.field}`, claim, backend, 'name', near)
        : { text: `Create the Service, or name another in ${claim.field}`, command: `kubectl -n ${namespace} get services` },
    ]);
  }
  const ports = found.spec.ports;
  const only = ports.length === 1 ? ports[0] : undefined;
  if (port === null && ports.length !== 1 && claim.kind !== 'Ingress')
    return wrong(`no port of Service ${namespace}/${name} is named`, [{ text: `Name one of its ports in ${claim.field}` }]);
  if (port !== null && !ports.some((p) => p.port === port || p.name === port))
    return wrong(`Service ${namespace}/${name} has no port ${port}; it has: ${ports.map((p) => `${p.port}${p.name ? ` (${p.name})` : ''}`).join(', ')}`, [
      only
        ? rewritten(`Name port ${only.port} in ${claim.field}`, claim, backend, 'port', claim.kind === 'Ingress' ? { number: only.port } : only.port)
        : { text: `Name one of its ports in ${claim.field}` },
    ]);
  return undefined;
}

export const backends = check({
  id: 'route/backends',
  title: 'Every backend is a Service that is there, with that port',
  needs: ['target', 'front'],
  codes: ['route-backend-invalid'],
  run({ target, front }) {
    const chosen = choose(front, target);
    if (!chosen) return skip('no rule is concerned');
    if (!front.services.seen) return unknown(front.services.why);
    const services = front.services.value;
    const { ingress, route } = chosen;
    const claims = target.front?.kind === 'url' ? chosen.claims.slice(0, 1) : ingress ? claimsOfIngress(ingress) : route ? claimsOfRoute(route) : [];
    if (claims.length === 0) return skip('no rule is concerned');
    const object = { kind: claims[0]?.kind ?? '', namespace: claims[0]?.namespace ?? '', name: claims[0]?.name ?? '' };
    const refusals = (route?.status.parents ?? []).flatMap((p) => p.conditions.filter((c) => c.type === 'ResolvedRefs' && c.status === 'False'));
    const edit = kubectl(object.namespace, 'edit', object.kind.toLowerCase(), object.name);
    const seenFields = new Set<string>();
    const drafts = claims.flatMap((claim): Draft<'route-backend-invalid'>[] => {
      if (seenFields.has(claim.field)) return [];
      seenFields.add(claim.field);
      const isAsked = claim.field === chosen.own?.field;
      const about = (message: string, fix: Fix[], scope: 'all' | 'part'): Draft<'route-backend-invalid'> => ({
        code: 'route-backend-invalid',
        severity: isAsked ? 'error' : 'warning',
        confidence: 'confirmed',
        scope,
        object,
        message,
        evidence: [
          {
            source: claim.kind === 'Ingress' ? 'ingress' : 'route',
            text: `${claim.field}: ${claim.backends.map((b) => `${b.namespace}/${b.name}:${b.port ?? ''}${claim.backends.length > 1 || b.weight !== 1 ? ` weight ${b.weight}` : ''}`).join(', ') || 'no backend'}`,
          },
          ...refusals.slice(0, 1).map((c) => ({ source: 'status', text: conditionText(c) })),
        ],
        fix,
      });
      if (claim.answers) return [];
      if (claim.backends.length === 0)
        return [
          about(
            `${object.kind} "${object.name}": ${claim.field} names no backend, so its requests fail`,
            [{ text: `Name a Service in ${claim.field}`, command: edit }],
            'all',
          ),
        ];
      if (claim.backends.every((b) => b.weight === 0))
        return [about(`${object.kind} "${object.name}": every backend of ${claim.field} has weight 0, so its requests fail`, weighted(claim, edit), 'all')];
      const ofServices = claim.backends.filter((b) => b.kind === 'Service' && b.group === '');
      const problems = ofServices.flatMap((b) => problemOf(front, services, claim, b) ?? []);
      if (problems.length === 0) return [];
      const live = claim.backends.filter((b) => b.weight > 0);
      const isAll = live.every((b) => problems.some((p) => p.backend === b));
      return [
        about(
          `${object.kind} "${object.name}": ${some(
            problems.map((p) => p.text),
            2,
          )}`,
          problems.flatMap((p) => p.fix),
          isAll ? 'all' : 'part',
        ),
      ];
    });
    if (drafts.length > 0) return judged(drafts);
    const other = refusals[0];
    if (other)
      return judged([
        {
          code: 'route-backend-invalid',
          severity: 'error',
          confidence: 'confirmed',
          scope: 'all',
          object,
          message: `${object.kind} "${object.name}": ResolvedRefs is False (${other.reason})${other.message ? `: ${other.message}` : ''}`,
          evidence: [{ source: 'status', text: conditionText(other) }],
          fix: [
            {
              text: 'Correct the reference that the condition names',
              command: `kubectl -n ${object.namespace} describe ${object.kind.toLowerCase()} ${object.name}`,
            },
          ],
        },
      ]);
    const named = [...new Set(claims.flatMap((c) => c.backends.map((b) => b.name)))];
    return judged([], `${plural(named.length, 'backend')}: ${some(named)}`);
  },
});
