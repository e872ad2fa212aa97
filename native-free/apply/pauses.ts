/**
 * Cancellation within long work: the event loop is let in every so many look-ups, and the signal is asked.
 * @module
 */
import type { CancelSignal } from '../io.ts';
import type { Steps } from '../steps.ts';
import type { WorkMeter } from '../format/work.ts';
import { UpdateError } from '../status.ts';

/** Look-ups between two pauses: some 10 ms. */
const PAUSE_LOOKUPS = 2 ** 19;

function throwIfCancelled(signal: CancelSignal | undefined): void {
  if (signal?.aborted === true) throw new UpdateError('aborted', 'apply was cancelled');
}

export class Pauses {
  readonly #signal: CancelSignal | undefined;
  readonly #pause: (() => Promise<void>) | undefined;
  readonly #work: WorkMeter | undefined;
  #next = 0;

  /** `work` tells how much was done; a full payload has none to count. */
  constructor(signal?: CancelSignal, pause?: () => Promise<void>, work?: WorkMeter) {
    this.#signal = signal;
    this.#pause = pause;
    this.#work = work;
  }

  /**
   * A pause, now.
   * @throws UpdateError aborted
   */
  async pause(): Promise<void> {
    throwIfCancelled(this.#signal);
    if (this.#pause === undefined) return;
    await this.#pause();
    throwIfCancelled(this.#signal);
  }

  /** A pause when enough was done since the last one. */
  async work(): Promise<void> {
    throwIfCancelled(this.#signal);
    if (this.#pause === undefined || this.#work === undefined || this.#work.spent < this.#next) return;
    this.#next = this.#work.spent + PAUSE_LOOKUPS;
    await this.pause();
  }

  /** All of `steps`, with pauses between them. */
  async drive<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      await this.work();
    }
  }
}
