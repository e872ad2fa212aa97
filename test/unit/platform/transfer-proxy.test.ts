/**
 * Which proxy an address goes through, what a server may say about polls, and clocks that are set under a running agent.
 */
import { describe, expect, test } from 'vitest';
import { pollPauseMs } from '../../../src/agent/service/deployments.ts';
import { throwIfCancelled } from '../../../src/agent/service/cancel.ts';
import type { Context } from '../../../src/agent/context.ts';
import type { Attempt } from '../../../src/agent/records/journal.ts';
import { withoutNetworkSecrets } from '../../../src/agent/config/network.ts';
import { chooseProxy, isExempt, parseProxy } from '../../../src/platform/http/proxy.ts';
import { Meter } from '../../../src/transfer/meter.ts';
import { FakeClock } from '../../../src/testing/index.ts';

describe('NO_PROXY', () => {
  test.each([
    ['http://a.example/', 'example', true],
    ['http://a.example/', '.example', true],
    ['http://a.example/', '*.example', true],
    ['http://a.example/', 'EXAMPLE', true],
    ['http://aexample/', 'example', false],
    ['http://example/', '.example', true],
    ['http://a.example/', 'b.example a.example', true],
    ['http://a.example/', '', false],
    ['http://a.example/', '*', true],
    ['http://a.example/', 'a.example:80', true],
    ['https://a.example/', 'a.example:80', false],
    ['http://a.example:8080/', 'a.example:8080', true],
    ['http://10.1.2.3/', '10.0.0.0/8', true],
    ['http://11.1.2.3/', '10.0.0.0/8', false],
    ['http://a.example/', '10.0.0.0/8', false],
    ['http://10.1.2.3/', '2.3', false],
    ['http://[::1]/', '::1', true],
    ['http://[::1]/', '[::1]', true],
    ['http://[fd00::5]/', 'fd00::/8', true],
    ['http://10.1.2.3/', '10.0.0.0/99', false],
    ['http://a.example/', ',, :, x::y::z,', false],
  ])('%s, %s: %s', (url, noProxy, expected) => {
    expect(isExempt(url, noProxy)).toBe(expected);
  });
});

describe('the choice of a proxy', () => {
  test('goes by the scheme of the address, lower case first, the configuration before all', () => {
    const environment = {
      http_proxy: 'low:1',
      HTTP_PROXY: 'http://up:1',
      HTTPS_PROXY: 'https://secure:2',
      NO_PROXY: '',
    };
    const choose = chooseProxy(undefined, environment);
    expect(choose('http://x/')?.host).toBe('low:1');
    expect(choose('https://x/')?.host).toBe('secure:2');
    expect(chooseProxy('http://own:3', environment)('https://x/')?.host).toBe('own:3');
    expect(chooseProxy('none', environment)('https://x/')).toBeNull();
    expect(chooseProxy(undefined, {})('https://x/')).toBeNull();
  });

  test.each(['socks5://x:1', 'http://', 'ftp://x', 'http://x/path', '::'])('refuses %s by name', (text) => {
    expect(parseProxy(text)).toBeNull();
    expect(() => chooseProxy(undefined, { https_proxy: text })).toThrow(expect.objectContaining({ code: 'config_invalid', detail: { key: 'https_proxy' } })); // prettier-ignore
  });

  test('is shown without its password, and a token without its PIN', () => {
    const client = { cert: '/c', key: 'pkcs11:token=t;object=o;pin-value=1234', engine: '/e' };
    const shown = JSON.stringify(withoutNetworkSecrets({ client, proxy: 'http://user:secret@proxy:1' }));
    expect(shown).not.toMatch(/1234|secret/);
    expect(shown).toContain('http://(set)@proxy:1');
    expect(JSON.stringify(withoutNetworkSecrets({ proxy: 'user:secret@proxy:1' }))).not.toContain('secret');
    expect(withoutNetworkSecrets({ proxy: 'http://proxy:1' }).proxy).toBe('http://proxy:1');
  });
});

describe('the time between polls', () => {
  test.each([
    ['nothing: as configured', null, 300, 300_000],
    ['five minutes', 300_000, 60, 300_000],
    ['nothing at all, 00:00:00: the least', 0, 300, 10_000],
    ['a second, where the configuration polls so often itself', 1000, 1, 1000],
    ['a second, where it polls every three', 1000, 3, 3000],
    ['999 hours: a week', 999 * 3_600_000, 300, 7 * 86_400_000],
  ])('a server says %s', (_what, said, configured, expected) => {
    expect(pollPauseMs(said, configured)).toBe(expected);
  });
});

const HOURS_MS = 2 * 3_600_000;
describe.each([HOURS_MS, -HOURS_MS])('a wall clock that is set by %i ms', (jumpMs) => {
  test('leaves the question whether the attempt is cancelled at its rhythm', async () => {
    const clock = new FakeClock();
    let polls = 0;
    const release = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
    const deployment = { actionId: '1', release };
    const context = {
      ...{ clock, config: { server: { cancelPollSeconds: 60 } }, cancelAskedMs: -Infinity, emit: () => undefined },
      deployments: { poll: async () => ({ cancel: null, deployment, sleepMs: null, x: polls++ }) },
    } as unknown as Context;
    const attempt = { actionId: '1', release, outcome: null } as unknown as Attempt;
    for (let second = 0; second < 600; second++) {
      if (second === 90) clock.setBy(jumpMs);
      await throwIfCancelled(context, attempt);
      clock.advance(1000);
    }
    expect(polls).toBe(10);
  });

  test('neither stops the download nor lifts its rate limit', async () => {
    const clock = new FakeClock();
    const meter = new Meter({ clock, bytesPerSecondMax: 1000 });
    for (let i = 0; i < 100; i++) {
      if (i === 50) clock.setBy(jumpMs);
      await meter.take(100);
    }
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(9_900);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(10_100);
  });
});
