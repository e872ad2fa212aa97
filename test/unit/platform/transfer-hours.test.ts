/**
 * Allowed hours: windows of the day, over midnight, in the device's local time.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkHours, nextOpening, parseHours, waitForHours, type DayWindow } from '../../../src/agent/life/hours.ts';
import { UpdateError } from '../../../native-free/status.ts';

const at = (time: string): number => Date.parse(`2026-11-15T${time}:00Z`);
const open = (hours: string, time: string, offset = 0): string => {
  const opens = nextOpening(parseHours(hours)!, at(time), offset);
  return opens === at(time) ? 'now' : new Date(opens).toISOString().slice(8, 16);
};

describe('hours', () => {
  test.each([
    ['22:00-06:00', '21:59', '15T22:00'],
    ['22:00-06:00', '22:00', 'now'],
    ['22:00-06:00', '00:00', 'now'],
    ['22:00-06:00', '05:59', 'now'],
    ['22:00-06:00', '06:00', '15T22:00'],
    ['09:30-17:00', '17:00', '16T09:30'],
    ['09:30-17:00', '09:29', '15T09:30'],
    ['22:00-06:00, 12:00-13:00', '08:00', '15T12:00'],
    ['22:00-06:00,12:00-13:00', '13:00', '15T22:00'],
    ['00:00-24:00', '13:00', 'now'],
    ['22:00-24:00', '23:59', 'now'],
    ['22:00-24:00', '00:00', '15T22:00'],
    ['22:00-0:00', '23:59', 'now'],
  ])('%s at %s: %s', (hours, time, expected) => {
    expect(open(hours, time)).toBe(expected);
  });

  test('are local: two hours ahead of UTC, 20:00 UTC is 22:00', () => {
    expect(open('22:00-06:00', '19:59', 120)).toBe('15T20:00');
    expect(open('22:00-06:00', '20:00', 120)).toBe('now');
    expect(open('22:00-06:00', '03:59', 120)).toBe('now');
    expect(open('22:00-06:00', '21:30', -210)).toBe('16T01:30');
  });

  test.each([
    '',
    '22:00',
    '22-06',
    '25:00-06:00',
    '22:60-06:00',
    '06:00-06:00',
    '24:00-06:00',
    'a-b',
    '1:00-2:00-3:00',
    '22:00-06:00,',
  ])(
    // prettier-ignore
    'that say nothing are refused: "%s"',
    (text) => {
      expect(parseHours(text)).toBeNull();
    },
  );

  test('none at all: always open, also to a clock in 1970', () => {
    expect(nextOpening([], 0, 0)).toBe(0);
  });

  test('for any windows, time and offset: an opening is open, within a day, and nothing before it is', () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    const window = fc
      .record({ from: minute, to: fc.integer({ min: 0, max: 1440 }) })
      .filter(({ from, to }: DayWindow) => from !== to);
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: -720, max: 840 }),
        (hours, nowMs, offset) => {
          const opens = nextOpening(hours, nowMs, offset);
          expect(opens - nowMs).toBeLessThanOrEqual(86_400_000);
          expect(nextOpening(hours, opens, offset)).toBe(opens);
          if (opens > nowMs) expect(nextOpening(hours, opens - 1, offset)).toBe(opens);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('stop what is outside of them, and say when they begin', () => {
    const clock = { now: () => at('12:00'), offsetMinutes: () => 60 };
    let error: unknown;
    try {
      checkHours('the download', parseHours('22:00-06:00')!, clock);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'outside_hours', outcome: 10, retryable: true });
    expect(waitForHours(UpdateError.from(error), at('12:00'))).toBe(9 * 3_600_000);
    expect(waitForHours(new UpdateError('link_failed', 'x'), 0)).toBeNull();
    checkHours('the download', parseHours('22:00-06:00')!, { now: () => at('23:00') });
  });
});
