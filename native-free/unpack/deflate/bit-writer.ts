/**
 * Bits of a deflate stream, written: the lowest bit of a byte first. The fast loop of writer.ts takes the fields
 * over while it has reserved room.
 * @module
 */
const FIRST_BYTES = 256;

export class BitWriter {
  bytes: Uint8Array;
  /** Whole bytes written. */
  at = 0;
  /** Bits that are no whole byte yet, fewer than 8 between calls. */
  hold = 0;
  held = 0;

  /** `bytesExpected` is a guess at the size, never a bound. */
  constructor(bytesExpected: number) {
    this.bytes = new Uint8Array(Math.max(bytesExpected, FIRST_BYTES));
  }

  reserve(wanted: number): void {
    const needed = this.at + wanted;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  /** Up to 16 bits. */
  bits(value: number, count: number): void {
    this.reserve(4);
    this.hold |= value << this.held;
    this.held += count;
    this.flush();
  }

  /** Moves whole bytes out of `hold`. */
  flush(): void {
    for (; this.held >= 8; this.held -= 8) {
      this.bytes[this.at++] = this.hold;
      this.hold >>>= 8;
    }
  }

  /** Fills up the byte that was begun with the low bits of `padding`. */
  align(padding: number): void {
    const missing = -this.held & 7;
    this.bits(padding & ((1 << missing) - 1), missing);
  }

  /** Whole bytes, behind `align`. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** `count` bits as BitReader.copy has them. */
  copied(bytes: Uint8Array, count: number): void {
    for (let at = 0; at < count; at += 8) {
      const length = Math.min(8, count - at);
      this.bits(bytes[at >> 3]! & ((1 << length) - 1), length);
    }
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }
}
