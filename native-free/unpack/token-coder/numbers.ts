/**
 * Small numbers with a known bound, for lengths, ranks and distances of surprises.
 *
 * Exp-Golomb, as NumberCoder has it, but a decoder never reads what is over the bound, and contexts are fewer.
 * @module
 */
import { bitLength, contextHash } from '../../model/hash.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import { malformed } from '../tokens.ts';
import { SET, TAG } from './decisions.ts';

/** Bits below the top one that depend on each other; the others are nearly noise. */
const TREE_BITS = 3;
/** Weight sets of one kind of number: of lengths, and of bits below. */
const SETS = 64;

export class BoundedNumbers {
  readonly #coder: ModelCoder;

  constructor(coder: ModelCoder) {
    this.#coder = coder;
  }

  /**
   * Codes an integer from 0 to `max`, below 2^31, of a kind; `a` and `b` may tell something about it.
   * @throws UpdateError unit_malformed
   */
  code(value: number, max: number, kind: number, a: number, b: number): number {
    const lengthMax = bitLength(max + 1) - 1;
    const length = bitLength(value + 1) - 1;
    let bits = 0;
    while (bits < lengthMax && this.#flag(length > bits ? 1 : 0, kind, bits, bits, a, b) !== 0) bits++;
    let result = 1;
    let tree = 1;
    for (let depth = 0; depth < bits; depth++) {
      const bit = ((value + 1) >>> (bits - 1 - depth)) & 1;
      const place = 64 | (bits << 7) | (depth < TREE_BITS ? tree : 16 + depth);
      const coded = this.#flag(bit, kind, 32 + depth, place, a, b);
      if (depth < TREE_BITS) tree = (tree << 1) | coded;
      result = (result << 1) | coded;
    }
    result = (result >>> 0) - 1;
    if (result > max) malformed('tokens', `a number is ${result}, where at most ${max} may stand`);
    return result;
  }

  #flag(bit: number, kind: number, step: number, place: number, a: number, b: number): number {
    const contexts = this.#coder.contexts;
    const key = (kind << 16) | place;
    contexts[0] = contextHash(TAG.number, key);
    contexts[1] = contextHash(TAG.number + 1, key, a);
    contexts[2] = contextHash(TAG.number + 2, key, b);
    contexts[3] = contextHash(TAG.number + 3, key, a, b);
    this.#coder.work.spent += 4;
    return this.#coder.flag(bit, 4, SET.number + kind * SETS + step);
  }
}
