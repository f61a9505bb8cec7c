import { check } from '../check.ts';
import { facts, judgeTraffic } from './pod-traffic.ts';

export const ingress = check({
  id: 'network-policy/ingress',
  title: "Ingress policies of the Service's pods allow the client",
  ...facts,
  codes: ['policy-denies-ingress'],
  run: (given) => judgeTraffic('ingress', 'policy-denies-ingress', given),
});
