/**
 * The chunks of an LZMA2 stream in columns: what its writer chose besides tokens.
 * @module
 */
import { malformed } from '../tokens.ts';

/** A chunk's first byte: the end, stored bytes without or with a new dictionary, or LZMA from 128 on. */
export const CONTROL = { end: 0, storedAnew: 1, stored: 2, lzma: 128, resetState: 160, resetProperties: 192 } as const;
export const CONTROL_RESET_ALL = 224;
const FIRST_CAPACITY = 8;

export class ChunkList {
  count = 0;
  /** The first byte without the bits of a length: stored (1, 2), or LZMA with what is reset (128, 160, 192, 224). */
  control: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  /** Bytes of content. */
  contentBytes: Uint32Array = new Uint32Array(FIRST_CAPACITY);
  /** lc, lp and pb where they are set, else 0. */
  properties: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** @throws UpdateError unit_malformed if the list is full */
  push(control: number, contentBytes: number, properties: number): void {
    if (this.count >= this.#countMax) malformed('lzma2', `more than ${this.#countMax} chunks`);
    if (this.count === this.control.length) this.#grow();
    const at = this.count++;
    this.control[at] = control;
    this.contentBytes[at] = contentBytes;
    this.properties[at] = properties;
  }

  /** The content of all chunks. */
  get total(): number {
    let total = 0;
    for (let i = 0; i < this.count; i++) total += this.contentBytes[i]!;
    return total;
  }

  #grow(): void {
    const { control, contentBytes, properties } = this;
    this.control = new Uint8Array(this.count * 2);
    this.control.set(control);
    this.contentBytes = new Uint32Array(this.count * 2);
    this.contentBytes.set(contentBytes);
    this.properties = new Uint8Array(this.count * 2);
    this.properties.set(properties);
  }
}
