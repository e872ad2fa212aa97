/**
 * LZMA's range encoder: the decoder's decisions turned into bytes again, into a buffer that also takes plain bytes.
 *
 * After the range coder of the LZMA SDK (LzmaEnc.c, public domain; Martin's "Range encoding", 1979): bytes that a carry
 * may still change are counted, not written. The interval's low end is kept as signed 32 bits and a carry beside it. The
 * interval is widened before a decision and not behind it, as in range-decoder.ts.
 * @module
 */
import { PROBABILITY_BITS, PROBABILITY_ONE, PROBABILITY_SHIFT, RANGE_BITS_LOW } from './model.ts';

/** More than the bytes of one symbol: 50 decisions of at most 6.1 bits, and the five that end a stream. */
const SYMBOL_BYTES_MAX = 64;
const FINISH_BYTES = 5;

export class RangeEncoder {
  /** What was written so far. */
  length = 0;
  #bytes: Uint8Array;
  #low = 0;
  #carry = 0;
  #range = -1;
  #held = 0;
  /** Bytes 255 behind the held one. */
  #pending = 0;

  constructor(bytesExpected: number) {
    this.#bytes = new Uint8Array(bytesExpected + SYMBOL_BYTES_MAX);
  }

  /** Bytes written, and those that a carry may still change: what is left is the five that end a stream. */
  get reached(): number {
    return this.length + this.#pending;
  }

  /** Begins a stream. */
  start(): void {
    this.#low = 0;
    this.#carry = 0;
    this.#range = -1;
    this.#held = 0;
    this.#pending = 0;
  }

  /** Room for one more symbol. */
  reserve(): void {
    if (this.length + this.#pending + SYMBOL_BYTES_MAX > this.#bytes.length) this.#grow(this.#pending);
  }

  bit(probabilities: Uint16Array, index: number, bit: number): void {
    if (this.#range >>> RANGE_BITS_LOW === 0) this.#widen();
    const probability = probabilities[index]!;
    const bound = Math.imul(this.#range >>> PROBABILITY_BITS, probability);
    if (bit === 0) {
      this.#range = bound;
      probabilities[index] = probability + ((PROBABILITY_ONE - probability) >> PROBABILITY_SHIFT);
    } else {
      this.#range = (this.#range - bound) | 0;
      this.#raise(bound);
      probabilities[index] = probability - (probability >> PROBABILITY_SHIFT);
    }
  }

  /** A number of `bits` binary digits, the highest first. */
  tree(probabilities: Uint16Array, first: number, bits: number, value: number): void {
    let node = 1;
    for (let i = bits - 1; i >= 0; i--) {
      const bit = (value >> i) & 1;
      this.bit(probabilities, first + node, bit);
      node = (node << 1) | bit;
    }
  }

  /** The same, the lowest digit first. */
  reverseTree(probabilities: Uint16Array, first: number, bits: number, value: number): void {
    let node = 1;
    for (let i = 0; i < bits; i++) {
      const bit = (value >> i) & 1;
      this.bit(probabilities, first + node, bit);
      node = (node << 1) | bit;
    }
  }

  /** A byte in the context of the one at the last distance. */
  matchedLiteral(probabilities: Uint16Array, first: number, match: number, literal: number): void {
    let mask = 256;
    for (let rest = match, node = literal | 256, i = 7; i >= 0; i--) {
      rest <<= 1;
      const expected = rest & mask;
      const bit = (literal >> i) & 1;
      this.bit(probabilities, first + mask + expected + (node >> (i + 1)), bit);
      // From the first digit that differs on, the byte at the last distance says nothing more.
      if (expected >> 8 !== bit) mask = 0;
    }
  }

  /** `bits` digits of `value` without a model, the highest first. */
  direct(value: number, bits: number): void {
    for (let i = bits - 1; i >= 0; i--) {
      if (this.#range >>> RANGE_BITS_LOW === 0) this.#widen();
      this.#range >>>= 1;
      if (((value >>> i) & 1) === 1) this.#raise(this.#range);
    }
  }

  /** Ends a stream. */
  finish(): void {
    if (this.#range >>> RANGE_BITS_LOW === 0) this.#widen();
    for (let i = 0; i < FINISH_BYTES; i++) this.#shift();
  }

  /** Plain bytes, outside of a stream. */
  append(bytes: Uint8Array): void {
    if (this.length + bytes.length + SYMBOL_BYTES_MAX > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Bytes that were written already, written anew. */
  overwrite(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, at);
  }

  /** All that was written, not copied. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #raise(by: number): void {
    const low = (this.#low + by) | 0;
    if (low >>> 0 < by >>> 0) this.#carry = 1;
    this.#low = low;
  }

  #widen(): void {
    this.#range <<= 8;
    this.#shift();
  }

  /** The highest byte of `low` leaves it: written at once, unless a carry could still change it. */
  #shift(): void {
    const low = this.#low;
    if (this.#carry === 1 || low >>> RANGE_BITS_LOW !== 255) {
      this.#bytes[this.length++] = this.#held + this.#carry;
      for (; this.#pending > 0; this.#pending--) this.#bytes[this.length++] = 255 + this.#carry;
      this.#carry = 0;
      this.#held = low >>> RANGE_BITS_LOW;
    } else {
      this.#pending++;
    }
    this.#low = low << 8;
  }

  #grow(wanted: number): void {
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + wanted + SYMBOL_BYTES_MAX));
    bytes.set(this.#bytes.subarray(0, this.length));
    this.#bytes = bytes;
  }
}
