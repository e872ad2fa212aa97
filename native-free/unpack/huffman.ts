/**
 * Canonical Huffman codes as deflate has them: lengths to codes, and a decoder for them.
 *
 * The decoder's table is of 10 bits, whatever the lengths: longer codes are rare, and a hostile block of a few bytes
 * must not fill 32,768 entries. They are counted down bit by bit, as in the first description of canonical codes.
 * @module
 */
import { CODE_BITS_MAX } from './deflate-symbols.ts';
import { malformed } from './tokens.ts';

export const TABLE_BITS = 10;
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
  for (const length of lengths) counts[length]!++;
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

/** Decodes one alphabet. */
export class HuffmanDecoder {
  /** By the next 10 bits: symbol << 4 | length; 0 where the code is longer, or none. */
  readonly table = new Uint16Array(1 << TABLE_BITS);
  readonly #counts: Uint16Array;
  /** Symbols in the order of their codes. */
  readonly #sorted: Uint16Array;

  /**
   * Codes must be complete; where `isSparseAllowed`, a single code of one bit will do, and none at all.
   * @throws UpdateError unit_malformed
   */
  constructor(lengths: Uint8Array, what: string, isSparseAllowed: boolean) {
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
    this.#sorted = this.#build(lengths, used);
  }

  #build(lengths: Uint8Array, used: number): Uint16Array {
    const { table } = this;
    const next = firstCodes(this.#counts);
    const places = new Uint16Array(CODE_BITS_MAX + 2);
    for (let bits = 1; bits <= CODE_BITS_MAX; bits++) places[bits + 1] = places[bits]! + this.#counts[bits]!;
    const sorted = new Uint16Array(used);
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol]!;
      if (length === 0) continue;
      sorted[places[length]!++] = symbol;
      const code = next[length]!++;
      if (length > TABLE_BITS) continue;
      for (let at = reversed(code, length); at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
    }
    return sorted;
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
