import { check } from '../check.ts';
import { facts, judgeTraffic } from './pod-traffic.ts';

export const ingress = check({
  id: 'network-policy/ingress',
  title: "Policies let the client in to the Service's pods",
  ...facts,
  codes: ['policy-denies-ingress'],
  run: (given) => judgeTraffic('ingress', 'policy-denies-ingress', given),
});
