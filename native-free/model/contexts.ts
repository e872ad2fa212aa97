/**
 * Where the models' decisions stand: which tags keep their contexts apart, which weight sets mix them, and which numbers
 * and flags a plan consists of. All of it is part of the format: append only.
 * @module
 */

/** First tag of each decision's contexts; the contexts of one decision follow each other. */
export const CONTEXT_TAGS = {
  /** Numbers and flags of a plan, which is a stream of its own. */
  number: 1,
  /** Units under a cover: whether a block is as expected, which candidate a unit is, the bytes of one that is none. */
  block: 1,
  candidate: 11,
  miss: 21,
  /** Bytes of literals: always, by bytes, of the match, by halfwords; and whole words of them. */
  literal: 41,
  literalBytes: 46,
  literalMatch: 49,
  literalHalfwords: 51,
  literalNear: 55,
  word: 61,
  /** Numbers and flags of units, beside their tokens (six tags), and tokens (up to 130). */
  unitNumber: 71,
  token: 81,
  /** Bytes of literals that are x86-64. */
  part: 141,
} as const;

/** First weight set of each decision: of flags, and of bytes. Region kinds over 11 would share sets with literals. */
export const FLAG_SETS_OF = { number: 0, block: 0, candidate: 64, unitNumber: 6208, token: 7488 } as const;
export const BYTE_SETS_OF = { miss: 0, literal: 6144, word: 6656, part: 7424 } as const;
/** And first weight set of a byte's third mixture: of literals by the byte before, of words by the place in it too. */
export const NEAR_SETS_OF = { miss: 0, literal: 256, word: 512 } as const;

/** First plain bit of each decision: of pages, by region kind and the last eight flags; of stored blocks, by the last four. */
export const BITS_OF = { page: 0, stored: 32768 } as const;

/** Kinds of numbers in a plan, below 64. Of those with a hole behind them the next one codes all but multiples of four. */
export const NUMBER = {
  coverCount: 0,
  coverGap: 1,
  coverLength: 3,
  coverDistance: 5,
  regionCount: 8,
  high: 9,
  gap: 10,
  va: 11,
  bases: 12,
  baseRegion: 13,
  baseOffset: 14,
  startError: 15,
  endError: 16,
  vaError: 17,
  targetHigh: 18,
  baseError: 19,
  length: 20,
  kind: 21,
  coverMark: 22,
} as const;

/** Kinds of flags in a plan, below 64. */
export const FLAG = {
  /** Plus the kind of number that is, or is not, a multiple of four. */
  coverFour: 0,
  coverKnown: 8,
  coverLess: 9,
  coverRecent: 10,
  newModule: 16,
  vaFollows: 17,
  inTarget: 18,
  sameHigh: 19,
  /** And the one behind it. */
  scale: 20,
  coverNear: 22,
  /** Plus the bit, from 0 to 30. */
  coverPlace: 24,
} as const;
