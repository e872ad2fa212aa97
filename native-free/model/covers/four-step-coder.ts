/**
 * Numbers that are often multiples of four: distances in code, which moves in steps of its word size.
 * @module
 */
import { FLAG } from '../contexts.ts';
import { bitLength } from '../hash.ts';
import type { NumberCoder } from '../number-coder.ts';

/** Number of bits of an unsigned number of any size: 32 for 2^31 and more. */
export function sizeOf(value: number): number {
  return bitLength(Math.min(value, 2 ** 31));
}

export class FourStepCoder {
  readonly #numbers: NumberCoder;
  /** Whether each of the last numbers was a multiple of four, the newest lowest. */
  #fours = 0;

  constructor(numbers: NumberCoder) {
    this.#numbers = numbers;
  }

  /** Codes a number of a kind; that kind and the one behind it are taken. For `a`, `b` and `c` see NumberCoder.code. */
  code(value: number, kind: number, a: number, b: number, c: number): number {
    const four = this.#numbers.flag(value % 4 === 0, FLAG.coverFour + kind, this.#fours & 7, a, b);
    this.#fours = (this.#fours << 1) | (four ? 1 : 0);
    return four
      ? this.#numbers.code(Math.floor(value / 4), kind, a, b, c) * 4
      : this.#numbers.code(value, kind + 1, a, b, c);
  }
}
