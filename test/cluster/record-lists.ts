/**
 * Records lists of the cluster that KUBECONFIG names as the API server writes them in JSON and in protobuf, for protobuf.test.ts: the pods (with
 * those of pods.yaml), the Services, EndpointSlices and events (with those of services.yaml). NAME… for some of them.
 */
import { writeFileSync } from 'node:fs';
import https from 'node:https';
import { gzipSync } from 'node:zlib';
import { KubeConfig } from '@kubernetes/client-node';

const paths = {
  pods: '/api/v1/pods',
  services: '/api/v1/services',
  endpointslices: '/apis/discovery.k8s.io/v1/endpointslices',
  events: '/api/v1/events',
};

const config = new KubeConfig();
config.loadFromDefault();
const options: https.RequestOptions = {};
await config.applyToHTTPSOptions(options);

const body = (path: string, type: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const url = `${config.getCurrentCluster()?.server}${path}?limit=150`;
    const request = https.get(url, { ...options, headers: { Accept: type, 'User-Agent': 'k8s-doctor' } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(Buffer.concat(chunks)));
    });
    request.on('error', reject);
  });

const versionOf = (json: Buffer) =>
  (JSON.parse(json.toString()) as { items: { metadata: { resourceVersion: string } }[] }).items.map((i) => i.metadata.resourceVersion).join();

const asked = process.argv.slice(2);
for (const [name, path] of Object.entries(paths).filter(([n]) => asked.length === 0 || asked.includes(n))) {
  // Nothing may have changed between the two.
  for (;;) {
    const before = await body(path, 'application/json');
    const protobuf = await body(path, 'application/vnd.kubernetes.protobuf');
    const after = await body(path, 'application/json');
    if (versionOf(before) !== versionOf(after)) continue;
    writeFileSync(new URL(`./recorded/${name}.json.gz`, import.meta.url), gzipSync(after, { level: 9 }));
    writeFileSync(new URL(`./recorded/${name}.protobuf.gz`, import.meta.url), gzipSync(protobuf, { level: 9 }));
    console.log(`${(JSON.parse(after.toString()) as { items: unknown[] }).items.length} ${name}`);
    break;
  }
}
