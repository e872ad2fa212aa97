/**
 * Exact reads from a ByteSource whose pieces are of any length.
 * @module
 */
import type { ByteSource } from '../io.ts';
import { UpdateError } from '../status.ts';

export class PieceReader {
  readonly #source: ByteSource;
  #piece: Uint8Array = new Uint8Array(0);
  #used = 0;
  #position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Offset of the next byte in the payload. */
  get position(): number {
    return this.#position;
  }

  /**
   * Fills `into`.
   * @throws UpdateError payload_truncated when the source ends first
   */
  async fill(into: Uint8Array, what: string): Promise<void> {
    for (let done = 0; done < into.length;) {
      if (this.#used === this.#piece.length) await this.#next(into.length - done, what);
      const take = Math.min(into.length - done, this.#piece.length - this.#used);
      into.set(this.#piece.subarray(this.#used, this.#used + take), done);
      this.#advance(take);
      done += take;
    }
  }

  /** Goes on at a later offset; bytes between are skipped by the source, or read and dropped. */
  async skipTo(offset: number, what: string): Promise<void> {
    this.#advance(Math.min(offset - this.#position, this.#piece.length - this.#used));
    if (this.#position === offset) return;
    if (this.#source.skipTo !== undefined) {
      await this.#source.skipTo(offset);
      this.#piece = new Uint8Array(0);
      this.#used = 0;
      this.#position = offset;
      return;
    }
    while (this.#position < offset) {
      if (this.#used === this.#piece.length) await this.#next(offset - this.#position, what);
      this.#advance(Math.min(offset - this.#position, this.#piece.length - this.#used));
    }
  }

  #advance(count: number): void {
    this.#used += count;
    this.#position += count;
  }

  async #next(wanted: number, what: string): Promise<void> {
    for (;;) {
      const piece = await this.#source.read();
      if (piece === null) {
        throw new UpdateError(
          'payload_truncated',
          `payload ends at byte ${this.#position}, in the ${what}; ${wanted} more are needed`,
          {
            detail: { offset: this.#position, wanted },
          },
        );
      }
      this.#piece = piece;
      this.#used = 0;
      if (piece.length > 0) return;
    }
  }
}
