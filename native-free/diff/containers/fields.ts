/**
 * Little-endian numbers of bytes that nobody vouches for: whoever asks for one behind the end gets a named fault.
 * @module
 */
import { malformed } from '../../unpack/tokens.ts';

const WORD = 2 ** 32;
/** What eight bytes of ones are as a number: file systems say so that they have no such table. */
export const ALL_ONES = 2 ** 64;

export class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #kind: string;

  /** `kind` is for messages. */
  constructor(bytes: Uint8Array, kind: string) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#kind = kind;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Numbers over 2^53 are not exact, and over every bound. */
  u64(at: number): number {
    this.need(at, 8);
    return this.#view.getUint32(at + 4, true) * WORD + this.#view.getUint32(at, true);
  }

  u32(at: number): number {
    this.need(at, 4);
    return this.#view.getUint32(at, true);
  }

  u16(at: number): number {
    this.need(at, 2);
    return this.#view.getUint16(at, true);
  }

  u8(at: number): number {
    this.need(at, 1);
    return this.bytes[at]!;
  }

  slice(at: number, length: number): Uint8Array {
    this.need(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** @throws UpdateError unit_malformed where [at, at + length) is not all there */
  need(at: number, length: number): void {
    if (at < 0 || length < 0 || !(at + length <= this.bytes.length))
      this.fault(`${length} bytes at ${at} are not there`);
  }

  fault(what: string): never {
    malformed(this.#kind, what);
  }
}
