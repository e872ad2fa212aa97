/**
 * What a segment of the target is made of: ranges of the virtual stream, and units.
 * @module
 */
import { firstWhere } from '../../search.ts';
import { ALIGNMENT, HISTORY_BYTES } from '../../format/unit-map.ts';
import type { VirtualLayout } from '../map/virtual-layout.ts';

/** Bytes [start, end) of the virtual stream, which stand at `at` in the segment's content. */
export interface ContentRange {
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

export interface SegmentParts {
  /** Image bytes [start, end). */
  readonly start: number;
  readonly end: number;
  /** In the order of the virtual stream, not touching. */
  readonly ranges: readonly ContentRange[];
  /** Of all ranges. */
  readonly contentBytes: number;
  /** Those that are made or copied, each behind the units in its content; those of the image have parent -1. */
  readonly units: readonly number[];
}

/**
 * The parts of image bytes [start, end). Both borders are a unit's border, or in no unit.
 */
export function partsOf(layout: VirtualLayout, start: number, end: number): SegmentParts {
  const units: number[] = [];
  const wanted: { start: number; end: number }[] = [];
  const want = ({ piece, from, to }: PiecePart): void => {
    wanted.push({ start: layout.placeOf(piece, from), end: layout.placeOf(piece, to) });
  };
  const addUnit = (unit: number): void => {
    if (layout.units[unit]!.copyOf < 0) {
      for (const piece of layout.piecesOf(unit)) {
        const { offset, length } = layout.pieces[piece]!;
        want({ piece, from: offset, to: offset + length });
      }
      const { first, end: last } = layout.unitsIn(unit);
      for (let child = first; child < last; child++) addUnit(child);
      for (const part of historyOf(layout, unit)) want(part);
    }
    units.push(unit);
  };
  for (const part of rawPartsOf(layout, start, end)) want(part);
  const { first, end: last } = layout.unitsIn(-1);
  for (let unit = firstUnitAt(layout, first, last, start); unit < last && layout.extentOf(unit).start < end; unit++)
    addUnit(unit);
  return { start, end, units, ...merged(wanted) };
}

/** Bytes [from, to) of what a piece is a piece of: a unit's content, or the image. */
export interface PiecePart {
  readonly piece: number;
  readonly from: number;
  readonly to: number;
}

/** What of image bytes [start, end) is in no unit, in order: what units skip is. */
export function* rawPartsOf(layout: VirtualLayout, start: number, end: number): Generator<PiecePart> {
  const pieces = layout.piecesOf(-1);
  for (let i = firstPieceAt(layout, start); i < pieces.length; i++) {
    const piece = pieces[i]!;
    const { offset, length } = layout.pieces[piece]!;
    if (offset >= end) break;
    yield { piece, from: Math.max(start, offset), to: Math.min(end, offset + length) };
  }
}

/** Parts of pieces, in order of their content: what stood before a unit that continues another one. */
function historyOf(layout: VirtualLayout, unit: number): PiecePart[] {
  if (!layout.units[unit]!.continues) return [];
  const start = layout.units[unit - 1]!.contentBytes - HISTORY_BYTES;
  const parts: PiecePart[] = [];
  for (const piece of layout.piecesOf(unit - 1)) {
    const { offset, length } = layout.pieces[piece]!;
    if (offset + length > start) parts.push({ piece, from: Math.max(start, offset), to: offset + length });
  }
  return parts;
}

/** Ranges in order; those that only padding lies between become one. */
function merged(wanted: { start: number; end: number }[]): Pick<SegmentParts, 'ranges' | 'contentBytes'> {
  wanted.sort((a, b) => a.start - b.start);
  const ranges: { start: number; end: number; at: number }[] = [];
  let contentBytes = 0;
  for (const { start, end } of wanted) {
    const before = ranges.at(-1);
    if (before !== undefined && start - before.end < ALIGNMENT) {
      contentBytes += Math.max(0, end - before.end);
      before.end = Math.max(before.end, end);
    } else {
      ranges.push({ start, end, at: contentBytes });
      contentBytes += end - start;
    }
  }
  return { ranges, contentBytes };
}

/** Position in `piecesOf(-1)` of the first piece that ends behind `at`. */
function firstPieceAt(layout: VirtualLayout, at: number): number {
  const pieces = layout.piecesOf(-1);
  return firstWhere(0, pieces.length, (i) => {
    const { offset, length } = layout.pieces[pieces[i]!]!;
    return offset + length > at;
  });
}

function firstUnitAt(layout: VirtualLayout, first: number, end: number, at: number): number {
  return firstWhere(first, end, (i) => layout.extentOf(i).start >= at);
}

/** Copies bytes [start, start + into.length) of the virtual stream out of a segment's content. */
export function readContent({ ranges }: SegmentParts, content: Uint8Array, start: number, into: Uint8Array): void {
  const { start: first, at } = ranges[firstWhere(0, ranges.length, (i) => ranges[i]!.end > start)]!;
  const from = at + start - first;
  into.set(content.subarray(from, from + into.length));
}

/** What stood before a unit that continues another one, out of a segment's content. */
export function historyIn(layout: VirtualLayout, parts: SegmentParts, content: Uint8Array, unit: number): Uint8Array {
  const found = historyOf(layout, unit);
  const history = new Uint8Array(found.length === 0 ? 0 : HISTORY_BYTES);
  let at = 0;
  for (const { piece, from, to } of found) {
    readContent(parts, content, layout.placeOf(piece, from), history.subarray(at, at + to - from));
    at += to - from;
  }
  return history;
}

/** The same out of a whole virtual stream; null where that has not all of it. */
export function historyFrom(layout: VirtualLayout, stream: Uint8Array, unit: number): Uint8Array | null {
  const history = new Uint8Array(HISTORY_BYTES);
  let at = 0;
  for (const { piece, from, to } of historyOf(layout, unit)) {
    history.set(stream.subarray(layout.placeOf(piece, from), layout.placeOf(piece, to)), at);
    at += to - from;
  }
  return at === HISTORY_BYTES ? history : null;
}
