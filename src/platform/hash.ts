/**
 * SHA-256 by node:crypto, 16 times the native-free default: as the core asks for it, over bytes, over what is read.
 * @module
 */
import { createHash } from 'node:crypto';
import type { HashFactory, RandomSource } from '../../native-free/io.ts';
import { LIMITS } from '../../native-free/limits.ts';

export const sha256Node: HashFactory = () => createHash('sha256');

export function sha256Of(bytes: Uint8Array | string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

/** In lower-case hexadecimal. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** SHA-256 of the first `bytes` bytes of a source. */
export async function hashSource(
  source: RandomSource,
  bytes: number = source.size,
  newHash: HashFactory = sha256Node,
): Promise<Uint8Array> {
  const hash = newHash();
  const piece = new Uint8Array(LIMITS.source_window_bytes);
  for (let at = 0; at < bytes; at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, bytes - at));
    await source.read(at, part);
    hash.update(part);
  }
  return new Uint8Array(hash.digest());
}
