/**
 * A block of units: some 64 source bytes, read and predicted, waiting to be priced.
 * @module
 */

/** Bytes of a block; one that ends within a unit runs on to the unit's end. */
export const BLOCK_BYTES = 64;
const UNITS_MAX = BLOCK_BYTES + 4;

/** Structure of arrays, re-used from block to block. */
export class UnitBlock {
  count = 0;
  /** Byte offset of each unit from the block's start, with one more entry for the end. */
  readonly at = new Int32Array(UNITS_MAX + 1);
  /** The source's value, and the one expected first. Numbers of up to four bytes, least significant first. */
  readonly word = new Uint32Array(UNITS_MAX);
  readonly expected = new Uint32Array(UNITS_MAX);
  /** Kind within the reader (0 to 15), the address or key it stands for, what is left without the field. */
  readonly kind = new Uint8Array(UNITS_MAX);
  readonly target = new Uint32Array(UNITS_MAX);
  readonly opcode = new Uint32Array(UNITS_MAX);

  get bytes(): number {
    return this.at[this.count]!;
  }

  clear(): void {
    this.count = 0;
    this.at[0] = 0;
  }

  push(length: number, word: number, kind: number, target: number, opcode: number): void {
    const i = this.count++;
    this.word[i] = word;
    this.kind[i] = kind;
    this.target[i] = target;
    this.opcode[i] = opcode;
    this.at[i + 1] = this.at[i]! + length;
  }
}
