/**
 * Which parts of a target unit's content resemble which parts of the source's units: what its tokens are predicted from.
 * @module
 */
import { firstCoverEndingAfter, type CoverList } from '../../format/cover.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';

/** Content [at, at + length) of the target's unit lies under covers over content of a unit of the source. */
export interface UnitRun {
  readonly at: number;
  readonly length: number;
  /** Index of the source's unit. */
  readonly unit: number;
  readonly from: number;
}

/**
 * Source units that tokens of one unit are predicted from, at most, and their content unless two of the unit's size have
 * more: a decoder holds them all at once.
 */
const UNITS_MAX = 8;
const CONTENT_BYTES_MAX = 2 ** 20;

/** The runs of target unit `unit`, by `at`, from the units that resemble most of it. */
export function runsOf(covers: CoverList, source: VirtualLayout, target: VirtualLayout, unit: number): UnitRun[] {
  const { codec, contentBytes } = target.units[unit]!;
  const runs: UnitRun[] = [];
  for (const p of target.piecesOf(unit)) {
    const { offset, length } = target.pieces[p]!;
    const start = target.starts[p]!;
    for (let i = firstCoverEndingAfter(covers, start); i < covers.count; i++) {
      const coverStart = covers.targetOffset[i]!;
      if (coverStart >= start + length) break;
      const from = Math.max(start, coverStart);
      const to = Math.min(start + length, coverStart + covers.length[i]!);
      const at = offset + from - start;
      addRuns(runs, source, codec, { at, length: to - from, from: covers.sourceOffset[i]! + from - coverStart });
    }
  }
  return ofBest(runs, source, contentBytes);
}

/** What units of the source with this codec have of `length` bytes of its virtual stream from `from`. */
function addRuns(
  runs: UnitRun[],
  source: VirtualLayout,
  codec: number,
  stretch: { readonly at: number; readonly length: number; readonly from: number },
): void {
  const { pieces, starts } = source;
  const end = stretch.from + stretch.length;
  for (let p = source.pieceAt(stretch.from); p < pieces.length && starts[p]! < end; p++) {
    const { unit, offset, length } = pieces[p]!;
    const from = Math.max(stretch.from, starts[p]!);
    const to = Math.min(end, starts[p]! + length);
    if (unit < 0 || source.units[unit]!.codec !== codec || from >= to) continue;
    runs.push({ at: stretch.at + from - stretch.from, length: to - from, unit, from: offset + from - starts[p]! });
  }
}

function ofBest(runs: UnitRun[], source: VirtualLayout, contentBytes: number): UnitRun[] {
  const bytes = new Map<number, number>();
  for (const { unit, length } of runs) bytes.set(unit, (bytes.get(unit) ?? 0) + length);
  const best = [...bytes].sort(([a, aBytes], [b, bBytes]) => bBytes - aBytes || a - b).map(([unit]) => unit);
  const taken = new Set<number>();
  let room = Math.max(CONTENT_BYTES_MAX, 2 * contentBytes);
  for (const unit of best.slice(0, UNITS_MAX)) {
    room -= source.units[unit]!.contentBytes;
    if (taken.size > 0 && room < 0) break;
    taken.add(unit);
  }
  return runs.filter(({ unit }) => taken.has(unit));
}

/** The source unit that most of the runs are of, or -1. */
export function mostOf(runs: readonly UnitRun[]): number {
  const bytes = new Map<number, number>();
  let most = -1;
  for (const { unit, length } of runs) {
    const sum = (bytes.get(unit) ?? 0) + length;
    bytes.set(unit, sum);
    if (most < 0 || sum > bytes.get(most)!) most = unit;
  }
  return most;
}
