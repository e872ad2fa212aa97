/**
 * Connections that say nothing, say it slowly, or stop listening are closed; the log says whose they were.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManagementClient } from '../../../src/client/index.ts';
import { createServer, type EngraftServer, type ServerOptions } from '../../../src/server/index.ts';
import { publisher } from '../../support/release.ts';

let repo = '';
beforeAll(async () => {
  const made = await publisher();
  await made.release(1, { image: new Uint8Array(24_000_000) });
  repo = made.dir;
});

const servers: EngraftServer[] = [];
afterAll(async () => {
  for (const server of servers) await server.close(0);
});

async function start(options: Partial<ServerOptions>): Promise<{ server: EngraftServer; port: number; url: string }> {
  const server = await createServer({ repo, store: ':memory:', auth: { managementToken: 'tok' }, ...options });
  servers.push(server);
  const url = await server.listen(0);
  return { server, url, port: Number(new URL(url).port) };
}

const DEADLINES = { headerMs: 400, requestMs: 800, silenceMs: 1000, keepAliveMs: 300 };

/** Resolves with all that came, when the server has closed. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return text;
}

const open = async (port: number, bytes = ''): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  if (bytes !== '') socket.write(bytes);
  return socket;
};

describe('a connection', () => {
  test('that says nothing is closed, and a thousand of them', async () => {
    const { port, url } = await start({ deadlines: DEADLINES });
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => open(port)));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const answers = await Promise.all(sockets.map(untilClosed));
    expect(answers).toHaveLength(1000);
  });

  test.each([
    ['stops in its header', 'GET /healthz HTTP/1.1\r\nHost:', 'HTTP/1.1 408'],
    [
      'stops in its body',
      'PUT /default/controller/v1/d/configData HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{',
      'HTTP/1.1 408',
    ],
    ['asks no second time', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 'HTTP/1.1 200'],
  ])('that %s is closed', async (_what, bytes, answer) => {
    const { port } = await start({ deadlines: DEADLINES });
    expect(await untilClosed(await open(port, bytes))).toContain(answer);
  });

  test('that no longer takes what it asked for is closed', async () => {
    const { port, url, server } = await start({ deadlines: DEADLINES });
    const [release] = await new ManagementClient({ url, token: 'tok' }).releases();
    const path = `/blobs/sha256/${release!.artifact.sha256}`;
    const socket = await open(port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.on('error', () => undefined);
    await once(socket, 'readable');
    const stalled = server.stats.blobBytes;
    expect(stalled).toBeLessThan(24_000_000);
    // Not read any further; only the server can end this.
    const closed = once(socket, 'close');
    await sleep(2500);
    socket.resume();
    await closed;
    expect(server.stats.blobBytes).toBeLessThan(24_000_000);
  });
});

describe('the log', () => {
  async function logged(options: Partial<ServerOptions>) {
    const lines: Record<string, unknown>[] = [];
    const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
    const logger = pino({ messageKey: 'message', formatters: { level: (level) => ({ level }) } }, { write });
    return { ...(await start({ logger, ...options })), lines };
  }

  test.each([
    [[], '9.9.9.9', '127.0.0.1'],
    [['loopback'], '9.9.9.9', '9.9.9.9'],
    [['loopback'], 'evil, 9.9.9.9', '9.9.9.9'],
    [['127.0.0.0/8', '10.0.0.0/8'], '8.8.8.8, 9.9.9.9, 10.1.2.3', '9.9.9.9'],
    [['loopback'], 'nonsense', '127.0.0.1'],
    [['10.0.0.0/8'], '9.9.9.9', '127.0.0.1'],
    [['loopback'], '[2001:db8::1]', '2001:db8::1'],
  ])('with the proxies %j and X-Forwarded-For %s names %s', async (trustedProxies, forwarded, address) => {
    const { url, lines, server } = await logged({ trustedProxies });
    const headers = { 'X-Forwarded-For': forwarded, 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'ota.example' };
    const answer = await fetch(`${url}/default/controller/v1/dev-1`, { headers });
    const { _links } = (await answer.json()) as { _links: { configData: { href: string } } };
    const trusted = trustedProxies.includes('loopback') || trustedProxies.includes('127.0.0.0/8');
    expect(_links.configData.href.startsWith('https://ota.example/')).toBe(trusted);
    expect(lines).toMatchObject([{ level: 'info', event: 'request', method: 'GET', status: 200, address }]);
    expect((await server.store.devices.get({ tenant: 'default', controllerId: 'dev-1' })).lastAddress).toBe(address);
  });

  test('has no stack for what a client did wrong', async () => {
    const { url, port, lines } = await logged({});
    const post = (path: string, body: string) => fetch(`${url}${path}`, { method: 'POST', body });
    await post('/default/controller/v1/d/deploymentBase/1/feedback', '{');
    await post('/api/v1/deployments', '{}');
    await post('/nowhere', 'x');
    await untilClosed(await open(port, 'rubbish\r\n\r\n'));
    expect(lines.map(({ level, status }) => [level, status])).toEqual([
      ...[
        ['info', 400],
        ['info', 401],
        ['info', 404],
        ['info', 400],
      ],
    ]);
    expect(JSON.stringify(lines)).not.toContain('.ts:');
  });

  test('refuses a proxy that is none', async () => {
    for (const name of ['example.org', '10.0.0.0/33', '10.0.0.0/8/8', '::1/129', '']) {
      await expect(start({ trustedProxies: [name] })).rejects.toMatchObject({ code: 'usage_invalid' });
    }
  });
});
