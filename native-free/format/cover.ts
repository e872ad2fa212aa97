/**
 * Covers: source ranges that are copied approximately into the target.
 * @module
 */

/** `length` target bytes from `targetOffset` resemble the source bytes from `sourceOffset`. All in bytes. */
export interface Cover {
  readonly sourceOffset: number;
  readonly targetOffset: number;
  readonly length: number;
}

/**
 * Covers of a whole image as a structure of arrays, in target order, never overlapping in the target. Float64Array
 * holds every offset exactly and costs 24 bytes a cover.
 */
export interface CoverList {
  readonly count: number;
  readonly sourceOffset: Float64Array;
  readonly targetOffset: Float64Array;
  readonly length: Float64Array;
}

/** Pack covers; they must be in target order. */
export function coverListOf(covers: readonly Cover[]): CoverList {
  const list = emptyCoverList(covers.length);
  covers.forEach((cover, i) => {
    list.sourceOffset[i] = cover.sourceOffset;
    list.targetOffset[i] = cover.targetOffset;
    list.length[i] = cover.length;
  });
  return list;
}

/** A list of `count` zero covers, to be filled. The caller has checked `count` against LIMITS.covers_max. */
export function emptyCoverList(count: number): CoverList {
  return {
    count,
    sourceOffset: new Float64Array(count),
    targetOffset: new Float64Array(count),
    length: new Float64Array(count),
  };
}

/** Cover `i` as an object, for code that is not hot. */
export function coverAt(list: CoverList, i: number): Cover {
  return {
    sourceOffset: list.sourceOffset[i]!,
    targetOffset: list.targetOffset[i]!,
    length: list.length[i]!,
  };
}

/** Index of the first cover that ends after target offset `at`, or `count`. Binary search. */
export function firstCoverEndingAfter(list: CoverList, at: number): number {
  let low = 0;
  let high = list.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list.targetOffset[middle]! + list.length[middle]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}
