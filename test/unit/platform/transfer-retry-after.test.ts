/**
 * `Retry-After`: what is read, what is clamped, and that whoever waits after an error waits for it.
 */
import { describe, expect, test } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { Link } from '../../../src/transfer/link.ts';
import { parseHttpDate, parseRetryAfter, retryDelayMs } from '../../../src/platform/http/retry-after.ts';
import { statusError } from '../../../src/platform/network.ts';
import { FakeClock, MemoryNetwork, serveBytes } from '../../../src/testing/index.ts';

const AT_MS = Date.UTC(1994, 10, 6, 8, 49, 37);
const HOUR_MS = 3_600_000;

describe('an HTTP date', () => {
  test.each([
    ['as it is written today', 'Sun, 06 Nov 1994 08:49:37 GMT', AT_MS],
    ["of asctime, in Greenwich's time wherever the device is", 'Sun Nov  6 08:49:37 1994', AT_MS],
    ['of RFC 850, two digits are of this century', 'Sunday, 06-Nov-26 08:49:37 GMT', Date.UTC(2026, 10, 6, 8, 49, 37)],
    ['on a leap day', 'Tue, 29 Feb 2028 00:00:00 GMT', Date.UTC(2028, 1, 29)],
    ['on a day that there is not', 'Tue, 30 Feb 2027 00:00:00 GMT', null],
    ['of a month that there is not', 'Sun, 06 Nox 1994 08:49:37 GMT', null],
    ['at an hour that there is not', 'Sun, 06 Nov 1994 24:49:37 GMT', null],
    ['in another zone', 'Sun, 06 Nov 1994 08:49:37 CET', null],
    ['of ISO 8601', '1994-11-06T08:49:37Z', null],
    ['with words behind it', 'Sun, 06 Nov 1994 08:49:37 GMT or later', null],
  ])('%s', (_what, text, expected) => {
    expect(parseHttpDate(text)).toBe(expected);
  });
});

describe('Retry-After', () => {
  test.each<[string, string | null, number | null]>([
    ['is not there', null, null],
    ['in seconds', '120', 120_000],
    ['with space around it', ' 5 ', 5_000],
    ['of nothing', '0', 0],
    ['of a day is an hour', '86400', HOUR_MS],
    ['of more than a number holds is an hour', '9'.repeat(400), HOUR_MS],
    ['as a date', 'Sun, 06 Nov 1994 08:51:37 GMT', 120_000],
    ['as a date that has passed', 'Sun, 06 Nov 1994 08:00:00 GMT', 0],
    ['as a date in ten years is an hour', 'Mon, 06 Nov 2034 08:00:00 GMT', HOUR_MS],
    ['below nothing', '-5', null],
    ['in parts of seconds', '1.5', null],
    ['in words', 'soon', null],
    ['of nothing at all', '', null],
  ])('%s', (_what, text, expected) => {
    expect(parseRetryAfter(text, AT_MS)).toBe(expected);
  });

  test("counts a date from the server's own clock: the device's may be years off", () => {
    const text = 'Sun, 06 Nov 1994 08:51:37 GMT';
    for (const nowMs of [0, AT_MS, Date.UTC(2040, 1, 1)]) {
      expect(parseRetryAfter(text, nowMs, 'Sun, 06 Nov 1994 08:49:37 GMT')).toBe(120_000);
    }
    expect(parseRetryAfter(text, AT_MS, 'no date')).toBe(120_000);
  });

  test('is on the error that the status becomes, and is not where the server said nothing', () => {
    const answer = (headers: Record<string, string>) => ({
      status: 503,
      header: (name: string) => headers[name] ?? null,
    });
    expect(statusError(answer({ 'retry-after': '30' }), 'http://x/').detail).toEqual({ url: 'http://x/', httpStatus: 503, retryAfterMs: 30_000 }); // prettier-ignore
    expect(statusError(answer({}), 'http://x/').detail).toEqual({ url: 'http://x/', httpStatus: 503 });
  });

  test('sets the least that is waited; a fleet that was told the same is spread over a tenth more', () => {
    const error = new UpdateError('http_status', 'x', { detail: { retryAfterMs: 100_000 } });
    const policy = { firstMs: 1000, mostMs: 300_000 };
    expect(retryDelayMs(policy, 0, 0, error)).toBe(100_000);
    expect(retryDelayMs(policy, 0, 0.999, error)).toBeGreaterThan(109_000);
    expect(retryDelayMs(policy, 0, 0.999, error)).toBeLessThanOrEqual(110_000);
    // The backoff has grown beyond it.
    expect(retryDelayMs(policy, 20, 1, error)).toBe(300_000);
    expect(retryDelayMs(policy, 0, 1, new UpdateError('link_failed', 'x'))).toBe(1000);
  });

  test('of a blob server is waited for in full', async () => {
    const clock = new FakeClock();
    const content = new Uint8Array(100);
    let busy = 2;
    const network = new MemoryNetwork({
      handler: (request) =>
        busy-- > 0 ? { status: 503, headers: { 'Retry-After': '90' } } : serveBytes(request, content, '"v"'),
    });
    const link = new Link({ url: 'http://x/blob', totalBytes: 100, network, clock });
    expect(await link.fetchAll({ from: 0, to: 100 })).toEqual(content);
    expect(clock.sleeps).toHaveLength(2);
    for (const ms of clock.sleeps) expect(ms).toBeGreaterThanOrEqual(90_000);
  });
});
