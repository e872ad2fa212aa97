/**
 * In-memory sources and sinks, for small images, tests and examples.
 * @module
 */
import type { AcceptedSegment, ByteSource, RandomSource, SegmentSink } from '../io.ts';
import { UpdateError } from '../status.ts';
import { bytesOf, type BytesLike } from '../views.ts';

/** A payload in memory, given out in pieces of `pieceBytes`. */
export function bytesSource(payload: BytesLike, pieceBytes = 64 * 1024): ByteSource {
  const bytes = bytesOf(payload, 'payload');
  let at = 0;
  return {
    async read() {
      if (at >= bytes.length) return null;
      const piece = bytes.subarray(at, at + pieceBytes);
      at += piece.length;
      return piece;
    },
    async skipTo(offset) {
      at = offset;
    },
  };
}

/** A source image in memory. */
export function memorySource(source: BytesLike): RandomSource {
  const bytes = bytesOf(source, 'source');
  return {
    size: bytes.length,
    async read(offset, into) {
      if (offset < 0 || offset + into.length > bytes.length) {
        throw new UpdateError(
          'slot_unreadable',
          `read of ${into.length} bytes at ${offset} of a source of ${bytes.length}`,
        );
      }
      into.set(bytes.subarray(offset, offset + into.length));
    },
  };
}

/** Writes accepted segments into `bytes`, which has the target's size. */
export function memorySink(target: BytesLike): SegmentSink {
  const bytes = bytesOf(target, 'target');
  return {
    async write(segment: AcceptedSegment) {
      if (segment.offset + segment.bytes.length > bytes.length) {
        throw new UpdateError('slot_too_small', `segment ${segment.index} does not fit into ${bytes.length} bytes`);
      }
      bytes.set(segment.bytes, segment.offset);
    },
    async fill({ index, offset, length, value }) {
      if (offset + length > bytes.length) {
        throw new UpdateError('slot_too_small', `segment ${index} does not fit into ${bytes.length} bytes`);
      }
      bytes.fill(value, offset, offset + length);
    },
  };
}
