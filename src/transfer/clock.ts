/**
 * Time and chance, injected: a test runs a week of backoff in no time, and a simulation replays from its seed.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `delayMs`; rejects with `aborted` as soon as the signal fires. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1), for jitter only. */
  random(): number;
  /** Minutes that the device's local time is ahead of UTC; without it local time is UTC. */
  offsetMinutes?(atMs: number): number;
}

const aborted = (): UpdateError => new UpdateError('aborted', 'stopped while waiting');

export const nodeClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  offsetMinutes: (atMs) => -new Date(atMs).getTimezoneOffset(),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(aborted());
        return;
      }
      const stop = (): void => {
        clearTimeout(timer);
        reject(aborted());
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, delayMs);
      signal?.addEventListener('abort', stop, { once: true });
    }),
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
