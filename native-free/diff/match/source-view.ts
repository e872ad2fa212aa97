/**
 * The part of a large source that one window of the target needs: sorting the suffixes of all of it would take more
 * memory than a build machine should give.
 *
 * A coarse match of the whole image says which blocks of the source the window resembles. Those and their neighbours
 * are put together to one array, the view, which is sorted and searched like a source; covers found there are
 * translated back, and cut where they run over a seam.
 * @module
 */
import type { Cover } from '../../format/cover.ts';
import { UpdateError } from '../../status.ts';

/** The source is taken in blocks of this size; one more is taken on each side of what is named. */
export const VIEW_BLOCK_BYTES = 64 * 1024;

/** Sorted [start, end) offsets of a source, disjoint and none empty. */
export type SourceRanges = readonly (readonly [number, number])[];

/** Ranges of a source, one after the other. All offsets are in bytes. */
export class SourceView {
  /** Bytes of the view. */
  readonly length: number;
  readonly ranges: SourceRanges;
  readonly #source: Uint8Array;
  /** Where each range begins in the source and, with one more entry, in the view. */
  readonly #sourceStarts: Float64Array;
  readonly #viewStarts: Float64Array;

  /** @throws UpdateError usage_invalid for ranges out of order or outside the source */
  constructor(source: Uint8Array, ranges: SourceRanges) {
    this.#source = source;
    this.ranges = ranges;
    this.#sourceStarts = Float64Array.from(ranges, ([start]) => start);
    this.#viewStarts = new Float64Array(ranges.length + 1);
    let length = 0;
    let end = 0;
    ranges.forEach(([from, to], i) => {
      if (!(from >= end && to > from && to <= source.length)) {
        throw new UpdateError('usage_invalid', `range ${from}..${to} of a source of ${source.length} bytes`);
      }
      end = to;
      length += to - from;
      this.#viewStarts[i + 1] = length;
    });
    this.length = length;
  }

  /** The view's bytes: the source itself where the view is all of it, else a copy. */
  bytes(): Uint8Array {
    if (this.length === this.#source.length) return this.#source;
    const bytes = new Uint8Array(this.length);
    this.copyTo(bytes);
    return bytes;
  }

  /** Writes the view's bytes to the front of `into`. */
  copyTo(into: Uint8Array): void {
    this.ranges.forEach(([start, end], i) => into.set(this.#source.subarray(start, end), this.#viewStarts[i]!));
  }

  /** Covers of the view as covers of the source, in the same order. */
  toSource(covers: readonly Cover[]): Cover[] {
    return translate(covers, this.#viewStarts, this.#sourceStarts, (i) => this.#rangeBytes(i));
  }

  /** Covers of the source as covers of the view, as far as it has their bytes. */
  toView(covers: readonly Cover[]): Cover[] {
    return translate(covers, this.#sourceStarts, this.#viewStarts, (i) => this.#rangeBytes(i));
  }

  #rangeBytes(i: number): number {
    return this.#viewStarts[i + 1]! - this.#viewStarts[i]!;
  }
}

/** Cuts covers at the ends of ranges and moves each part from where its range begins in `from` to where in `to`. */
function translate(
  covers: readonly Cover[],
  from: Float64Array,
  to: Float64Array,
  rangeBytes: (i: number) => number,
): Cover[] {
  const moved: Cover[] = [];
  const count = Math.min(from.length, to.length);
  for (const { sourceOffset, targetOffset, length } of covers) {
    const end = sourceOffset + length;
    for (let i = lastAtMost(from, count, sourceOffset); i < count && from[i]! < end; i++) {
      const start = Math.max(sourceOffset, from[i]!);
      const partEnd = Math.min(end, from[i]! + rangeBytes(i));
      if (partEnd <= start) continue;
      moved.push({
        sourceOffset: start - from[i]! + to[i]!,
        targetOffset: targetOffset + start - sourceOffset,
        length: partEnd - start,
      });
    }
  }
  return moved;
}

/** The last of the first `count` of `starts` that is not above `value`; 0 if none. */
function lastAtMost(starts: Float64Array, count: number, value: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The view of `source` for the target window [start, end). `covers` are a coarse match of the whole image, in target
 * order. A source of at most `maxBytes` is taken whole. Of a larger one come the blocks that covers of the window and
 * of one block around it name, and their neighbours: the most named first if there are too many. If covers name
 * nothing, the view lies where the nearest cover expects the window.
 */
export function sourceViewFor(
  source: Uint8Array,
  covers: readonly Cover[],
  start: number,
  end: number,
  maxBytes: number,
): SourceView {
  if (source.length === 0) return new SourceView(source, []);
  if (source.length <= maxBytes) return new SourceView(source, [[0, source.length]]);
  const blocks = Math.ceil(source.length / VIEW_BLOCK_BYTES);
  const named = namedBytes(blocks, covers, start - VIEW_BLOCK_BYTES, end + VIEW_BLOCK_BYTES);
  const blocksMax = Math.max(1, Math.floor(maxBytes / VIEW_BLOCK_BYTES));
  const taken = takeBlocks(named, blocksMax) ?? expectedBlocks(source.length, covers, start, end, blocksMax);
  const ranges: [number, number][] = [];
  for (let block = 0; block < blocks; block++) {
    if (taken[block] === 0) continue;
    const from = block * VIEW_BLOCK_BYTES;
    const to = Math.min(source.length, from + VIEW_BLOCK_BYTES);
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === from) last[1] = to;
    else ranges.push([from, to]);
  }
  return new SourceView(source, ranges);
}

/** How many bytes of each source block the covers name for target bytes in [from, to). */
function namedBytes(blocks: number, covers: readonly Cover[], from: number, to: number): Float64Array {
  const named = new Float64Array(blocks);
  for (const { sourceOffset, targetOffset, length } of covers) {
    const first = Math.max(from, targetOffset);
    const last = Math.min(to, targetOffset + length);
    if (last <= first) continue;
    let at = first - targetOffset + sourceOffset;
    const end = last - targetOffset + sourceOffset;
    while (at < end) {
      const block = Math.floor(at / VIEW_BLOCK_BYTES);
      const blockEnd = Math.min(end, (block + 1) * VIEW_BLOCK_BYTES);
      named[block]! += blockEnd - at;
      at = blockEnd;
    }
  }
  return named;
}

/** Marks up to `count` blocks: the most named, of equally named ones the first, then neighbours. Null if none is named. */
function takeBlocks(named: Float64Array, count: number): Uint8Array | null {
  const order = Array.from(named.keys()).filter((block) => named[block]! > 0);
  if (order.length === 0) return null;
  order.sort((a, b) => named[b]! - named[a]! || a - b);
  const taken = new Uint8Array(named.length);
  const chosen = order.slice(0, count);
  for (const block of chosen) taken[block] = 1;
  let left = count - chosen.length;
  for (const block of chosen) {
    for (const neighbour of [block - 1, block + 1]) {
      if (left === 0 || taken[neighbour] !== 0) continue;
      taken[neighbour] = 1;
      left--;
    }
  }
  return taken;
}

/** The blocks where the window would be if it had the displacement of the nearest cover. */
function expectedBlocks(
  sourceBytes: number,
  covers: readonly Cover[],
  start: number,
  end: number,
  count: number,
): Uint8Array {
  const blocks = Math.ceil(sourceBytes / VIEW_BLOCK_BYTES);
  const near = nearestCover(covers, start, end);
  const displacement = near === undefined ? 0 : near.sourceOffset - near.targetOffset;
  const length = Math.min(count, Math.ceil((end - start) / VIEW_BLOCK_BYTES) + 2);
  const middle = Math.floor(((start + end) / 2 + displacement) / VIEW_BLOCK_BYTES);
  const first = Math.max(0, Math.min(blocks - length, middle - (length >> 1)));
  return new Uint8Array(blocks).fill(1, first, first + length);
}

function nearestCover(covers: readonly Cover[], start: number, end: number): Cover | undefined {
  let nearest: Cover | undefined;
  let nearestGap = Infinity;
  for (const cover of covers) {
    const gap = Math.max(start - cover.targetOffset - cover.length, cover.targetOffset - end, 0);
    if (gap >= nearestGap) continue;
    nearest = cover;
    nearestGap = gap;
  }
  return nearest;
}
