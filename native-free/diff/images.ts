/**
 * What all stages work on: two images, and parts of the target.
 * @module
 */

/** Two images, or copies of them. */
export interface Images {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

/** Target bytes [start, end). */
export interface TargetRange {
  readonly start: number;
  readonly end: number;
}

/** [0, total) in steps; the last range may be shorter. */
export function rangesOf(total: number, stepBytes: number): TargetRange[] {
  const ranges: TargetRange[] = [];
  for (let start = 0; start < total; start += stepBytes) {
    ranges.push({ start, end: Math.min(total, start + stepBytes) });
  }
  return ranges;
}
