/** Which connections a fault can stop at all, by its code: those whose success speaks against it. */
import type { Code } from '../catalog/codes.ts';
import type { Connection } from '../facts/facts.ts';
import { meshFaults } from './mesh-way.ts';
import { nameFaults } from './name-way.ts';
import { podWayFaults, programFaults } from './pod-way.ts';
import { fits } from './prediction.ts';
import { endpointFaults, proxyFaults } from './rules-way.ts';

const byHop: Partial<Record<Connection['hop'], readonly Code[]>> = {
  name: nameFaults,
  'virtual-ip': [...proxyFaults, 'local-policy-no-endpoint', ...endpointFaults, ...podWayFaults],
  endpoint: podWayFaults,
  http: meshFaults,
  'node-port': [...proxyFaults, 'node-port-failing', 'local-policy-no-endpoint', ...endpointFaults, ...podWayFaults],
  'load-balancer': ['load-balancer-failing', 'source-ranges-deny', 'load-balancer-pending', 'node-port-failing'],
};

/** What a fault does to a connection where it is one thing only. */
const fateOf = (code: Code): 'refused' | 'lost' | 'reset' | undefined => {
  if ((meshFaults as readonly Code[]).includes(code)) return 'reset';
  if ((programFaults as readonly Code[]).includes(code)) return 'refused';
  return code.startsWith('policy-denies') || code === 'cross-node-unreachable' || code === 'conntrack-full' ? 'lost' : undefined;
};

/** Whether a fault, of which no more is known than its code, can explain how a connection failed. */
export function canExplain(code: Code, c: Pick<Connection, 'kind' | 'hop' | 'outcome'>): boolean {
  const fate = fateOf(code);
  return (byHop[c.hop]?.includes(code) ?? false) && fits({ fates: fate === undefined ? ['refused', 'lost', 'not-found', 'failing'] : [fate] }, c);
}

/** Whether the success of a connection speaks against a fault. A policy may allow nodes and deny others, so a node port that another node tries does not. */
export const canStop = (code: Code, hop: Connection['hop']): boolean =>
  (byHop[hop]?.includes(code) ?? false) && !(hop === 'node-port' && code.startsWith('policy-denies'));
