/**
 * When a server wants to be asked again: `Retry-After` (RFC 9110, 10.2.3), in seconds or as an HTTP date.
 *
 * The one place that reads it. It travels on the error (`detail.retryAfterMs`), so that every backoff can honour it,
 * clamped: a server may slow a device down, not silence it.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import type { UpdateError } from '../../../native-free/status.ts';
import { backoffMs, type BackoffPolicy } from '../clock.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)';
/** The form that is written today, and the two that have to be understood: RFC 850's and asctime's. */
const DATE_FORMS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d\\d) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^[A-Z][a-z]{5,8}, (?<day>\\d\\d)-(?<month>[A-Z][a-z]{2})-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/** Milliseconds since 1970, or null for anything else. `Date.parse` takes far more, and asctime's form as local time. */
export function parseHttpDate(text: string): number | null {
  for (const form of DATE_FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const month = MONTHS.indexOf(parts['month']!);
    const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((name) => Number(parts[name]));
    let year = Number(parts['year']);
    // Two digits: this century, as nothing that asks to be tried again is of the last.
    if (year < 100) year += 2000;
    if (month < 0 || hour! > 23 || minute! > 59 || second! > 60) return null;
    const atMs = Date.UTC(year, month, day, hour, minute, second);
    return new Date(atMs).getUTCDate() === day || second === 60 ? atMs : null;
  }
  return null;
}

/**
 * What a `Retry-After` asks for, in ms from now, between 0 and the limit; null when it says nothing that can be read.
 * A date is taken from the server's own `Date`, where that is given: the device's clock may be years off.
 */
export function parseRetryAfter(text: string | null, nowMs: number, serverDate: string | null = null): number | null {
  if (text === null) return null;
  const asked = text.trim();
  const clamp = (ms: number): number => Math.min(LIMITS.retry_after_ms_max, Math.max(0, ms));
  if (/^\d+$/.test(asked)) return clamp(Number(asked) * 1000);
  const untilMs = parseHttpDate(asked);
  if (untilMs === null) return null;
  const fromMs = serverDate === null ? null : parseHttpDate(serverDate.trim());
  return clamp(untilMs - (fromMs ?? nowMs));
}

/** What the answer behind this error asked for, in ms, or null. */
export function retryAfterOf(error: UpdateError): number | null {
  const { retryAfterMs } = error.detail;
  return typeof retryAfterMs === 'number' ? retryAfterMs : null;
}

/**
 * How long to wait before retry `attempt` (0 is the first) after `error`: the backoff's step, and no less than the server
 * has asked for. Up to a tenth more, so that a fleet that was told the same does not come back at the same moment.
 */
export function retryDelayMs(policy: BackoffPolicy, attempt: number, random: number, error: UpdateError): number {
  const stepMs = backoffMs(policy, attempt, random);
  const askedMs = retryAfterOf(error);
  return askedMs === null ? stepMs : Math.max(stepMs, Math.round(askedMs * (1 + 0.1 * random)));
}
