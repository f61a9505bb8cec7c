import { isReady } from '../../src/facts/selectors.ts';
import { check, judged, skip } from '../check.ts';
import { clientText } from '../format.ts';

/** From a node that is not ready nothing can be tested, and its pods may run no more. */
export const clientNode = check({
  id: 'path/client-node',
  title: "The client's node is ready",
  needs: ['target', 'client', 'nodes'],
  codes: ['node-not-ready'],
  run({ target, client, nodes }) {
    const node = client?.node == null ? undefined : nodes.find((n) => n.metadata.name === client.node);
    if (!client || !node) return skip("the client's node is not known");
    if (isReady(node)) return judged([]);
    const condition = node.status.conditions.find((c) => c.type === 'Ready');
    const { name } = node.metadata;
    return judged([
      {
        code: 'node-not-ready',
        severity: 'error',
        confidence: 'confirmed',
        scope: 'all',
        object: { kind: 'Node', namespace: '', name },
        message: `Node ${name}, on which ${clientText(target, client)} runs, is not ready: ${condition?.message ?? condition?.reason ?? 'it does not report its status'}`,
        evidence: [{ source: 'nodes', text: `${name}: Ready is ${condition?.status}${condition?.reason ? ` (${condition.reason})` : ''}` }],
        fix: [{ text: `Check node ${name}: its conditions and its kubelet`, command: `kubectl describe node ${name}` }],
        pods: [client.name],
        nodes: [name],
      },
    ]);
  },
});
