/**
 * Binary range coder: bits in, bytes out, at the price that their probabilities give.
 *
 * The carry-less 32-bit coder of Mahoney's PAQ ("Adaptive Weighing of Context Models for Lossless Data Compression",
 * 2005): an interval [low, high] is split in proportion, and equal leading bytes are shifted out. Integer arithmetic
 * only, so every machine agrees on every bit.
 * @module
 */

const LOW = 0;
const HIGH = 1;
const VALUE = 2;
/** log2 of probabilities in 1/4096, for the meter. */
const BITS = Float64Array.from({ length: 4097 }, (_, p) => -Math.log2(Math.max(p, 0.5) / 4096));

/** Both directions in one, so that the code above it stays monomorphic and fast. */
export class RangeCoder {
  /** True if `code` needs the bit, which a decoder returns. */
  readonly encoding: boolean;
  /** Information written so far, in bits, when `metered`. For reports only: no decision depends on it. */
  bits = 0;
  metered = false;
  /** The interval and, in a decoder, the 32 bits of the stream at hand. An array, because fields above 2^31 are slow. */
  readonly #state = new Uint32Array(3);
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(encoding: boolean) {
    this.encoding = encoding;
  }

  /** Bytes written so far, without the last few that `finish` adds. */
  get length(): number {
    return this.#at;
  }

  /** Begins a stream: to be written (null), or read. */
  start(bytes: Uint8Array | null): void {
    this.#state[LOW] = 0;
    this.#state[HIGH] = 0xffffffff;
    this.#at = 0;
    if (this.encoding) {
      this.#bytes = new Uint8Array(4096);
      return;
    }
    this.#bytes = bytes!;
    this.#state[VALUE] = 0;
    for (let i = 0; i < 4; i++) this.#state[VALUE] = (this.#state[VALUE]! << 8) | this.#next();
  }

  /** `probability` is that of a 1, in 1/65536, from 1 to 65535. */
  code(bit: number, probability: number): number {
    const state = this.#state;
    const low = state[LOW]!;
    const high = state[HIGH]!;
    const range = (high - low) >>> 0;
    const middle = (low + (range >>> 16) * probability + (((range & 0xffff) * probability) >>> 16)) >>> 0;
    const coded = this.encoding ? bit : state[VALUE]! <= middle ? 1 : 0;
    if (this.metered) this.bits += BITS[(coded !== 0 ? probability : 65536 - probability) >> 4]!;
    if (coded !== 0) {
      state[HIGH] = middle;
      if (((low ^ middle) & 0xff000000) === 0) this.#shift();
    } else {
      state[LOW] = middle + 1;
      if ((((middle + 1) ^ high) & 0xff000000) === 0) this.#shift();
    }
    return coded;
  }

  /** Shifts equal leading bytes out. */
  #shift(): void {
    const state = this.#state;
    while (((state[LOW]! ^ state[HIGH]!) & 0xff000000) === 0) {
      if (this.encoding) this.#put(state[HIGH]! >>> 24);
      else state[VALUE] = (state[VALUE]! << 8) | this.#next();
      state[LOW] = state[LOW]! << 8;
      state[HIGH] = (state[HIGH]! << 8) | 255;
    }
  }

  /**
   * The finished bytes of an encoder. A decoder reads zeros past the end, so the shortest tail that lands in the
   * interval is written and zero bytes at the end are dropped. Where the stream is `followed` by other bytes, which a
   * decoder reads instead, the tail is one that lands there whatever they are.
   */
  finish(followed = false): Uint8Array {
    const low = this.#state[LOW]!;
    for (let bytes = 0; bytes <= 4; bytes++) {
      const step = 2 ** (32 - 8 * bytes);
      const value = Math.ceil(low / step) * step;
      if (value + (followed ? step - 1 : 0) > this.#state[HIGH]!) continue;
      for (let i = 0; i < bytes; i++) this.#put(Math.floor(value / 2 ** (24 - 8 * i)) & 255);
      break;
    }
    while (!followed && this.#at > 0 && this.#bytes[this.#at - 1] === 0) this.#at--;
    return this.#bytes.slice(0, this.#at);
  }

  #put(byte: number): void {
    if (this.#at === this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#at++] = byte;
  }

  #next(): number {
    return this.#at < this.#bytes.length ? this.#bytes[this.#at++]! : 0;
  }
}
