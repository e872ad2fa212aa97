/**
 * All source bytes that a segment's content is coded from, read at once: each unit of the source is unpacked once for a
 * segment, however many covers jump to and fro between them.
 * @module
 */
import type { CoverList } from '../../format/cover.ts';
import { piecesOf, sourceBytesOf, type Piece } from '../../format/pieces.ts';
import type { VirtualSource } from '../source/virtual-source.ts';
import type { SegmentParts } from './parts.ts';

/** A piece of the content with the source bytes that it takes. */
export interface SourceWindow {
  readonly piece: Piece;
  /** Where it stands in the segment's content. */
  readonly at: number;
  readonly source: Uint8Array;
}

/** A window before it is read. */
interface WantedWindow {
  readonly piece: Piece;
  readonly at: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Windows of a segment, in the order of its content. What they take of the source's memory, `bytes`, is the caller's to
 * give back. They are listed anew for each purpose: a list of them would take more than the bytes of many.
 */
export async function sourceWindows(
  covers: CoverList,
  parts: SegmentParts,
  source: VirtualSource,
  pause?: () => Promise<void>,
): Promise<{ readonly windows: Iterable<SourceWindow>; readonly heldBytes: number }> {
  const wanted = (): Iterable<WantedWindow> => wantedWindows(covers, parts, source.size);
  const bytes = await source.readAll(wanted, pause);
  return { windows: windowsIn(wanted(), bytes), heldBytes: bytes.length };
}

function* wantedWindows(covers: CoverList, { ranges }: SegmentParts, sourceBytes: number): Generator<WantedWindow> {
  for (const range of ranges) {
    for (const piece of piecesOf(covers, range.start, range.end)) {
      yield { piece, at: range.at + piece.targetOffset - range.start, ...sourceBytesOf(piece, sourceBytes) };
    }
  }
}

function* windowsIn(wanted: Iterable<WantedWindow>, bytes: Uint8Array): Generator<SourceWindow> {
  let from = 0;
  for (const { piece, at, length } of wanted) {
    yield { piece, at, source: bytes.subarray(from, from + length) };
    from += length;
  }
}
