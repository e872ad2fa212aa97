/**
 * Adaptive Exp-Golomb codes: numbers of unknown size, priced by what was seen before.
 *
 * value + 1 is coded as the length of its binary form in unary, then its bits below the top one; the length and the
 * three highest of those bits are adaptive.
 * @module
 */
import { UpdateError } from '../status.ts';
import { BitModels } from './bit-models.ts';
import type { BitCoder } from './range-coder.ts';

const LENGTHS = 64;
const ADAPTIVE_LOW_BITS = 3;
/** Unary lengths, then for each length a tree of the three bits below the top one, then one model for all others. */
const CONTEXT_SIZE = LENGTHS + LENGTHS * 8 + 1;
/** Numbers stay exact in doubles. */
const BITS_MAX = 52;

export class NumberModels {
  readonly #models: BitModels;

  constructor(contexts: number) {
    this.#models = new BitModels(contexts * CONTEXT_SIZE, 60);
  }

  reset(): void {
    this.#models.reset();
  }

  /**
   * Codes an integer from 0 to 2^52 - 2.
   * @throws UpdateError plan_malformed when a decoded length is impossible
   */
  code(coder: BitCoder, value: number, context: number): number {
    const base = context * CONTEXT_SIZE;
    const goal = value + 1;
    let bits = 0;
    for (;;) {
      const more = coder.encoding && goal >= 2 ** (bits + 1) ? 1 : 0;
      if (this.#models.code(coder, more, base + bits) === 0) break;
      if (++bits > BITS_MAX) throw new UpdateError('plan_malformed', 'a number is longer than 52 bits');
    }
    let result = 1;
    let tree = 1;
    for (let left = bits - 1; left >= 0; left--) {
      const bit = coder.encoding ? Math.floor(goal / 2 ** left) & 1 : 0;
      const adaptive = bits - 1 - left < ADAPTIVE_LOW_BITS;
      const at = adaptive ? base + LENGTHS + bits * 8 + tree : base + CONTEXT_SIZE - 1;
      const coded = this.#models.code(coder, bit, at);
      if (adaptive) tree = tree * 2 + coded;
      result = result * 2 + coded;
    }
    return result - 1;
  }
}
