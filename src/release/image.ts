/**
 * Reading an image into shared memory, so that the worker pool sees it without a copy.
 * @module
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { fileError } from './files.ts';

const READ_BYTES = 8 * 1024 * 1024;

/**
 * Reads a file or block device whole.
 * @throws UpdateError input_unreadable, limit_exceeded
 */
export async function readImage(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > LIMITS.image_bytes_max) {
        throw new UpdateError('limit_exceeded', `${path} has ${size} bytes; at most ${LIMITS.image_bytes_max}`);
      }
      const image = new Uint8Array(new SharedArrayBuffer(size));
      for (let at = 0; at < size;) {
        const { bytesRead } = await file.read(image, at, Math.min(READ_BYTES, size - at), at);
        if (bytesRead === 0) throw new UpdateError('input_unreadable', `${path} became shorter while it was read`);
        at += bytesRead;
      }
      return image;
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw fileError(cause, `cannot read the image ${path}`, 'input_unreadable');
  }
}

export interface ImageDigests {
  readonly sha256: string;
  readonly sha1: string;
  readonly md5: string;
}

/** The digests that hawkBit clients expect of an artifact. Only SHA-256 is ever relied on. */
export function imageDigests(bytes: Uint8Array): ImageDigests {
  const of = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex');
  return { sha256: of('sha256'), sha1: of('sha1'), md5: of('md5') };
}
