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
  covers.forEach((cover, i) => setCover(list, i, cover));
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

/** The covers whose index is wanted, in the same order. */
export function coversWhere(list: CoverList, isWanted: (i: number) => boolean): CoverList {
  const kept = emptyCoverList(list.count);
  let count = 0;
  for (let i = 0; i < list.count; i++) if (isWanted(i)) setCover(kept, count++, coverAt(list, i));
  const { sourceOffset, targetOffset, length } = kept;
  return {
    count,
    sourceOffset: sourceOffset.slice(0, count),
    targetOffset: targetOffset.slice(0, count),
    length: length.slice(0, count),
  };
}

export function setCover(list: CoverList, i: number, { sourceOffset, targetOffset, length }: Cover): void {
  list.sourceOffset[i] = sourceOffset;
  list.targetOffset[i] = targetOffset;
  list.length[i] = length;
}

/** Cover `i` as an object, for code that is not hot. */
export function coverAt(list: CoverList, i: number): Cover {
  return {
    sourceOffset: list.sourceOffset[i]!,
    targetOffset: list.targetOffset[i]!,
    length: list.length[i]!,
  };
}

/** All covers as objects. */
export function coversIn(list: CoverList): Cover[] {
  return Array.from({ length: list.count }, (_, i) => coverAt(list, i));
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
