/**
 * BSDIFF40, the patch format of Percival's bsdiff 4: a header and three bzip2 streams (control, diff, extra).
 *
 * The control stream is a list of (x, y, z): add x bytes of diff to x bytes of the source, copy y bytes of extra, move
 * the source position by z. Numbers are 8 bytes, little-endian, sign and magnitude. As in bspatch, bytes outside of
 * the source count as 0. Everything is streamed: three block decoders and two windows are all the memory it takes.
 * @module
 */
import { emptyCoverList, type CoverList } from '../format/cover.ts';
import type { CancelSignal, RandomSource } from '../io.ts';
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import { Bzip2Reader } from './bzip2.ts';

const MAGIC = 'BSDIFF40';
const HEADER_BYTES = 32;
const CONTROL_BYTES = 24;
/** Target pieces; larger ones cost memory and save nothing. */
const PIECE_BYTES = 1024 * 1024;

export interface Bsdiff40 {
  readonly targetBytes: number;
  /** Compressed streams, views of the patch. */
  readonly control: Uint8Array;
  readonly diff: Uint8Array;
  readonly extra: Uint8Array;
}

interface Control {
  readonly add: number;
  readonly copy: number;
  readonly seek: number;
}

function bad(what: string, detail: Readonly<Record<string, unknown>> = {}): never {
  throw new UpdateError('foreign_malformed', `BSDIFF40: ${what}`, { detail });
}

/** True if the bytes begin like a BSDIFF40 patch. */
export function isBsdiff40(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}

/** Sign and magnitude, 8 bytes; magnitudes over 2^53 are refused. */
function readOffset(bytes: Uint8Array, at: number, name: string): number {
  let value = bytes[at + 7]! & 127;
  for (let i = 6; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  if (value > Number.MAX_SAFE_INTEGER) bad(`${name} is too large`);
  return (bytes[at + 7]! & 128) !== 0 ? -value : value;
}

/**
 * Reads the header.
 * @throws UpdateError foreign_malformed when it is no BSDIFF40 patch or its lengths lie, limit_exceeded over LIMITS
 */
export function parseBsdiff40(patch: Uint8Array): Bsdiff40 {
  if (patch.length > LIMITS.foreign_patch_bytes_max) {
    throw new UpdateError(
      'limit_exceeded',
      `a patch of ${patch.length} bytes is over ${LIMITS.foreign_patch_bytes_max}`,
    );
  }
  if (!isBsdiff40(patch)) bad('the magic number is another');
  if (patch.length < HEADER_BYTES) bad(`a header of ${patch.length} bytes is too short`);
  const controlBytes = readOffset(patch, 8, 'the control length');
  const diffBytes = readOffset(patch, 16, 'the diff length');
  const targetBytes = readOffset(patch, 24, 'the target size');
  if (controlBytes < 0 || diffBytes < 0 || targetBytes < 0) bad('a length is negative');
  if (controlBytes + diffBytes > patch.length - HEADER_BYTES) bad('the streams are longer than the patch');
  if (targetBytes > LIMITS.image_bytes_max) {
    throw new UpdateError('limit_exceeded', `a target of ${targetBytes} bytes is over ${LIMITS.image_bytes_max}`);
  }
  const diffAt = HEADER_BYTES + controlBytes;
  const extraAt = diffAt + diffBytes;
  return {
    targetBytes,
    control: patch.subarray(HEADER_BYTES, diffAt),
    diff: patch.subarray(diffAt, extraAt),
    extra: patch.subarray(extraAt),
  };
}

/** The control stream, checked against the target's size; ends when the target is complete. */
function* controlsOf({ control, targetBytes }: Bsdiff40): Generator<Control> {
  const reader = new Bzip2Reader(control);
  const bytes = new Uint8Array(CONTROL_BYTES);
  let done = 0;
  for (let count = 0; done < targetBytes; count++) {
    if (count >= LIMITS.foreign_controls_max) {
      throw new UpdateError('limit_exceeded', `a patch of more than ${LIMITS.foreign_controls_max} control entries`);
    }
    if (reader.read(bytes) < CONTROL_BYTES) bad(`the control stream ends at target byte ${done} of ${targetBytes}`);
    const add = readOffset(bytes, 0, 'an add length');
    const copy = readOffset(bytes, 8, 'a copy length');
    const seek = readOffset(bytes, 16, 'a seek');
    if (add < 0 || copy < 0 || add + copy > targetBytes - done) {
      bad(`a control entry leaves the target`, { targetOffset: done, add, copy });
    }
    done += add + copy;
    yield { add, copy, seek };
  }
  // As for the other streams: reading past the end is what checks the last block's checksum.
  if (control.length > 0 && reader.read(bytes) > 0) bad('the control stream goes on behind the target');
}

/**
 * The covers that a patch's control stream names, clipped to the source.
 * @throws UpdateError foreign_malformed, limit_exceeded
 */
export function bsdiffCovers(
  patch: Uint8Array,
  sizes: { readonly sourceBytes: number } = { sourceBytes: Infinity },
): { covers: CoverList; targetBytes: number } {
  const parsed = parseBsdiff40(patch);
  const found: { sourceOffset: number; targetOffset: number; length: number }[] = [];
  let source = 0;
  let target = 0;
  for (const { add, copy, seek } of controlsOf(parsed)) {
    const start = Math.max(0, -source);
    const length = Math.min(add, sizes.sourceBytes - source) - start;
    if (length > 0) found.push({ sourceOffset: source + start, targetOffset: target + start, length });
    source += add + seek;
    target += add + copy;
  }
  if (found.length > LIMITS.covers_max) {
    throw new UpdateError('limit_exceeded', `${found.length} covers are over ${LIMITS.covers_max}`);
  }
  const covers = emptyCoverList(found.length);
  found.forEach((cover, i) => {
    covers.sourceOffset[i] = cover.sourceOffset;
    covers.targetOffset[i] = cover.targetOffset;
    covers.length[i] = cover.length;
  });
  return { covers, targetBytes: parsed.targetBytes };
}

export interface ApplyBsdiff40Options {
  readonly patch: Uint8Array;
  readonly source: RandomSource;
  /** Refuse larger targets. */
  readonly targetBytesMax?: number;
  readonly signal?: CancelSignal;
}

/**
 * Streams the target. A piece is only valid until the next one is asked for. The format has no digests: the caller
 * compares the target's with one from elsewhere.
 * @throws UpdateError foreign_malformed, limit_exceeded, aborted, and what the source throws
 */
export async function* applyBsdiff40(options: ApplyBsdiff40Options): AsyncGenerator<Uint8Array, void> {
  const parsed = parseBsdiff40(options.patch);
  const targetBytesMax = options.targetBytesMax ?? LIMITS.image_bytes_max;
  if (parsed.targetBytes > targetBytesMax) {
    throw new UpdateError('limit_exceeded', `a target of ${parsed.targetBytes} bytes is over ${targetBytesMax}`);
  }
  const diff = new Bzip2Reader(parsed.diff);
  const extra = new Bzip2Reader(parsed.extra);
  const piece = new Uint8Array(Math.min(PIECE_BYTES, parsed.targetBytes));
  const window = new Uint8Array(Math.min(LIMITS.source_window_bytes, parsed.targetBytes));
  let filled = 0;
  let position = 0;
  for (const { add, copy, seek } of controlsOf(parsed)) {
    for (let left = add + copy; left > 0;) {
      if (options.signal?.aborted === true) throw new UpdateError('aborted', 'apply was cancelled');
      const isAdd = left > copy;
      const room = piece.length - filled;
      const count = isAdd ? Math.min(left - copy, window.length, room) : Math.min(left, room);
      const into = piece.subarray(filled, filled + count);
      if ((isAdd ? diff : extra).read(into) < count) bad(`the ${isAdd ? 'diff' : 'extra'} stream ends too early`);
      if (isAdd) {
        await addSource(options.source, position, into, window);
        position += count;
      }
      left -= count;
      filled += count;
      if (filled === piece.length) {
        yield piece;
        filled = 0;
      }
    }
    position += seek;
    if (!Number.isSafeInteger(position)) bad('the source position leaves all bounds');
  }
  // The streams must end here: this is also what checks the last blocks' checksums.
  const rest = new Uint8Array(1);
  if (diff.read(rest) > 0 || extra.read(rest) > 0) bad('bytes follow after the target is complete');
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Adds the source bytes from `position` to `into`; those outside of the source are 0. */
async function addSource(source: RandomSource, position: number, into: Uint8Array, window: Uint8Array): Promise<void> {
  const start = Math.min(into.length, Math.max(0, -position));
  const end = Math.max(start, Math.min(into.length, source.size - position));
  if (start === end) return;
  const bytes = window.subarray(0, end - start);
  await source.read(position + start, bytes);
  for (let i = 0; i < bytes.length; i++) into[start + i]! += bytes[i]!;
}
