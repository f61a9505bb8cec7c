import { pluginOf } from '../../src/policy/plugin.ts';
import { kubeletVersionsOf } from '../../src/facts/selectors.ts';
import { check, type Draft, judged, skip } from '../check.ts';
import { clientText, plural, serviceRef } from '../format.ts';
import { letThrough } from '../../src/model/let-through.ts';

/** Policies have no effect until a plug-in enforces them. A connection shows it better than the list of plug-ins. */
export const enforced = check({
  id: 'network-policy/enforced',
  title: 'A network plug-in enforces the policies',
  needs: ['target', 'service', 'slices', 'pods', 'client', 'policies', 'networkDaemons'],
  uses: ['namespaces', 'pluginPolicies', 'nodes', 'connections'],
  codes: ['policy-not-enforced'],
  run({ networkDaemons, nodes, connections, ...given }) {
    const { target, service, client } = given;
    const plugin = pluginOf(networkDaemons, nodes.seen ? kubeletVersionsOf(nodes.value) : []);
    const { denied, through } = service ? letThrough(given, service, connections.seen ? connections.value.list : []) : { denied: [], through: [] };
    const finding = (message: string, evidence: Draft['evidence'], confidence: Draft['confidence']): Draft<'policy-not-enforced'> => ({
      code: 'policy-not-enforced',
      severity: 'warning',
      confidence,
      scope: 'part',
      object: serviceRef(target),
      message,
      evidence,
      fix: [{ text: 'Install a network plug-in that enforces NetworkPolicies, or find out why the installed one does not' }],
    });
    const runs = plugin ? `${plugin.name} runs (${plugin.why})` : 'no network plug-in that is known to enforce policies runs';
    if (through.length > 0 && connections.seen) {
      const policies = [...new Set(denied.flatMap((q) => q.decision.selecting.map((p) => `"${p.name}"`)))];
      return judged([
        finding(
          `${policies.length === 1 ? 'Policy' : 'Policies'} ${policies.slice(0, 3).join(', ')} not enforced: ${plural(denied.length, 'connection')} from ${clientText(target, client)} must be denied, and ${through.length} succeeded anyway`,
          [
            ...through.slice(0, 3).map((c) => ({ source: 'probe', text: `${connections.value.from} → ${c.target} answered` })),
            { source: 'daemonsets', text: runs },
          ],
          'confirmed',
        ),
      ]);
    }
    if (plugin?.enforces === 'no')
      return judged([
        finding(
          `${plugin.name} does not enforce NetworkPolicies (${plugin.why}), so the existing policies have no effect`,
          [{ source: 'daemonsets', text: runs }],
          'likely',
        ),
      ]);
    if (!plugin) return skip('the plug-in that enforces policies is not known; only a connection can show it');
    return judged([], plugin.enforces === 'yes' ? `${plugin.name} enforces them` : `${plugin.name}: ${plugin.why}`);
  },
});
