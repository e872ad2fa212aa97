/**
 * The digests that hawkBit clients expect of an artifact. Only SHA-256 is ever relied on.
 * @module
 */
import { createHash } from 'node:crypto';
import { digestOfImage, type SparseImage } from '../../native-free/diff/fills/sparse-image.ts';

export interface ImageDigests {
  readonly sha256: string;
  readonly sha1: string;
  readonly md5: string;
}

/** All three, in lower-case hexadecimal. */
export function imageDigests(image: SparseImage): ImageDigests {
  const of = (algorithm: string): string =>
    Buffer.from(digestOfImage(() => createHash(algorithm), image)).toString('hex');
  return { sha256: of('sha256'), sha1: of('sha1'), md5: of('md5') };
}
