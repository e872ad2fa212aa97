/**
 * All source bytes that a segment's content is coded from, read at once: each unit of the source is unpacked once for a
 * segment, however many covers jump to and fro between them.
 * @module
 */
import type { CoverList } from '../../format/cover.ts';
import { piecesOf, sourceBytesOf, type Piece } from '../../format/pieces.ts';
import type { UnitMemory } from '../source/unit-memory.ts';
import type { VirtualSource } from '../source/virtual-source.ts';
import type { SegmentParts } from './parts.ts';

/** A piece of the content with the source bytes that it takes. */
export interface SourceWindow {
  readonly piece: Piece;
  /** Where it stands in the segment's content. */
  readonly at: number;
  readonly source: Uint8Array;
}

/** Memory of a window, beside its bytes. */
const WINDOW_BYTES = 256;

/** Windows of a segment, in the order of its content, and what they take of `memory` until it is given back. */
export async function sourceWindows(
  covers: CoverList,
  parts: SegmentParts,
  source: VirtualSource,
  memory: UnitMemory,
  pause?: () => Promise<void>,
): Promise<{ readonly windows: SourceWindow[]; readonly heldBytes: number }> {
  const wanted: { piece: Piece; at: number; offset: number; length: number }[] = [];
  let bytes = 0;
  for (const range of parts.ranges) {
    for (const piece of piecesOf(covers, range.start, range.end)) {
      const window = {
        piece,
        at: range.at + piece.targetOffset - range.start,
        ...sourceBytesOf(piece, source.size),
      };
      memory.take(WINDOW_BYTES);
      bytes += window.length;
      wanted.push(window);
    }
  }
  memory.take(bytes);
  const buffer = new Uint8Array(bytes);
  let from = 0;
  const windows = wanted.map(({ piece, at, offset, length }) => {
    from += length;
    return { piece, at, offset, source: buffer.subarray(from - length, from) };
  });
  await source.readAll(
    windows.map(({ offset, source: into }) => ({ offset, into })),
    pause,
  );
  return { windows, heldBytes: bytes + WINDOW_BYTES * windows.length };
}
