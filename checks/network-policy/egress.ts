import { check } from '../check.ts';
import { facts, judgeTraffic } from './pod-traffic.ts';

export const egress = check({
  id: 'network-policy/egress',
  title: "Egress policies of the client allow the Service's pods",
  ...facts,
  codes: ['policy-denies-egress'],
  run: (given) => judgeTraffic('egress', 'policy-denies-egress', given),
});
