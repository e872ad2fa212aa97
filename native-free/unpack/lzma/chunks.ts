/**
 * The chunks of an LZMA2 stream in columns: what its writer chose besides tokens.
 *
 * Where a chunk ends is hardly ever a choice: liblzma ends one before the symbol that finds it nearly full. Such chunks
 * are a *run*, and their lengths follow from coding the tokens again.
 * @module
 */
import { malformed } from '../tokens.ts';

/** A chunk's first byte: the end, stored bytes without or with a new dictionary, or LZMA from 128 on. */
export const CONTROL = { end: 0, storedAnew: 1, stored: 2, lzma: 128, resetState: 160, resetProperties: 192 } as const;
export const CONTROL_RESET_ALL = 224;
const FIRST_CAPACITY = 4;

/** What an LZMA chunk's two lengths can say. */
export const LZMA_CONTENT_BYTES_MAX = 2 ** 21;
export const LZMA_PACKED_BYTES_MAX = 2 ** 16;
export const STORED_BYTES_MAX = 2 ** 16;

/**
 * liblzma begins no symbol with this much content (one more match could be too much), nor when more than so many bytes
 * are written: the packed limit less 4,097 for the symbols that it looks ahead, and six that its range coder holds.
 */
export const RUN_CONTENT_BYTES_MAX = LZMA_CONTENT_BYTES_MAX - 273;
export const RUN_REACHED_BYTES_MAX = LZMA_PACKED_BYTES_MAX - 4097 - 6;

export const isLzma = (control: number): boolean => control >= CONTROL.lzma;
export const makesDictionary = (control: number): boolean =>
  control === CONTROL.storedAnew || control >= CONTROL_RESET_ALL;
export const setsProperties = (control: number): boolean => control >= CONTROL.resetProperties;

export class ChunkList {
  count = 0;
  /** The first byte without the bits of a length: stored (1, 2), or LZMA with what is reset (128, 160, 192, 224). */
  control: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  /** Bytes of content; 0 for a run of LZMA chunks, of which all but the first reset nothing. */
  contentBytes: Uint32Array = new Uint32Array(FIRST_CAPACITY);
  /** lc, lp and pb where they are set, else 0. */
  properties: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  /** Of a run, how many chunks it has; 0 if it goes on to the end of the content. Else 1. */
  repeats: Uint32Array = new Uint32Array(FIRST_CAPACITY);
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** @throws UpdateError unit_malformed if the list is full */
  push(control: number, contentBytes: number, properties: number, repeats = 1): void {
    if (this.count >= this.#countMax) malformed('lzma2', `more than ${this.#countMax} chunks`);
    if (this.count === this.control.length) this.#grow();
    const at = this.count++;
    this.control[at] = control;
    this.contentBytes[at] = contentBytes;
    this.properties[at] = properties;
    this.repeats[at] = repeats;
  }

  /** A chunk that ended where liblzma ends one: of the run before it, if it can be. */
  pushNatural(control: number, properties: number): void {
    const last = this.count - 1;
    if (control === CONTROL.lzma && last >= 0 && this.contentBytes[last] === 0) this.repeats[last]!++;
    else this.push(control, 0, properties);
  }

  /** Behind the last chunk: a run that ends the list says no more how long it is. */
  close(): void {
    const last = this.count - 1;
    if (last >= 0 && this.contentBytes[last] === 0) this.repeats[last] = 0;
  }

  /** The content of all chunks but those in runs. */
  get total(): number {
    let total = 0;
    for (let i = 0; i < this.count; i++) total += this.contentBytes[i]!;
    return total;
  }

  #grow(): void {
    const { control, contentBytes, properties, repeats } = this;
    this.control = new Uint8Array(this.count * 2);
    this.control.set(control);
    this.contentBytes = new Uint32Array(this.count * 2);
    this.contentBytes.set(contentBytes);
    this.properties = new Uint8Array(this.count * 2);
    this.properties.set(properties);
    this.repeats = new Uint32Array(this.count * 2);
    this.repeats.set(repeats);
  }
}
