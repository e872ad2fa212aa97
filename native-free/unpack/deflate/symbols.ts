/**
 * The alphabets of deflate (RFC 1951, 3.2.5 to 3.2.7): which symbol a length or a distance has, and how many bits more.
 * @module
 */
export const END_OF_BLOCK = 256;
export const LITERAL_SYMBOLS = 286;
export const DISTANCE_SYMBOLS = 30;
export const LENGTH_CODE_SYMBOLS = 19;
export const MATCH_MIN = 3;
export const MATCH_MAX = 258;
export const DISTANCE_MAX = 32_768;
export const CODE_BITS_MAX = 15;
export const LENGTH_CODE_BITS_MAX = 7;

/** Extra bits by symbol; length symbols count from 257. */
export const LENGTH_EXTRA = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
);
export const DISTANCE_EXTRA = Uint8Array.from({ length: DISTANCE_SYMBOLS }, (_, symbol) =>
  Math.max(0, (symbol >> 1) - 1),
);
/** Of the code that code lengths are sent in; 16 to 18 repeat. */
export const LENGTH_CODE_EXTRA = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7);
/** In which order the lengths of that code stand in a block. */
export const LENGTH_CODE_ORDER = Uint8Array.of(16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15);

function basesOf(extra: Uint8Array, first: number): Uint16Array {
  const bases = new Uint16Array(extra.length);
  let next = first;
  extra.forEach((bits, symbol) => {
    bases[symbol] = next;
    next += 1 << bits;
  });
  return bases;
}

/** The smallest length or distance of each symbol. 258 has a symbol of its own, although the one before reaches it. */
export const LENGTH_BASE = basesOf(LENGTH_EXTRA, MATCH_MIN);
LENGTH_BASE[28] = MATCH_MAX;
export const DISTANCE_BASE = basesOf(DISTANCE_EXTRA, 1);

/** Symbol minus 257 by length. */
export const LENGTH_SYMBOL = new Uint8Array(MATCH_MAX + 1);
LENGTH_BASE.forEach((base, symbol) => LENGTH_SYMBOL.fill(symbol, base));

const NEAR = 256;
const FAR_SHIFT = 7;
/** Symbols of distances up to 256, then of each 128 beyond; that is how far apart symbols begin there. */
const DISTANCE_SYMBOL = new Uint8Array(NEAR * 2);
DISTANCE_BASE.forEach((base, symbol) =>
  DISTANCE_SYMBOL.fill(
    symbol,
    base <= NEAR ? base - 1 : NEAR + ((base - 1) >> FAR_SHIFT),
    base <= NEAR ? NEAR : NEAR * 2,
  ),
);

export function distanceSymbol(distance: number): number {
  return DISTANCE_SYMBOL[distance <= NEAR ? distance - 1 : NEAR + ((distance - 1) >> FAR_SHIFT)]!;
}

/** Code lengths of blocks with fixed codes; two more symbols of each kind have codes, and may not occur. */
export const FIXED_LITERAL_LENGTHS = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280);
export const FIXED_DISTANCE_LENGTHS = new Uint8Array(32).fill(5);
