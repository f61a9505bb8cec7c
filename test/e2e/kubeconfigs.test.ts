/** Kubeconfigs as people have them, with the real API server behind them: they connect, or one sentence names the field. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNamespace, deleteNamespace, doctor, must, type Ran } from '../support/kubectl.ts';
import { relay } from '../support/relay.ts';
import { terminal } from '../support/terminal.ts';

interface Cluster {
  server: string;
  [field: string]: unknown;
}
type User = Record<string, unknown>;

const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-kubeconfigs-'));
const ns = 'k8s-doctor-kubeconfigs';
let cluster: Cluster;
let user: User;
let token: string;
const closing: (() => void)[] = [];
let count = 0;

const file = (text: string): string => {
  const path = join(folder, `config-${++count}`);
  writeFileSync(path, text);
  return path;
};
const config = (changes: { cluster?: Partial<Cluster>; user?: User; context?: object }): string =>
  file(
    JSON.stringify({
      'current-context': 'here',
      clusters: [{ name: 'c', cluster: { ...cluster, ...changes.cluster } }],
      users: [{ name: 'u', user: changes.user ?? user }],
      contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', ...changes.context } }],
    }),
  );

const run = (kubeconfig: string, ...more: string[]): Promise<Ran> =>
  doctor(['svc', 'kubernetes', '--probe', 'none', '-o', 'json', '-q', ...more], { env: { KUBECONFIG: kubeconfig, HOME: folder, HTTPS_PROXY: '' } });

async function connects(kubeconfig: string): Promise<void> {
  const ran = await run(kubeconfig);
  expect(ran.stderr).toBe('');
  const said = JSON.parse(ran.stdout) as { service: object; verdict: object; checks: { id: string; status: string }[] };
  expect(said.service).toMatchObject({ namespace: 'default', name: 'kubernetes' });
  expect(said.checks.find((c) => c.id === 'service/exists')?.status).toBe('pass');
}

async function names(kubeconfig: string, says: RegExp, ...more: string[]): Promise<void> {
  const ran = await run(kubeconfig, ...more);
  expect(ran.stderr).toMatch(says);
  expect(ran.stderr.trim().split('\n')).toHaveLength(1);
  expect(ran.stdout).toBe('');
  expect(ran.code).toBe(3);
}

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
};

/** A proxy that opens tunnels, as companies have one (RFC 9110, CONNECT). */
async function httpProxy(password?: string): Promise<{ port: number; tunnels: () => number }> {
  let opened = 0;
  const proxy = createHttpServer();
  proxy.on('connect', (asked, socket, head) => {
    if (password !== undefined && asked.headers['proxy-authorization'] !== `Basic ${Buffer.from(password).toString('base64')}`)
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    opened++;
    const [host, port] = (asked.url ?? '').split(':');
    const far = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.write(head);
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
  });
  return { port: await listening(proxy), tunnels: () => opened };
}

/** SOCKS5 without authentication (RFC 1928), for one address of IPv4 or one name. */
async function socksProxy(): Promise<number> {
  return listening(
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => {
        socket.write(Buffer.of(5, 0));
        socket.once('data', (asked) => {
          const isName = asked[3] === 3;
          const length = isName ? (asked[4] ?? 0) : 4;
          const at = isName ? 5 : 4;
          const host = isName ? asked.subarray(at, at + length).toString() : [...asked.subarray(at, at + length)].join('.');
          const far = connect(asked.readUInt16BE(at + length), host, () => {
            socket.write(Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
            far.pipe(socket).pipe(far);
          });
          far.on('error', () => socket.destroy());
        });
      });
    }),
  );
}

/** `kubectl proxy` with its own defaults, or with what is given. */
async function kubectlProxy(...options: string[]): Promise<number> {
  const child: ChildProcess = spawn('kubectl', ['proxy', '--port=0', ...options]);
  closing.push(() => child.kill());
  return new Promise((resolve) => child.stdout?.on('data', (said) => resolve(Number(/:(\d+)/.exec(String(said))?.[1]))));
}

function selfSigned(name: string, ...more: string[]): { key: string; cert: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync('openssl', ['req', '-x509', ...ec, '-nodes', '-days', '1', '-subj', `/CN=${name}`, '-keyout', key, '-out', cert, ...more], { stdio: 'ignore' });
  return { key, cert };
}

beforeAll(async () => {
  const view = JSON.parse(await must('config', 'view', '--raw', '--minify', '--flatten', '-o', 'json')) as {
    clusters: { cluster: Cluster }[];
    users: { user: User }[];
  };
  [cluster, user] = [view.clusters[0]?.cluster ?? { server: '' }, view.users[0]?.user ?? {}];
  await createNamespace(ns);
  await must('-n', ns, 'create', 'rolebinding', 'view', '--clusterrole=view', `--serviceaccount=${ns}:default`);
  await must('-n', 'default', 'create', 'rolebinding', ns, '--clusterrole=view', `--serviceaccount=${ns}:default`);
  token = (await must('-n', ns, 'create', 'token', 'default')).trim();
});
afterAll(async () => {
  for (const close of closing) close();
  await must('-n', 'default', 'delete', 'rolebinding', ns);
  await deleteNamespace(ns);
});

/** A run with connections: exec, its WebSocket included, goes the same way as the requests. */
async function probes(kubeconfig: string): Promise<void> {
  const ran = await doctor(['svc', 'kubernetes', '-o', 'json', '-q'], { env: { KUBECONFIG: kubeconfig, HOME: folder } });
  const said = JSON.parse(ran.stdout) as { verdict: { status: string }; checks: { id: string; status: string }[] };
  expect(said.verdict.status).toBe('healthy');
  expect(said.checks.find((c) => c.id === 'kube-proxy/rules')?.status).toBe('pass');
}

describe('the server', () => {
  test('plain HTTP, as kubectl proxy serves it', async () => {
    const port = await kubectlProxy();
    await connects(config({ cluster: { server: `http://127.0.0.1:${port}`, 'certificate-authority-data': undefined }, user: {} }));
  });
  test('kubectl proxy refuses exec by its defaults: the text says so, and the Service stays healthy', async () => {
    const port = await kubectlProxy();
    const ran = await doctor(['svc', 'kubernetes', '-o', 'json', '-q'], {
      env: { KUBECONFIG: config({ cluster: { server: `http://127.0.0.1:${port}` }, user: {} }), HOME: folder },
    });
    const { verdict } = JSON.parse(ran.stdout) as { verdict: { status: string; causes: object[] } };
    expect(verdict).toMatchObject({ status: 'healthy', causes: [] });
  });
  test('a path behind the host, as Rancher has it; exec goes that way, too', async () => {
    const port = await kubectlProxy('--api-prefix=/k8s/clusters/c-m-x7', '--disable-filter=true');
    await probes(config({ cluster: { server: `http://127.0.0.1:${port}/k8s/clusters/c-m-x7/` }, user: {} }));
    await names(config({ cluster: { server: `http://127.0.0.1:${port}/k8s/clusters/other` }, user: {} }), /what answers there is no API server/);
  });
  test('a context without a user, behind a proxy that adds credentials', async () => {
    const port = await kubectlProxy();
    await connects(config({ cluster: { server: `http://127.0.0.1:${port}` }, user: {}, context: { user: '' } }));
  });
  test('a page that asks for a login', async () => {
    const login = createHttpServer((_, answer) => answer.writeHead(302, { location: 'https://login.example/' }).end());
    await names(config({ cluster: { server: `http://127.0.0.1:${await listening(login)}` } }), /"server" of cluster "c" sends to https:\/\/login\.example\//);
    const page = createHttpServer((_, answer) => answer.end('<html>Welcome</html>'));
    await names(config({ cluster: { server: `http://127.0.0.1:${await listening(page)}` } }), /is no Kubernetes API .*"server"/);
  });
  test('https where plain HTTP is spoken', async () => {
    const port = await kubectlProxy();
    await names(config({ cluster: { server: `https://127.0.0.1:${port}` } }), /"server" of cluster "c" says https, and 127\.0\.0\.1:\d+ does not speak it/);
  });
  test.each([
    [{ server: undefined }, /"server" of cluster "c" .* is not there; add it/],
    [{ server: 'ftp://127.0.0.1' }, /"server" of cluster "c" .* is not a URL of http or https/],
    [{ server: 6443 }, /"server" of cluster "c" .* is 6443, not string/],
  ])('%j', (changes, says) => names(config({ cluster: changes as Partial<Cluster> }), says));
});

describe('its certificate', () => {
  test('tls-server-name', async () => {
    await connects(config({ cluster: { 'tls-server-name': 'kubernetes.default' } }));
    await names(config({ cluster: { 'tls-server-name': 'api.example' } }), /not for api\.example: "tls-server-name" of cluster "c" is wrong/);
  });
  test('an authority that did not sign it', async () => {
    const other = readFileSync(selfSigned('other').cert).toString('base64');
    await names(
      config({ cluster: { 'certificate-authority-data': other } }),
      /"certificate-authority-data" of cluster "c" did not sign the server's certificate/,
    );
    await names(config({ cluster: { 'certificate-authority-data': undefined } }), /"certificate-authority-data" of cluster "c" is not set|is not set/);
  });
  test('a file of an authority that is not there, or holds none', async () => {
    const gone = { 'certificate-authority-data': undefined, 'certificate-authority': 'gone.crt' };
    await names(config({ cluster: gone }), /"certificate-authority" of cluster "c" .* names .*gone\.crt, which cannot be read \(ENOENT\)/);
    await names(config({ cluster: { 'certificate-authority-data': 'bm9uZQ==' } }), /"certificate-authority-data" .* holds no certificate in PEM form/);
  });
  test('beside the kubeconfig, by a relative path', async () => {
    writeFileSync(join(folder, 'ca.crt'), Buffer.from(String(cluster['certificate-authority-data']), 'base64'));
    await connects(config({ cluster: { 'certificate-authority-data': undefined, 'certificate-authority': 'ca.crt' } }));
  });
  test('insecure-skip-tls-verify', () => connects(config({ cluster: { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true } })));
});

describe('proxy-url', () => {
  test('http; exec goes through it, too', async () => {
    const proxy = await httpProxy();
    await probes(config({ cluster: { 'proxy-url': `http://127.0.0.1:${proxy.port}` } }));
    expect(proxy.tunnels()).toBeGreaterThan(1);
  });
  test('with a name and a password, which no message shows', async () => {
    const { port } = await httpProxy('me:secret-word');
    await connects(config({ cluster: { 'proxy-url': `http://me:secret-word@127.0.0.1:${port}` } }));
    const kubeconfig = config({ cluster: { 'proxy-url': `http://me:wrong-word@127.0.0.1:${port}` } });
    await names(kubeconfig, /"proxy-url" of cluster "c", http:\/\/127\.0\.0\.1:\d+, did not connect to .*407/);
    expect((await run(kubeconfig)).stderr).not.toContain('wrong-word');
  });
  test('socks5; exec goes through it, too', async () => {
    await probes(config({ cluster: { 'proxy-url': `socks5://127.0.0.1:${await socksProxy()}` } }));
  });
  test('one that is away, or no URL', async () => {
    await names(config({ cluster: { 'proxy-url': 'http://127.0.0.1:1' } }), /"proxy-url" of cluster "c", http:\/\/127\.0\.0\.1:1, did not connect .*refused/);
    await names(config({ cluster: { 'proxy-url': 'squid:3128' } }), /"proxy-url" of cluster "c" .* is not a URL of http, https or socks5/);
  });
});

describe('the user', () => {
  test('a token, a file with one beside the kubeconfig', async () => {
    await connects(config({ user: { token } }));
    writeFileSync(join(folder, 'token'), `${token}\n`);
    await connects(config({ user: { token: 'outdated', tokenFile: 'token' } }));
  });
  test('a token that is not accepted, or that has run out', async () => {
    await names(config({ user: { token: 'nobody' } }), /"token" of user "u" is not accepted/);
    const [head, body = '', sign] = token.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { exp: number };
    const old = Buffer.from(JSON.stringify({ ...claims, exp: 1_700_000_000 })).toString('base64url');
    await names(config({ user: { token: `${head}.${old}.${sign}` } }), /"token" of user "u" ran out on 2023-11-14T/);
  });
  test('no credentials at all', () => names(config({ user: {} }), /user "u" has no token and no certificate/));
  test('a certificate and the key of another', async () => {
    const other = readFileSync(selfSigned('me').key).toString('base64');
    await names(config({ user: { ...user, 'client-key-data': other } }), /"client-key" of user "u" .* does not belong to its client-certificate/);
    await names(config({ user: { ...user, 'client-key-data': undefined } }), /"client-key" of user "u" .* is not there/);
  });
  test('one who speaks for somebody else, with groups', async () => {
    await connects(
      config({ user: { ...user, as: 'system:serviceaccount:x:y', 'as-groups': ['system:masters'], 'as-user-extra': { 'example.com/why': ['incident'] } } }),
    );
    const ran = await run(config({ user: { ...user, as: 'nobody' } }));
    expect(ran.stdout).toContain('not allowed to get services');
  });
});

describe('a credential plug-in', () => {
  const v1 = 'client.authentication.k8s.io/v1';
  const plugin = (script: string, more: object = {}): User => {
    const path = join(folder, `plugin-${++count}`);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
    return { exec: { apiVersion: v1, command: path, interactiveMode: 'IfAvailable', ...more } };
  };
  const answer = () => `echo '${JSON.stringify({ apiVersion: v1, kind: 'ExecCredential', status: { token } })}'`;

  test('beside the kubeconfig, by a relative path', async () => {
    const { exec } = plugin(answer()) as { exec: { command: string } };
    await connects(config({ user: { exec: { ...exec, command: `./${exec.command.split('/').at(-1)}` } } }));
  });
  test('asks on the terminal, and the run goes on', async () => {
    const asking = `printf 'Code: ' >&2; read -r code; [ "$code" = 1234 ] || exit 1; ${answer()}`;
    const kubeconfig = config({ user: plugin(asking, { interactiveMode: 'Always' }) });
    const t = terminal(100, 30, ['svc', 'kubernetes', '--probe', 'none'], { KUBECONFIG: kubeconfig });
    closing.push(() => t.close());
    await t.shows('Code:');
    await t.keys('1234', 'Enter');
    await t.shows('exit=', 30_000);
    expect(t.scrollback()).toContain('kubernetes');
    expect(t.scrollback()).not.toContain('plug-in');
    // Nobody is there to ask.
    await names(kubeconfig, /"exec" of user "u".*asks on the terminal \(interactiveMode: Always\)/);
  });
  test('is not asked on a terminal that is not there', () =>
    names(
      config({ user: plugin(`read -r code || { echo 'no code was given' >&2; exit 1; }; ${answer()}`) }),
      /"exec" of user "u".*failed \(no code was given\)/,
    ));
  test('another version, or no credentials', async () => {
    await names(config({ user: plugin(answer(), { apiVersion: `${v1}beta1` }) }), /"exec" of user "u".*answered in the version/);
    await names(config({ user: plugin('echo hello') }), /"exec" of user "u".*did not answer in JSON/);
  });
  test('learns of the cluster where it wants to', async () => {
    const out = join(folder, 'info');
    await connects(config({ user: plugin(`printf %s "$KUBERNETES_EXEC_INFO" >${out}; ${answer()}`, { provideClusterInfo: true }) }));
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({
      spec: { interactive: false, cluster: { server: cluster.server, 'certificate-authority-data': cluster['certificate-authority-data'] } },
    });
  });
});

describe('a token of OpenID Connect', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwt = (claims: object): string => {
    const part = (x: object) => Buffer.from(JSON.stringify(x)).toString('base64url');
    const head = `${part({ alg: 'RS256', kid: 'k' })}.${part(claims)}`;
    return `${head}.${createSign('RSA-SHA256').update(head).sign(privateKey).toString('base64url')}`;
  };
  const seconds = () => Math.floor(Date.now() / 1000);

  test('that has run out, without a way to renew it', () =>
    names(
      config({ user: { 'auth-provider': { name: 'oidc', config: { 'id-token': jwt({ exp: 1_700_000_000 }) } } } }),
      /"id-token" of user "u" \(auth-provider oidc\) .* ran out on 2023-11-14T.* there is no refresh-token/,
    ));

  test('is renewed, and kept for kubectl', async () => {
    const tls = selfSigned('idp', '-addext', 'subjectAltName=IP:127.0.0.1');
    let issuer = '';
    let given = '';
    const asked: string[] = [];
    const provider = createHttpsServer({ key: readFileSync(tls.key), cert: readFileSync(tls.cert) }, (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        const path = request.url ?? '';
        const say = (what: object) => response.setHeader('content-type', 'application/json').end(JSON.stringify(what));
        if (path.startsWith('/.well-known'))
          return void say({ issuer, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`, id_token_signing_alg_values_supported: ['RS256'] });
        if (path === '/keys') return void say({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256' }] });
        asked.push(body);
        given = jwt({ iss: issuer, aud: 'doctor', sub: 'me', iat: seconds(), exp: seconds() + 600 });
        say({ access_token: 'x', token_type: 'bearer', id_token: given, refresh_token: 'second', expires_in: 600 });
      });
    });
    issuer = `https://127.0.0.1:${await listening(provider)}`;
    // The cluster here trusts no provider: the relay takes the token, and goes on with credentials of its own.
    const front = await relay((_path, headers) => (given !== '' && headers.authorization === `Bearer ${given}` ? 'none' : 401));
    closing.push(() => front.close());
    const { clusters } = JSON.parse(readFileSync(front.kubeconfig, 'utf8')) as { clusters: { cluster: Cluster }[] };
    const settings = { 'idp-issuer-url': issuer, 'client-id': 'doctor', 'refresh-token': 'first', 'idp-certificate-authority': 'idp.crt' };
    const kubeconfig = config({
      cluster: { 'certificate-authority-data': undefined, ...clusters[0]?.cluster },
      user: { 'auth-provider': { name: 'oidc', config: { ...settings, 'id-token': jwt({ exp: 1_700_000_000 }) } } },
    });
    await connects(kubeconfig);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain('refresh_token=first');
    const kept = JSON.parse(readFileSync(kubeconfig, 'utf8')) as { users: { user: { 'auth-provider': { config: object } } }[] };
    expect(kept.users[0]?.user['auth-provider'].config).toEqual({ ...settings, 'refresh-token': 'second', 'id-token': given });
    // The next run needs no other.
    await connects(kubeconfig);
    expect(asked).toHaveLength(1);
  });
});

describe('the files', () => {
  test('a broken one in a list is named, with the line', async () => {
    const whole = config({});
    const broken = file('clusters:\n- name: x\n  cluster: [\nusers: {}\n');
    await names(`${whole}:${broken}`, new RegExp(`The kubeconfig ${broken} is not valid \\(.*line \\d`));
  });
  test('a broken entry that is not used does no harm', async () => {
    const other = file(
      JSON.stringify({ clusters: [{ name: 'old', cluster: {} }], users: [{ name: 'old' }], contexts: [{ name: 'old', context: { cluster: 'old' } }] }),
    );
    await connects(`${config({})}:${other}`);
    await names(`${config({})}:${other}`, /"server" of cluster "old" in the kubeconfig .* is not there/, '--context', 'old');
  });
  test('a context without a namespace is that of default; one with a namespace is not', async () => {
    await connects(config({}));
    const ran = await run(config({ context: { namespace: ns } }));
    expect(ran.stdout).toContain('service-not-found');
  });
});
