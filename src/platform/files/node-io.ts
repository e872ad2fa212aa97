/**
 * The core's interfaces on Node's files.
 *
 * Reads and writes are synchronous behind asynchronous interfaces: a device reads a few kilobytes at a time, and the
 * way through Node's thread pool costs more than such a read.
 *
 * @module
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { fillPieces } from '../../../native-free/format/fill-map.ts';
import type { ByteSource, RandomSource, SegmentSink } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { deviceSize } from './device-size.ts';
import { unreadable, writeError } from './io-errors.ts';

/** Something that holds a file descriptor. */
interface Closeable {
  close(): void;
}

/**
 * Open a regular file or block device for reading. `size` is null for a file that says 0 and holds something all the
 * same, as those of procfs do. Throws UpdateError `input_unreadable`.
 */
export function openInput(path: string): { fd: number; size: number | null } {
  let fd: number | undefined;
  try {
    // A pipe is refused below, and not waited for here.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const facts = fstatSync(fd, { bigint: true });
    if (facts.isFile()) return { fd, size: facts.size === 0n && holdsSomething(fd) ? null : Number(facts.size) };
    if (facts.isBlockDevice()) return { fd, size: deviceSize(fd, facts.rdev) };
    const pipe = facts.isFIFO() ? 'a pipe, and this is not read from start to end: give a file' : '';
    throw new UpdateError(
      'input_unreadable',
      `cannot read ${path}: ${pipe || 'neither a regular file nor a block device'}`,
    );
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw unreadable(path, error);
  }
}

const holdsSomething = (fd: number): boolean => readSync(fd, Buffer.alloc(1), 0, 1, 0) === 1;

/** All of a file that does not know its size. Throws UpdateError `input_unreadable`, `limit_exceeded`. */
function readUnsized(fd: number, path: string): Uint8Array {
  const most = LIMITS.unsized_input_bytes_max;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const piece = Buffer.alloc(LIMITS.chunk_bytes);
    let got: number;
    try {
      got = readSync(fd, piece, 0, piece.length, bytes);
    } catch (error) {
      throw unreadable(path, error);
    }
    if (got === 0) return Buffer.concat(pieces);
    bytes += got;
    if (bytes > most) {
      throw new UpdateError('limit_exceeded', `${path} does not tell its size and has more than ${most} bytes`, {
        detail: { path, allowedBytes: most },
      });
    }
    pieces.push(piece.subarray(0, got));
  }
}

/** Fills `into` from `offset` on. Throws UpdateError `input_unreadable`. */
export function readFully(fd: number, path: string, offset: number, into: Uint8Array): void {
  for (let done = 0; done < into.length;) {
    let got: number;
    try {
      got = readSync(fd, into, done, into.length - done, offset + done);
    } catch (error) {
      throw unreadable(path, error);
    }
    if (got === 0) throw endsTooEarly(path, offset + done);
    done += got;
  }
}

/** A source image in a file or on a block device. Throws UpdateError `input_unreadable`. */
export function fileSource(path: string): RandomSource & Closeable {
  const { fd, size } = openInput(path);
  const file: RandomSource & Closeable = {
    size: size ?? 0,
    async read(offset, into) {
      readFully(fd, path, offset, into);
    },
    close: () => closeSync(fd),
  };
  return size === null ? unsizedSource(file, fd, path) : file;
}

/** Its content is taken once: what such a file says next may be something else. */
function unsizedSource(file: Closeable, fd: number, path: string): RandomSource & Closeable {
  let bytes: Uint8Array;
  try {
    bytes = readUnsized(fd, path);
  } finally {
    file.close();
  }
  return {
    size: bytes.length,
    async read(offset, into) {
      if (offset + into.length > bytes.length) throw endsTooEarly(path, bytes.length);
      into.set(bytes.subarray(offset, offset + into.length));
    },
    close: () => undefined,
  };
}

function endsTooEarly(path: string, offset: number): UpdateError {
  return new UpdateError('input_unreadable', `${path} ends at byte ${offset}; more was expected`, {
    detail: { path, offset },
  });
}

/**
 * A payload in a file, in pieces that are valid until the next read; `size` is null where the file does not tell it.
 * Throws UpdateError `input_unreadable`.
 */
export function fileByteSource(
  path: string,
  pieceBytes: number = LIMITS.chunk_bytes,
): ByteSource & Closeable & { readonly size: number | null } {
  const { fd, size } = openInput(path);
  const piece = new Uint8Array(pieceBytes);
  let at = 0;
  return {
    size,
    async read() {
      try {
        const got = readSync(fd, piece, 0, piece.length, at);
        at += got;
        return got === 0 ? null : piece.subarray(0, got);
      } catch (error) {
        throw unreadable(path, error);
      }
    },
    async skipTo(offset) {
      at = offset;
    },
    close: () => closeSync(fd),
  };
}

/** A sink that knows how to fill. */
export type FileSink = Required<SegmentSink>;

/**
 * Writes segments at their offsets; the owner of the descriptor syncs. `path` is for messages. A `fresh` file, which is
 * empty and written from its start, gets holes for zeros.
 */
export function fileSink(fd: number, path: string, { fresh = false }: { readonly fresh?: boolean } = {}): FileSink {
  const put = (offset: number, bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
    }
  };
  return {
    async write({ offset, bytes }) {
      try {
        put(offset, bytes);
      } catch (error) {
        throw writeError(error, path);
      }
    },
    async fill({ offset, length, value }) {
      try {
        if (fresh && value === 0) return ftruncateSync(fd, offset + length);
        let at = offset;
        for (const piece of fillPieces({ length, value })) {
          put(at, piece);
          at += piece.length;
        }
      } catch (error) {
        throw writeError(error, path);
      }
    },
  };
}

/**
 * Read a whole image straight into shared memory, where worker threads see it without a copy.
 * Throws UpdateError `input_unreadable`, `limit_exceeded`.
 */
export function readImage(path: string): Uint8Array {
  const { fd, size } = openInput(path);
  try {
    if (size === null) return shareImage(readUnsized(fd, path));
    if (size > LIMITS.dense_bytes_max) {
      throw new UpdateError('limit_exceeded', `${path} has ${size} bytes; ${LIMITS.dense_bytes_max} are the most`, {
        detail: { path, bytes: size, allowedBytes: LIMITS.dense_bytes_max },
      });
    }
    const image = sharedBytes(size);
    for (let at = 0; at < size; at += READ_STEP_BYTES) {
      readFully(fd, path, at, image.subarray(at, Math.min(size, at + READ_STEP_BYTES)));
    }
    return image;
  } finally {
    closeSync(fd);
  }
}

/** Bytes in shared memory, all of them 0. */
export const sharedBytes = (count: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(count));

/** A view of shared memory with the image's bytes; no copy when it is one already (readImage). */
export function shareImage(image: Uint8Array): Uint8Array {
  if (image.buffer instanceof SharedArrayBuffer) return image;
  const shared = sharedBytes(image.length);
  shared.set(image);
  return shared;
}

/** One call reads at most 2 GiB on Linux, and less elsewhere. */
const READ_STEP_BYTES = 256 * 2 ** 20;
