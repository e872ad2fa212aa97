/**
 * TUF metadata documents: made, signed, written as JSON, read back and checked.
 *
 * A publisher checks what it reads as strictly as a client would. Otherwise someone who can write to the repository,
 * but has no key, could slip a target in and have it signed with the next release.
 * @module
 */
import {
  Key,
  Metadata,
  MetaFile,
  Root,
  Signature,
  type MetadataKind,
  type Snapshot,
  type Targets,
  type Timestamp,
} from '@tufjs/models';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { sha256Hex } from '../platform/hash.ts';
import { ROLES, type RoleName, type SignersAtHand, type Signer } from './keys.ts';

const SPEC_VERSION = '1.0.31';

/**
 * Days until each role's metadata expires. A timestamp lives short, since its age is how a frozen mirror shows; its key
 * is at hand where `engraft refresh` runs, while the key of targets may be in a safe.
 */
export type ExpiryDays = Readonly<Record<RoleName, number>>;
export const defaultExpiryDays: ExpiryDays = { root: 3650, targets: 730, snapshot: 90, timestamp: 30 };

export type AnyMetadata = Metadata<Root | Targets | Snapshot | Timestamp>;

/** An instant as TUF writes it: UTC, whole seconds. */
export function expiryAt(now: Date, days: number): string {
  return new Date(now.getTime() + days * 86_400_000).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** The common fields of a document. */
export function headOf(version: number, expires: string): { version: number; specVersion: string; expires: string } {
  return { version, specVersion: SPEC_VERSION, expires };
}

/** A public key and its id, as a root or a delegation names it. */
export type PublicKey = Pick<Signer, 'keyId' | 'publicKey'>;

/** Who signs a role: at least `threshold` of the keys. */
export interface RoleKeys {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}

export function tufKey({ keyId, publicKey }: PublicKey): Key {
  const keyVal = { public: Buffer.from(publicKey).toString('hex') };
  return new Key({ keyID: keyId, keyType: 'ed25519', scheme: 'ed25519', keyVal });
}

/** A root document (specification, section 4.3) that names these keys. */
export function rootWith(version: number, expires: string, roles: Record<RoleName, RoleKeys>): Metadata<Root> {
  const root = new Root({ ...headOf(version, expires), consistentSnapshot: true, keys: {} });
  for (const role of ROLES) {
    for (const key of roles[role].keys) root.addKey(tufKey(key), role);
  }
  const json = root.toJSON() as { roles: Record<RoleName, { threshold: number }> };
  for (const role of ROLES) json.roles[role].threshold = roles[role].threshold;
  return new Metadata(Root.fromJSON(json as never));
}

/** A root document that names one key for each role, threshold 1. */
export function makeRoot(version: number, expires: string, keys: Record<RoleName, PublicKey>): Metadata<Root> {
  const of = (role: RoleName): RoleKeys => ({ keys: [keys[role]], threshold: 1 });
  const roles = { root: of('root'), targets: of('targets'), snapshot: of('snapshot'), timestamp: of('timestamp') };
  return rootWith(version, expires, roles);
}

/** The bytes that are signed: the canonical JSON of the signed part. */
export function signedBytes(metadata: AnyMetadata): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(0);
  // The library signs through a synchronous callback; a token may take its time, so the bytes are taken out here.
  new Metadata(metadata.signed).sign((data) => {
    bytes = data;
    return new Signature({ keyID: 'none', sig: '' });
  });
  return bytes;
}

/** Adds the signature of `signer`. */
export async function signWith(metadata: AnyMetadata, signer: Signer): Promise<void> {
  const signature = await signer.sign(signedBytes(metadata));
  metadata.signatures[signer.keyId] = new Signature({
    keyID: signer.keyId,
    sig: Buffer.from(signature).toString('hex'),
  });
}

/** The document as it goes on disk. */
export function encodeMetadata(metadata: AnyMetadata): Uint8Array {
  return new Uint8Array(Buffer.from(`${JSON.stringify(metadata.toJSON(), null, 1)}\n`));
}

/** How another document refers to this one: version, length and digest. */
export function metaFileOf(version: number, bytes: Uint8Array): MetaFile {
  return new MetaFile({ version, length: bytes.length, hashes: { sha256: sha256Hex(bytes) } });
}

type ByKind = { root: Root; targets: Targets; snapshot: Snapshot; timestamp: Timestamp };

/**
 * Reads a document of the given role. Signatures are not looked at here.
 * @throws UpdateError metadata_malformed, limit_exceeded
 */
export function parseMetadata<K extends RoleName>(role: K, bytes: Uint8Array, path: string): Metadata<ByKind[K]> {
  if (bytes.length > LIMITS.metadata_bytes_max) {
    throw new UpdateError('limit_exceeded', `${path} has ${bytes.length} bytes; at most ${LIMITS.metadata_bytes_max}`);
  }
  try {
    const json = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, never>;
    const metadata = Metadata.fromJSON(role as MetadataKind.Root, json) as unknown as Metadata<ByKind[K]>;
    if (String(metadata.signed.type) !== role) throw new Error(`its type is ${metadata.signed.type}`);
    return metadata;
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UpdateError('metadata_malformed', `${path} is not ${role} metadata: ${reason}`, { cause });
  }
}

/**
 * Checks that `metadata` is signed as `root` demands for `role`.
 * @throws UpdateError signature_invalid
 */
export function checkSignatures(root: Metadata<Root>, role: RoleName, metadata: AnyMetadata, path: string): void {
  try {
    root.verifyDelegate(role, metadata);
  } catch (cause) {
    const text = `${path} is not signed by the ${role} keys that root version ${root.signed.version} names`;
    throw new UpdateError('signature_invalid', text, { cause });
  }
}

/**
 * Checks, before any work is done, that the keys at hand are those that `root` trusts.
 * @throws UpdateError signature_invalid, naming the role
 */
export function checkSigners(root: Metadata<Root>, signers: SignersAtHand): void {
  for (const role of ['targets', 'snapshot', 'timestamp'] as const) {
    const signer = signers[role];
    const trusted = root.signed.roles[role]?.keyIDs ?? [];
    if (signer === undefined || trusted.includes(signer.keyId)) continue;
    const text = `the ${role} key ${signer.keyId} is not one that root version ${root.signed.version} names`;
    throw new UpdateError('signature_invalid', text, { detail: { role, trusted } });
  }
}
