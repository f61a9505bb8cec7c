import { hostPort } from '../../src/proxy/model.ts';
import { pluginOf } from '../../src/policy/plugin.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { clientText, plural, serviceRef } from '../format.ts';
import { policiesKnown, questions } from './parties.ts';

/** Policies are words until a plug-in holds the packets to them. What a connection showed counts for more than what runs. */
export const enforced = check({
  id: 'network-policy/enforced',
  title: 'Something holds connections to the policies',
  needs: ['target', 'service', 'slices', 'pods', 'client', 'policies', 'networkDaemons'],
  uses: ['namespaces', 'pluginPolicies', 'nodes', 'connections'],
  codes: ['policy-not-enforced'],
  run({ networkDaemons, nodes, connections, ...given }) {
    const { target, service, client } = given;
    const plugin = pluginOf(networkDaemons, nodes.seen ? nodes.value.map((n) => n.status.nodeInfo?.kubeletVersion ?? '') : []);
    const known = policiesKnown(given.policies, given.pluginPolicies);
    const denied =
      service && client
        ? (['egress', 'ingress'] as const).flatMap((d) => questions(d, given, service, known)).filter((q) => q.decision.verdict === 'denied')
        : [];
    const made = connections.seen ? connections.value.list.filter((c) => c.hop === 'endpoint' && c.outcome === 'answered') : [];
    const through = made.filter((c) =>
      denied.some((q) => (q.direction === 'ingress' ? q.self : q.other).addresses.some((a) => hostPort(a, q.connection.port) === c.target)),
    );
    const finding = (message: string, evidence: Draft['evidence'], confidence: Draft['confidence']): Draft<'policy-not-enforced'> => ({
      code: 'policy-not-enforced',
      severity: 'warning',
      confidence,
      scope: 'part',
      object: serviceRef(target),
      message,
      evidence,
      fix: [{ text: 'Install a network plug-in that enforces NetworkPolicies, or see why the one that is there does not' }],
    });
    const runs = plugin ? `${plugin.name} runs (${plugin.why})` : 'no plug-in that is known to enforce policies runs';
    if (through.length > 0 && connections.seen) {
      const policies = [...new Set(denied.flatMap((q) => q.decision.selecting.map((p) => `"${p.name}"`)))];
      return judged('', [
        finding(
          `Nothing enforces ${policies.length === 1 ? 'policy' : 'policies'} ${policies.slice(0, 3).join(', ')} here: ${clientText(target, client)} is denied ${plural(denied.length, 'connection')}, and made ${through.length === 1 ? 'one' : 'them'} all the same`,
          [
            ...through.slice(0, 3).map((c) => ({ source: 'probe', text: `${connections.value.from} → ${c.target} answered` })),
            { source: 'daemonsets', text: runs },
          ],
          'confirmed',
        ),
      ]);
    }
    if (plugin?.enforces === 'no')
      return judged('', [
        finding(`There are NetworkPolicies, but ${plugin.name} does not enforce them (${plugin.why})`, [{ source: 'daemonsets', text: runs }], 'likely'),
      ]);
    if (!plugin) return skip('what enforces policies here is not known; only a connection can show it');
    return judged(plugin.enforces === 'yes' ? `${plugin.name} enforces them` : `${plugin.name}: ${plugin.why}`);
  },
});
