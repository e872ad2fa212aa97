/**
 * Reading and writing little-endian fields and varints, with bounds checked on every read.
 * @module
 */
import { UpdateError, type StatusCode } from '../status.ts';

/** Arrays of bytes one behind the other. */
export function concat(arrays: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}

/** Appends fields to a growing buffer. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.u8((value >>> shift) & 255);
  }

  /** Unsigned LEB128 of an integer from 0 to 2^53 - 1: seven bits a byte, low bits first, top bit set on all but the last. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new UpdateError('bug', `varint of ${value}`);
    let rest = value;
    while (rest >= 128) {
      this.u8((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.u8(rest);
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads fields from a buffer; every read past the end throws `onEnd`, every malformed field `onBad`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #onEnd: StatusCode;
  readonly #onBad: StatusCode;
  #at = 0;

  constructor(bytes: Uint8Array, onEnd: StatusCode, onBad: StatusCode) {
    this.#bytes = bytes;
    this.#onEnd = onEnd;
    this.#onBad = onBad;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(name: string): number {
    this.#need(1, name);
    return this.#bytes[this.#at++]!;
  }

  u32(name: string): number {
    this.#need(4, name);
    let value = 0;
    for (let shift = 0; shift < 32; shift += 8) value |= this.#bytes[this.#at++]! << shift;
    return value >>> 0;
  }

  /** Unsigned LEB128, at most `max`; longer forms than needed are refused, so that a value has one encoding. */
  varint(name: string, max: number): number {
    const start = this.#at;
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8(name);
      value += (byte & 127) * scale;
      if (value > max) this.#bad(name, `is over ${max}`, start);
      if (byte < 128) {
        if (byte === 0 && scale > 1) this.#bad(name, 'is not in its shortest form', start);
        return value;
      }
      if (this.#at - start > 7) this.#bad(name, 'is too long', start);
    }
  }

  /** A copy of the next `count` bytes. */
  bytes(count: number, name: string): Uint8Array {
    this.#need(count, name);
    this.#at += count;
    return this.#bytes.slice(this.#at - count, this.#at);
  }

  #need(count: number, name: string): void {
    if (this.remaining >= count) return;
    throw new UpdateError(this.#onEnd, `${name} at byte ${this.#at}: ${count} bytes wanted, ${this.remaining} left`, {
      detail: { field: name, offset: this.#at },
    });
  }

  #bad(name: string, what: string, offset: number): never {
    throw new UpdateError(this.#onBad, `${name} at byte ${offset} ${what}`, { detail: { field: name, offset } });
  }
}
