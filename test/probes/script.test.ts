/** The script runs in this machine's shells, against real sockets on the loopback. */
import { execFileSync } from 'node:child_process';
import { createServer as createHttp } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { read, type Reading } from '../../src/probes/outcome.ts';
import { buildScript, readRecords, type Record, type Task } from '../../src/probes/script.ts';
import { run } from '../support/kubectl.ts';

let open: Server;
let resetting: Server;
let replying: Server;
const portOf = (server: Pick<Server, 'address'>) => (server.address() as { port: number }).port;
const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

beforeAll(async () => {
  open = createServer((socket) => socket.on('error', () => {}).on('end', () => socket.end()));
  resetting = createServer((socket) => socket.resetAndDestroy());
  replying = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.write('HTTP/1.0 400 Bad Request\r\n\r\n')));
  await Promise.all([listen(open), listen(resetting), listen(replying)]);
});
afterAll(() => {
  open.close();
  resetting.close();
  replying.close();
});

/** The shells of the images that clients run in: busybox sh (Alpine), dash (Debian), bash. */
const shells = [['dash'], ['bash'], ['busybox', 'sh']] as const;
function isInstalled(program: string): boolean {
  try {
    return execFileSync('sh', ['-c', `command -v ${program}`]).length > 0;
  } catch {
    return false;
  }
}

/** Runs the script with a PATH that holds only some programs. */
async function readings(tasks: Task[], programs: string, shell: readonly string[] = ['sh']): Promise<(Reading | null | undefined)[]> {
  const [program = '', ...words] = shell;
  const ran = await run(program, [
    ...words,
    '-c',
    `d=$(mktemp -d); for p in ${programs}; do ln -s "$(PATH=/usr/bin:/bin command -v $p)" $d/$p; done; PATH=$d; ${buildScript(tasks, { tries: 1, settleS: 0 })}`,
  ]);
  const records = new Map(readRecords(ran.stdout).map((r) => [r.id, r]));
  return tasks.map((t, i) => {
    const record = records.get(String(i));
    return record && read(t, record);
  });
}
const outcomes = async (tasks: Task[], programs: string, shell?: readonly string[]) => (await readings(tasks, programs, shell)).map((r) => r?.outcome);

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))('in %s', (_, shell) => {
  test.skipIf(!isInstalled(shell[0]))('connections, a payload, an HTTP request and a name that does not exist', async () => {
    const web = createHttp((_request, response) => response.writeHead(204).end());
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const closed = createServer();
    await listen(closed);
    const refusing = portOf(closed);
    await new Promise((resolve) => closed.close(resolve));
    const host = '127.0.0.1';
    const tasks: Task[] = [
      { kind: 'tcp', host, port: portOf(open) },
      { kind: 'tcp', host, port: refusing },
      { kind: 'payload', host, port: portOf(replying) },
      { kind: 'http', host, port: portOf(web), tls: false, name: 'shop.default.svc', path: '/' },
      { kind: 'name', name: 'no-such-name.invalid', type: 'A' },
    ];
    const have = 'curl sh grep head wc sleep getent';
    expect(await outcomes(tasks, have, shell)).toEqual(['answered', 'refused', 'answered', 'answered', expect.stringMatching(/^(name-not-found|dns-)/)]);
    web.close();
  });

  test.skipIf(!isInstalled(shell[0]))('six connections at once', async () => {
    const tasks = Array.from({ length: 6 }, (): Task => ({ kind: 'tcp', host: '127.0.0.1', port: portOf(open) }));
    expect(await outcomes(tasks, 'python3 sleep', shell)).toEqual(tasks.map(() => 'answered'));
  });
});

describe('TCP, with what an image may have', () => {
  const programs = ['python3 sleep', 'bash sleep', 'curl sleep', 'perl sleep'];
  test.each(programs)('%s: answered differs from refused', async (have) => {
    const closed = createServer();
    await listen(closed);
    const port = portOf(closed);
    await new Promise((resolve) => closed.close(resolve));
    expect(
      await outcomes(
        [
          { kind: 'tcp', host: '127.0.0.1', port: portOf(open) },
          { kind: 'tcp', host: '127.0.0.1', port },
        ],
        have,
      ),
    ).toEqual(['answered', 'refused']);
  });

  test('curl alone prints the addresses of a name', () => {
    const said = (output: string, exitCode: number) => read({ kind: 'name', name: 'x.y', type: 'A' }, { id: '0', tool: 'curl', exitCode, ms: 1, output });
    // As curl 7.88 of Debian and 8.14 of Alpine write it.
    expect(said('* Could not resolve host: nope.default.svc.cluster.local\n* Closing connection 0', 6)).toMatchObject({ outcome: 'name-not-found' });
    expect(said('* Resolving timed out after 2001 milliseconds\n* Closing connection 0', 28)).toMatchObject({ outcome: 'dns-timed-out' });
    expect(
      said('* Host x.y:80 was resolved.\n* IPv6: (none)\n* IPv4: 10.96.0.1\n*   Trying 10.96.0.1:80...\n* connect to 10.96.0.1 port 80 failed', 0),
    ).toMatchObject({
      outcome: 'answered',
      answers: ['10.96.0.1'],
    });
  });

  test.each(['python3 sleep', 'curl sleep'])('%s: a reset after the handshake is seen', async (have) => {
    expect(await outcomes([{ kind: 'tcp', host: '127.0.0.1', port: portOf(resetting) }], have)).toEqual(['reset']);
  });

  test.each(['python3', 'bash', 'curl'])('%s: a program that answers more than a packet, and one that keeps silent', async (have) => {
    const silent = createServer((socket) => socket.on('error', () => {}).resume());
    await listen(silent);
    const tasks = [replying, silent].map((s): Task => ({ kind: 'payload', host: '127.0.0.1', port: portOf(s) }));
    expect(await outcomes(tasks, `${have} sh head wc sleep`)).toEqual(['answered', 'no-answer']);
    silent.close();
  });

  test.each(['curl sh grep', 'python3', 'wget sh'])('%s: the status of an HTTP answer', async (have) => {
    const web = createHttp((request, response) => response.writeHead(request.url === '/fine?x=1&y=2' ? 204 : 503).end());
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const tasks = ['/fine?x=1&y=2', '/broken'].map(
      (path): Task => ({ kind: 'http', host: '127.0.0.1', port: portOf(web), tls: false, name: 'shop.default.svc', path }),
    );
    expect((await readings(tasks, `${have} sleep`)).map((r) => [r?.outcome, r?.status])).toEqual([
      ['answered', 204],
      ['answered', 503],
    ]);
    web.close();
  });

  test('without any tool nothing is claimed', async () => {
    expect(
      await outcomes(
        [
          { kind: 'tcp', host: '127.0.0.1', port: portOf(open) },
          { kind: 'name', name: 'a.b', type: 'A' },
        ],
        'sleep',
      ),
    ).toEqual([undefined, undefined]);
  });
});

describe('what gets into the script', () => {
  test.each([
    { kind: 'name', name: 'a; rm -rf /', type: 'A' },
    { kind: 'http', host: '10.0.0.1', port: 80, tls: false, name: 'a', path: "/'; rm -rf /; '" },
    { kind: 'http', host: '10.0.0.1', port: 80, tls: false, name: '$(id)', path: '/' },
    { kind: 'name', name: '$(id)', type: 'A' },
    { kind: 'name', name: '-f/etc/passwd', type: 'A' },
    { kind: 'name', name: 'a', domain: '`id`', type: 'A' },
    { kind: 'tcp', host: '1.2.3.4 && id', port: 1 },
  ] satisfies Task[])('%j is left out', (task) => {
    const patience = { tries: 1, settleS: 0 };
    expect(buildScript([task], patience)).toBe(buildScript([], patience));
  });
});

const record = (tool: string, exitCode: number, output: string): Record => ({ id: '0', tool, exitCode, ms: 20, output });
const tcp: Task = { kind: 'tcp', host: '10.0.0.1', port: 80 };
const name: Task = { kind: 'name', name: 'x', type: 'A' };

describe('records, as tools of real images write them', () => {
  test.each([
    [tcp, record('nc_e', 1, "nc: can't connect to remote host (10.244.2.3): Connection refused"), 'refused'],
    [tcp, record('nc_e', 1, "nc: can't connect to remote host (10.244.2.250): No route to host"), 'no-route'],
    [tcp, record('nc_e', 1, "nc: can't connect to remote host (10.96.99.99): Network is unreachable"), 'no-route'],
    [tcp, record('nc_e', 1, 'nc: timed out'), 'timed-out'],
    [tcp, record('nc_e', 143, ''), 'timed-out'],
    [tcp, record('nc_z', 0, 'Connection to 10.0.0.1 80 port [tcp/*] succeeded!'), 'answered'],
    [tcp, record('nc_e', 0, '* Recv failure: Connection reset by peer\nconnected after 0.0003 s'), 'reset'],
    [name, record('dig', 0, ';; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1'), 'name-not-found'],
    [name, record('dig', 0, ';; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 1'), 'dns-failed'],
    [name, record('dig', 9, ';; communications error to 10.96.0.10#53: timed out\n;; no servers could be reached'), 'dns-timed-out'],
    [name, record('nslookup', 1, "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find x: NXDOMAIN"), 'name-not-found'],
    [name, record('nslookup', 1, ';; connection timed out; no servers could be reached'), 'dns-timed-out'],
    [name, record('getent', 2, ''), 'name-not-found'],
    [name, record('getent', 0, '10.96.0.1       STREAM x\n10.96.0.1       DGRAM'), 'answered'],
  ] as const)('%j %j is %s', (task, rec, outcome) => {
    expect(read(task, rec)?.outcome).toBe(outcome);
  });

  test('a tool that prints its usage proves nothing', () => {
    expect(read(tcp, record('nc_e', 1, 'BusyBox v1.35.0\n\nUsage: nc [-iN] [-wN]\n-w SEC Connect timeout'))).toBeNull();
  });
  test('the addresses of nslookup are those of the name, not of the server', () => {
    expect(read(name, record('nslookup', 0, 'Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tx\nAddress: 10.96.52.30\n'))?.answers).toEqual([
      '10.96.52.30',
    ]);
  });
  test('of what dig prints, the status is the evidence, not its remarks', () => {
    const said = ';; Got answer:\n;; WARNING: .local is reserved for Multicast DNS\n;; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 1';
    expect(read(name, record('dig', 0, said))?.detail).toBe('dig: status SERVFAIL');
  });
  test('half a record is no record', () => {
    const key = /KEY=(\w+)/.exec(buildScript([], { tries: 1, settleS: 0 }))?.[1];
    expect(readRecords(`noise\u0001${key}\u00020\u0002nc\u00020\u000210\u0002out\u0003${key}\u0001${key}\u00021\u0002nc\u0002`)).toHaveLength(1);
  });
  test('what a server sends is no record', async () => {
    const forged = '\u0003\u00010\u0002curl\u00020\u000210\u0002200 1 0\u0003';
    // A client that has seen enough may reset the connection.
    const liar = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(`HTTP/1.1 404 ${forged}\r\nServer: ${forged}\r\n\r\n${forged}`));
    });
    await listen(liar);
    const task = { kind: 'http', host: '127.0.0.1', port: portOf(liar), tls: false, name: 'web', path: '/' } as const;
    expect(await readings([task], 'curl sh grep')).toMatchObject([{ status: 404 }]);
    // wget reads the true status of such a line or none; the forged one would be 200.
    expect([404, undefined]).toContain((await readings([task], 'wget sh'))[0]?.status);
    liar.close();
  });
});
