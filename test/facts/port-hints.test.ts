import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { pod } from '../../src/facts/objects.ts';

const read = (container: object) =>
  v.parse(pod, { metadata: { name: 'web' }, spec: { containers: [{ name: 'web', ...container }] }, status: {} }).spec.containers[0];

describe('ports that a container names', () => {
  test.each<[object, number[]]>([
    [{ args: ['netexec', '--http-port=9376'] }, [9376]],
    [{ command: ['python3', '-m', 'http.server', '8000'] }, [8000]],
    [{ command: ['sh', '-c', 'httpd -p 8081 -h /www; sleep 5'] }, [8081]],
    [{ args: ['--listen', '0.0.0.0:7070'] }, [7070]],
    [{ args: ['-addr=[::]:6060'] }, [6060]],
    [{ env: [{ name: 'PORT', value: '7654' }] }, [7654]],
    [{ env: [{ name: 'LISTEN_ADDR', value: ':4317' }] }, [4317]],
    [{ command: ['server'] }, []],
  ])('%j', (container, ports) => {
    expect(read(container)?.portHints).toEqual(ports);
  });

  test.each<[object]>([
    [{ args: ['--password', '12345'] }],
    [{ args: ['--pin=4711'] }],
    [{ args: ['--db=postgres://app:31337@db'] }],
    [{ env: [{ name: 'TOKEN', value: '99999' }] }],
  ])('a number that is something else is not kept: %j', (container) => {
    expect(JSON.stringify(read(container))).not.toMatch(/\d{4}/);
  });

  test('of the command and the variables themselves nothing is kept', () => {
    const kept = read({ command: ['serve', '--key', 's3cret', '--port', '8080'], env: [{ name: 'PASSWORD', value: 'hunter2' }] });
    expect(kept).toEqual({ name: 'web', image: '', ports: [], portHints: [8080] });
  });

  test('a capture that is read again keeps them', () => {
    expect(read({ portHints: [8080] })?.portHints).toEqual([8080]);
  });
});
