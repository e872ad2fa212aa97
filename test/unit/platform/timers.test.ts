/**
 * Timers and clocks: delays that the platform cannot hold, a wall clock that is set, and the lint rule that keeps
 * intervals off it.
 */
import { Linter } from 'eslint';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { after, every, pause, TIMER_MS_MAX } from '../../../src/platform/timers.ts';
import { wallClockRule } from '../../../scripts/wall-clock-rule.mjs';

const DAY_MS = 86_400_000;

describe('a timer', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  test.each([1, 1000, TIMER_MS_MAX, TIMER_MS_MAX + 1, 100 * DAY_MS])('of %i ms fires then, and once', (delayMs) => {
    const fired = vi.fn();
    after(delayMs, fired);
    vi.advanceTimersByTime(delayMs - 1);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(delayMs);
    expect(fired).toHaveBeenCalledTimes(1);
  });

  test('that was cancelled in its second slice does not fire', () => {
    const fired = vi.fn();
    const timer = after(3 * TIMER_MS_MAX, fired);
    vi.advanceTimersByTime(TIMER_MS_MAX + 10);
    timer.cancel();
    vi.advanceTimersByTime(3 * TIMER_MS_MAX);
    expect(fired).not.toHaveBeenCalled();
  });

  test('without a number is refused: the platform would fire it at once', () => {
    expect(() => after(NaN, () => undefined)).toThrow(expect.objectContaining({ code: 'bug' }));
  });

  test('that repeats does so until it is cancelled, also by its own work', () => {
    let count = 0;
    const timer = every(40 * DAY_MS, () => {
      if (++count === 3) timer.cancel();
    });
    vi.advanceTimersByTime(40 * DAY_MS - 1);
    expect(count).toBe(0);
    vi.advanceTimersByTime(400 * DAY_MS);
    expect(count).toBe(3);
  });
});

describe('a pause', () => {
  test('ends with aborted as soon as the signal fires, also when it had fired before', async () => {
    const stop = new AbortController();
    const waiting = pause(100 * DAY_MS, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    await expect(pause(100 * DAY_MS, stop.signal)).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('the lint rule', () => {
  const problems = (code: string, ...options: unknown[]): string[] =>
    new Linter()
      .verify(code, {
        plugins: { engraft: { rules: { 'wall-clock': wallClockRule } } },
        rules: { 'engraft/wall-clock': ['error', ...options] },
      } as Linter.Config)
      .map(({ messageId }) => messageId ?? 'no rule');

  test.each([
    ['a difference', 'const took = clock.now() - begun;', ['interval']],
    ['a deadline', 'const until = clock.now() + 1000;', ['interval']],
    ['a comparison', 'while (clock.now() < until) work();', ['interval']],
    [
      'a member that is a function',
      'if (this.#now() >= until) stop();',
      ['interval'],
      'class A { #now; m(until, stop) { CODE } }',
    ],
    ['by way of a variable', 'const at = clock.now(); function f(then) { return at - then; }', ['interval']],
    ['an injected function', 'const took = now() - begun;', ['interval']],
    ["the platform's clock", 'send(Date.now());', ['source']],
    ["the platform's clock as a default", 'const now = options.now ?? Date.now;', ['source']],
    ['a date of now', 'send(new Date().toISOString());', ['source']],
    ['a date of now, reckoned with', 'const left = until - new Date().getTime();', ['interval', 'source']],
    ['the monotonic clock', 'const took = clock.monotonicMs() - begun; const more = performance.now() - begun;', []],
    ['a date that is kept', 'record.startedAtMs = clock.now(); const day = new Date(atMs);', []],
    ['a text', "const id = 'dev-' + clock.now();", []],
    ['another variable of that name', 'function f(at, then) { return at - then; } const other = clock.now();', []],
  ])('on %s', (_what, code, expected, around = 'CODE') => {
    expect(problems(around.replace('CODE', code)).sort()).toEqual(expected);
  });

  test('lets a source of time ask for it, and not reckon with it', () => {
    expect(problems('send(Date.now());', 'sources')).toEqual([]);
    expect(problems('const took = Date.now() - begun;', 'sources')).toEqual(['interval']);
  });
});
