/** Which server the client asks decides what policies must allow: the cluster's, a cache on its own node, or one of its own. */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../checks/pipeline.ts';
import { judge } from '../../src/verdict/judge.ts';
import { recordingOf } from '../support/recordings.ts';

const check = pipeline.find((c) => c.id === 'network-policy/dns');

/** The incident in which the client may ask DNS over TCP only, with another resolv.conf. */
function asking(server: string) {
  const { facts } = recordingOf('policy-dns-tcp-only');
  if (!facts.connections.seen || !check) throw new Error('the recording holds no connections');
  const connections = { ...facts.connections.value, standIn: false, resolvConf: `nameserver ${server}\nsearch svc.cluster.local\n` };
  return judge(check, { ...facts, connections: { seen: true, value: connections } });
}

describe('the client asks', () => {
  test("the cluster's DNS: UDP is denied, and the fix names the DNS pods", () => {
    const { facts } = recordingOf('policy-dns-tcp-only');
    const report = asking((facts.dnsService.seen && facts.dnsService.value?.spec.clusterIP) || '');
    expect(report.findings[0]).toMatchObject({ code: 'policy-denies-dns', severity: 'error', confidence: 'likely' });
    expect(report.findings[0]?.message).toContain('port 53 over UDP');
    expect(report.findings[0]?.fix[0]?.command).toContain('"k8s-app":"kube-dns"');
  });
  test('a cache on its own node: the API allows it, plug-ins differ, so it is a hint', () => {
    expect(asking('169.254.20.10').findings[0]).toMatchObject({ code: 'policy-denies-dns', confidence: 'possible' });
    expect(asking('169.254.20.10').findings[0]?.message).toContain('the DNS cache of its node (169.254.20.10)');
    expect(asking('169.254.20.10').findings[0]?.evidence.at(-1)).toEqual({
      source: 'policy',
      text: 'the API allows a pod to reach its own node; not every plug-in applies this to the address of a cache',
    });
  });
  test('a DNS pod by its address: the fix names the labels of the DNS pods', () => {
    const { facts } = recordingOf('policy-dns-tcp-only');
    const address = (facts.dnsPods.seen && facts.dnsPods.value[1]?.status.podIPs[0]?.ip) || '';
    const [found] = asking(address).findings;
    expect(found).toMatchObject({ confidence: 'likely', message: expect.stringMatching(/ from DNS, port 53 over UDP$/) as string });
    expect(found?.fix[0]?.command).toContain('"k8s-app":"kube-dns"');
    expect(found?.evidence).toContainEqual({ source: 'policy', text: 'TCP is allowed, but resolvers ask over UDP and use TCP for long answers only' });
  });
  test('a server outside: its address is what the fix lets through', () => {
    expect(asking('192.0.2.53').findings[0]?.fix[0]?.command).toContain('"cidr":"192.0.2.53/32"');
  });
});
