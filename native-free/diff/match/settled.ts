/**
 * What needs no matching any more: long stretches of the target that an earlier match explains to the last byte.
 *
 * Most of a large image did not change, or changed only in references, which copies with masked or named references do
 * not show. Neither the target's stretches nor the source they come from are searched again: what is left is often a
 * tenth of the image.
 * @module
 */
import type { Cover } from '../../format/cover.ts';
import { matchLength } from './source-index.ts';

/** Shorter exact stretches are not worth an interruption of the search. */
const SETTLED_BYTES_MIN = 16 * 1024;
/** So much of each end is matched again: the border to its neighbour may lie elsewhere. */
const MARGIN_BYTES = 1024;

export interface Settled {
  /** Exact stretches, in target order. */
  readonly covers: readonly Cover[];
  /** What lies between them, as [start, end) offsets of the target. */
  readonly open: readonly (readonly [number, number])[];
}

/** Finds the exact stretches of target window [start, end) among covers in target order. */
export function settle(
  source: Uint8Array,
  target: Uint8Array,
  covers: readonly Cover[],
  start: number,
  end: number,
): Settled {
  const settled: Cover[] = [];
  const open: [number, number][] = [];
  let from = start;
  for (const { sourceOffset, targetOffset, length } of covers) {
    const displacement = sourceOffset - targetOffset;
    const last = Math.min(end, targetOffset + length);
    for (let at = Math.max(from, targetOffset); at < last;) {
      const run = matchLength(source, at + displacement, target, at, 0, last - at);
      if (run >= SETTLED_BYTES_MIN) {
        const first = at === start ? at : at + MARGIN_BYTES;
        const behind = at + run === end ? end : at + run - MARGIN_BYTES;
        settled.push({ sourceOffset: first + displacement, targetOffset: first, length: behind - first });
        if (first > from) open.push([from, first]);
        from = behind;
      }
      at += run + 1;
    }
  }
  if (from < end) open.push([from, end]);
  return { covers: settled, open };
}

/** The parts of covers that lie in the open ranges or not further than `margin` from them. */
export function coversOf(covers: readonly Cover[], open: Settled['open'], margin: number): Cover[] {
  const near: Cover[] = [];
  let i = 0;
  for (const { sourceOffset, targetOffset, length } of covers) {
    const end = targetOffset + length;
    while (i < open.length && open[i]![1] + margin <= targetOffset) i++;
    let last = targetOffset;
    for (let k = i; k < open.length && open[k]![0] - margin < end; k++) {
      const from = Math.max(last, open[k]![0] - margin);
      const to = Math.min(end, open[k]![1] + margin);
      if (to <= from) continue;
      near.push({ sourceOffset: sourceOffset + from - targetOffset, targetOffset: from, length: to - from });
      last = to;
    }
  }
  return near;
}
