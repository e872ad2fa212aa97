/**
 * X25519 keys as age writes them: `age1...` for everybody, `AGE-SECRET-KEY-1...` for the device alone.
 * @module
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { bech32 } from '@scure/base';
import { UpdateError } from '../status.ts';

export const KEY_BYTES = 32;
const RECIPIENT = 'age';
const IDENTITY = 'age-secret-key-';

/** @param secret 32 random bytes */
export const recipientOf = (secret: Uint8Array): string =>
  bech32.encodeFromBytes(RECIPIENT, x25519.getPublicKey(secret));

/** As a line of an identity file, which `age -i` reads. */
export const identityText = (secret: Uint8Array): string => bech32.encodeFromBytes(IDENTITY, secret).toUpperCase();

/** The public key, 32 bytes. Throws UpdateError age_malformed. */
export const parseRecipient = (text: string): Uint8Array => decode(text, RECIPIENT, 'recipient (age1...)');

/** The secret key, 32 bytes. Throws UpdateError age_malformed, without the key in its message. */
export function parseIdentity(text: string): Uint8Array {
  const isUpper = text === text.toUpperCase();
  return decode(isUpper ? text.toLowerCase() : '', IDENTITY, 'identity (AGE-SECRET-KEY-1...)');
}

function decode(text: string, prefix: string, what: string): Uint8Array {
  // The reason of the library would repeat what may be a secret.
  const refuse = (): UpdateError => new UpdateError('age_malformed', `this is no age X25519 ${what}`);
  if (text.length > 128 || text !== text.toLowerCase()) throw refuse();
  try {
    const { prefix: found, bytes } = bech32.decodeToBytes(text);
    if (found === prefix && bytes.length === KEY_BYTES) return bytes;
  } catch {
    // Said below.
  }
  throw refuse();
}
