/**
 * The content of a unit while it is unpacked: it grows with what comes, up to what the caller allows, so that a small
 * unit that claims gigabytes never has them allocated.
 * @module
 */
import { malformed } from './tokens.ts';

const FIRST_BYTES_MIN = 4096;
/** What follows a unit in an image stands in its input too, and makes the guess too large. */
const FIRST_BYTES_MAX = 2 ** 20;

/** Bytes with a length; `reserve` before writing to `bytes` directly. */
export class ContentBuffer {
  bytes: Uint8Array;
  length = 0;
  readonly #codec: string;
  readonly #bytesMax: number;

  /** `bytesExpected` is a guess at the size, never a bound; where the size is known, nothing has to grow. */
  constructor(codec: string, bytesMax: number, bytesExpected: number, isExact = false) {
    this.#codec = codec;
    this.#bytesMax = bytesMax;
    const guess = Math.min(Math.max(bytesExpected, FIRST_BYTES_MIN), FIRST_BYTES_MAX);
    this.bytes = new Uint8Array(isExact ? bytesMax : Math.min(bytesMax, guess));
  }

  /** How many more bytes are allowed. */
  get allowed(): number {
    return this.#bytesMax - this.length;
  }

  /** @throws UpdateError unit_malformed where that would be over the bound */
  reserve(wanted: number): void {
    const needed = this.length + wanted;
    if (needed <= this.bytes.length) return;
    if (needed > this.#bytesMax) malformed(this.#codec, `it unpacks to more than ${this.#bytesMax} bytes`);
    const grown = new Uint8Array(Math.min(this.#bytesMax, Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  push(byte: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A match: bytes from `distance` before, which may overlap what they make. */
  repeat(length: number, distance: number): void {
    if (distance === 0 || distance > this.length)
      malformed(this.#codec, `a distance of ${distance} at byte ${this.length} points before the start`);
    this.reserve(length);
    const { bytes } = this;
    const end = this.length + length;
    for (let at = this.length; at < end; at++) bytes[at] = bytes[at - distance]!;
    this.length = end;
  }

  /** What was unpacked, without spare memory behind it. */
  finish(): Uint8Array {
    return this.length === this.bytes.length ? this.bytes : this.bytes.slice(0, this.length);
  }
}
