/**
 * Encoding of one segment of a delta. Segments are independent, so they can be encoded anywhere in any order.
 * @module
 */
import type { CoverList } from '../format/cover.ts';
import { piecesOf } from '../format/pieces.ts';
import { LIMITS } from '../limits.ts';
import { RangeEncoder } from '../model/range-coder.ts';
import { SegmentCoder } from '../model/segment-coder.ts';

const MIB = 1024 * 1024;

/** What a segment costs, by stream, in bytes (rounded down at each change of stream). */
export interface SegmentCosts {
  residualBytes: number;
  literalBytes: number;
}

/**
 * Size of a target's segments. Larger ones cost fewer digests, smaller ones less memory and less work after a power
 * cut; this keeps digests under 32 bytes for each 2 MiB once images are large.
 */
export function segmentBytesFor(targetBytes: number): number {
  return targetBytes <= 16 * MIB ? MIB : targetBytes <= 64 * MIB ? 2 * MIB : 4 * MIB;
}

/**
 * Codes target range [start, end); the target's own bytes where coding does not make it smaller (a decoder tells by
 * the equal length).
 */
export function encodeSegment(
  source: Uint8Array,
  target: Uint8Array,
  covers: CoverList,
  start: number,
  end: number,
  costs?: SegmentCosts,
): Uint8Array {
  const coder = new RangeEncoder();
  const segment = new SegmentCoder();
  const window = new Uint8Array(LIMITS.source_window_bytes);
  segment.begin(coder);
  for (const piece of piecesOf(covers, start, end)) {
    const before = coder.length;
    const isCover = piece.sourceOffset >= 0;
    const prediction = window.subarray(0, isCover ? piece.length : 0);
    if (isCover) prediction.set(source.subarray(piece.sourceOffset, piece.sourceOffset + piece.length));
    segment.piece(piece, prediction, target, piece.targetOffset);
    if (costs !== undefined) costs[isCover ? 'residualBytes' : 'literalBytes'] += coder.length - before;
  }
  const encoded = coder.finish();
  return encoded.length < end - start ? encoded : target.slice(start, end);
}
