/**
 * Covers made to fit the units of code: a cover that begins or ends within an instruction helps nobody.
 *
 * Where both sides are code of one instruction set and in step with its units, edges are moved to whole units. Between
 * two covers that touch, the border moves to the unit's start, so that no bytes fall between. What is left of very
 * short covers is not worth its own cost.
 * @module
 */
import { coverAt, coversWhere, emptyCoverList, setCover, type Cover, type CoverList } from '../../format/cover.ts';
import type { Layout, Region } from '../../format/regions.ts';
import { instructionSetOf } from '../../predict/isa/list.ts';
import { RegionCursor } from '../../predict/region-cursor.ts';

/** Shorter covers cost more than literals. */
const COVER_BYTES_MIN = 12;

/** The same covers, trimmed; in the same order. */
export function trimCovers(covers: CoverList, source: Layout, target: Layout): CoverList {
  const trimmer = new Trimmer(source, target);
  const kept = emptyCoverList(covers.count);
  let count = 0;
  for (let i = 0; i < covers.count; i++) {
    const cover = trimmer.trim(coverAt(covers, i));
    const most = count === 0 ? Infinity : cover.targetOffset - kept.targetOffset[count - 1]!;
    if (most < kept.length[count - 1]!) kept.length[count - 1] = most;
    if (cover.length >= COVER_BYTES_MIN) setCover(kept, count++, cover);
  }
  return coversWhere(kept, (i) => i < count && kept.length[i]! >= COVER_BYTES_MIN);
}

class Trimmer {
  readonly #source: RegionCursor;
  readonly #target: RegionCursor;
  /** Where the last cover ended, before and after trimming. */
  #end = -1;
  #trimmedEnd = -1;

  constructor(source: Layout, target: Layout) {
    this.#source = new RegionCursor(source.regions);
    this.#target = new RegionCursor(target.regions);
  }

  trim({ sourceOffset, targetOffset, length }: Cover): Cover {
    const touches = this.#end === targetOffset;
    const head = this.#excess(sourceOffset, targetOffset);
    // Behind a cover that was cut, this one begins with the whole unit that both share.
    const isCut = touches && head > 0 && this.#trimmedEnd === targetOffset - head && sourceOffset >= head;
    const start = isCut ? -head : head === 0 ? 0 : this.#unit - head;
    const last = targetOffset + length;
    const tail = length > 1 ? this.#excess(sourceOffset + length, last, true) : 0;
    const end = Math.max(start, length - tail);
    this.#end = last;
    this.#trimmedEnd = targetOffset + end;
    return { sourceOffset: sourceOffset + start, targetOffset: targetOffset + start, length: end - start };
  }

  #unit = 1;

  /** How many bytes before these offsets the unit begins that they lie in; 0 at a unit's start and outside of code. */
  #excess(sourceOffset: number, targetOffset: number, isEnd = false): number {
    const back = isEnd ? 1 : 0;
    const a = this.#source.at(sourceOffset - back);
    const b = this.#target.at(targetOffset - back);
    if (a === null || b === null || a.kind !== b.kind) return 0;
    this.#unit = instructionSetOf(a.kind)?.alignment ?? 1;
    const from = phase(a, sourceOffset, this.#unit);
    return from === phase(b, targetOffset, this.#unit) ? from : 0;
  }
}

function phase(region: Region, offset: number, unit: number): number {
  return ((region.va + (offset - region.offset)) & (unit - 1)) >>> 0;
}
