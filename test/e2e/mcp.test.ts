/** The server for assistants, called by the client of the official SDK, on a real cluster. */
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { apply, createNamespace, debugPods, deleteNamespace, must } from '../support/kubectl.ts';

const namespace = 'assistants';
const root = new URL('../../', import.meta.url);

beforeAll(async () => {
  await createNamespace(namespace);
  await apply(namespace, readFileSync(new URL('./scenarios/healthy-canary/objects.yaml', import.meta.url), 'utf8'));
  await must('-n', namespace, 'wait', '--timeout=60s', '--for=condition=Ready', 'pod', '--all');
});
afterAll(() => deleteNamespace(namespace));

let client: Client;
async function started(...options: string[]): Promise<Client> {
  client = new Client({ name: 'test', version: '1' });
  const args = [new URL('bin/k8s-doctor.js', root).pathname, 'mcp', '-n', namespace, ...options];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env: process.env as Record<string, string> }));
  return client;
}
afterEach(() => client.close());

interface Called {
  isError?: boolean;
  content: { type: string; text?: string }[];
  structuredContent?: Record<string, unknown>;
}
const call = async (name: string, given: Record<string, unknown>, options?: Parameters<Client['callTool']>[1]) =>
  (await client.callTool({ name, arguments: given }, options)) as unknown as Called;
const textOf = (called: Called) => called.content[0]?.text ?? '';
const schema = (name: string) => JSON.parse(readFileSync(new URL(`docs/schemas/${name}.schema.json`, root), 'utf8')) as object;

test('each tool answers, by its schema', async () => {
  await started();
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  const fits = (name: string, called: Called) => {
    const validate = ajv.compile(schema(name));
    validate(called.structuredContent);
    return validate.errors;
  };
  const progress: number[] = [];
  const diagnosis = await call('diagnose_service', { service: 'shop' }, { onprogress: (p) => void progress.push(p.progress) });
  expect(diagnosis.isError, textOf(diagnosis)).toBeFalsy();
  expect(diagnosis.structuredContent).toMatchObject({ kind: 'Diagnosis', verdict: { status: 'healthy' }, probes: [] });
  expect(fits('diagnosis', diagnosis)).toBeNull();
  expect(progress.length).toBeGreaterThan(5);
  const scan = await call('scan', {});
  expect(textOf(scan)).toMatch(/^\d+ Services, of which \d+ are not right/);
  expect(fits('scan', scan)).toBeNull();
  const reach = await call('reach', { from: 'pod/client', to: 'svc/shop' });
  expect(reach.structuredContent).toMatchObject({ kind: 'Reach', verdict: 'allowed' });
  expect(fits('reach', reach)).toBeNull();
  expect((await call('list_services', {})).structuredContent).toMatchObject({
    services: expect.arrayContaining([expect.objectContaining({ namespace, name: 'shop' })]) as unknown[],
  });
  expect(textOf(await call('explain', { code: 'selector-mismatch' }))).toContain('# selector-mismatch');
});

test('what cannot be answered is one sentence', async () => {
  await started();
  expect(await call('explain', { code: 'selectr-mismatch' })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('selector-mismatch') as string }],
  });
  expect(await call('reach', { from: 'pod/none', to: 'svc/shop' })).toMatchObject({ isError: true });
  const missing = await call('diagnose_service', { service: 'none' });
  expect(missing.structuredContent).toMatchObject({ verdict: { status: 'faulty', causes: [{ code: 'service-not-found' }] } });
});

test('without --allow-probes a probe is refused, and nothing is created', async () => {
  await started();
  expect(await call('diagnose_service', { service: 'shop', probe: 'auto' })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('--allow-probes') as string }],
  });
  expect(await debugPods()).toBe('');
});

test('with --allow-probes it proves its verdict; a call that is cancelled leaves nothing behind', async () => {
  await started('--allow-probes');
  const proved = await call('diagnose_service', { service: 'shop' });
  expect(proved.structuredContent).toMatchObject({
    verdict: { status: 'healthy' },
    probes: expect.arrayContaining([expect.objectContaining({ outcome: 'answered' })]) as unknown[],
  });
  const cancelling = new AbortController();
  const cancelled = call('diagnose_service', { service: 'shop' }, { signal: cancelling.signal });
  setTimeout(() => cancelling.abort(), 700);
  await expect(cancelled).rejects.toThrow(/abort/i);
  await expect.poll(() => debugPods(), { timeout: 15_000 }).toBe('');
  // It goes on to answer.
  expect((await call('list_services', {})).isError).toBeFalsy();
});

test('a client that goes in the middle of a call leaves nothing behind', async () => {
  await started('--allow-probes');
  const call1 = call('diagnose_service', { service: 'shop' }).catch((error: Error) => error.message);
  await new Promise((resolve) => setTimeout(resolve, 700));
  await client.close();
  expect(await call1).toBeTypeOf('string');
  await expect.poll(() => debugPods(), { timeout: 15_000 }).toBe('');
});
