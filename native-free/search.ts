/**
 * Binary search.
 * @module
 */

/** The first index of [first, end) from which on `holds`, which is false up to there; `end` where it never does. */
export function firstWhere(first: number, end: number, holds: (i: number) => boolean): number {
  let low = first;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
