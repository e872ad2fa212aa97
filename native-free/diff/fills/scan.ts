/**
 * One pass over an image that finds runs of one byte value, and the containers that none may be taken out of.
 * @module
 */
import { FILL_ALIGNMENT, type Fill } from '../../format/fill-map.ts';
import { LIMITS } from '../../limits.ts';
import { containerAt, FLASH_BLOCK, isFlashBlock, type Extent } from './containers.ts';

/** What was found, in the image's order. */
export interface ScannedImage {
  readonly imageBytes: number;
  /** All runs of whole blocks that are long enough to be fills. */
  readonly fills: readonly Fill[];
  /** Containers: explorers go by offsets within them. */
  readonly containers: readonly Extent[];
}

/** Is given an image piece by piece, in order; each but the last has whole blocks of FILL_ALIGNMENT. */
export class FillScanner {
  readonly #fills: Fill[] = [];
  readonly #containers: Extent[] = [];
  #flash: Extent | null = null;
  #value = -1;
  #start = 0;
  #end = 0;

  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; at += FILL_ALIGNMENT) {
      const block = piece.subarray(at, at + FILL_ALIGNMENT);
      const value = valueOf(block);
      if (value !== this.#value) this.#begin(value);
      if (value < 0) this.#look(block);
      this.#end += block.length;
    }
  }

  finish(): ScannedImage {
    this.#begin(-1);
    const containers = this.#flash === null ? this.#containers : [...this.#containers, this.#flash];
    return { imageBytes: this.#end, fills: this.#fills, containers };
  }

  #begin(value: number): void {
    const length = this.#end - this.#start;
    if (this.#value >= 0 && length >= LIMITS.fill_bytes_min)
      this.#fills.push({ offset: this.#start, length, value: this.#value });
    this.#value = value;
    this.#start = this.#end;
  }

  #look(block: Uint8Array): void {
    const offset = this.#end;
    if (isFlashBlock(block)) {
      this.#flash = { offset: this.#flash?.offset ?? offset, end: offset + FLASH_BLOCK };
      return;
    }
    const bytes = containerAt(block);
    if (bytes > 0) this.#containers.push({ offset, end: offset + bytes });
  }
}

/** The value that all bytes of a whole block have; -1 if there is none, or it is the image's last part of one. */
function valueOf(block: Uint8Array): number {
  const value = block[0]!;
  if (block.length < FILL_ALIGNMENT || block[FILL_ALIGNMENT - 1] !== value || block[FILL_ALIGNMENT >> 1] !== value)
    return -1;
  if (block.byteOffset % 4 !== 0) return block.every((byte) => byte === value) ? value : -1;
  const words = new Int32Array(block.buffer, block.byteOffset, FILL_ALIGNMENT / 4);
  const word = words[0]!;
  for (let i = 1; i < words.length; i++) if (words[i] !== word) return -1;
  return word === Math.imul(value, 0x01010101) ? value : -1;
}
