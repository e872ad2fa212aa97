/**
 * Kinds of numbers and flags that units are described with in segments: all codecs share them. Part of the format.
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
  imitate: 7,
  other: 8,
  value: 9,
  error: 10,
  run: 11,
} as const;

/** Below 8. */
export const PARAM_FLAG = { same: 0, more: 1, end: 2, foreign: 3, has: 4, as: 5, zero: 6, other: 7 } as const;
