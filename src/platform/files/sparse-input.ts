/**
 * Images in files that may be far larger than memory: looked through once for fills, then read without them.
 *
 * Node cannot ask a file where its holes are; reading them costs no I/O.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import { chooseFills } from '../../../native-free/diff/fills/choose.ts';
import { FillScanner } from '../../../native-free/diff/fills/scan.ts';
import type { SparseImage } from '../../../native-free/diff/fills/sparse-image.ts';
import { imageRuns, withoutFills, type FillMap } from '../../../native-free/format/fill-map.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { openInput, readFully, readImage, sharedBytes } from './node-io.ts';

/** Bytes that are looked through at a time. */
const STEP_BYTES = 4 * 2 ** 20;

/** An image in a file, looked through and not read yet. */
export interface ImageFile {
  readonly path: string;
  readonly map: FillMap;
  /** Its content in shared memory. Throws UpdateError `input_unreadable`, `limit_exceeded`. */
  read(): SparseImage;
}

/**
 * Looks an image through.
 * @throws UpdateError input_unreadable, limit_exceeded
 */
export function scanImage(path: string, fillBytesMin?: number): ImageFile {
  const { fd, size } = openInput(path);
  try {
    // What does not tell its size is small, and says what it says once.
    if (size === null) return whole(path, readImage(path));
    checkSize(path, size, LIMITS.image_bytes_max, 'the most that an image may have');
    const scanner = new FillScanner();
    const buffer = new Uint8Array(Math.min(size, STEP_BYTES));
    for (let at = 0; at < size; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, size - at));
      readFully(fd, path, at, piece);
      scanner.push(piece);
    }
    const map = chooseFills(scanner.finish(), fillBytesMin);
    const hint = 'the most that an image may have beside long runs of one value: split it by partitions';
    checkSize(path, map.denseBytes, LIMITS.dense_bytes_max, hint);
    return { path, map, read: () => ({ map, dense: readDense(path, map) }) };
  } finally {
    closeSync(fd);
  }
}

/** Scans and reads. Throws UpdateError `input_unreadable`, `limit_exceeded`. */
export const readSparseImage = (path: string): SparseImage => scanImage(path).read();

const whole = (path: string, dense: Uint8Array): ImageFile => {
  const map = withoutFills(dense.length);
  return { path, map, read: () => ({ map, dense }) };
};

function checkSize(path: string, bytes: number, allowedBytes: number, what: string): void {
  if (bytes <= allowedBytes) return;
  throw new UpdateError('limit_exceeded', `${path} has ${bytes} bytes; ${allowedBytes} are ${what}`, {
    detail: { path, bytes, allowedBytes },
  });
}

function readDense(path: string, map: FillMap): Uint8Array {
  if (map.count === 0) return readImage(path);
  const { fd } = openInput(path);
  try {
    const dense = sharedBytes(map.denseBytes);
    for (const { offset, length, dense: at } of imageRuns(map, 0, map.denseBytes)) {
      if (at === null) continue;
      for (let done = 0; done < length; done += STEP_BYTES)
        readFully(fd, path, offset + done, dense.subarray(at + done, at + Math.min(length, done + STEP_BYTES)));
    }
    return dense;
  } finally {
    closeSync(fd);
  }
}
