/**
 * Where the decisions of the fast profile stand: tags of their contexts, and their weight sets. Part of the format.
 * @module
 */

/** Contexts of every decision. */
export const FAST_CONTEXTS = 4;

/** First tag of each decision's contexts. */
export const FAST_TAGS = {
  candidate: 1,
  miss: 5,
  run: 9,
  /** The lower bits of a run. */
  runBits: 13,
  literal: 17,
  literalHalfwords: 21,
  literalMatch: 23,
  word: 25,
  wordMatch: 28,
} as const;

/** Weight sets of flags: candidates by kind and how risky the unit is, then the bits of runs. */
export const FAST_FLAG_SETS_OF = { candidate: 0, run: 6144 } as const;
export const FAST_FLAG_SETS = 6144 + 16;

/** Weight sets of bytes: misses by kind and place, literals by kind, phase and match, words likewise. */
export const FAST_BYTE_SETS_OF = { miss: 0, literal: 6144, word: 7168 } as const;
export const FAST_BYTE_SETS = 7168 + 512;
