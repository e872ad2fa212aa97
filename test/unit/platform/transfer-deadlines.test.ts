/**
 * Nothing waits for ever: servers that drip, stall or never answer, over real sockets, with every bound made small.
 */
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Link } from '../../../src/transfer/link.ts';
import { nodeClock } from '../../../src/platform/clock.ts';
import { readBody } from '../../../src/platform/network.ts';
import { DEFAULT_RATE_FLOOR, floorBytes, RateGauge } from '../../../src/platform/http/rate-floor.ts';
import { nodeNetwork } from '../../../src/platform/http/node-network.ts';
import { UpdateError } from '../../../native-free/status.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that does this with each connection, once a request came. Counts connections. */
async function serve(answer: (socket: Socket, number: number) => void, scheme = 'http', mute = false) {
  const seen = { connections: 0, requests: [] as string[] };
  const server = createTcpServer((socket) => {
    const number = ++seen.connections;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    if (mute) answer(socket, number);
    else
      socket.on('data', (data: Buffer) => {
        seen.requests.push(data.toString('latin1').split('\r\n')[0]!);
        answer(socket, number);
      });
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { ...seen, seen, url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/x` };
}

/** So many bytes every so often, until the peer has had enough. */
function drip(socket: Socket, bytes: string | Uint8Array, everyMs: number): void {
  const timer = setInterval(() => void (socket.writable && socket.write(bytes)), everyMs);
  socket.once('close', () => clearInterval(timer));
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n';
const SMALL = { idleMs: 1000, answerMs: 1000, exchangeMs: 1500, floor: { bytesPerSecond: 1000, windowMs: 600 } };
const LONG_MS = 10_000;

async function timed(work: () => Promise<unknown>): Promise<{ error: UpdateError; tookMs: number }> {
  const begun = performance.now();
  const error = await work().then(
    () => expect.unreachable('it should have been given up'),
    (thrown: unknown) => UpdateError.from(thrown),
  );
  return { error, tookMs: performance.now() - begun };
}

describe('the head of an answer', () => {
  test.each<[string, (socket: Socket) => void, string, boolean]>([
    ['that never comes', () => undefined, 'http', false],
    ['that drips', (socket) => drip(socket, 'x', 50), 'http', false],
    ['whose headers go on for ever', (socket) => void (socket.write('HTTP/1.1 200 OK\r\n'), drip(socket, 'a: b\r\n', 50)), 'http', false], // prettier-ignore
    ['behind a TLS handshake that never ends', () => undefined, 'https', true],
    ['behind a TLS handshake that drips', (socket) => drip(socket, new Uint8Array([22]), 50), 'https', true],
  ])('%s is link_failed within its time', async (_what, answer, scheme, mute) => {
    const { url } = await serve(answer, scheme, mute);
    const { error, tookMs } = await timed(() => nodeNetwork(SMALL).request({ method: 'GET', url, bulk: true }));
    expect(error).toMatchObject({ code: 'link_failed', retryable: true });
    expect(tookMs).toBeLessThan(LONG_MS);
  });
});

describe('an exchange that is no payload', () => {
  const whole = (socket: Socket): void => {
    socket.write(HEAD);
    drip(socket, 'x', 50);
  };

  test('and drips is link_slow at its deadline, though it is never silent', async () => {
    const { url } = await serve(whole);
    const { error, tookMs } = await timed(async () => {
      const response = await nodeNetwork(SMALL).request({ method: 'GET', url });
      await readBody(response, 2_000_000, url);
    });
    expect(error).toMatchObject({ code: 'link_slow', retryable: true, outcome: 10 });
    expect(tookMs).toBeGreaterThan(1400);
    expect(tookMs).toBeLessThan(LONG_MS);
  });

  test('has one deadline for head and body together', async () => {
    const { url } = await serve((socket) => void setTimeout(() => whole(socket), 800));
    const { error, tookMs } = await timed(async () => {
      const response = await nodeNetwork({ ...SMALL, exchangeMs: 1200 }).request({ method: 'GET', url });
      await readBody(response, 2_000_000, url);
    });
    expect(error.code).toBe('link_slow');
    expect(tookMs).toBeGreaterThan(1100);
  });

  test('that is over in time leaves nothing behind that would end the connection later', async () => {
    const { url, seen } = await serve((socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
    const network = nodeNetwork({ ...SMALL, exchangeMs: 300 });
    const once = async (): Promise<number> => (await readBody(await network.request({ method: 'GET', url }), 10, url)).length; // prettier-ignore
    expect(await once()).toBe(2);
    await delay(500);
    expect(await once()).toBe(2);
    expect(seen.connections).toBe(1);
  });
});

describe('a payload', () => {
  const read = async (url: string, options: object = SMALL, pauseMs = 0): Promise<number> => {
    const response = await nodeNetwork(options).request({ method: 'GET', url, bulk: true });
    let bytes = 0;
    for await (const piece of response.body) {
      bytes += piece.length;
      if (pauseMs > 0) await delay(pauseMs);
    }
    return bytes;
  };

  test('that drips is link_slow after a window, with the figures', async () => {
    const { url } = await serve((socket) => void (socket.write(HEAD), drip(socket, 'x', 50)));
    const { error, tookMs } = await timed(() => read(url));
    expect(error).toMatchObject({
      code: 'link_slow',
      retryable: true,
      detail: { windowMs: 600, bytesPerSecond: 1000 },
    });
    expect(error.message).toMatch(/bytes came in 0.6 s/);
    expect(tookMs).toBeGreaterThan(500);
    expect(tookMs).toBeLessThan(LONG_MS);
  });

  test('that begins well and then drips is given up all the same', async () => {
    const { url } = await serve((socket) => void (socket.write(HEAD), socket.write('x'.repeat(100_000)), drip(socket, 'x', 50))); // prettier-ignore
    expect((await timed(() => read(url))).error.code).toBe('link_slow');
  });

  test('that comes in gusts with fades between them, at the lowest rate, goes on; no exchange deadline holds for it', async () => {
    const total = 8 * 700;
    const { url } = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
      drip(socket, 'x'.repeat(700), 300);
    });
    const begun = performance.now();
    expect(await read(url, { ...SMALL, floor: { bytesPerSecond: 1000, windowMs: 700 } })).toBe(total);
    expect(performance.now() - begun).toBeGreaterThan(SMALL.exchangeMs);
  });

  test('whose reader is slow is no slow link', async () => {
    const { url } = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n');
      for (let i = 0; i < 20; i++) setTimeout(() => socket.write('x'.repeat(100)), i * 20);
    });
    expect(await read(url, { ...SMALL, floor: { bytesPerSecond: 1000, windowMs: 600 } }, 150)).toBe(2000);
  });

  test('that drips on every connection ends at the cap, although bytes came between', async () => {
    const { url, seen } = await serve((socket) => {
      socket.write('HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-9999/*\r\ncontent-length: 10000\r\n\r\n');
      drip(socket, 'x', 40);
    });
    const codes: string[] = [];
    const link = new Link({
      ...{
        url,
        totalBytes: 10_000,
        network: nodeNetwork({ ...SMALL, floor: { bytesPerSecond: 1000, windowMs: 150 } }),
      },
      ...{ clock: nodeClock, backoff: { firstMs: 1, mostMs: 2 }, retriesMax: 3, progressBytes: 150 },
      onWait: ({ error }) => void codes.push(error.code),
    });
    await expect(link.fetchAll({ from: 0, to: 10_000 })).rejects.toMatchObject({ code: 'retries_exhausted' });
    expect(codes[0]).toBe('link_slow');
    expect(seen.connections).toBeLessThanOrEqual(4);
  });

  test('that drips does not keep a cancellation from being heard: it is asked by time', async () => {
    const { url } = await serve((socket) => {
      socket.write('HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-9999/*\r\ncontent-length: 10000\r\n\r\n');
      drip(socket, 'x', 30);
    });
    const cancelled = new UpdateError('cancelled', 'x');
    const begun = performance.now();
    const link = new Link({
      ...{ url, totalBytes: 10_000, network: nodeNetwork({ idleMs: 5000 }), clock: nodeClock },
      whileFlowing: async () => {
        if (performance.now() - begun > 300) throw cancelled;
      },
    });
    await expect(link.fetchAll({ from: 0, to: 10_000 })).rejects.toBe(cancelled);
    expect(performance.now() - begun).toBeLessThan(LONG_MS);
  });

  test('that is stopped while it drips ends with aborted', async () => {
    const { url } = await serve((socket) => {
      socket.write('HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-9999/*\r\ncontent-length: 10000\r\n\r\n');
      drip(socket, 'x', 30);
    });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    const link = new Link({ url, totalBytes: 10_000, network: nodeNetwork(), clock: nodeClock, signal: stop.signal });
    await expect(link.fetchAll({ from: 0, to: 10_000 })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('the lowest rate', () => {
  test('leaves NB-IoT at 26 kbit/s alive through a fade of 115 s in every two minutes, and gives up 90 bytes a second', () => {
    const lives = (bytesPerSecond: number, fadeSeconds: number): boolean => {
      const gauge = new RateGauge(DEFAULT_RATE_FLOOR);
      for (let second = 0; second < 3600; second++) {
        gauge.waited(1000);
        if (second % 120 >= fadeSeconds) gauge.arrived(bytesPerSecond);
        if (gauge.leftMs <= 0) return false;
      }
      return true;
    };
    expect(floorBytes(DEFAULT_RATE_FLOOR)).toBe(12_000);
    expect(lives(26_000 / 8, 0)).toBe(true);
    expect(lives(26_000 / 8, 115)).toBe(true);
    expect(lives(1_000 / 8, 0)).toBe(true);
    expect(lives(90, 0)).toBe(false);
    expect(lives(1, 0)).toBe(false);
  });
});

describe('a reused connection that dies before it answers', () => {
  /** Answers the first request of a connection, and closes it when the second one comes. */
  const fickle = (seen: { requests: string[] }) => {
    const served = new WeakSet<Socket>();
    return (socket: Socket): void => {
      if (served.has(socket)) socket.resetAndDestroy();
      else {
        served.add(socket);
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${seen.requests.length % 10}k`);
      }
    };
  };

  test.each(['GET', 'PUT'] as const)(
    'is no failure of a %s: it is sent again at once, on a new one',
    async (method) => {
      const seen = { requests: [] as string[] };
      const server = await serve(fickle(seen));
      const network = nodeNetwork(SMALL);
      const once = async (): Promise<number> =>
        (await readBody(await network.request({ method, url: server.url }), 10, server.url)).length;
      for (let i = 0; i < 4; i++) {
        expect(await once()).toBe(2);
        await delay(20);
      }
      expect(server.seen.connections).toBe(4);
      expect(server.seen.requests.length).toBe(7);
    },
  );

  test('is one of a POST, which the server may have acted on', async () => {
    const server = await serve(fickle({ requests: [] }));
    const network = nodeNetwork(SMALL);
    const once = async (): Promise<void> =>
      void (await readBody(await network.request({ method: 'POST', url: server.url, body: '{}' }), 10, server.url));
    await once();
    await delay(20);
    await expect(once()).rejects.toMatchObject({ code: 'link_failed' });
    expect(server.seen.requests.length).toBe(2);
  });

  test('is one where the new connection dies as well: twice is no coincidence', async () => {
    const served = new WeakSet<Socket>();
    const server = await serve((socket, number) => {
      if (number > 1 || served.has(socket)) return void socket.resetAndDestroy();
      served.add(socket);
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
    const network = nodeNetwork(SMALL);
    await readBody(await network.request({ method: 'GET', url: server.url }), 10, server.url);
    await delay(20);
    await expect(network.request({ method: 'GET', url: server.url })).rejects.toMatchObject({ code: 'link_failed' });
    expect(server.seen.connections).toBe(2);
  });
});
