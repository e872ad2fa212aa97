/**
 * The keys that sign releases: one Ed25519 key for each TUF role, as PKCS#8 PEM files.
 *
 * Everything above asks a `Signer`, not a key, so that a key which never leaves a token (PKCS#11) fits in the same
 * place. The root key is only needed to found a repository or to change its keys: keep it off the build machine, and
 * publishing goes on without it.
 * @module
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ioCode } from '../../native-free/errno.ts';
import { ioError } from '../../native-free/io-error.ts';
import { UpdateError } from '../../native-free/status.ts';
import { replaceFile } from '../platform/files/atomic-file.ts';
import { sha256Hex } from '../platform/hash.ts';
import { makeFolder } from '../platform/node-filesystem.ts';

/** The four top-level roles of TUF (specification, section 2.1). */
export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RoleName = (typeof ROLES)[number];

/** Signs bytes with an Ed25519 key that it alone can reach. */
export interface Signer {
  /** TUF key id: lower-case hexadecimal SHA-256 of the canonical JSON of the public key. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** A 64-byte signature. Throws UpdateError key_unreadable when the key cannot be used. */
  sign(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** `root` may be missing: it is only asked for when a repository is founded or its keys change. */
export type RoleSigners = Readonly<Record<Exclude<RoleName, 'root'>, Signer>> & { readonly root?: Signer };

/** What is at hand: keys of some roles, and others, which are told by their ids (delegated roles, a second key of one). */
export type SignersAtHand = Partial<RoleSigners> & { readonly more?: readonly Signer[] };

/** All of them, each key once. */
export function poolOf({ more = [], ...roles }: SignersAtHand): Signer[] {
  const all = [...Object.values(roles), ...more].filter((signer) => signer !== undefined);
  return [...new Map(all.map((signer) => [signer.keyId, signer])).values()];
}

export interface KeyDescription {
  readonly role: RoleName;
  readonly path: string;
  readonly keyId: string;
  /** Hexadecimal. */
  readonly publicKey: string;
}

/** The file that holds the key of `role` in the folder `dir`. */
export function keyPath(dir: string, role: RoleName): string {
  return join(dir, `${role}.key.pem`);
}

/**
 * Makes a fresh key for each role and writes it with mode 0600. A key file that exists is never overwritten.
 * @param dir created with mode 0700 when it does not exist
 * @throws UpdateError output_unwritable; then none of the files was made
 */
export async function keygen(dir: string, roles: readonly RoleName[] = ROLES): Promise<KeyDescription[]> {
  try {
    await makeFolder(dir, 0o700);
  } catch (cause) {
    throw ioError(cause, 'output_unwritable', `cannot make the key folder ${dir}`, { path: dir });
  }
  const made: KeyDescription[] = [];
  try {
    for (const role of roles) {
      const { privateKey } = generateKeyPairSync('ed25519');
      const path = keyPath(dir, role);
      const pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await replaceFile(path, pem, { mode: 0o600, exclusive: true });
      const signer = signerOf(privateKey);
      made.push({ role, path, keyId: signer.keyId, publicKey: Buffer.from(signer.publicKey).toString('hex') });
    }
  } catch (error) {
    for (const { path } of made) await unlink(path).catch(() => undefined);
    throw error;
  }
  return made;
}

/**
 * Loads the signers of a folder made by `keygen`.
 * @throws UpdateError key_unreadable when a key other than root is missing, or any is unreadable, of another kind or
 * open to other users
 */
export async function loadSigners(dir: string): Promise<RoleSigners> {
  const root = await exists(keyPath(dir, 'root'));
  return {
    targets: await loadSigner(keyPath(dir, 'targets')),
    snapshot: await loadSigner(keyPath(dir, 'snapshot')),
    timestamp: await loadSigner(keyPath(dir, 'timestamp')),
    ...(root ? { root: await loadSigner(keyPath(dir, 'root')) } : {}),
  };
}

/**
 * Loads the signers that are at hand in a folder: of whatever roles by their names, all other `*.key.pem` as `more`.
 * @throws UpdateError key_unreadable when the folder holds none, or one that is unreadable, of another kind or open to
 * other users
 */
export async function loadSignersAtHand(dir: string): Promise<SignersAtHand> {
  const signers: { -readonly [role in RoleName]?: Signer } = {};
  const more: Signer[] = [];
  for (const name of await namesIn(dir)) {
    if (!name.endsWith('.key.pem')) continue;
    const role = ROLES.find((each) => name === keyPath('', each));
    const signer = await loadSigner(join(dir, name));
    if (role === undefined) more.push(signer);
    else signers[role] = signer;
  }
  if (Object.keys(signers).length + more.length > 0) return { ...signers, more };
  throw new UpdateError('key_unreadable', `${dir} holds no key (${ROLES.map((role) => keyPath('', role)).join(', ')})`);
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (cause) {
    if (ioCode(cause) === 'ENOENT') return [];
    throw ioError(cause, 'key_unreadable', `cannot look at ${dir}`, { path: dir });
  }
}

/**
 * Loads one key file.
 * @throws UpdateError key_unreadable
 */
export async function loadSigner(path: string): Promise<Signer> {
  let pem: string;
  try {
    const facts = await stat(path);
    if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0) {
      const mode = (facts.mode & 0o777).toString(8);
      throw new UpdateError('key_unreadable', `${path} has mode ${mode}: other users could use it; chmod 600 it`);
    }
    pem = await readFile(path, 'utf8');
  } catch (cause) {
    throw ioError(cause, 'key_unreadable', `cannot read the key ${path}`, { path });
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new UpdateError('key_unreadable', `${path} is not a PKCS#8 PEM private key`, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new UpdateError('key_unreadable', `${path} holds a key of kind ${key.asymmetricKeyType}, not ed25519`);
  }
  return signerOf(key);
}

/** A signer that holds an Ed25519 private key in this process. */
function signerOf(key: KeyObject): Signer {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const publicKey = new Uint8Array(spki.subarray(spki.length - 32));
  return { keyId: keyIdOf(publicKey), publicKey, sign: (bytes) => new Uint8Array(sign(null, bytes, key)) };
}

/** TUF specification, section 4.2; `publicKey` has 32 bytes. The key id is the SHA-256 of the key's canonical JSON (sorted names, no spaces). */
export function keyIdOf(publicKey: Uint8Array): string {
  const hex = Buffer.from(publicKey).toString('hex');
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${hex}"},"scheme":"ed25519"}`;
  return sha256Hex(canonical);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (ioCode(error) === 'ENOENT') return false;
    throw ioError(error, 'key_unreadable', `cannot look at ${path}`, { path });
  }
}
