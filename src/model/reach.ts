/** Which connections a fault can stop at all, by its code: those whose success speaks against it. */
import type { Code } from '../catalog/codes.ts';
import type { Connection } from '../facts/facts.ts';
import { nameFaults } from './name-way.ts';
import { podWayFaults } from './pod-way.ts';
import { endpointFaults, proxyFaults } from './rules-way.ts';

const byHop: Partial<Record<Connection['hop'], readonly Code[]>> = {
  name: nameFaults,
  'virtual-ip': [...proxyFaults, 'local-policy-no-endpoint', ...endpointFaults, ...podWayFaults],
  endpoint: podWayFaults,
  // A policy may allow nodes and deny other addresses: a connection from a node proves nothing about those.
  'node-port': [...proxyFaults, 'node-port-failing', 'local-policy-no-endpoint', ...endpointFaults],
  'load-balancer': ['load-balancer-failing', 'source-ranges-deny', 'load-balancer-pending', 'node-port-failing'],
};

export const canStop = (code: Code, hop: Connection['hop']): boolean => byHop[hop]?.includes(code) ?? false;
