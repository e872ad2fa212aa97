/**
 * Kinds of numbers and flags with which deflate, zlib and LZ4 units are described in segments; other codecs have lists of their own, in the
 * same room. Part of the format.
 * @module
 */

/** Below 12. */
export const PARAM_NUMBER = {
  type: 0,
  count: 1,
  size: 2,
  byte: 3,
  lead: 4,
  leadValue: 5,
  padding: 6,
  other: 8,
} as const;

/** Below 8. */
export const PARAM_FLAG = { same: 0, more: 1, end: 2, foreign: 3 } as const;
