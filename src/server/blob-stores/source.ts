/**
 * What is to be kept as a blob is read once before, so that nothing is kept under a digest that is not its own.
 * @module
 */
import { createHash } from 'node:crypto';
import { UpdateError } from '../../../native-free/status.ts';
import type { BlobSource } from './blob-store.ts';

/** Read and sent at once. An object of 10,000 parts, the most that S3 takes, has 156 GiB. */
export const PART_BYTES = 16 * 2 ** 20;

/** Throws UpdateError metadata_mismatch. */
export async function checkedSource(sha256: string, source: BlobSource): Promise<void> {
  const hash = createHash('sha256');
  for (let at = 0; at < source.size; at += PART_BYTES) {
    hash.update(await source.read(at, Math.min(PART_BYTES, source.size - at)));
  }
  const found = hash.digest('hex');
  if (found === sha256) return;
  throw new UpdateError('metadata_mismatch', `the blob ${sha256} would have bytes of the digest ${found}`);
}
