/**
 * The part of the source that a window of the target is matched with.
 *
 * Suffix sorting the whole of a large source costs memory and time for what is mostly of no use: a window resembles a
 * part of the source of about its own size, which the coarse alignment names. That part, and some around it, is gathered
 * into one array; offsets are translated back and forth, and covers that run over a junction are cut there.
 * @module
 */
import { firstCoverEndingAfter, type Cover, type CoverList } from '../format/cover.ts';

const BLOCK_BYTES = 64 * 1024;
/** Shorter covers are too many and too often chance to call for a block of the source. */
const NAMING_BYTES_MIN = 64;

export interface SourceView {
  readonly bytes: Uint8Array;
  /** Covers of the whole image that begin in the view and in the window, with offsets into the view. */
  toView(covers: CoverList, start: number, end: number): Cover[];
  /** The same covers with offsets into the source. */
  toSource(covers: readonly Cover[]): Cover[];
}

/** The view for target window [start, end); at most `maxBytes`, give or take a block. The whole source if it is no larger. */
export function sourceViewFor(
  source: Uint8Array,
  covers: CoverList,
  start: number,
  end: number,
  maxBytes: number,
): SourceView {
  if (source.length <= maxBytes) return new GatheredView(source, [{ from: 0, to: source.length }]);
  const wanted = wantedBlocks(source.length, covers, start, end);
  const ranges = rangesOf(wanted, source.length, maxBytes);
  return new GatheredView(source, ranges);
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** How many bytes of the window each block of the source explains; its neighbours are wanted a little. */
function wantedBlocks(sourceBytes: number, covers: CoverList, start: number, end: number): Float64Array {
  const weights = new Float64Array(Math.ceil(sourceBytes / BLOCK_BYTES));
  const add = (offset: number, bytes: number): void => {
    const block = Math.floor(offset / BLOCK_BYTES);
    if (block >= 0 && block < weights.length) weights[block]! += bytes;
  };
  for (let i = firstCoverEndingAfter(covers, start); i < covers.count && covers.targetOffset[i]! < end; i++) {
    const length = covers.length[i]!;
    if (length < NAMING_BYTES_MIN) continue;
    const from = covers.sourceOffset[i]!;
    for (let at = from; at < from + length; at += BLOCK_BYTES) add(at, Math.min(BLOCK_BYTES, from + length - at));
    add(from + length - 1, 1);
    add(from - BLOCK_BYTES, 1);
    add(from + length + BLOCK_BYTES, 1);
  }
  // Where nothing resembles, the same relative place is as good as any.
  const middle = ((start + end) / 2) | 0;
  for (let at = start; at < end; at += BLOCK_BYTES) add(at, 0.5 - Math.abs(at - middle) / (4 * (end - start)));
  return weights;
}

/** The blocks with the most weight, joined where they touch, in the order of the source. */
function rangesOf(weights: Float64Array, sourceBytes: number, maxBytes: number): Range[] {
  const blocks = Array.from(weights.keys()).filter((block) => weights[block]! > 0);
  blocks.sort((a, b) => weights[b]! - weights[a]! || a - b);
  const chosen = blocks.slice(0, Math.max(1, Math.floor(maxBytes / BLOCK_BYTES))).sort((a, b) => a - b);
  const ranges: Range[] = [];
  for (const block of chosen) {
    const from = block * BLOCK_BYTES;
    const to = Math.min(sourceBytes, from + BLOCK_BYTES);
    const last = ranges.at(-1);
    if (last !== undefined && last.to === from) ranges[ranges.length - 1] = { from: last.from, to };
    else ranges.push({ from, to });
  }
  return ranges;
}

class GatheredView implements SourceView {
  readonly bytes: Uint8Array;
  readonly #ranges: readonly Range[];
  /** Where each range begins in the view. */
  readonly #starts: readonly number[];

  constructor(source: Uint8Array, ranges: readonly Range[]) {
    this.#ranges = ranges;
    const starts: number[] = [];
    let length = 0;
    for (const { from, to } of ranges) {
      starts.push(length);
      length += to - from;
    }
    this.#starts = starts;
    if (ranges.length === 1 && length === source.length) {
      this.bytes = source;
      return;
    }
    this.bytes = new Uint8Array(length);
    ranges.forEach(({ from, to }, i) => this.bytes.set(source.subarray(from, to), starts[i]!));
  }

  toView(covers: CoverList, start: number, end: number): Cover[] {
    const result: Cover[] = [];
    for (let i = firstCoverEndingAfter(covers, start); i < covers.count && covers.targetOffset[i]! < end; i++) {
      const sourceOffset = covers.sourceOffset[i]!;
      const length = covers.length[i]!;
      for (let r = this.#rangeEndingAfter(sourceOffset); r < this.#ranges.length; r++) {
        const { from, to } = this.#ranges[r]!;
        const first = Math.max(from, sourceOffset);
        const last = Math.min(to, sourceOffset + length);
        if (first >= last) break;
        const targetOffset = covers.targetOffset[i]! + (first - sourceOffset);
        result.push({ sourceOffset: this.#starts[r]! + first - from, targetOffset, length: last - first });
      }
    }
    return result;
  }

  toSource(covers: readonly Cover[]): Cover[] {
    return covers.flatMap((cover) => [...this.#cut(cover)]);
  }

  *#cut({ sourceOffset, targetOffset, length }: Cover): Generator<Cover> {
    let r = 0;
    while (r + 1 < this.#starts.length && this.#starts[r + 1]! <= sourceOffset) r++;
    for (let done = 0; done < length; r++) {
      const { from, to } = this.#ranges[r]!;
      const place = from + (sourceOffset + done - this.#starts[r]!);
      const take = Math.min(length - done, to - place);
      yield { sourceOffset: place, targetOffset: targetOffset + done, length: take };
      done += take;
    }
  }

  #rangeEndingAfter(offset: number): number {
    const r = this.#ranges.findIndex(({ to }) => to > offset);
    return r < 0 ? this.#ranges.length : r;
  }
}
