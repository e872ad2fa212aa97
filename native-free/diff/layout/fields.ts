/**
 * Reads numbers of either byte order. Past the end everything is 0, so that readers of damaged headers need no care.
 * @module
 */

export class Fields {
  readonly #bytes: Uint8Array;
  readonly isLittle: boolean;

  constructor(bytes: Uint8Array, isLittle: boolean) {
    this.#bytes = bytes;
    this.isLittle = isLittle;
  }

  u8(at: number): number {
    return at < this.#bytes.length ? this.#bytes[at]! : 0;
  }

  u16(at: number): number {
    const first = this.u8(at);
    const second = this.u8(at + 1);
    return this.isLittle ? first | (second << 8) : (first << 8) | second;
  }

  u32(at: number): number {
    const first = this.u16(at);
    const second = this.u16(at + 2);
    return (this.isLittle ? first | (second << 16) : (first << 16) | second) >>> 0;
  }

  /** Low and high halves of 64 bits. */
  low(at: number): number {
    return this.u32(this.isLittle ? at : at + 4);
  }

  high(at: number): number {
    return this.u32(this.isLittle ? at + 4 : at);
  }

  /** 64 bits as a number: exact below 2^53, too large for any bound above it. */
  u64(at: number): number {
    return this.low(at) + this.high(at) * 2 ** 32;
  }

  /** Text up to a zero byte, `end` or `most` characters; null if a byte of it is not printable ASCII. */
  text(at: number, end: number, most: number): string | null {
    let text = '';
    for (let i = at; i < end && text.length < most; i++) {
      const code = this.u8(i);
      if (code === 0) break;
      if (code < 0x20 || code > 0x7e) return null;
      text += String.fromCharCode(code);
    }
    return text;
  }
}
