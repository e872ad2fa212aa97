/**
 * The header of an age file (age-encryption.org/v1) for one device: 168 bytes that give one X25519 key the file key of a
 * body. Put before that body it makes a file that every age program opens.
 * @module
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { base64nopad } from '@scure/base';
import { concat } from '../format/bytes.ts';
import { bytesEqual } from '../hash.ts';
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import { chachaPure, type Aead } from './aead.ts';
import { KEY_BYTES, parseRecipient } from './keys.ts';

export const FILE_KEY_BYTES = 16;
const INTRO = 'age-encryption.org/v1';
const NO_SALT = new Uint8Array(0);
const NONCE = new Uint8Array(12);
/** 32 bytes are 43 letters of base64 without padding. */
const HEADER = /^age-encryption\.org\/v1\n-> X25519 ([\w+/]{43})\n([\w+/]{43})\n--- ([\w+/]{43})\n$/;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/**
 * @param recipient `age1...`
 * @param ephemeral 32 random bytes, never used twice
 * @throws UpdateError age_malformed for a recipient that is none
 */
export function makeHeader(
  fileKey: Uint8Array,
  recipient: string,
  ephemeral: Uint8Array,
  aead: Aead = chachaPure,
): Uint8Array {
  const theirs = parseRecipient(recipient);
  const share = x25519.getPublicKey(ephemeral);
  const key = wrapKey(sharedSecret(ephemeral, theirs), share, theirs);
  const wrapped = aead.seal(key, NONCE, fileKey);
  const text = `${INTRO}\n-> X25519 ${base64nopad.encode(share)}\n${base64nopad.encode(wrapped)}\n---`;
  return ascii(`${text} ${base64nopad.encode(macOf(fileKey, text))}\n`);
}

/**
 * The file key that a header gives to `secret` (32 bytes).
 * @throws UpdateError age_malformed; age_key for the header of another key, or a changed one
 */
export function openHeader(header: Uint8Array, secret: Uint8Array, aead: Aead = chachaPure): Uint8Array {
  const { text, share, wrapped, mac } = parse(header);
  const key = wrapKey(sharedSecret(secret, share), share, x25519.getPublicKey(secret));
  const fileKey = aead.open(key, NONCE, wrapped);
  if (fileKey === null) throw new UpdateError('age_key', 'the age header is not for the key of this device');
  if (!bytesEqual(macOf(fileKey, text), mac)) throw new UpdateError('age_key', 'the age header was changed');
  return fileKey;
}

function parse(header: Uint8Array) {
  if (header.length > LIMITS.age_header_bytes_max) {
    throw new UpdateError('age_malformed', `an age header of ${header.length} bytes is over ${LIMITS.age_header_bytes_max}`); // prettier-ignore
  }
  const whole = textOf(header);
  const [, share, wrapped, mac] = HEADER.exec(whole) ?? [];
  if (share === undefined) {
    throw new UpdateError('age_malformed', 'this is no age v1 header with one X25519 recipient and nothing else');
  }
  const text = whole.slice(0, whole.indexOf('\n---') + 4);
  return { text, share: bytesOf(share), wrapped: bytesOf(wrapped!), mac: bytesOf(mac!) };
}

/** Throws where the last letter has bits that no byte has: two texts for the same bytes. */
function bytesOf(text: string): Uint8Array {
  try {
    return base64nopad.decode(text);
  } catch {
    throw new UpdateError('age_malformed', 'the age header has base64 that is not canonical');
  }
}

/** Throws for points of small order: their secret is the same with everybody. */
function sharedSecret(secret: Uint8Array, point: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(secret, point);
  } catch {
    throw new UpdateError('age_malformed', 'the age header or recipient has a point of small order');
  }
}

const wrapKey = (secret: Uint8Array, share: Uint8Array, recipient: Uint8Array): Uint8Array =>
  hkdf(sha256, secret, concat([share, recipient]), ascii(`${INTRO}/X25519`), KEY_BYTES);

const macOf = (fileKey: Uint8Array, text: string): Uint8Array =>
  hmac(sha256, hkdf(sha256, fileKey, NO_SALT, ascii('header'), KEY_BYTES), ascii(text));

/** The key of a body with this nonce (its first 16 bytes). */
export const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Uint8Array =>
  hkdf(sha256, fileKey, nonce, ascii('payload'), KEY_BYTES);
