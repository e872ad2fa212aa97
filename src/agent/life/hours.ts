/**
 * Hours of the day in which something may happen: the download on a metered link, the reboot of a device in use.
 *
 * Pure functions: the time and the device's offset from UTC are given. An offset is taken as it is now, so around a
 * change of summer time an opening can be named up to an hour wrong; whoever waits for it asks again on waking, and
 * then waits for the rest or finds it open.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';

/** Minutes of the day, from 0 to 1440. `from` belongs to the window, `to` does not; `from` > `to` is over midnight. */
export interface DayWindow {
  readonly from: number;
  readonly to: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;

function minuteOf(text: string): number | null {
  const match = /^(\d{1,2}):(\d\d)$/.exec(text);
  if (match === null || Number(match[2]) > 59) return null;
  const minute = Number(match[1]) * 60 + Number(match[2]);
  return minute <= 1440 ? minute : null;
}

/** `22:00-06:00` or several, with commas between. Null when the text says nothing of the kind. */
export function parseHours(text: string): readonly DayWindow[] | null {
  const windows: DayWindow[] = [];
  for (const part of text.split(',')) {
    const [first, last, ...more] = part.trim().split('-');
    const from = minuteOf((first ?? '').trim());
    const to = minuteOf((last ?? '').trim());
    // From 06:00 to 06:00 could be all day or never.
    if (from === null || to === null || more.length > 0 || from === to || from === 1440) return null;
    windows.push({ from, to });
  }
  return windows;
}

/**
 * When it is next allowed, in ms since 1970: `nowMs` itself where it is allowed now. Without windows it always is.
 * `offsetMinutes` is what local time is ahead of UTC.
 */
export function nextOpening(hours: readonly DayWindow[], nowMs: number, offsetMinutes: number): number {
  if (hours.length === 0) return nowMs;
  const localMs = nowMs + offsetMinutes * MINUTE_MS;
  const dayMs = Math.floor(localMs / DAY_MS) * DAY_MS;
  const minute = (localMs - dayMs) / MINUTE_MS;
  let waitMs = Infinity;
  for (const { from, to } of hours) {
    const open = from < to ? minute >= from && minute < to : minute >= from || minute < to;
    if (open) return nowMs;
    const today = dayMs + from * MINUTE_MS - localMs;
    waitMs = Math.min(waitMs, today > 0 ? today : today + DAY_MS);
  }
  return nowMs + waitMs;
}

/** Throws `outside_hours` with `opensAtMs` in its detail. `what` begins the message: 'the download', 'the reboot'. */
export function checkHours(
  what: string,
  hours: readonly DayWindow[],
  clock: { now(): number; offsetMinutes?(atMs: number): number },
): void {
  const nowMs = clock.now();
  const opensAtMs = nextOpening(hours, nowMs, clock.offsetMinutes?.(nowMs) ?? 0);
  if (opensAtMs === nowMs) return;
  const minutes = Math.ceil((opensAtMs - nowMs) / MINUTE_MS);
  throw new UpdateError('outside_hours', `${what} waits ${minutes} min for its hours`, { detail: { opensAtMs } });
}

/** What is known of the wait: ms until the hours begin, when `error` is about them; else null. */
export function waitForHours(error: UpdateError, nowMs: number): number | null {
  const { opensAtMs } = error.detail;
  if (error.code !== 'outside_hours' || typeof opensAtMs !== 'number') return null;
  return Math.max(0, opensAtMs - nowMs);
}
