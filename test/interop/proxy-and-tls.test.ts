/**
 * The way to the server as real ones are: a proxy (tinyproxy), TLS with the device's own certificate, a key in a token.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { agentNetwork, readCredentials } from '../../src/agent/service/agent-network.ts';
import { parseConfig } from '../../src/agent/config/config.ts';
import { readBody } from '../../src/platform/network.ts';
import { makeCertificates, pem } from '../support/certificates.ts';
import { temporaryFolder } from '../support/release.ts';

const folder = temporaryFolder();
const open: Server[] = [];
const sockets = new Set<Socket>();
let paths: ReturnType<typeof makeCertificates>;
beforeAll(() => {
  paths = makeCertificates(folder);
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of open.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  open.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Answers with who asked, by certificate, and what headers came. */
const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
  const peer = (request.socket as TLSSocket).getPeerCertificate?.();
  const words = { peer: peer?.subject?.CN ?? null, url: request.url, headers: request.headers };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(words));
};
const secureServer = (): Promise<number> =>
  listen(https.createServer({ key: pem(paths.serverKey), cert: pem(paths.server), ca: pem(paths.ca), requestCert: true, rejectUnauthorized: false }, answer)); // prettier-ignore

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() === socket));
    socket.on('error', () => resolve(false));
  });

function network(server: string, environment: Record<string, string> = {}) {
  const text = `
[device]
controller_id = "d"
product = "p"
hardware = "h"
[server]
${server}
[data]
folder = "data"
[trust]
root = "root.json"
[target]
path = "target"
[limits]
idle_seconds = 2
`;
  const config = parseConfig(text, folder);
  return { config, network: agentNetwork(config, environment) };
}

interface Seen {
  readonly peer: string | null;
  readonly url: string;
  readonly headers: Record<string, string>;
}
async function ask(it: ReturnType<typeof network>, url: string, more: object = {}): Promise<Seen> {
  const response = await it.network.request({ method: 'GET', url, ...more });
  expect(response.status).toBe(200);
  return JSON.parse(new TextDecoder().decode(await readBody(response, 10_000, url))) as Seen;
}

describe('TLS', () => {
  const own = (): string => `url = "https://x"\nca = "ca.pem"\nclient_cert = "device.pem"\nclient_key = "device.key"`;

  test("shows the device's certificate to the server, and trusts the configured roots alone", async () => {
    const port = await secureServer();
    expect((await ask(network(own()), `https://127.0.0.1:${port}/a`)).peer).toBe('device-1');
    const plain = network('url = "https://x"').network;
    await expect(plain.request({ method: 'GET', url: `https://127.0.0.1:${port}/` })).rejects.toMatchObject({ code: 'link_failed' }); // prettier-ignore
  });

  test('shows it to nobody that the server names', async () => {
    const other = await secureServer();
    const server = https.createServer({ key: pem(paths.serverKey), cert: pem(paths.server) }, (_request, response) => {
      response.writeHead(302, { location: `https://127.0.0.1:${other}/blob` }).end();
    });
    const port = await listen(server);
    const seen = await ask(network(own()), `https://127.0.0.1:${port}/`, { followRedirects: true, bulk: true });
    expect(seen).toMatchObject({ peer: null, url: '/blob' });
  });

  test('takes a certificate that was renewed under the running agent, after a failure', async () => {
    const port = await secureServer();
    const url = `https://127.0.0.1:${port}/`;
    const it = network(own());
    expect((await ask(it, url)).peer).toBe('device-1');
    const old = [`${paths.device}.old`, `${paths.deviceKey}.old`] as const;
    renameSync(paths.device, old[0]);
    it.network.reset!();
    // In the middle of the change.
    await expect(it.network.request({ method: 'GET', url })).rejects.toMatchObject({ code: 'tls_unusable', retryable: true, message: expect.stringContaining('device.pem') }); // prettier-ignore
    paths.issue('device', 'device-renewed', 'extendedKeyUsage=clientAuth\n');
    expect((await ask(it, url)).peer).toBe('device-renewed');
    rmSync(old[0]);
  });

  test.each([
    ['a certificate that is none', 'client_cert = "bad.pem"\nclient_key = "device.key"', 'cannot use the certificate'],
    ['a key that is none', 'client_cert = "device.pem"\nclient_key = "bad.pem"', 'cannot use the key'],
    ['a key of another certificate', 'client_cert = "device.pem"\nclient_key = "server.key"', 'cannot use the key'],
    ['roots without a certificate', 'ca = "bad.pem"', 'no certificate in'],
    ['roots that are not there', 'ca = "none.pem"', 'cannot read the roots'],
  ])('names %s', (_what, text, words) => {
    writeFileSync(join(folder, 'bad.pem'), 'no PEM');
    const { config } = network(`url = "https://x"\n${text}`);
    expect(() => readCredentials(config.server)).toThrow(expect.objectContaining({ code: 'tls_unusable', message: expect.stringContaining(words) as unknown })); // prettier-ignore
  });

  const engine = existsSync('/usr/lib') ? execFileSync('sh', ['-c', 'ls /usr/lib/*/engines-3/pkcs11.so 2>/dev/null || true']).toString().trim().split('\n')[0]! : ''; // prettier-ignore
  const softhsm = '/usr/lib/softhsm/libsofthsm2.so';
  const why = engine === '' ? 'no libengine-pkcs11-openssl' : existsSync(softhsm) ? null : 'no softhsm2';
  test.skipIf(why !== null)(
    `takes a key that stays in its token${why === null ? '' : ` (skipped: ${why})`}`,
    async () => {
      mkdirSync(join(folder, 'tokens'), { recursive: true });
      const hsm = join(folder, 'softhsm2.conf');
      writeFileSync(hsm, `directories.tokendir = ${join(folder, 'tokens')}\n`);
      const env = { ...process.env, SOFTHSM2_CONF: hsm, PKCS11_MODULE_PATH: softhsm };
      const tool = (...args: string[]): void => void execFileSync('softhsm2-util', args, { env, stdio: 'ignore' });
      tool('--init-token', '--free', '--label', 'dev', '--pin', '1234', '--so-pin', '1234');
      tool('--import', paths.deviceKey, '--token', 'dev', '--label', 'tls', '--id', '01', '--pin', '1234');
      const port = await secureServer();
      // In a process of its own: the module reads the environment, and engines stay loaded.
      const built = new URL('../../dist/src/', import.meta.url).pathname;
      const toml = `[device]\ncontroller_id = "d"\nproduct = "p"\nhardware = "h"\n[server]\nurl = "https://x"\nca = "ca.pem"\nclient_cert = "device.pem"\nclient_key = "pkcs11:token=dev;object=tls;pin-value=1234"\nclient_key_engine = ${JSON.stringify(engine)}\n[data]\nfolder = "data"\n[trust]\nroot = "r"\n[target]\npath = "t"\n`;
      const program = `
      const { parseConfig } = await import(${JSON.stringify(`${built}agent/config/config.js`)});
      const { agentNetwork } = await import(${JSON.stringify(`${built}agent/service/agent-network.js`)});
      const network = agentNetwork(parseConfig(${JSON.stringify(toml)}, ${JSON.stringify(folder)}), {});
      const response = await network.request({ method: 'GET', url: 'https://127.0.0.1:${port}/' });
      for await (const piece of response.body) process.stdout.write(piece);
      process.exit(0);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env, stdio: ['ignore', 'pipe', 'inherit'] }); // prettier-ignore
      let output = '';
      child.stdout.on('data', (data: Buffer) => (output += data.toString()));
      await new Promise((resolve) => child.once('close', resolve)); // eslint-disable-line no-promise-executor-return
      expect((JSON.parse(output) as Seen).peer).toMatch(/^device/);
    },
    30_000,
  );
});

describe('a proxy that never answers, or refuses', () => {
  test('is bounded, and its refusal is not taken for an answer of the server', async () => {
    const mute = await listen(createServer(() => undefined));
    const begun = performance.now();
    const through = (port: number) => network(`url = "https://x"\nproxy = "http://127.0.0.1:${port}"`).network;
    const get = { method: 'GET', url: 'https://server.test/' } as const;
    await expect(through(mute).request(get)).rejects.toMatchObject({ code: 'link_failed' });
    expect(performance.now() - begun).toBeLessThan(15_000);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    await expect(through(mute).request({ ...get, signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
    for (const [status, more] of [
      ['403 Forbidden', ''],
      ['407 Proxy Authentication Required', ''],
      ['503 Busy', 'retry-after: 7\r\n'],
      ['200 OK', ''],
    ] as const) {
      // prettier-ignore
      const isOpen = status.startsWith('200');
      const port = await listen(createServer((socket) => void socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\n${more}\r\n`)))); // prettier-ignore
      await expect(through(port).request(get)).rejects.toMatchObject(
        isOpen
          ? { code: 'link_failed' }
          : {
              code: 'proxy_refused',
              retryable: true,
              outcome: 10,
              detail: { proxyStatus: Number(status.slice(0, 3)) },
            },
      );
    }
  }, 30_000);
});

const missing = spawnSync('tinyproxy', ['-v']).error === undefined ? null : 'no tinyproxy';

describe.skipIf(missing !== null)(`behind tinyproxy${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let proxy: ChildProcess;
  let proxyPort: number;
  beforeAll(async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => {
      probe.listen(0, '127.0.0.1', resolve);
    });
    proxyPort = (probe.address() as AddressInfo).port;
    probe.close();
    const conf = join(folder, 'tinyproxy.conf');
    writeFileSync(conf, `Port ${proxyPort}\nListen 127.0.0.1\nTimeout 60\nBasicAuth user p-w.d\nMaxClients 20\n`);
    proxy = spawn('tinyproxy', ['-d', '-c', conf], { stdio: 'ignore' });
    for (let tries = 0; tries < 200 && !(await isListening(proxyPort)); tries++) await delay(50);
  });
  afterAll(() => void proxy.kill('SIGKILL'));

  const address = (user = 'user:p%2Dw.d'): string => `http://${user}@127.0.0.1:${proxyPort}`;
  const configured = (): string => `url = "https://x"\nca = "ca.pem"\nclient_cert = "device.pem"\nclient_key = "device.key"\nproxy = "${address()}"`; // prettier-ignore

  test('https goes through CONNECT, end to end: the server sees the certificate of the device', async () => {
    const port = await secureServer();
    const it = network(configured());
    for (let i = 0; i < 3; i++) {
      const seen = await ask(it, `https://localhost:${port}/a?b`);
      expect(seen).toMatchObject({ url: '/a?b', headers: { host: `localhost:${port}` } });
      expect(seen.peer).toMatch(/^device/);
      expect(seen.headers).not.toHaveProperty('proxy-authorization');
    }
    // One tunnel served them all.
    expect(sockets.size).toBe(1);
  });

  test("http is asked for by its whole address, and the server never sees the proxy's password", async () => {
    const port = await listen(http.createServer(answer));
    const seen = await ask(network(configured()), `http://127.0.0.1:${port}/a?b`);
    expect(seen).toMatchObject({ url: '/a?b', headers: { host: `127.0.0.1:${port}` } });
    expect(seen.headers).toHaveProperty('via');
    expect(seen.headers).not.toHaveProperty('proxy-authorization');
  });

  test('no password, or a wrong one, is proxy_refused, and is in no message', async () => {
    // tinyproxy answers a wrong password for http with 401, as a server would.
    const cases = [
      ['https://localhost:1/', address('user:wrong')],
      ['https://localhost:1/', `http://127.0.0.1:${proxyPort}`],
      ['http://localhost:1/', `http://127.0.0.1:${proxyPort}`],
    ] as const;
    for (const [url, proxied] of cases) {
      const it = network(`url = "https://x"\nca = "ca.pem"\nproxy = "${proxied}"`).network;
      const error = await it.request({ method: 'GET', url }).catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ code: 'proxy_refused' });
      expect(JSON.stringify(error)).not.toContain('wrong');
    }
  });

  test('the environment says it too, and what it exempts goes straight', async () => {
    const port = await listen(http.createServer(answer));
    const url = `http://127.0.0.1:${port}/`;
    const via = async (environment: Record<string, string>, more = ''): Promise<boolean> =>
      'via' in (await ask(network(`url = "http://x"\n${more}`, environment), url)).headers;
    expect(await via({ HTTP_PROXY: address() })).toBe(true);
    expect(await via({ http_proxy: address() })).toBe(true);
    expect(await via({ HTTPS_PROXY: address() })).toBe(false);
    expect(await via({ HTTP_PROXY: address(), NO_PROXY: '127.0.0.0/8' })).toBe(false);
    expect(await via({ HTTP_PROXY: address(), no_proxy: `10.0.0.1, 127.0.0.1:${port}` })).toBe(false);
    expect(await via({ HTTP_PROXY: address() }, 'proxy = "none"')).toBe(false);
    expect(await via({ NO_PROXY: '*' }, `proxy = "${address()}"`)).toBe(false);
  });
});
