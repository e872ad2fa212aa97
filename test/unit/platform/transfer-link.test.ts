/**
 * The link: ranges, drops, wrong answers, budget and rate.
 */
import { describe, expect, test } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { backoffMs } from '../../../src/platform/clock.ts';
import { Link, type LinkOptions } from '../../../src/transfer/link.ts';
import { Meter } from '../../../src/transfer/meter.ts';
import { runsOf } from '../../../src/transfer/chunks.ts';
import { FakeClock, MemoryNetwork, serveBytes, type MemoryAnswer, type MemoryNetworkOptions } from '../../../src/testing/index.ts'; // prettier-ignore

const CONTENT = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) & 255);

function linkOver(network: Partial<MemoryNetworkOptions>, options: Partial<LinkOptions> = {}) {
  const clock = new FakeClock();
  const memory = new MemoryNetwork({
    handler: (request) => serveBytes(request, CONTENT, '"v1"'),
    pieceBytes: 1000,
    ...network,
  });
  const link = new Link({ url: 'http://x/blob', totalBytes: CONTENT.length, network: memory, clock, ...options });
  return { link, memory, clock };
}

describe('a link', () => {
  test('gives exactly the range that was asked for', async () => {
    const { link, memory } = linkOver({});
    expect(await link.fetchAll({ from: 123, to: 4567 })).toEqual(CONTENT.slice(123, 4567));
    expect(memory.requests[0]!.headers).toMatchObject({ range: 'bytes=123-4566' });
  });

  test.each([1, 7, 999, 1000, 1001])('resumes at the very byte when it drops after every %i bytes', async (drop) => {
    const { link, memory, clock } = linkOver({ plan: () => ({ dropAfterBytes: drop }), pieceBytes: 64 });
    const range = { from: 0, to: drop * 5 };
    expect(await link.fetchAll(range)).toEqual(CONTENT.slice(0, drop * 5));
    expect(memory.bytesOf('blob')).toBe(drop * 5);
    expect(memory.requests.slice(1).every((request) => request.headers!['if-range'] === '"v1"')).toBe(true);
    expect(clock.sleeps).toHaveLength(4);
  });

  test('waits longer and longer, and gives up at the cap', async () => {
    const { link, clock } = linkOver(
      { plan: () => ({ refuse: true }) },
      { retriesMax: 6, backoff: { firstMs: 100, mostMs: 1000 } },
    );
    await expect(link.fetchAll({ from: 0, to: 10 })).rejects.toMatchObject({ code: 'retries_exhausted', outcome: 10 });
    expect(clock.sleeps).toHaveLength(6);
    clock.sleeps.forEach((ms, i) => expect(ms).toBeLessThanOrEqual(Math.min(1000, 100 * 2 ** i)));
  });

  test('starts counting anew after enough bytes, and waits short again after every byte', async () => {
    const plan = (_request: unknown, number: number) => (number % 3 ? { refuse: true } : { dropAfterBytes: 10 });
    const { link, clock } = linkOver({ plan }, { retriesMax: 3, progressBytes: 10 });
    expect(await link.fetchAll({ from: 0, to: 200 })).toEqual(CONTENT.slice(0, 200));
    for (const ms of clock.sleeps) expect(ms).toBeLessThanOrEqual(4000);
  });

  test.each([
    ['a byte for each connection', { dropAfterBytes: 1 }],
    ['eleven bytes for each connection', { dropAfterBytes: 11 }],
  ])('that gives %s only seems to live: it ends at the cap, with what came kept', async (_what, plan) => {
    const { link, memory } = linkOver({ plan: () => plan, pieceBytes: 1 }, { retriesMax: 50 });
    await expect(link.fetchAll({ from: 0, to: 10_000 })).rejects.toMatchObject({
      code: 'retries_exhausted',
      outcome: 10,
    });
    expect(memory.requests).toHaveLength(51);
  });

  test('asks after every piece whether to go on, and never behind the last one', async () => {
    let asked = 0;
    const { link } = linkOver({ pieceBytes: 1000 }, { whileFlowing: async () => void asked++ });
    await link.fetchAll({ from: 0, to: 5000 });
    expect(asked).toBe(4);
    const cancelled = new UpdateError('cancelled', 'x');
    const stopped = linkOver({ pieceBytes: 1000 }, { whileFlowing: () => Promise.reject(cancelled) });
    await expect(stopped.link.fetchAll({ from: 0, to: 5000 })).rejects.toBe(cancelled);
    expect(stopped.clock.sleeps).toEqual([]);
  });

  test('ends after one more request, without If-Range, and says so, where the server knows no ranges', async () => {
    const whole = (): MemoryAnswer => ({ status: 200, headers: { etag: '"v1"' }, body: CONTENT });
    const { link, memory, clock } = linkOver({ handler: whole });
    // From the beginning it is of use.
    expect(await link.fetchAll({ from: 0, to: 10 })).toEqual(CONTENT.slice(0, 10));
    await expect(link.fetchAll({ from: 10, to: 20 })).rejects.toMatchObject({ code: 'range_unsupported', outcome: 10 });
    expect(memory.requests.map(({ headers }) => headers!['if-range'])).toEqual([undefined, '"v1"', undefined]);
    expect(clock.sleeps).toHaveLength(1);
  });

  test('asks again for the range where the whole blob came because it was replaced', async () => {
    let etag = '"v1"';
    const { link, memory } = linkOver({ handler: (request) => serveBytes(request, CONTENT, etag) });
    await link.fetchAll({ from: 0, to: 10 });
    etag = '"v2"';
    expect(await link.fetchAll({ from: 10, to: 20 })).toEqual(CONTENT.slice(10, 20));
    expect(memory.requests).toHaveLength(3);
  });

  test.each(['bytes 5-9/*', 'Bytes 5-9/10000', ' bytes 5-9/* '])('takes a Content-Range of "%s"', async (range) => {
    const { link, clock } = linkOver({
      handler: () => ({ status: 206, headers: { 'content-range': range }, body: CONTENT.slice(5, 10) }),
    });
    expect(await link.fetchAll({ from: 5, to: 10 })).toEqual(CONTENT.slice(5, 10));
    expect(clock.sleeps).toEqual([]);
  });

  const html: MemoryAnswer = { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>' };
  const ranged = (headers: Record<string, string>): MemoryAnswer => ({
    status: 206,
    headers,
    body: CONTENT.slice(5, 10),
  });
  test.each<[string, MemoryAnswer, string]>([
    ['an HTML page', html, 'content_wrong'],
    [
      'a blob of another size instead of a range',
      { status: 200, headers: { 'content-length': '9999' } },
      'content_wrong',
    ],
    ['another range of a blob of any size', ranged({ 'content-range': 'bytes 0-4/*' }), 'content_wrong'],
    ['another range', ranged({ 'content-range': 'bytes 0-4/10000' }), 'content_wrong'],
    ['a blob of another size', ranged({ 'content-range': 'bytes 5-9/10001' }), 'content_wrong'],
    ['no Content-Range', ranged({}), 'content_wrong'],
    ['compressed content', ranged({ 'content-range': 'bytes 5-9/10000', 'content-encoding': 'gzip' }), 'content_wrong'],
    ['416', { status: 416 }, 'content_wrong'],
    ['404', { status: 404 }, 'http_status'],
    ['500', { status: 500 }, 'http_status'],
  ])('takes nothing from an answer with %s, and asks again', async (_what, wrong, code) => {
    let first = true;
    const codes: string[] = [];
    const { link } = linkOver(
      {
        handler: (request) => {
          const answer = first ? wrong : serveBytes(request, CONTENT, '"v1"');
          first = false;
          return answer;
        },
      },
      { onWait: ({ error }) => void codes.push(error.code) },
    );
    expect(await link.fetchAll({ from: 5, to: 10 })).toEqual(CONTENT.slice(5, 10));
    expect(codes).toEqual([code]);
  });

  test('stops when it is told to', async () => {
    const stop = new AbortController();
    const { link } = linkOver({ plan: () => ({ refuse: true }) }, { signal: stop.signal, onWait: () => stop.abort() });
    await expect(link.fetchAll({ from: 0, to: 10 })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('the meter', () => {
  test('refuses what is over the budget, counting earlier runs', async () => {
    const meter = new Meter({ clock: new FakeClock(), budgetBytes: 100, alreadyBytes: 60 });
    await meter.take(40);
    await expect(meter.take(1)).rejects.toMatchObject({ code: 'over_budget', outcome: 10 });
  });

  test('holds the average rate', async () => {
    const clock = new FakeClock();
    const begin = clock.now();
    const meter = new Meter({ clock, bytesPerSecondMax: 1000 });
    for (let i = 0; i < 100; i++) await meter.take(100);
    expect(clock.now() - begin).toBeGreaterThanOrEqual(9_900);
    expect(clock.now() - begin).toBeLessThanOrEqual(10_100);
  });
});

test('backoff stays between a tenth of the step and the step', () => {
  const policy = { firstMs: 1000, mostMs: 60_000 };
  expect(backoffMs(policy, 0, 0)).toBe(100);
  expect(backoffMs(policy, 3, 0.999)).toBeLessThanOrEqual(8000);
  expect(backoffMs(policy, 1000, 1)).toBe(60_000);
});

test('runs join neighbours from the link and leave the spool alone', () => {
  expect(runsOf([0, 1, 2, 5, 6, 7], new Set([1, 7]))).toEqual([
    { origin: 'link', first: 0, end: 1 },
    { origin: 'spool', first: 1, end: 2 },
    { origin: 'link', first: 2, end: 3 },
    { origin: 'link', first: 5, end: 7 },
    { origin: 'spool', first: 7, end: 8 },
  ]);
});
