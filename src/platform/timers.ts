/**
 * Every timer of the product: none that overflows, none that looks at the wall clock.
 *
 * The platform's timers hold 31 bits of milliseconds; a longer delay fires at once, and a loop around it becomes a storm.
 * Here long delays are slept in slices. A lint rule keeps the platform's own timers out of the rest of src.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';

/** The longest delay that the platform's timers hold: 24.8 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

export interface Timer {
  cancel(): void;
  /** Let the process end although this is pending. */
  unref(): Timer;
}

/** Milliseconds since some point before the process began. Never falls back and never jumps, whoever sets the clock. */
export const monotonicMs = (): number => performance.now();

/** Calls `work` after `delayMs`, however many those are. */
export function after(delayMs: number, work: () => void): Timer {
  if (Number.isNaN(delayMs)) throw new UpdateError('bug', 'a timer without a delay');
  const untilMs = monotonicMs() + delayMs;
  let holds = true;
  let timer: NodeJS.Timeout;
  const next = (leftMs: number): void => {
    const isLast = leftMs <= TIMER_MS_MAX;
    timer = setTimeout(() => (isLast ? work() : next(untilMs - monotonicMs())), isLast ? leftMs : TIMER_MS_MAX);
    if (!holds) timer.unref();
  };
  next(delayMs);
  return {
    cancel: () => clearTimeout(timer),
    unref() {
      holds = false;
      timer.unref();
      return this;
    },
  };
}

/** Calls `work` again and again, `periodMs` after it was called last. */
export function every(periodMs: number, work: () => void): Timer {
  let holds = true;
  let timer: Timer;
  const begin = (): void => {
    timer = after(periodMs, () => {
      begin();
      work();
    });
    if (!holds) timer.unref();
  };
  begin();
  return {
    cancel: () => timer.cancel(),
    unref() {
      holds = false;
      timer.unref();
      return this;
    },
  };
}

/** Resolves after `delayMs`; rejects with `aborted` as soon as the signal fires. */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      reject(new UpdateError('aborted', 'stopped while waiting'));
    };
    const timer = after(delayMs, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
