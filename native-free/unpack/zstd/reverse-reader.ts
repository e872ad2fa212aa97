/**
 * Bits of a zstd stream: written forwards, the lowest bit of a byte first, and read backwards from the last one.
 * @module
 */
import { malformed } from '../tokens.ts';

/** What one load of four bytes gives at any place. */
const LOAD_BITS_MAX = 25;
/** Bytes that may be looked at behind a stream: whoever makes a reader has them in the array. */
export const SLACK_BYTES = 4;

export class ReverseReader {
  readonly bytes: Uint8Array;
  readonly start: number;
  /** Bits before the next one to be read, counted from `start`. Below zero: too many were read. */
  left: number;

  /**
   * The stream in `[start, end)`, whose last byte marks its end with its highest bit.
   * @throws UpdateError unit_malformed
   */
  constructor(bytes: Uint8Array, start: number, end: number) {
    const last = end > start ? bytes[end - 1]! : 0;
    if (last === 0) malformed('zstd', `the bits that end at byte ${end} have no end mark`);
    this.bytes = bytes;
    this.start = start;
    this.left = (end - start) * 8 - 1 - Math.clz32(last) + 24;
  }

  /** The next `count` bits as a number. @throws UpdateError unit_malformed behind the end */
  read(count: number): number {
    if (count > LOAD_BITS_MAX) {
      const high = this.read(count - 16);
      return high * 65_536 + this.read(16);
    }
    this.left -= count;
    if (this.left < 0) malformed('zstd', `bits from byte ${this.start} on run out`);
    const { bytes, left } = this;
    const at = this.start + (left >> 3);
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    return (word >>> (left & 7)) & ((1 << count) - 1);
  }

  /** As many of the next bits as there are, as if zeros followed; `left` is below zero if they were too few. */
  readOver(count: number): number {
    const missing = count - Math.max(this.left, 0);
    if (missing <= 0) return this.read(count);
    const value = this.left > 0 ? this.read(this.left) : 0;
    this.left = -missing;
    return value * 2 ** missing;
  }
}
