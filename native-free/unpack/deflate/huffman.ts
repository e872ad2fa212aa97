/**
 * Canonical Huffman codes as deflate has them: lengths to codes, and a decoder for them.
 *
 * The decoder's table is of 10 bits, whatever the lengths: longer codes are rare, and a hostile block of a few bytes
 * must not fill 32,768 entries. They are counted down bit by bit, as in the first description of canonical codes.
 * @module
 */
import { CODE_BITS_MAX } from './symbols.ts';
import { malformed } from '../tokens.ts';

export const TABLE_BITS = 10;
/** Of blocks with fixed codes. */
const SYMBOLS_MAX = 288;
/** What `decodeLong` answers where no code fits. */
export const NO_SYMBOL = -1;

/** Codes by symbol, the first bit lowest, as they are written. */
export function codesOf(lengths: Uint8Array): Uint16Array {
  const next = firstCodes(countsOf(lengths));
  const codes = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length > 0) codes[symbol] = reversed(next[length]!++, length);
  }
  return codes;
}

function countsOf(lengths: Uint8Array): Uint16Array {
  const counts = new Uint16Array(CODE_BITS_MAX + 1);
  for (let symbol = 0; symbol < lengths.length; symbol++) counts[lengths[symbol]!]!++;
  counts[0] = 0;
  return counts;
}

function firstCodes(counts: Uint16Array): Uint16Array {
  const first = new Uint16Array(CODE_BITS_MAX + 1);
  for (let bits = 1, code = 0; bits <= CODE_BITS_MAX; bits++) {
    code = (code + counts[bits - 1]!) << 1;
    first[bits] = code;
  }
  return first;
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let rest = code, i = 0; i < length; i++, rest >>= 1) result = (result << 1) | (rest & 1);
  return result;
}

/** Decodes one alphabet; used for one block after the other, because blocks may be small. */
export class HuffmanDecoder {
  /** By the next 10 bits: symbol << 4 | length; 0 where the code is longer, or none. */
  readonly table = new Uint16Array(1 << TABLE_BITS);
  #counts: Uint16Array = new Uint16Array(CODE_BITS_MAX + 1);
  /** Symbols in the order of their codes. */
  readonly #sorted = new Uint16Array(SYMBOLS_MAX);

  /**
   * Codes must be complete; where `isSparseAllowed`, a single code of one bit will do, and none at all.
   * @throws UpdateError unit_malformed
   */
  load(lengths: Uint8Array, what: string, isSparseAllowed: boolean): this {
    const counts = countsOf(lengths);
    let free = 1;
    let used = 0;
    for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
      free = free * 2 - counts[bits]!;
      used += counts[bits]!;
      if (free < 0) malformed('deflate', `the code of ${what} is over-full`);
    }
    const isSparse = used === 0 || (used === 1 && counts[1] === 1);
    if (free > 0 && !(isSparse && isSparseAllowed)) malformed('deflate', `the code of ${what} is not full`);
    this.#counts = counts;
    if (free > 0) this.table.fill(0);
    this.#build(lengths);
    return this;
  }

  #build(lengths: Uint8Array): void {
    const table = this.table;
    const next = firstCodes(this.#counts);
    const places = new Uint16Array(CODE_BITS_MAX + 2);
    for (let bits = 1; bits <= CODE_BITS_MAX; bits++) places[bits + 1] = places[bits]! + this.#counts[bits]!;
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol]!;
      if (length === 0) continue;
      this.#sorted[places[length]!++] = symbol;
      const code = reversed(next[length]!++, length);
      if (length > TABLE_BITS) table[code & (table.length - 1)] = 0;
      else for (let at = code; at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
    }
  }

  /** A symbol whose code the table does not have, as an entry of the table. `bits`: the next 15, the first lowest. */
  decodeLong(bits: number): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length++) {
      code |= (bits >>> (length - 1)) & 1;
      const count = this.#counts[length]!;
      if (code - first < count) return (this.#sorted[index + code - first]! << 4) | length;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return NO_SYMBOL;
  }
}
