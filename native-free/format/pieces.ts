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
  /** Literals: offset of the source bytes behind the cover before, which literals often resemble. */
  readonly follow: number;
  /** Whether a cover, or the literals between two, begins here (also where a segment begins). */
  readonly isFirst: boolean;
  /** Bytes of the cover that come after the piece, in this segment. */
  readonly coverLeft: number;
}

/** How many source bytes behind a cover are looked at for the literals that follow it. */
export const FOLLOW_BYTES_MAX = 1024;

/** The source bytes that a piece is coded from: those of its cover, or what follows the cover before literals. */
export function sourceBytesOf(
  { sourceOffset, follow, length }: Piece,
  sourceBytes: number,
): { readonly offset: number; readonly length: number } {
  const isLiteral = sourceOffset < 0;
  const offset = isLiteral ? follow : sourceOffset;
  const wanted = isLiteral ? Math.min(length, FOLLOW_BYTES_MAX) : length;
  return { offset, length: Math.max(0, Math.min(wanted, sourceBytes - offset)) };
}

/** The pieces of target range [start, end), in order, without holes. */
export function* piecesOf(covers: CoverList, start: number, end: number): Generator<Piece> {
  let at = start;
  const first = firstCoverEndingAfter(covers, start);
  let follow = first === 0 ? 0 : covers.sourceOffset[first - 1]! + covers.length[first - 1]!;
  for (let i = first; i < covers.count && at < end; i++) {
    const from = covers.targetOffset[i]!;
    if (from >= end) break;
    yield* cut(at, Math.max(at, from), -1, follow);
    at = Math.max(at, from);
    const to = Math.min(end, from + covers.length[i]!);
    yield* cut(at, to, covers.sourceOffset[i]! + (at - from), 0);
    at = to;
    follow = covers.sourceOffset[i]! + covers.length[i]!;
  }
  yield* cut(at, end, -1, follow);
}

function* cut(start: number, end: number, sourceOffset: number, follow: number): Generator<Piece> {
  const window = LIMITS.source_window_bytes;
  for (let at = start; at < end;) {
    const to = Math.min(end, at - (at % window) + window);
    yield {
      targetOffset: at,
      length: to - at,
      sourceOffset: sourceOffset < 0 ? -1 : sourceOffset + (at - start),
      follow: follow + (at - start),
      isFirst: at === start,
      coverLeft: end - to,
    };
    at = to;
  }
}
