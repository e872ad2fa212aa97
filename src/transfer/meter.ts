/**
 * What the link costs: counting, the byte budget and the rate limit, all at one place on the way.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { Clock } from '../platform/clock.ts';

export interface MeterOptions {
  /** Bytes this attempt may still take from the link; default no bound. */
  readonly budgetBytes?: number;
  /** Largest average rate; default no bound. */
  readonly bytesPerSecondMax?: number;
  /** Bytes that earlier runs of the same attempt took. */
  readonly alreadyBytes?: number;
  readonly clock: Clock;
  /**
   * Counts a piece durably before it is used, given the total with it. Returns the total, which is higher when more is
   * known than here; may throw `over_budget`.
   */
  readonly charge?: (bytes: number, wireBytes: number) => Promise<number>;
  /** Told the new total after every piece. */
  readonly onTake?: (wireBytes: number) => void;
}

/** Counts payload bytes as they come off the link. */
export class Meter {
  readonly #options: MeterOptions;
  #wireBytes: number;
  #refetchedBytes = 0;
  #freeAtMs = 0;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#wireBytes = options.alreadyBytes ?? 0;
  }

  /** Payload bytes taken from the link in this attempt. */
  get wireBytes(): number {
    return this.#wireBytes;
  }

  /** Of these, bytes of chunks that had been fetched before (damaged ones). */
  get refetchedBytes(): number {
    return this.#refetchedBytes;
  }

  noteRefetch(bytes: number): void {
    this.#refetchedBytes += bytes;
  }

  /** Throws `over_budget` when `bytes` more would not fit. */
  check(bytes: number): void {
    const budget = this.#options.budgetBytes;
    if (budget === undefined || this.#wireBytes + bytes <= budget) return;
    throw new UpdateError(
      'over_budget',
      `${this.#wireBytes} bytes were downloaded, ${bytes} more are needed, the budget is ${budget}`,
      { detail: { downloadedBytes: this.#wireBytes, neededBytes: bytes, budgetBytes: budget } },
    );
  }

  /** Take a piece: count it, refuse it over budget, wait when it came faster than the rate allows. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    if (bytes === 0) return;
    this.#wireBytes += bytes;
    const { charge } = this.#options;
    if (charge !== undefined) this.#wireBytes = await charge(bytes, this.#wireBytes);
    this.#options.onTake?.(this.#wireBytes);
    this.check(0);
    const rate = this.#options.bytesPerSecondMax;
    if (rate === undefined) return;
    const { clock } = this.#options;
    const now = clock.monotonicMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, now) + (bytes * 1000) / rate;
    // Waits under 20 ms would cost more in timers than they smooth.
    if (this.#freeAtMs - now > 20) await clock.sleep(this.#freeAtMs - now, signal);
  }
}
