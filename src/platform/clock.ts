/**
 * Time and chance, injected: a test runs a week of backoff in no time, and a simulation replays from its seed.
 * @module
 */
import { monotonicMs, pause } from './timers.ts';

export interface Clock {
  /** What time it is, in milliseconds since 1970. It is set while the agent runs: for dates, never for intervals. */
  now(): number;
  /** Milliseconds that have passed since some point: the only measure of an interval. */
  monotonicMs(): number;
  /** Resolves after `delayMs`; rejects with `aborted` as soon as the signal fires. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1), for jitter only. */
  random(): number;
  /** Minutes that the device's local time is ahead of UTC; without it local time is UTC. */
  offsetMinutes?(atMs: number): number;
}

export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonicMs,
  random: () => Math.random(),
  offsetMinutes: (atMs) => -new Date(atMs).getTimezoneOffset(),
  sleep: pause,
};

/** Exponential backoff with full jitter (AWS Architecture Blog, 2015): all devices of a fleet come back spread out. */
export interface BackoffPolicy {
  readonly firstMs: number;
  readonly mostMs: number;
}

export const DEFAULT_BACKOFF: BackoffPolicy = { firstMs: 1_000, mostMs: 300_000 };

/** How long to wait before retry `attempt` (0 is the first): between a tenth of the step and the step. */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: number): number {
  const step = Math.min(policy.mostMs, policy.firstMs * 2 ** Math.min(attempt, 40));
  return Math.round(step * (0.1 + 0.9 * random));
}
