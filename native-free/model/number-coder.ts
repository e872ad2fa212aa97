/**
 * Numbers of unknown size, priced by what was seen in several contexts at once.
 *
 * Exp-Golomb: value + 1 is coded as the length of its binary form in unary, then its bits below the top one. Every
 * decision is mixed from the context of the number by itself and from three things that the caller knows about it.
 * @module
 */
import { UpdateError } from '../status.ts';
import { CONTEXT_TAGS, FLAG_SETS_OF } from './contexts.ts';
import { contextHash } from './hash.ts';
import type { ModelCoder } from './model-coder.ts';

/** Numbers stay exact in doubles. */
const BITS_MAX = 52;
/** Bits below the top one that depend on each other; the others are nearly noise. */
const TREE_BITS = 4;
/** Weight sets of one kind of number. */
const SETS = 64;
/** Kinds of numbers, and of flags, that one coder may have. */
const KINDS_MAX = 64;

/** Where the decisions of one NumberCoder stand, apart from those of others in the same stream. */
export interface NumberSpace {
  /** First of six tags. */
  readonly tag: number;
  /** First weight set. */
  readonly set: number;
  /** Kinds of numbers; those of flags come behind them. */
  readonly kinds: number;
}

const PLAN_SPACE: NumberSpace = { tag: CONTEXT_TAGS.number, set: FLAG_SETS_OF.number, kinds: KINDS_MAX };
/** What the segments of compressed images say of their units, beside tokens. Kinds of numbers below 12, of flags below 8. */
export const UNIT_SPACE: NumberSpace = { tag: CONTEXT_TAGS.unitNumber, set: FLAG_SETS_OF.unitNumber, kinds: 12 };

export class NumberCoder {
  readonly #coder: ModelCoder;
  readonly #space: NumberSpace;

  constructor(coder: ModelCoder, space: NumberSpace = PLAN_SPACE) {
    this.#coder = coder;
    this.#space = space;
  }

  get encoding(): boolean {
    return this.#coder.encoding;
  }

  /**
   * Codes an integer from 0 to 2^53 - 2 of a kind, below 64; `a`, `b` and `c` are small integers that are known on both
   * sides and may tell something.
   * @throws UpdateError plan_malformed when a decoded length is impossible
   */
  code(value: number, kind: number, a = 0, b = 0, c = 0): number {
    const goal = value + 1;
    let bits = 0;
    for (;;) {
      const more = this.encoding && goal >= 2 ** (bits + 1) ? 1 : 0;
      if (this.#decide(more, kind, bits, (kind << 6) | bits, a, b, c) === 0) break;
      if (++bits > BITS_MAX) throw new UpdateError('plan_malformed', 'a number is longer than 52 bits');
    }
    let result = 1;
    let tree = 1;
    for (let left = bits - 1; left >= 0; left--) {
      const bit = this.encoding ? Math.floor(goal / 2 ** left) & 1 : 0;
      const depth = bits - 1 - left;
      const place = (1 << 20) | (kind << 12) | (bits << 5) | (depth < TREE_BITS ? tree : 16 + Math.min(depth, 15));
      const coded = this.#decide(bit, kind, 32 + Math.min(depth, 31), place, a, b, c);
      if (depth < TREE_BITS) tree = ((tree << 1) | coded) & 15;
      result = result * 2 + coded;
    }
    return result - 1;
  }

  /** Codes an integer of either sign, up to 2^51. */
  signed(value: number, kind: number, a = 0, b = 0, c = 0): number {
    const folded = this.code(value < 0 ? -2 * value - 1 : 2 * value, kind, a, b, c);
    return folded % 2 === 1 ? -(folded + 1) / 2 : folded / 2;
  }

  /** Codes a flag of a kind, below 64. */
  flag(value: boolean, kind: number, a = 0, b = 0, c = 0): boolean {
    return this.#decide(value ? 1 : 0, this.#space.kinds + kind, 0, (2 << 20) | kind, a, b, c) !== 0;
  }

  #decide(bit: number, kind: number, step: number, place: number, a: number, b: number, c: number): number {
    const contexts = this.#coder.contexts;
    const { tag, set } = this.#space;
    contexts[0] = contextHash(tag, place);
    contexts[1] = contextHash(tag + 1, place, a);
    contexts[2] = contextHash(tag + 2, place, b);
    contexts[3] = contextHash(tag + 3, place, c);
    contexts[4] = contextHash(tag + 4, place, a, b);
    contexts[5] = contextHash(tag + 5, place ^ Math.imul(a, 0x9e3779b1), b, c);
    this.#coder.work.spent += 6;
    return this.#coder.flag(bit, 6, set + kind * SETS + step);
  }
}
