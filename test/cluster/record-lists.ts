/** Records the pods of the cluster that KUBECONFIG names (with those of pods.yaml) as the API server writes them in JSON and in protobuf, for protobuf.test.ts. */
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { gzipSync } from 'node:zlib';
import { KubeConfig } from '@kubernetes/client-node';

const config = new KubeConfig();
config.loadFromDefault();
const options: https.RequestOptions = {};
await config.applyToHTTPSOptions(options);

const body = (type: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const url = `${config.getCurrentCluster()?.server}/api/v1/pods?limit=150`;
    const request = https.get(url, { ...options, headers: { Accept: type, 'User-Agent': 'k8s-doctor' } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks)));
    });
    request.on('error', reject);
  });

const versionOf = (json: Buffer) =>
  (JSON.parse(json.toString()) as { items: { metadata: { resourceVersion: string } }[] }).items.map((i) => i.metadata.resourceVersion).join();
// Nothing may have changed between the two.
for (;;) {
  const before = await body('application/json');
  const protobuf = await body('application/vnd.kubernetes.protobuf');
  const after = await body('application/json');
  if (versionOf(before) !== versionOf(after)) continue;
  writeFileSync(new URL('./recorded/pods.json.gz', import.meta.url), gzipSync(after, { level: 9 }));
  writeFileSync(new URL('./recorded/pods.protobuf.gz', import.meta.url), gzipSync(protobuf, { level: 9 }));
  console.log(`${(JSON.parse(after.toString()) as { items: unknown[] }).items.length} pods`);
  break;
}
