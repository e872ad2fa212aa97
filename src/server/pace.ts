/**
 * A slow link for demonstrations and tests: all blob bodies of a server together get so many bits a second.
 *
 * A token bucket in its scheduling form: every piece reserves its time on the link and waits for its turn, so that
 * any number of downloads share the rate without a queue.
 * @module
 */
import { monotonicMs, pause } from '../platform/timers.ts';

export class Pace {
  /** Bodies are sent in pieces of this size: small against the rate, so that the stream is even. */
  readonly pieceBytes: number;
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(bitsPerSecond: number) {
    this.#bytesPerMs = bitsPerSecond / 8000;
    this.pieceBytes = Math.max(256, Math.min(64 * 1024, Math.round(this.#bytesPerMs * 20)));
  }

  /** Resolves when the link has carried `bytes` more. */
  async take(bytes: number): Promise<void> {
    const now = monotonicMs();
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#bytesPerMs;
    const wait = this.#freeAt - now;
    if (wait >= 1) await pause(wait);
  }
}
