/**
 * The master key: what wraps the file keys of encrypted payloads. A wrapped key may lie in catalogs, databases and
 * backups; whoever has the master key as well, and nobody else, reads the payloads.
 *
 * Everything above asks a `FileKeyWrapper`, not a key, so that one which never leaves a token fits in the same place.
 * @module
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { replaceFile } from '../../platform/files/atomic-file.ts';
import { sha256Hex } from '../../platform/hash.ts';

export interface FileKeyWrapper {
  /** Names the key, and says nothing about it. Part of what it wraps. */
  readonly id: string;
  /** @param body SHA-256 (hex) of the body that the key opens: a wrapped key serves no other one */
  wrap(fileKey: Uint8Array, body: string): Promise<string>;
  /** Throws UpdateError key_unreadable for what another key wrapped, for another body, or that was changed. */
  unwrap(wrapped: string, body: string): Promise<Uint8Array>;
}

const FIRST_WORD = 'ENGRAFT-MASTER-KEY-1';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** What a wrapped key looks like: version, id of the master key, nonce, ciphertext and tag. */
export const wrappedPattern = /^1\.[0-9a-f]{16}\.[A-Za-z0-9_-]{59}$/;

/**
 * Makes a fresh master key in a file of mode 0600. One that exists is never overwritten.
 * @returns the key's id
 * @throws UpdateError output_unwritable
 */
export async function makeMasterKey(path: string): Promise<string> {
  const key = randomBytes(KEY_BYTES);
  await replaceFile(path, Buffer.from(`${FIRST_WORD} ${key.toString('base64url')}\n`), {
    ...{ mode: 0o600, exclusive: true },
  });
  return idOf(key);
}

/** Throws UpdateError key_unreadable when it is missing, of another kind, or open to other users. */
export async function loadMasterKey(path: string): Promise<FileKeyWrapper> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8);
      throw new UpdateError('key_unreadable', `${path} has mode ${octal}: other users could use it; chmod 600 it`);
    }
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw ioError(cause, 'key_unreadable', `cannot read the master key ${path}`, { path });
  }
  const [word, encoded = ''] = text.trimEnd().split(' ');
  const key = Buffer.from(encoded, 'base64url');
  if (word !== FIRST_WORD || key.length !== KEY_BYTES) {
    throw new UpdateError('key_unreadable', `${path} is no master key as \`engraft keygen --master-key\` makes it`);
  }
  return wrapperOf(key);
}

const idOf = (key: Uint8Array): string =>
  sha256Hex(Buffer.concat([Buffer.from(`${FIRST_WORD} id `), key])).slice(0, 16);

function wrapperOf(key: Buffer): FileKeyWrapper {
  const id = idOf(key);
  const about = (body: string): Buffer => Buffer.from(`engraft file key 1 ${id} ${body}`);
  return {
    id,
    async wrap(fileKey, body) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(about(body));
      const sealed = Buffer.concat([nonce, cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return `1.${id}.${sealed.toString('base64url')}`;
    },
    async unwrap(wrapped, body) {
      const [, by, encoded] = wrappedPattern.test(wrapped) ? wrapped.split('.') : [];
      if (by !== id) {
        const other = by === undefined ? 'it is no wrapped key' : `master key ${by} is needed, this is ${id}`;
        throw new UpdateError('key_unreadable', `cannot unwrap the key of body ${body}: ${other}`);
      }
      const sealed = Buffer.from(encoded!, 'base64url');
      const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(about(body)).setAuthTag(sealed.subarray(-TAG_BYTES));
      try {
        const plain = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
        return new Uint8Array(Buffer.concat([plain, decipher.final()]));
      } catch (cause) {
        const text = `the wrapped key of body ${body} was changed, or is that of another body`;
        throw new UpdateError('key_unreadable', text, { cause });
      }
    },
  };
}
