/**
 * Binary range coder: bits in, bytes out, at the price that their probabilities give.
 *
 * The carry-less 32-bit coder of Mahoney's PAQ ("Adaptive Weighing of Context Models for Lossless Data Compression",
 * 2005): an interval [low, high] is split in proportion, and equal leading bytes are shifted out. Integer arithmetic
 * only, so every machine agrees on every bit.
 * @module
 */

/**
 * Codes one bit. Models are written once against this: an encoder is told the bit, a decoder ignores what it is told
 * and returns the real one.
 */
export interface BitCoder {
  /** True if `code` needs the bit. */
  readonly encoding: boolean;
  /** `probability` is that of a 1, in 1/65536, from 1 to 65535. */
  code(bit: number, probability: number): number;
}

/** Where [low, high] is split: all values up to the result mean 1. Exact in doubles: every product is below 2^32. */
function split(low: number, high: number, probability: number): number {
  const range = (high - low) >>> 0;
  return (low + (range >>> 16) * probability + (((range & 0xffff) * probability) >>> 16)) >>> 0;
}

export class RangeEncoder implements BitCoder {
  readonly encoding = true;
  #low = 0;
  #high = 0xffffffff;
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** Bytes written so far, without the last few that `finish` adds. */
  get length(): number {
    return this.#length;
  }

  code(bit: number, probability: number): number {
    const middle = split(this.#low, this.#high, probability);
    if (bit !== 0) this.#high = middle;
    else this.#low = (middle + 1) >>> 0;
    while (((this.#low ^ this.#high) & 0xff000000) === 0) {
      this.#put(this.#high >>> 24);
      this.#low = (this.#low << 8) >>> 0;
      this.#high = ((this.#high << 8) | 255) >>> 0;
    }
    return bit;
  }

  /**
   * The finished bytes. A decoder reads zeros past the end, so the shortest tail that lands in the interval is
   * written and zero bytes at the end are dropped.
   */
  finish(): Uint8Array {
    for (let bytes = 0; bytes <= 4; bytes++) {
      const step = 2 ** (32 - 8 * bytes);
      const value = Math.ceil(this.#low / step) * step;
      if (value > this.#high) continue;
      for (let i = 0; i < bytes; i++) this.#put(Math.floor(value / 2 ** (24 - 8 * i)) & 255);
      break;
    }
    while (this.#length > 0 && this.#bytes[this.#length - 1] === 0) this.#length--;
    return this.#bytes.slice(0, this.#length);
  }

  #put(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }
}

export class RangeDecoder implements BitCoder {
  readonly encoding = false;
  readonly #bytes: Uint8Array;
  #at = 0;
  #low = 0;
  #high = 0xffffffff;
  #value = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    for (let i = 0; i < 4; i++) this.#value = ((this.#value << 8) | this.#next()) >>> 0;
  }

  code(_bit: number, probability: number): number {
    const middle = split(this.#low, this.#high, probability);
    let bit = 0;
    if (this.#value <= middle) {
      bit = 1;
      this.#high = middle;
    } else {
      this.#low = (middle + 1) >>> 0;
    }
    while (((this.#low ^ this.#high) & 0xff000000) === 0) {
      this.#low = (this.#low << 8) >>> 0;
      this.#high = ((this.#high << 8) | 255) >>> 0;
      this.#value = ((this.#value << 8) | this.#next()) >>> 0;
    }
    return bit;
  }

  #next(): number {
    return this.#at < this.#bytes.length ? this.#bytes[this.#at++]! : 0;
  }
}
