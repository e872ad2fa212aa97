/**
 * LZMA's range decoder: binary decisions out of bytes, with the bit trees that are made of them.
 *
 * After the LZMA specification of the LZMA SDK, "Range Decoder". Interval and code are kept as signed 32 bits, whose
 * fields engines hold unboxed; comparisons read them as unsigned. The interval is widened before a decision and not
 * behind it, as liblzma does: `at` then tells how far its encoder had come when it decided to end a chunk.
 * @module
 */
import { malformed } from '../tokens.ts';
import { PROBABILITY_BITS, PROBABILITY_ONE, PROBABILITY_SHIFT, RANGE_BITS_LOW } from './model.ts';

/** Bytes that begin a stream: a zero and the first 32 bits. */
export const RANGE_START_BYTES = 5;

export class RangeDecoder {
  /** The next byte to read. */
  at = 0;
  #packed: Uint8Array = new Uint8Array(0);
  #end = 0;
  #range = 0;
  #code = 0;

  /**
   * Begins a stream in `[at, end)`.
   * @throws UpdateError unit_malformed
   */
  start(packed: Uint8Array, at: number, end: number): void {
    if (end > packed.length || end - at < RANGE_START_BYTES) malformed('lzma', `the stream at byte ${at} is cut off`);
    if (packed[at] !== 0) malformed('lzma', `the stream at byte ${at} does not begin with a zero`);
    this.#packed = packed;
    this.#code = (packed[at + 1]! << 24) | (packed[at + 2]! << 16) | (packed[at + 3]! << 8) | packed[at + 4]!;
    this.#range = -1;
    this.at = at + RANGE_START_BYTES;
    this.#end = end;
  }

  /** Reads what is left of the stream; true where it is what an encoder writes that has nothing more to say. */
  finishes(): boolean {
    if (this.#range >>> RANGE_BITS_LOW === 0) this.#widen();
    return this.#code === 0;
  }

  /** @throws UpdateError unit_malformed where the stream runs out */
  bit(probabilities: Uint16Array, index: number): number {
    if (this.#range >>> RANGE_BITS_LOW === 0) this.#widen();
    const probability = probabilities[index]!;
    const bound = Math.imul(this.#range >>> PROBABILITY_BITS, probability);
    let bit = 0;
    if (this.#code >>> 0 < bound >>> 0) {
      this.#range = bound;
      probabilities[index] = probability + ((PROBABILITY_ONE - probability) >> PROBABILITY_SHIFT);
    } else {
      this.#range = (this.#range - bound) | 0;
      this.#code = (this.#code - bound) | 0;
      probabilities[index] = probability - (probability >> PROBABILITY_SHIFT);
      bit = 1;
    }
    return bit;
  }

  /** A number of `bits` binary digits, the highest first. */
  tree(probabilities: Uint16Array, first: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i++) node = (node << 1) | this.bit(probabilities, first + node);
    return node - (1 << bits);
  }

  /** The same, the lowest digit first. */
  reverseTree(probabilities: Uint16Array, first: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(probabilities, first + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  /** A byte where the one at the last distance, `match`, differs: each digit has that byte's for a context. */
  matchedLiteral(probabilities: Uint16Array, first: number, match: number): number {
    let node = 1;
    let rest = match;
    while (node < 256) {
      rest <<= 1;
      const expected = rest & 256;
      const bit = this.bit(probabilities, first + 256 + expected + node);
      node = (node << 1) | bit;
      if (expected >> 8 !== bit) break;
    }
    while (node < 256) node = (node << 1) | this.bit(probabilities, first + node);
    return node & 255;
  }

  /** `bits` digits that have no model, the highest first. */
  direct(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      if (this.#range >>> RANGE_BITS_LOW === 0) this.#widen();
      const half = this.#range >>> 1;
      const isOne = this.#code >>> 0 >= half ? 1 : 0;
      if (isOne === 1) this.#code = (this.#code - half) | 0;
      this.#range = half;
      value = (value << 1) | isOne;
    }
    return value;
  }

  #widen(): void {
    if (this.at === this.#end) malformed('lzma', `the stream runs out at byte ${this.at}`);
    this.#range <<= 8;
    this.#code = (this.#code << 8) | this.#packed[this.at++]!;
  }
}
