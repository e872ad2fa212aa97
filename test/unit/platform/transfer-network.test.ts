/**
 * The real network against real servers: what arrived is never thrown away, and nobody passes for the server.
 */
import { execFileSync } from 'node:child_process';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Link } from '../../../src/transfer/link.ts';
import { nodeClock } from '../../../src/platform/clock.ts';
import { readBody, refuseHtml, statusError, type NetworkResponse } from '../../../src/platform/network.ts'; // prettier-ignore
import { nodeNetwork } from '../../../src/platform/http/node-network.ts';
import { temporaryFolder } from '../../support/release.ts';

const servers: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server | TcpServer, scheme = 'http'): Promise<string> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A server that answers every connection with these bytes and then with an RST. */
const rawServer = (head: string, body: Uint8Array): TcpServer =>
  createTcpServer((socket) => {
    socket.once('data', () => {
      socket.write(head);
      socket.write(body, () => setTimeout(() => socket.resetAndDestroy(), 30));
    });
  });

const get = (url: string, more: object = {}): Promise<NetworkResponse> =>
  nodeNetwork({ idleMs: 2000 }).request({ method: 'GET', url, ...more });

describe('a connection that breaks', () => {
  // More than the reader's queue: a part of it has to be read from the kernel after the RST came.
  test.each([10, 50_000, 200_000])(
    'by an RST gives all %i bytes that arrived, and only then the error',
    async (bytes) => {
      const url = await listen(rawServer('HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n', new Uint8Array(bytes)));
      const response = await get(url);
      // A reader that is slow, as one at its rate limit is.
      await delay(150);
      let got = 0;
      const read = async (): Promise<void> => {
        for await (const piece of response.body) {
          got += piece.length;
          await delay(1);
        }
      };
      await expect(read()).rejects.toMatchObject({ code: 'link_failed', retryable: true });
      expect(got).toBe(bytes);
    },
  );

  test('before the answer is link_failed', async () => {
    const url = await listen(createTcpServer((socket) => void socket.once('data', () => socket.resetAndDestroy())));
    await expect(get(url)).rejects.toMatchObject({ code: 'link_failed' });
  });

  test('with an answer that is no HTTP is link_failed', async () => {
    const url = await listen(rawServer('SSH-2.0-portal\r\n', new Uint8Array(0)));
    await expect(get(url)).rejects.toMatchObject({ code: 'link_failed' });
  });

  test('is told apart from one that was stopped', async () => {
    const url = await listen(createHttpServer(() => undefined));
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    await expect(get(url, { signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('connections', () => {
  test('serve requests that follow each other, and no more after a reset', async () => {
    const ports = new Set<number>();
    const url = await listen(
      createHttpServer((request, response) => {
        ports.add(request.socket.remotePort!);
        response.end('x');
      }),
    );
    const network = nodeNetwork();
    const once = async (): Promise<void> => {
      await readBody(await network.request({ method: 'GET', url }), 10, url);
      await delay(20);
    };
    await once();
    await once();
    expect(ports.size).toBe(1);
    network.reset!();
    await once();
    expect(ports.size).toBe(2);
  });

  test('are new after the link dropped: a pooled one may belong to an address that is gone', async () => {
    let seen = 0;
    const url = await listen(
      createHttpServer((request, response) => {
        seen++;
        response.setHeader('x-port', String(request.socket.remotePort));
        response.end('x');
      }),
    );
    const network = nodeNetwork();
    const port = async (): Promise<string> => {
      const response = await network.request({ method: 'GET', url });
      await readBody(response, 10, url);
      await delay(20);
      return response.header('x-port')!;
    };
    const first = await port();
    await expect(network.request({ method: 'GET', url: 'http://127.0.0.1:9/' })).rejects.toMatchObject({ code: 'link_failed' }); // prettier-ignore
    expect(await port()).not.toBe(first);
    expect(seen).toBe(2);
  });
});

describe('a redirect', () => {
  async function pair() {
    const seen: (string | undefined)[] = [];
    const other = await listen(
      createHttpServer((request, response) => {
        seen.push(request.headers.authorization);
        response.end('elsewhere');
      }),
    );
    const url = await listen(
      createHttpServer((request, response) => {
        response.writeHead(request.url === '/loop' ? 302 : 307, { location: request.url === '/loop' ? '/loop' : other }); // prettier-ignore
        response.end();
      }),
    );
    return { url, other, seen };
  }

  test('is an answer like any other: a report is not taken for delivered by whoever redirects it', async () => {
    const { url, other, seen } = await pair();
    const response = await get(url, { method: 'POST', body: '{}' });
    expect(response.status).toBe(307);
    expect(statusError(response, url)).toMatchObject({ code: 'http_status', message: expect.stringContaining(other) });
    expect(seen).toEqual([]);
  });

  test('is followed for content that digests vouch for, without the token', async () => {
    const { url, seen } = await pair();
    const response = await get(url, { followRedirects: true, headers: { authorization: 'TargetToken secret' } });
    expect(new TextDecoder().decode(await readBody(response, 100, url))).toBe('elsewhere');
    expect(seen).toEqual([undefined]);
  });

  test('in a circle ends', async () => {
    const { url } = await pair();
    expect((await get(`${url}loop`, { followRedirects: true })).status).toBe(302);
  });
});

describe('a captive portal', () => {
  test('that answers 200 with a page in HTML is told by its type', async () => {
    const url = await listen(
      createHttpServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<html>');
      }),
    );
    const response = await get(url, { method: 'POST', body: '{}' });
    expect(() => refuseHtml(response, url)).toThrow(expect.objectContaining({ code: 'content_wrong' }));
    await response.discard();
  });

  test('that intercepts TLS is link_failed, and nothing was sent to it', async () => {
    const folder = temporaryFolder();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=portal', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' }); // prettier-ignore
    let asked = 0;
    const server = createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
      asked++;
      response.end('x');
    });
    const url = await listen(server, 'https');
    await expect(get(url)).rejects.toMatchObject({
      code: 'link_failed',
      message: expect.stringMatching(/self.signed/i),
    });
    expect(asked).toBe(0);
    const trusting = nodeNetwork({ credentials: () => ({ ca: readFileSync(cert, 'utf8') }) });
    expect((await trusting.request({ method: 'GET', url })).status).toBe(200);
    expect(asked).toBe(1);
  });

  test('costs one exchange per try and leaves no trace: 302, 511, HTML, then the server again', async () => {
    const content = Uint8Array.from({ length: 5000 }, (_, i) => i & 255);
    let number = 0;
    const login = await listen(createHttpServer((_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'))); // prettier-ignore
    const url = await listen(
      createHttpServer((request, response) => {
        number++;
        if (number === 1) response.writeHead(302, { location: login }).end();
        else if (number === 2) response.writeHead(511).end('log in');
        else if (number === 3) response.writeHead(200, { 'content-type': 'text/html', etag: '"p"' }).end('<html>');
        else {
          const from = Number(/bytes=(\d+)/.exec(request.headers.range!)![1]);
          response.writeHead(206, { 'content-range': `bytes ${from}-4999/5000`, etag: '"e"' });
          response.end(content.subarray(from));
        }
      }),
    );
    const codes: string[] = [];
    const link = new Link({
      ...{ url, totalBytes: 5000, network: nodeNetwork(), clock: nodeClock },
      backoff: { firstMs: 5, mostMs: 10 },
      onWait: ({ error }) => void codes.push(`${error.code} ${String(error.detail['httpStatus'])}`),
    });
    expect(await link.fetchAll({ from: 0, to: 5000 })).toEqual(content);
    expect(codes).toEqual(['content_wrong 200', 'http_status 511', 'content_wrong 200']);
  });
});

test('a body without content leaves its connection usable', async () => {
  const ports = new Set<number>();
  const url = await listen(
    createHttpServer((request, response) => {
      ports.add(request.socket.remotePort!);
      request.resume();
      response.writeHead(200, { 'content-length': '0' }).end();
    }),
  );
  const network = nodeNetwork();
  for (let i = 0; i < 3; i++) {
    await (await network.request({ method: 'POST', url, body: 'report' })).discard();
    await delay(20);
  }
  expect(ports.size).toBe(1);
});
