/**
 * Which blocks of literals are stored as they are. What does not compress would cost a decoder as much as anything else,
 * bit by bit, for nothing.
 *
 * A flag is only asked behind bytes that look like noise, or were stored: where literals compress there are no flags, and
 * no bytes for them. The encoder decides by what the models made of the last bytes that they coded, and by counts of the
 * block at hand.
 * @module
 */
import { WORK } from '../../format/work.ts';
import { BITS_OF } from '../contexts.ts';
import type { ModelCoder } from '../model-coder.ts';
import { looksEven, NoiseTest } from './noise.ts';

/** Length of a block, but for the last of a run, which takes less than BLOCK_BYTES_MIN with it, and is that long at least. */
const BLOCK_BYTES = 2048;
const BLOCK_BYTES_MIN = 128;
/** So many bytes before a block say whether it has a flag. */
const BEFORE_BYTES = 2048;
/** How uneven bytes may be before a block that has a flag, and in a stored block: in a short one alone, and with what is before. */
const ASKED_SLACK = 256;
const STORED_SLACK = 204;
/** What models save of so many bytes, as a share, for which they go on, whatever counts say. */
const JUDGED_BYTES = 1024;
const GAIN_SHARE = 64;

/** Where the block of literals at `at` ends, in a run that ends at `end`. */
export function blockEnd(at: number, end: number): number {
  return end - at < BLOCK_BYTES + BLOCK_BYTES_MIN ? end : at + BLOCK_BYTES;
}

export class StoredBlocks {
  readonly #coder: ModelCoder;
  readonly #counts = new Int32Array(256);
  readonly #noise: NoiseTest | null;
  /** Where the last block that was stored ends. */
  #storedTo = 0;
  /** Flags so far, the newest lowest. */
  #history = 0;
  /** Encoder: bytes that models coded, and what they wrote for them, since they were last judged; whether that gained nothing. */
  #coded = 0;
  #written = 0;
  #writtenBefore = 0;
  #gainless = false;

  constructor(coder: ModelCoder) {
    this.#coder = coder;
    this.#noise = coder.encoding ? new NoiseTest() : null;
  }

  reset(): void {
    this.#storedTo = 0;
    this.#history = 0;
    this.#coded = 0;
    this.#written = 0;
    this.#gainless = false;
  }

  /**
   * Codes whether the block `[at, end)` is stored, and its bytes if it is. `isKnown` tells an encoder whether bytes of it
   * came before in the segment.
   */
  code(target: Uint8Array, at: number, end: number, isKnown: () => boolean): boolean {
    if (end - at < BLOCK_BYTES_MIN || at < BEFORE_BYTES) return this.#models();
    const { work } = this.#coder;
    work.spent += WORK.literalBlock;
    if (at !== this.#storedTo && !looksEven(target, at - BEFORE_BYTES, at, this.#counts, ASKED_SLACK)) {
      return this.#models();
    }
    const wanted = this.#gainless && this.#isNoise(target, at, end) && !isKnown();
    work.spent++;
    const stored = this.#coder.bit(wanted ? 1 : 0, BITS_OF.stored + (this.#history & 15));
    this.#history = (this.#history << 1) | stored;
    if (stored === 0) return this.#models();
    this.#coder.stored(target.subarray(at, end));
    this.#storedTo = end;
    return true;
  }

  /** Models coded so many bytes of the block that was not stored. */
  modelled(bytes: number): void {
    if (this.#noise === null) return;
    this.#coded += bytes;
    this.#written += this.#coder.written - this.#writtenBefore;
    if (this.#coded < JUDGED_BYTES) return;
    this.#gainless = this.#written * GAIN_SHARE > this.#coded * (GAIN_SHARE - 1);
    this.#coded = 0;
    this.#written = 0;
  }

  #models(): boolean {
    if (this.#noise !== null) this.#writtenBefore = this.#coder.written;
    return false;
  }

  #isNoise(target: Uint8Array, at: number, end: number): boolean {
    if (end - at < BEFORE_BYTES && !looksEven(target, at, end, this.#counts, STORED_SLACK)) return false;
    return this.#noise!.isNoise(target, Math.max(0, Math.min(at, end - BEFORE_BYTES)), end, STORED_SLACK);
  }
}
