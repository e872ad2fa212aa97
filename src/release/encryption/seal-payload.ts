/**
 * Encrypting a payload: once, with a key of its own, whoever is to read it later. What is stored is the body of an age file;
 * the header is made for the device that asks. Payloads are deterministic, bodies are not: a key is used once.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { FILE_KEY_BYTES, makeHeader, payloadKey } from '../../../native-free/age/header.ts';
import { KEY_BYTES } from '../../../native-free/age/keys.ts';
import { BODY_NONCE_BYTES, bodyBytes, sealChunks } from '../../../native-free/age/stream.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { chachaNode } from '../../platform/aead.ts';
import { sha256Hex } from '../../platform/hash.ts';
import type { FileKeyWrapper } from './master-key.ts';

export interface SealedPayload {
  readonly body: Uint8Array;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly nonce: string;
  /** As the master key wraps it. */
  readonly fileKey: string;
}

/** The file key is in memory only, and gone when this returns. */
export async function sealPayload(payload: Uint8Array, keys: FileKeyWrapper): Promise<SealedPayload> {
  const fileKey = randomBytes(FILE_KEY_BYTES);
  const nonce = randomBytes(BODY_NONCE_BYTES);
  const body = new Uint8Array(bodyBytes(payload.length));
  body.set(nonce);
  let at = nonce.length;
  for (const chunk of sealChunks(payload, payloadKey(fileKey, nonce), chachaNode)) {
    body.set(chunk, at);
    at += chunk.length;
  }
  const sha256 = sha256Hex(body);
  const wrapped = await keys.wrap(fileKey, sha256);
  fileKey.fill(0);
  return { body, sha256, nonce: nonce.toString('hex'), fileKey: wrapped };
}

/**
 * The header of a body for one device, of at most `age_header_bytes_max` bytes.
 * @param wrapped the file key, as `sealPayload` gave it
 * @throws UpdateError key_unreadable, age_malformed for a recipient that is none
 */
export async function headerFor(
  recipient: string,
  { sha256, wrapped }: { readonly sha256: string; readonly wrapped: string },
  wrappers: readonly FileKeyWrapper[],
): Promise<Uint8Array> {
  const fileKey = await unwrap(wrapped, sha256, wrappers);
  const header = makeHeader(fileKey, recipient, randomBytes(KEY_BYTES), chachaNode);
  fileKey.fill(0);
  return header;
}

/** Of several master keys (an old one and its successor), the one that wrapped it. */
function unwrap(wrapped: string, body: string, wrappers: readonly FileKeyWrapper[]): Promise<Uint8Array> {
  const [, by] = wrapped.split('.');
  const wrapper = wrappers.find(({ id }) => id === by) ?? wrappers[0];
  if (wrapper !== undefined) return wrapper.unwrap(wrapped, body);
  throw new UpdateError('key_unreadable', 'there is no master key: name its file with --master-key');
}
