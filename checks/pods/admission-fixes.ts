/** Changes that would let in what the API server refused, read off its own message. */
import { amount } from '../../src/facts/scheduling.ts';
import type { Fix } from '../check.ts';
import { fixBy, patch } from '../fix.ts';
import { plural } from '../format.ts';
import { containerLists, containersPatch, nameOf, objectOf, type Owner } from './owner.ts';
import { quantity } from './quantity.ts';

/** `cpu=1,pods=2` as a message of the quota's admission plug-in has it. */
const pairs = (text: string | undefined): [string, string][] =>
  (text ?? '').split(',').flatMap((p): [string, string][] => {
    const [key, value] = p.split('=');
    return key && value ? [[key.trim(), value.trim()]] : [];
  });

/** The quota with room for the pods that are missing (`exceeded quota: NAME, requested: …, used: …, limited: …`, pkg/quota admission). */
export function quotaRaised(owner: Owner, message: string, missing: number): Fix[] {
  const found = /exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+?)$/.exec(message.trim());
  if (!found) return [];
  const [, name = '', requested, used, limited] = found;
  const uses = new Map(pairs(used));
  const limits = new Map(pairs(limited));
  const hard = pairs(requested).map(([key, each]) => {
    const needed = amount(uses.get(key) ?? '0') + Math.max(1, missing) * amount(each);
    return [key, quantity(Math.max(needed, amount(limits.get(key) ?? '0')))] as const;
  });
  const text = `Raise ResourceQuota "${name}" to ${hard.map(([k, x]) => `${k}=${x}`).join(', ')}, enough for ${plural(Math.max(1, missing), 'more pod')}`;
  return [patch(text, owner.workload.metadata.namespace, `resourcequota/${name}`, { spec: { hard: Object.fromEntries(hard) } })];
}

/** Containers whose value is over a LimitRange's maximum get the maximum (`maximum memory usage per Container is 64Mi, but limit is 1Gi`). */
function withinLimits(owner: Owner, message: string): Fix[] {
  const found = /(maximum|minimum) (cpu|memory) usage per Container is (\S+), but (limit|request) is (\S+?)[.,]?(?:$|\s)/.exec(message);
  if (!found) return [];
  const [, bound = '', resource = '', allowed = '', , have = ''] = found;
  const isOver = (x: string | undefined) => x !== undefined && (bound === 'maximum' ? amount(x) > amount(allowed) : amount(x) < amount(allowed));
  const operations = containerLists.flatMap((list) =>
    owner.workload.spec.template.spec[list].flatMap((c, i) =>
      (['limits', 'requests'] as const).flatMap((part) =>
        isOver(c.resources?.[part]?.[resource])
          ? [{ op: 'replace', path: `/spec/template/spec/${list}/${i}/resources/${part}/${resource}`, value: allowed }]
          : [],
      ),
    ),
  );
  if (operations.length === 0) return [];
  const text = `Set the ${resource} of the containers of ${nameOf(owner)} to ${allowed}, the ${bound} of the LimitRange (it is ${have})`;
  return [{ ...patch(text, owner.workload.metadata.namespace, objectOf(owner), operations, 'json'), assumes: `its programs run with ${allowed}` }];
}

/** A ServiceAccount that is missing (`error looking up service account NS/NAME: serviceaccount "NAME" not found`). */
function withAccount({ workload }: Owner, message: string): Fix[] {
  const name = /serviceaccount "([^"]+)" not found/.exec(message)?.[1];
  if (name === undefined) return [];
  const { namespace } = workload.metadata;
  const manifest = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
  return [
    {
      ...fixBy(`Create ServiceAccount "${name}"`, { how: 'create', kind: 'serviceaccount', namespace, name, manifest }),
      assumes: 'its programs need no rights that were bound to the account',
    },
  ];
}

/** What Pod Security's "restricted" asks of a container, by the words of its messages (kubernetes/pod-security-admission, policy). */
const demands: readonly [RegExp, object][] = [
  [/securityContext\.allowPrivilegeEscalation=false/, { allowPrivilegeEscalation: false }],
  [/securityContext\.capabilities\.drop=\["ALL"\]/, { capabilities: { drop: ['ALL'] } }],
  [/securityContext\.runAsNonRoot=true/, { runAsNonRoot: true, runAsUser: 65534 }],
  [/securityContext\.seccompProfile\.type/, { seccompProfile: { type: 'RuntimeDefault' } }],
];

/** A template with the security context that Pod Security asks for. Other demands (host paths, host ports) take more than that. */
function secured(owner: Owner, message: string): Fix[] {
  if (!/violates PodSecurity/.test(message)) return [];
  const wants = message.match(/\((?:pod or )?containers? "[^)]*\)/g) ?? [];
  if (wants.length === 0 || !wants.every((w) => demands.some(([is]) => is.test(w)))) return [];
  const contexts = new Map<string, { securityContext: object }>();
  for (const want of wants)
    for (const [, name = ''] of want.split(' must set ')[0]?.matchAll(/"([^"]+)"/g) ?? [])
      contexts.set(name, { securityContext: { ...contexts.get(name)?.securityContext, ...demands.find(([is]) => is.test(want))?.[1] } });
  const text = `Give the containers of ${nameOf(owner)} the security context that the namespace asks for`;
  return [{ ...containersPatch(owner, text, contexts), assumes: 'its programs run as another user than root and with no privileges' }];
}

/** The changes of the template, or beside it, that the refusal itself asks for. */
export const allowedBy = (owner: Owner, message: string): Fix[] => [
  ...withinLimits(owner, message),
  ...withAccount(owner, message),
  ...secured(owner, message),
];
