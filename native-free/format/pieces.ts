/**
 * How a segment is walked: covers and the gaps between them, cut so that a decoder needs one small source window.
 *
 * Encoder and decoder must cut at the same places, so the rule is part of the format: a piece ends at the end of its
 * cover or gap, at the end of the segment, and at every multiple of LIMITS.source_window_bytes of the target offset.
 * @module
 */
import { LIMITS } from '../limits.ts';
import { firstCoverEndingAfter, type CoverList } from './cover.ts';

/** `length` target bytes from `targetOffset`; `sourceOffset` is -1 for literals (bytes under no cover). */
export interface Piece {
  readonly targetOffset: number;
  readonly length: number;
  readonly sourceOffset: number;
}

/** The pieces of target range [start, end), in order, without holes. */
export function* piecesOf(covers: CoverList, start: number, end: number): Generator<Piece> {
  let at = start;
  for (let i = firstCoverEndingAfter(covers, start); i < covers.count && at < end; i++) {
    const from = covers.targetOffset[i]!;
    if (from >= end) break;
    yield* cut(at, Math.max(at, from), -1);
    at = Math.max(at, from);
    const to = Math.min(end, from + covers.length[i]!);
    yield* cut(at, to, covers.sourceOffset[i]! + (at - from));
    at = to;
  }
  yield* cut(at, end, -1);
}

function* cut(start: number, end: number, sourceOffset: number): Generator<Piece> {
  const window = LIMITS.source_window_bytes;
  for (let at = start; at < end;) {
    const to = Math.min(end, at - (at % window) + window);
    yield { targetOffset: at, length: to - at, sourceOffset: sourceOffset < 0 ? -1 : sourceOffset + (at - start) };
    at = to;
  }
}
