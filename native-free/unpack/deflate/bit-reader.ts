/**
 * Bits of a deflate stream: bytes in order, the lowest bit of a byte first. Every read is checked against the end; the
 * fast loop of inflate.ts takes the three fields over while enough bytes are left.
 * @module
 */
import { malformed } from '../tokens.ts';

export class BitReader {
  readonly bytes: Uint8Array;
  /** The next byte that is not in `hold` yet. */
  at = 0;
  /** `held` bits, the next one lowest; what is above them is zero. */
  hold = 0;
  held = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bits used so far. */
  get position(): number {
    return this.at * 8 - this.held;
  }

  /** Tries to hold `count` bits, at most 16; fewer at the end of the input. */
  fill(count: number): void {
    while (this.held < count && this.at < this.bytes.length) {
      this.hold |= this.bytes[this.at++]! << this.held;
      this.held += 8;
    }
  }

  /** Up to 16 bits as a number. */
  bits(count: number): number {
    this.fill(count);
    const value = this.hold & ((1 << count) - 1);
    this.drop(count);
    return value;
  }

  drop(count: number): void {
    if (count > this.held)
      malformed('deflate', `it ends at byte ${this.bytes.length}, inside a block`, { offset: this.bytes.length });
    this.hold >>>= count;
    this.held -= count;
  }

  /** The rest of the byte that was begun; bytes that were read ahead are given back. */
  align(): number {
    const padding = this.bits(this.held & 7);
    this.at -= this.held >> 3;
    this.hold = 0;
    this.held = 0;
    return padding;
  }

  /** A view of the next `count` bytes, behind `align`. */
  aligned(count: number): Uint8Array {
    if (count > this.bytes.length - this.at)
      malformed('deflate', `it ends at byte ${this.bytes.length}, inside a block`, { offset: this.bytes.length });
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A copy of bits that were read before, from position `from` on. */
  copy(from: number, count: number): Uint8Array {
    const copied = new Uint8Array((count + 7) >> 3);
    const shift = from & 7;
    const first = (from - shift) / 8;
    for (let i = 0; i < copied.length; i++) {
      const pair = this.bytes[first + i]! | ((this.bytes[first + i + 1] ?? 0) << 8);
      copied[i] = pair >>> shift;
    }
    if (count & 7) copied[copied.length - 1]! &= (1 << (count & 7)) - 1;
    return copied;
  }
}
