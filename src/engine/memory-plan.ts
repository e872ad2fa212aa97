/**
 * How much memory a job will take, worked out before any is taken.
 *
 * @module
 */
import { totalmem } from 'node:os';
import { UpdateError } from '../../native-free/status.ts';
import { VIEW_BYTES_MAX, windowsOf } from '../../native-free/diff/stages.ts';
import { LIMITS } from '../../native-free/limits.ts';

const MIB = 2 ** 20;

/** Heap, code and stack of an idle worker thread with the codecs loaded. */
export const WORKER_FLOOR_BYTES = 48 * MIB;
/** A forked Node process before it holds an image. */
const CHILD_FLOOR_BYTES = 64 * MIB;
/** bsdiff's qsufsort holds two 8-byte arrays and the source; then the target three times. */
const BSDIFF_BYTES_PER_SOURCE_BYTE = 17;
const BSDIFF_BYTES_PER_TARGET_BYTE = 3;
/** Of the part of the source that a window is matched with: itself, suffix array, bit map, and what is searched for. */
const INDEX_BYTES_PER_VIEW_BYTE = 7;
/** Match tables of zstd at level 19, measured over segments of 1 to 4 MiB. */
const ZSTD_BYTES_PER_SEGMENT_BYTE = 16;
/** Coded segments, and once more while they are put together. */
const PAYLOAD_BYTES_PER_TARGET_BYTE = 2;

interface JobShape {
  readonly sourceBytes: number;
  readonly targetBytes: number;
  readonly segmentBytes: number;
  readonly workers: number;
  readonly matcher: 'own' | 'bsdiff' | 'both';
}

/** Peak bytes of the bsdiff child. */
export function bsdiffMemoryBytes(sourceBytes: number, targetBytes: number): number {
  return CHILD_FLOOR_BYTES + BSDIFF_BYTES_PER_SOURCE_BYTE * sourceBytes + BSDIFF_BYTES_PER_TARGET_BYTE * targetBytes;
}

/**
 * Peak bytes of a job over the floor of its workers. Matching may run beside compressing, so they add up; `bsdiff` and
 * our own sort follow each other.
 */
export function jobMemoryBytes(shape: JobShape): number {
  const { sourceBytes, targetBytes, segmentBytes, workers, matcher } = shape;
  const images = sourceBytes + targetBytes;
  // Copies with named references, and what each busy worker indexes.
  const windows = Math.min(workers, windowsOf(targetBytes).length);
  const own = images + windows * INDEX_BYTES_PER_VIEW_BYTE * Math.min(sourceBytes, VIEW_BYTES_MAX);
  const bsdiff = bsdiffMemoryBytes(sourceBytes, targetBytes);
  const match = sourceBytes === 0 ? 0 : matcher === 'own' ? own : Math.max(own, bsdiff);
  const busyWorkers = Math.min(workers, Math.ceil(targetBytes / segmentBytes));
  const encode = PAYLOAD_BYTES_PER_TARGET_BYTE * targetBytes + busyWorkers * ZSTD_BYTES_PER_SEGMENT_BYTE * segmentBytes;
  return images + match + encode;
}

/**
 * Checks a job's need against what all jobs may take, worker threads included: the figure that the caller gave.
 * @throws UpdateError memory_exceeded
 */
export function checkMemory(neededBytes: number, workers: number, allowedBytes: number): void {
  const floorBytes = workers * WORKER_FLOOR_BYTES;
  if (neededBytes + floorBytes <= allowedBytes) return;
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  const threads = workers === 1 ? '1 worker thread' : `${workers} worker threads`;
  throw new UpdateError(
    'memory_exceeded',
    `the job needs about ${mebibytes(neededBytes + floorBytes)} (${mebibytes(floorBytes)} of it for ${threads}); ` +
      `${Math.floor(allowedBytes / MIB)} MiB are allowed`,
    { detail: { neededBytes: neededBytes + floorBytes, allowedBytes, workers } },
  );
}

/** Three quarters of what the machine, or the container, has. */
export function defaultMemoryBytesMax(): number {
  const machine = totalmem();
  const constrained = process.constrainedMemory?.() ?? 0;
  const has = constrained > 0 ? Math.min(machine, constrained) : machine;
  return Math.floor(has * 0.75);
}

/** Throws UpdateError `limit_exceeded` for an image with more bytes beside its fills than the format can hold. */
export function checkImageSize(name: string, bytes: number): void {
  if (bytes <= LIMITS.dense_bytes_max) return;
  const what = 'beside long runs of one value';
  const text = `the ${name} has ${bytes} bytes ${what}; ${LIMITS.dense_bytes_max} are the most: split it by partitions`;
  throw new UpdateError('limit_exceeded', text, { detail: { bytes, allowedBytes: LIMITS.dense_bytes_max } });
}

/** Whether an error is the runtime's refusal to allocate (it has no code of its own). */
export function isAllocationFailure(error: unknown): boolean {
  return error instanceof RangeError && /alloc|memory|array buffer/i.test(error.message);
}
