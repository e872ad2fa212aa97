/**
 * BSDIFF40, the patch format of Percival's bsdiff 4: a header and three bzip2 streams (control, diff, extra).
 *
 * The control stream is a list of (x, y, z): add x bytes of diff to x bytes of the source, copy y bytes of extra, move
 * the source position by z. Numbers are 8 bytes, little-endian, sign and magnitude. Everything is streamed: three block
 * decoders and two windows are all the memory it takes.
 *
 * What bspatch applies is applied, and gives the same target: bytes outside of the source count as 0 (a position that an
 * exact number cannot hold is refused); a patch is over when the target is complete, whatever stands behind that in a
 * stream or in the file; a stream that nothing is read of may be missing. Of a stream that runs on, the block at hand is still
 * read to its end, since its checksum vouches for the bytes that were used.
 * @module
 */
import { coverListOf, type Cover, type CoverList } from '../format/cover.ts';
import type { CancelSignal, RandomSource } from '../io.ts';
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import { bytesOf, type BytesLike } from '../views.ts';
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
export function isBsdiff40(patch: BytesLike): boolean {
  const bytes = bytesOf(patch, 'patch');
  return bytes.length >= MAGIC.length && [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}

/** Sign and magnitude, 8 bytes; magnitudes over 2^53 are refused, but for a seek that nothing may follow. */
function readOffset(bytes: Uint8Array, at: number, name: string, isSeek = false): number {
  let value = bytes[at + 7]! & 127;
  for (let i = 6; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  if (value > Number.MAX_SAFE_INTEGER && !isSeek) bad(`${name} is too large`);
  return (bytes[at + 7]! & 128) !== 0 ? -value : value;
}

/**
 * Reads the header.
 * @throws UpdateError foreign_malformed when it is no BSDIFF40 patch or its lengths lie, limit_exceeded over LIMITS
 */
export function parseBsdiff40(bytes: BytesLike): Bsdiff40 {
  const patch = bytesOf(bytes, 'patch');
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
  if (targetBytes > LIMITS.dense_bytes_max) {
    throw new UpdateError('limit_exceeded', `a target of ${targetBytes} bytes is over ${LIMITS.dense_bytes_max}`);
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
function* controlsOf(reader: Bzip2Reader, targetBytes: number): Generator<Control> {
  const bytes = new Uint8Array(CONTROL_BYTES);
  let done = 0;
  let empty = 0;
  for (let count = 0; done < targetBytes; count++) {
    tooMany(count, LIMITS.foreign_controls_max, 'control entries');
    if (reader.read(bytes) < CONTROL_BYTES) bad(`the control stream ends at target byte ${done} of ${targetBytes}`);
    const add = readOffset(bytes, 0, 'an add length');
    const copy = readOffset(bytes, 8, 'a copy length');
    const seek = readOffset(bytes, 16, 'a seek', true);
    if (add < 0 || copy < 0 || add + copy > targetBytes - done) {
      bad(`a control entry leaves the target`, { targetOffset: done, add, copy });
    }
    if (add + copy === 0) tooMany(++empty, LIMITS.foreign_empty_controls_max, 'control entries that make nothing');
    done += add + copy;
    yield { add, copy, seek };
  }
}

function tooMany(count: number, most: number, what: string): void {
  if (count > most) throw new UpdateError('limit_exceeded', `a patch of more than ${most} ${what}`);
}

/** A part of a patch's target that comes from the source: what its control stream names, clipped to the source. */
function* coversOf(patch: Bsdiff40, sourceBytes: number): Generator<Cover | null> {
  let source = 0;
  let target = 0;
  for (const { add, copy, seek } of controlsOf(new Bzip2Reader(patch.control), patch.targetBytes)) {
    checkPosition(source);
    const start = Math.min(add, Math.max(0, -source));
    const length = Math.min(add, sourceBytes - source) - start;
    yield length > 0 ? { sourceOffset: source + start, targetOffset: target + start, length } : null;
    source += add + seek;
    target += add + copy;
  }
}

/** The source position has to be exact wherever it is used. */
function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position)) bad('the source position leaves all bounds');
}

/**
 * The covers that a patch's control stream names, clipped to the source.
 * @throws UpdateError foreign_malformed, limit_exceeded
 */
export function bsdiffCovers(
  patch: BytesLike,
  sizes: { readonly sourceBytes: number } = { sourceBytes: Infinity },
): { covers: CoverList; targetBytes: number } {
  const parsed = parseBsdiff40(patch);
  const found: Cover[] = [];
  for (const cover of coversOf(parsed, sizes.sourceBytes)) {
    if (cover === null) continue;
    tooMany(found.length + 1, LIMITS.covers_max, 'covers');
    found.push(cover);
  }
  return { covers: coverListOf(found), targetBytes: parsed.targetBytes };
}

export interface ForeignWork {
  readonly signal?: CancelSignal;
  /** Called every few milliseconds of work: lets the caller's event loop turn, so that a cancellation can be heard. */
  readonly pause?: () => Promise<void>;
}

/**
 * What a patch says of itself, in memory that does not depend on it.
 * @throws UpdateError foreign_malformed, limit_exceeded, aborted
 */
export async function bsdiffFacts(
  patch: BytesLike,
  work: ForeignWork = {},
): Promise<{ targetBytes: number; covers: number; coveredBytes: number }> {
  const parsed = parseBsdiff40(patch);
  const turns = new Turns(work);
  const facts = { targetBytes: parsed.targetBytes, covers: 0, coveredBytes: 0 };
  for (const cover of coversOf(parsed, Infinity)) {
    const turn = turns.spend(CONTROL_COST);
    if (turn !== undefined) await turn;
    if (cover === null) continue;
    facts.covers++;
    facts.coveredBytes += cover.length;
  }
  return facts;
}

/** Bytes of work between two turns of the event loop; what a control entry, and what a block, is worth. */
const TURN_BYTES = 256 * 1024;
const CONTROL_COST = 64;

/** Cancellation in every loop, and turns of the caller's event loop. */
class Turns {
  readonly #work: ForeignWork;
  #spent = 0;

  constructor(work: ForeignWork) {
    this.#work = work;
  }

  /** Returns nothing to wait for unless a turn is due. */
  spend(bytes: number): Promise<void> | undefined {
    if (this.#work.signal?.aborted === true) throw new UpdateError('aborted', 'reading the patch was cancelled');
    this.#spent += bytes;
    if (this.#spent < TURN_BYTES) return undefined;
    this.#spent = 0;
    return this.#work.pause?.();
  }
}

export interface ApplyBsdiff40Options extends ForeignWork {
  readonly patch: BytesLike;
  readonly source: RandomSource;
  /** Refuse larger targets. */
  readonly targetBytesMax?: number;
}

/**
 * Streams the target. A piece is only valid until the next one is asked for. The format has no digests: the caller
 * compares the target's with one from elsewhere.
 * @throws UpdateError foreign_malformed, limit_exceeded, aborted, and what the source throws
 */
export async function* applyBsdiff40(options: ApplyBsdiff40Options): AsyncGenerator<Uint8Array, void> {
  const parsed = parseBsdiff40(options.patch);
  const targetBytesMax = options.targetBytesMax ?? LIMITS.dense_bytes_max;
  if (parsed.targetBytes > targetBytesMax) {
    throw new UpdateError('limit_exceeded', `a target of ${parsed.targetBytes} bytes is over ${targetBytesMax}`);
  }
  const turns = new Turns(options);
  const [control, diff, extra] = [parsed.control, parsed.diff, parsed.extra].map((bytes) => new Bzip2Reader(bytes)) as [
    Bzip2Reader,
    Bzip2Reader,
    Bzip2Reader,
  ];
  const piece = new Uint8Array(Math.min(PIECE_BYTES, parsed.targetBytes));
  const window = new Uint8Array(Math.min(LIMITS.source_window_bytes, parsed.targetBytes));
  let filled = 0;
  let position = 0;
  for (const { add, copy, seek } of controlsOf(control, parsed.targetBytes)) {
    const turn = turns.spend(CONTROL_COST);
    if (turn !== undefined) await turn;
    checkPosition(position);
    for (let left = add + copy; left > 0;) {
      const isAdd = left > copy;
      const wanted = Math.min(isAdd ? left - copy : left, window.length, piece.length - filled);
      const count = (isAdd ? diff : extra).some(piece.subarray(filled, filled + wanted));
      if (count === 0) bad(`the ${isAdd ? 'diff' : 'extra'} stream ends too early`);
      // A call may have decoded a block, however little of it was asked for.
      const due = turns.spend(count + (count < wanted ? TURN_BYTES : 0));
      if (due !== undefined) await due;
      if (isAdd) {
        await addSource(options.source, position, piece.subarray(filled, filled + count), window);
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
  }
  const scratch = new Uint8Array(LIMITS.source_window_bytes);
  for (const reader of [control, diff, extra]) await finish(reader, scratch, turns);
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Reads the block at hand to its end, where its checksum is. */
async function finish(reader: Bzip2Reader, scratch: Uint8Array, turns: Turns): Promise<void> {
  for (let count = 1; count > 0; await turns.spend(count)) count = reader.restOfBlock(scratch);
  reader.finish();
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
