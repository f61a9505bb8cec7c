/** The pieces of advice, each a function of its own, in the order in which they are shown. */
import { parseResolvConf } from '../dns/resolv-conf.ts';
import { wasted } from '../dns/resolver.ts';
import { valueOf } from '../facts/fact.ts';
import type { Pod } from '../facts/objects.ts';
import { lasting, matchesLabels } from '../facts/selectors.ts';
import type { Advice, Subject } from './advice.ts';

type Rule = (subject: Subject) => Advice[];

const docs = 'https://kubernetes.io/docs/';
const list = (names: readonly string[]): string => (names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', '));
const ofService = ({ service }: Subject) => ({ kind: 'Service', namespace: service.metadata.namespace, name: service.metadata.name });
const ofWorkload = ({ kind, workload }: Subject['workloads'][number]) => ({
  kind,
  namespace: workload.metadata.namespace,
  name: workload.metadata.name,
});
const podsText = (pods: readonly Pod[]): string => list(pods.map((p) => p.metadata.name));

/** Containers that have a port to which the Service sends, or the pod's own where none names its ports. */
function serving({ service }: Subject, spec: Pick<Pod['spec'], 'containers' | 'initContainers'>) {
  const targets = service.spec.ports.map((p) => p.targetPort ?? p.port);
  const named = lasting(spec).filter((c) => c.ports.some((p) => targets.includes(p.containerPort) || targets.includes(p.name)));
  return named.length > 0 ? named : spec.containers;
}

const readinessProbe: Rule = (subject) =>
  subject.workloads.flatMap((owner): Advice[] => {
    const without = serving(subject, owner.workload.spec.template.spec).filter((c) => !c.readinessProbe);
    if (without.length === 0) return [];
    return [
      {
        id: 'readiness-probe',
        object: ofWorkload(owner),
        text: `Container ${list(without.map((c) => `"${c.name}"`))} has no readinessProbe: its pod gets requests as soon as it runs, and goes on to get them when the program hangs`,
        source: `${docs}concepts/configuration/liveness-readiness-startup-probes/#readiness-probe`,
      },
    ];
  });

const oneReplica: Rule = (subject) =>
  subject.workloads.flatMap((owner): Advice[] =>
    owner.kind !== 'DaemonSet' && owner.workload.spec.replicas === 1 && subject.workloads.length === 1
      ? [
          {
            id: 'one-replica',
            object: ofWorkload(owner),
            text: 'It has one replica: each restart, eviction and drained node stops the Service',
            source: `${docs}concepts/workloads/controllers/deployment/#scaling-a-deployment`,
          },
        ]
      : [],
  );

const disruptionBudget: Rule = (subject) => {
  const { facts, pods } = subject;
  if (!facts.disruptionBudgets.seen) return [];
  const source = `${docs}tasks/run-application/configure-pdb/`;
  const own = facts.disruptionBudgets.value.filter((b) => b.spec.selector && pods.some((p) => matchesLabels(b.spec.selector ?? {}, p.metadata.labels)));
  const replicated = subject.workloads.filter((o) => o.kind !== 'DaemonSet' && (o.workload.spec.replicas ?? 1) > 1);
  if (own.length === 0)
    return replicated.map((owner) => ({
      id: 'no-disruption-budget',
      object: ofWorkload(owner),
      text: 'No PodDisruptionBudget selects its pods: all of them may be evicted at once when nodes are drained',
      source,
    }));
  return own
    .filter(({ status }) => status.disruptionsAllowed === 0 && status.expectedPods > 0 && status.currentHealthy >= status.expectedPods)
    .map((b) => ({
      id: 'disruption-budget-blocks',
      object: { kind: 'PodDisruptionBudget', namespace: b.metadata.namespace, name: b.metadata.name },
      text: `It allows no disruption although all ${b.status.expectedPods} pods are healthy: no node with one of them can be drained`,
      source,
    }));
};

const broadSelector: Rule = (subject) => {
  const { workloads } = subject;
  if (workloads.length < 2) return [];
  const names = workloads.map((o) => `${o.kind} ${o.workload.metadata.name}`);
  return [
    {
      id: 'selector-broad',
      object: ofService(subject),
      text: `Its selector matches pods of ${workloads.length} workloads (${list(names)}): if that is not meant, add a label that only one of them has`,
      source: `${docs}concepts/services-networking/service/#defining-a-service`,
    },
  ];
};

const portByNumber: Rule = (subject) => {
  const declared = subject.pods
    .slice(0, 1)
    .flatMap((p) => lasting(p.spec).flatMap((c) => c.ports))
    .filter((p) => p.name !== '');
  const named = subject.service.spec.ports.flatMap((port) => {
    const found = declared.find((p) => p.containerPort === port.targetPort && p.protocol === port.protocol);
    return found ? [`${port.targetPort} "${found.name}"`] : [];
  });
  if (named.length === 0) return [];
  return [
    {
      id: 'target-port-by-number',
      object: ofService(subject),
      text: `The pods have names for what targetPort gives by number (${list(named)}): by its name the Service follows when a new version listens elsewhere`,
      source: `${docs}concepts/services-networking/service/#field-spec-ports`,
    },
  ];
};

const barePods: Rule = (subject) => {
  const bare = subject.pods.filter((p) => p.metadata.ownerReferences.length === 0);
  if (bare.length === 0) return [];
  return [
    {
      id: 'bare-pods',
      object: ofService(subject),
      text: `No controller made ${podsText(bare)}: what is deleted, or was on a node that is lost, does not come back`,
      source: `${docs}concepts/workloads/pods/#working-with-pods`,
    },
  ];
};

const manualEndpoints: Rule = (subject) => {
  const slices = valueOf(subject.facts.slices) ?? [];
  const by = (name: string) => slices.filter((s) => s.metadata.labels['endpointslice.kubernetes.io/managed-by'] === name);
  if (by('endpointslicemirroring-controller.k8s.io').length === 0) return [];
  const beside = by('endpointslice-controller.k8s.io').length > 0;
  return [
    {
      id: 'manual-endpoints',
      object: ofService(subject),
      text: `A manually created Endpoints object is mirrored into its EndpointSlices${beside ? ', beside those of its selector' : ''}: Endpoints are deprecated since v1.33, write an EndpointSlice`,
      source: `${docs}concepts/services-networking/service/#endpoints`,
    },
  ];
};

const obsoleteFields: Rule = (subject) => {
  const obsolete = subject.service.metadata.obsolete ?? [];
  if (obsolete.length === 0) return [];
  const instead = (key: string) =>
    key.includes('tolerate-unready') ? 'spec.publishNotReadyAddresses' : key.includes('topology') ? 'spec.trafficDistribution' : 'its successor';
  return [
    {
      id: 'obsolete-annotation',
      object: ofService(subject),
      text: `Nothing reads ${list(obsolete)} any more; use ${[...new Set(obsolete.map(instead))].join(' and ')}`,
      source: `${docs}reference/labels-annotations-taints/`,
    },
  ];
};

const uselessAffinity: Rule = (subject) =>
  subject.service.spec.sessionAffinity === 'ClientIP' && subject.readyEndpoints === 1
    ? [
        {
          id: 'session-affinity-useless',
          object: ofService(subject),
          text: 'sessionAffinity ClientIP has no effect with one endpoint; with more, it sends everybody behind one address to the same pod',
          source: `${docs}reference/networking/virtual-ips/#session-affinity`,
        },
      ]
    : [];

const environmentTooOld: Rule = (subject) => {
  const client = valueOf(subject.facts.client);
  const pod = client?.pod;
  const { creationTimestamp: begun, namespace, name } = subject.service.metadata;
  if (!pod || pod.metadata.namespace !== namespace || pod.spec.enableServiceLinks === false || !begun) return [];
  if (!pod.metadata.creationTimestamp || pod.metadata.creationTimestamp >= begun || subject.service.spec.clusterIP === 'None') return [];
  const variable = `${name.toUpperCase().replaceAll('-', '_')}_SERVICE_HOST`;
  return [
    {
      id: 'environment-too-old',
      object: { kind: 'Pod', namespace, name: pod.metadata.name },
      text: `It is older than the Service, so that it has no variable ${variable}: a program that looks for it there, and not in DNS, needs a new pod`,
      source: `${docs}concepts/services-networking/service/#environment-variables`,
    },
  ];
};

const minReadySeconds: Rule = (subject) =>
  subject.workloads
    .filter((o) => o.kind === 'Deployment' && (o.workload.spec.minReadySeconds ?? 0) === 0 && (o.workload.spec.replicas ?? 1) > 1)
    .map((owner) => ({
      id: 'min-ready-seconds',
      object: ofWorkload(owner),
      text: 'minReadySeconds is 0: a rollout goes on as soon as a new pod was ready once, also where it crashes a moment later',
      source: `${docs}concepts/workloads/controllers/deployment/#min-ready-seconds`,
    }));

const noPreStop: Rule = (subject) =>
  subject.workloads.flatMap((owner): Advice[] => {
    const without = serving(subject, owner.workload.spec.template.spec).filter((c) => !c.lifecycle?.preStop);
    if (without.length === 0) return [];
    return [
      {
        id: 'no-pre-stop',
        object: ofWorkload(owner),
        text: `Container ${list(without.map((c) => `"${c.name}"`))} has no preStop hook: unless the program itself goes on for some seconds after SIGTERM, requests of nodes that do not know yet that the pod ends are refused`,
        source: `${docs}tutorials/services/pods-and-endpoint-termination-flow/`,
      },
    ];
  });

const searchCost: Rule = (subject) => {
  const { facts, service } = subject;
  const made = valueOf(facts.connections);
  const client = valueOf(facts.client);
  if (!made || made.standIn || made.resolvConf === null || !client?.pod) return [];
  const conf = parseResolvConf(made.resolvConf);
  const domain = conf.search.find((s) => s.startsWith('svc.'))?.slice('svc.'.length);
  if (domain === undefined) return [];
  const right = `${service.metadata.name}.${service.metadata.namespace}.svc.${domain}`;
  const cost = wasted(right, right, conf);
  if (cost === null || cost === 0) return [];
  return [
    {
      id: 'search-cost',
      object: { kind: 'Pod', namespace: client.namespace, name: client.name },
      text: `It asks ${cost} needless ${cost === 1 ? 'question' : 'questions'} before ${right} (ndots:${conf.ndots}), for each address family: end the name with a dot, or set ndots to 2 in dnsConfig`,
      source: `${docs}concepts/services-networking/dns-pod-service/#pod-dns-config`,
    },
  ];
};

export const advices: readonly Rule[] = [
  readinessProbe,
  oneReplica,
  disruptionBudget,
  broadSelector,
  portByNumber,
  barePods,
  manualEndpoints,
  obsoleteFields,
  uselessAffinity,
  environmentTooOld,
  minReadySeconds,
  noPreStop,
  searchCost,
];
