/**
 * Codes of literal lengths, match lengths and offsets, and the three predefined tables. RFC 8878, 3.1.1.3.2.
 * @module
 */
import { FseTable } from './fse.ts';

export const BLOCK_BYTES_MAX = 2 ** 17;
export const MATCH_MIN = 3;
/** An offset is coded as itself and three; 1 to 3 are repeated ones. */
export const OFFSET_SHIFT = 3;

/** Low bits behind each code, and the values that codes begin with. */
export const LITERAL_BITS = Uint8Array.of(
  ...new Array<number>(16).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
);
export const MATCH_BITS = Uint8Array.of(
  ...new Array<number>(32).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
);
export const LITERAL_BASE = basesOf(LITERAL_BITS, 0);
export const MATCH_BASE = basesOf(MATCH_BITS, MATCH_MIN);
export const MATCH_MAX = MATCH_BASE[52]! + 65_535;

function basesOf(bits: Uint8Array, first: number): Uint32Array {
  const bases = new Uint32Array(bits.length);
  let base = first;
  for (let code = 0; code < bits.length; code++) {
    bases[code] = base;
    base += 1 << bits[code]!;
  }
  return bases;
}

/** Lengths below these have their codes in a table; above, each power of two has one. */
const LITERAL_TABLE = 64;
const MATCH_TABLE = 128;
const LITERAL_CODES = codesOf(LITERAL_BASE, LITERAL_TABLE, 0);
const MATCH_CODES = codesOf(MATCH_BASE, MATCH_TABLE, MATCH_MIN);

function codesOf(bases: Uint32Array, count: number, first: number): Uint8Array {
  const codes = new Uint8Array(count);
  let code = 0;
  for (let value = 0; value < count; value++) {
    while (code + 1 < bases.length && bases[code + 1]! <= value + first) code++;
    codes[value] = code;
  }
  return codes;
}

export function literalCode(length: number): number {
  return length < LITERAL_TABLE ? LITERAL_CODES[length]! : 50 - Math.clz32(length);
}

export function matchCode(length: number): number {
  const rest = length - MATCH_MIN;
  return rest < MATCH_TABLE ? MATCH_CODES[rest]! : 67 - Math.clz32(rest);
}

/** What one of the three kinds of codes may have. */
export interface CodeKind {
  readonly name: string;
  readonly symbolMax: number;
  readonly logMax: number;
  readonly predefined: FseTable;
}

const ones = (count: number): number[] => new Array<number>(count).fill(1);
const twos = (count: number): number[] => new Array<number>(count).fill(2);
const rare = (count: number): number[] => new Array<number>(count).fill(-1);

const KIND = {
  literals: {
    name: 'literal lengths',
    symbolMax: 35,
    logMax: 9,
    predefined: new FseTable(6, Int16Array.of(4, 3, ...twos(11), ...ones(3), ...twos(9), 3, 2, ...ones(5), ...rare(4))),
  },
  offsets: {
    name: 'offsets',
    symbolMax: 31,
    logMax: 8,
    predefined: new FseTable(5, Int16Array.of(...ones(6), ...twos(3), ...ones(15), ...rare(5))),
  },
  matches: {
    name: 'match lengths',
    symbolMax: 52,
    logMax: 9,
    predefined: new FseTable(6, Int16Array.of(1, 4, 3, ...twos(6), ...ones(37), ...rare(7))),
  },
} as const satisfies Readonly<Record<string, CodeKind>>;

/** In the order in which they stand in a block. */
export const KINDS: readonly CodeKind[] = [KIND.literals, KIND.offsets, KIND.matches];
