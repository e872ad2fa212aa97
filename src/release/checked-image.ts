/**
 * Images of releases, read back out of the blobs.
 * @module
 */
import { digestOfImage, type SparseImage } from '../../native-free/diff/fills/sparse-image.ts';
import { toHex } from '../../native-free/hash.ts';
import { UpdateError } from '../../native-free/status.ts';
import { readSparseImage } from '../platform/files/sparse-input.ts';
import { sha256Node } from '../platform/hash.ts';

/**
 * The image with this digest, straight into shared memory, without its fills.
 * @throws UpdateError input_unreadable, limit_exceeded, source_digest for a file that is damaged
 */
export function readCheckedImage(path: string, sha256: string): SparseImage {
  const image = readSparseImage(path);
  if (toHex(digestOfImage(sha256Node, image)) === sha256) return image;
  throw new UpdateError('source_digest', `${path} is damaged: its content has another digest`, { detail: { path } });
}
