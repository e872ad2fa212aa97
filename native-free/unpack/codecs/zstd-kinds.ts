/**
 * Kinds of numbers and flags of zstd frames: below 12 and below 8.
 * @module
 */
export const NUMBER = {
  head: 0,
  plain: 1,
  regionBytes: 2,
  type: 3,
  literals: 4,
  sizeFormat: 5,
  mode: 6,
  limit: 7,
  weights: 8,
  weight: 9,
  log: 10,
  share: 11,
} as const;

export const FLAG = { head: 0, region: 1, split: 2, more: 3, usual: 4, tree: 5, weights: 6, table: 7 } as const;
