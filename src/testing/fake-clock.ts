/**
 * A clock that jumps: sleeping takes no time. Chance comes from a seed.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { Clock } from '../platform/clock.ts';
import type { Power } from './power.ts';
import { seededRandom } from './seeded-random.ts';

export class FakeClock implements Clock {
  #nowMs: number;
  #passedMs = 0;
  readonly #power: Power | null;
  readonly random: () => number;
  /** All waits, in ms. */
  readonly sleeps: number[] = [];

  constructor(options: { readonly nowMs?: number; readonly seed?: number; readonly power?: Power } = {}) {
    this.#nowMs = options.nowMs ?? Date.now();
    this.random = seededRandom(options.seed ?? 1);
    this.#power = options.power ?? null;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#nowMs += ms;
    this.#passedMs += ms;
  }

  /** Somebody sets the wall clock by so much; no time passes. */
  setBy(ms: number): void {
    this.#nowMs += ms;
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    this.#power?.use(`sleep ${Math.round(delayMs)}`);
    if (signal?.aborted) throw new UpdateError('aborted', 'stopped while waiting');
    this.sleeps.push(delayMs);
    this.advance(delayMs);
    // Let everything else have its turn, as a real wait would.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
