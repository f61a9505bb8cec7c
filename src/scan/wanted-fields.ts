/** The fields that a scan reads of the kinds with the most objects, by their numbers in `generated.proto` of k8s.io/api and apimachinery's meta/v1. */
import { field, type Fields } from '../cluster/index.ts';

const ownerReference: Fields = { 1: field('kind'), 3: field('name'), 4: field('uid'), 6: field('controller', 'boolean') };

const objectMeta: Fields = {
  1: field('name'),
  3: field('namespace'),
  5: field('uid'),
  7: field('generation', 'positive'),
  8: field('creationTimestamp', 'time'),
  9: field('deletionTimestamp', 'time'),
  11: field.map('labels'),
  13: field.list('ownerReferences', ownerReference),
};

const annotatedMeta: Fields = { ...objectMeta, 12: field.map('annotations') };

const httpGet: Fields = { 1: field('path'), 2: field('port', 'int-or-string'), 4: field('scheme') };
const handler: Fields = {
  1: field('exec', {}),
  2: field('httpGet', httpGet),
  3: field('tcpSocket', { 1: field('port', 'int-or-string') }),
  4: field('grpc', { 1: field('port', 'number') }),
};
const probe: Fields = {
  1: field.merged(handler),
  2: field('initialDelaySeconds', 'number'),
  4: field('periodSeconds', 'positive'),
  6: field('failureThreshold', 'positive'),
};

const container: Fields = {
  1: field('name'),
  2: field('image'),
  3: field.list('command'),
  4: field.list('args'),
  6: field.list('ports', { 1: field('name'), 3: field('containerPort', 'number'), 4: field('protocol') }),
  7: field.list('env', { 1: field('name'), 2: field('value') }),
  8: field('resources', { 1: field.map('limits', 'quantity'), 2: field.map('requests', 'quantity') }),
  11: field('readinessProbe', probe),
  12: field('lifecycle', { 2: field('preStop', {}) }),
  22: field('startupProbe', probe),
  24: field('restartPolicy'),
};

const requirement: Fields = { 1: field('key'), 2: field('operator'), 3: field.list('values') };
const nodeSelector: Fields = { 1: field.list('nodeSelectorTerms', { 1: field.list('matchExpressions', requirement) }) };

const podSpec: Fields = {
  2: field.list('containers', container),
  6: field('dnsPolicy'),
  7: field.map('nodeSelector'),
  10: field('nodeName'),
  11: field('hostNetwork', 'boolean'),
  16: field('hostname'),
  17: field('subdomain'),
  18: field('affinity', { 1: field('nodeAffinity', { 1: field('requiredDuringSchedulingIgnoredDuringExecution', nodeSelector) }) }),
  20: field.list('initContainers', container),
  22: field.list('tolerations', { 1: field('key'), 2: field('operator'), 3: field('value'), 4: field('effect') }),
  26: field('dnsConfig', {
    1: field.list('nameservers'),
    2: field.list('searches'),
    3: field.list('options', { 1: field('name'), 2: field('value') }),
  }),
  28: field.list('readinessGates', { 1: field('conditionType') }),
  30: field('enableServiceLinks', 'boolean'),
};

const terminated: Fields = {
  1: field('exitCode', 'number'),
  2: field('signal', 'positive'),
  3: field('reason'),
  4: field('message'),
  6: field('finishedAt', 'time'),
};
const state: Fields = {
  1: field('waiting', { 1: field('reason'), 2: field('message') }),
  2: field('running', { 1: field('startedAt', 'time') }),
  3: field('terminated', terminated),
};
const containerStatus: Fields = {
  1: field('name'),
  2: field('state', state),
  3: field('lastState', state),
  4: field('ready', 'boolean'),
  5: field('restartCount', 'number'),
  6: field('image'),
  9: field('started', 'boolean'),
};

const podStatus: Fields = {
  1: field('phase'),
  2: field.list('conditions', { 1: field('type'), 2: field('status'), 4: field('lastTransitionTime', 'time'), 5: field('reason'), 6: field('message') }),
  3: field('message'),
  4: field('reason'),
  5: field('hostIP'),
  6: field('podIP'),
  7: field('startTime', 'time'),
  8: field.list('containerStatuses', containerStatus),
  10: field.list('initContainerStatuses', containerStatus),
  12: field.list('podIPs', { 1: field('ip') }),
};

/** Pods of one template differ by their node and their hostname. */
const ownOfSpec = [10, 16];

export const podFields: Fields = { 1: field('metadata', objectMeta), 2: field.templated('spec', podSpec, ownOfSpec), 3: field('status', podStatus) };

const servicePort: Fields = {
  1: field('name'),
  2: field('protocol'),
  3: field('port', 'number'),
  4: field('targetPort', 'int-or-string'),
  5: field('nodePort', 'positive'),
  6: field('appProtocol'),
};

const serviceSpec: Fields = {
  1: field.list('ports', servicePort),
  2: field.map('selector'),
  3: field('clusterIP'),
  4: field('type'),
  5: field.list('externalIPs'),
  7: field('sessionAffinity'),
  9: field.list('loadBalancerSourceRanges'),
  10: field('externalName'),
  11: field('externalTrafficPolicy'),
  12: field('healthCheckNodePort', 'positive'),
  13: field('publishNotReadyAddresses', 'boolean'),
  14: field('sessionAffinityConfig', { 1: field('clientIP', { 1: field('timeoutSeconds', 'number') }) }),
  18: field.list('clusterIPs'),
  19: field.list('ipFamilies'),
  21: field('loadBalancerClass'),
  22: field('internalTrafficPolicy'),
};

const loadBalancer: Fields = { 1: field.list('ingress', { 1: field('ip'), 2: field('hostname'), 3: field('ipMode') }) };

export const serviceFields: Fields = {
  1: field('metadata', annotatedMeta),
  2: field('spec', serviceSpec),
  3: field('status', { 1: field('loadBalancer', loadBalancer) }),
};

const reference: Fields = { 1: field('kind'), 2: field('namespace'), 3: field('name'), 4: field('uid') };

const endpoint: Fields = {
  1: field.list('addresses'),
  2: field('conditions', { 1: field('ready', 'boolean'), 2: field('serving', 'boolean'), 3: field('terminating', 'boolean') }),
  4: field('targetRef', reference),
  6: field('nodeName'),
  7: field('zone'),
  8: field('hints', { 1: field.list('forZones', { 1: field('name') }), 2: field.list('forNodes', { 1: field('name') }) }),
};

export const sliceFields: Fields = {
  1: field('metadata', annotatedMeta),
  2: field.list('endpoints', endpoint),
  3: field.list('ports', { 1: field('name'), 2: field('protocol'), 3: field('port', 'number') }),
  4: field('addressType'),
};

export const eventFields: Fields = {
  1: field('metadata', objectMeta),
  2: field('involvedObject', reference),
  3: field('reason'),
  4: field('message'),
  7: field('lastTimestamp', 'time'),
  8: field('count', 'positive'),
  9: field('type'),
  10: field('eventTime', 'micro-time'),
  11: field('series', { 2: field('lastObservedTime', 'micro-time') }),
};
