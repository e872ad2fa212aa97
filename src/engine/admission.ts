/**
 * Admission control: jobs wait in line for memory instead of taking it and failing half-way.
 *
 * Needed because the runtime does not bound what images cost: `resourceLimits` of a worker thread covers the heap
 * only, neither SharedArrayBuffers nor WebAssembly memory.
 *
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** A first-in-first-out semaphore over bytes. First-in-first-out, so that a large job is not starved by small ones. */
export class MemoryGate {
  readonly #capacityBytes: number;
  #takenBytes = 0;
  #waiters: Waiter[] = [];

  /** @param capacityBytes what all jobs together may hold */
  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Wait until `bytes` are free and take them; the returned function gives them back (once, however often called).
   * Throws UpdateError `memory_exceeded` when they can never be free, `aborted` when the signal fires first.
   */
  async acquire(bytes: number, signal?: AbortSignal): Promise<() => void> {
    if (bytes > this.#capacityBytes) {
      const mebibytes = (value: number): string => `${Math.ceil(Math.max(0, value) / 2 ** 20)} MiB`;
      throw new UpdateError(
        'memory_exceeded',
        `the job needs about ${mebibytes(bytes)}, more than the ${mebibytes(this.#capacityBytes)} that jobs may use`,
        { detail: { neededBytes: bytes, allowedBytes: this.#capacityBytes } },
      );
    }
    throwIfAborted(signal);
    if (this.#waiters.length > 0 || this.#takenBytes + bytes > this.#capacityBytes) await this.#wait(bytes, signal);
    else this.#takenBytes += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#takenBytes -= bytes;
      this.#admitNext();
    };
  }

  #wait(bytes: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(abortedError(signal!));
        // The one that left may have been the one that the others waited behind.
        this.#admitNext();
      };
      const waiter: Waiter = {
        bytes,
        admit: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #admitNext(): void {
    for (let next = this.#waiters[0]; next !== undefined; next = this.#waiters[0]) {
      if (this.#takenBytes + next.bytes > this.#capacityBytes) return;
      this.#waiters.shift();
      this.#takenBytes += next.bytes;
      next.admit();
    }
  }
}

/** What an abort looks like to callers: the reason if that is an UpdateError already. */
export function abortedError(signal: AbortSignal): UpdateError {
  const reason: unknown = signal.reason;
  if (UpdateError.is(reason)) return reason;
  return new UpdateError('aborted', 'making the payload was stopped', { cause: reason });
}

/** Throws UpdateError `aborted` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError(signal);
}
