/**
 * SHA-256 where nothing faster is injected.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Hash, HashFactory } from './io.ts';
import { UpdateError } from './status.ts';
import { bytesOf, type BytesLike } from './views.ts';

/** The native-free default, about 90 MB/s. */
export const sha256Pure: HashFactory = (): Hash => sha256.create();

/** Digest of one byte array. */
export function digestOf(hash: HashFactory, bytes: BytesLike): Uint8Array {
  const state = hash();
  state.update(bytesOf(bytes, 'bytes'));
  return state.digest();
}

/** Compares two byte arrays; digests are public, so no constant time is needed. */
export function bytesEqual(one: BytesLike, other: BytesLike): boolean {
  const a = bytesOf(one, 'the first');
  const b = bytesOf(other, 'the second');
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const HEX = '0123456789abcdef';

/** Lower-case hexadecimal. */
export function toHex(bytes: BytesLike): string {
  let text = '';
  for (const byte of bytesOf(bytes, 'bytes')) text += HEX[byte >> 4] + HEX[byte & 15];
  return text;
}

/** The bytes of lower-case hexadecimal. Throws `metadata_malformed` for anything else. */
export function hexToBytes(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new UpdateError('metadata_malformed', `'${text}' is no hexadecimal`);
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
