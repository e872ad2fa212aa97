/**
 * The root (specification, 5.2 and 5.3): from the one that is trusted to the newest, each signed by the one before it
 * and by itself, each durable before anything is decided by it. A root that revoked a key stays known to the device, also
 * when the rest of the refresh fails or the power does.
 * @module
 */
import { orIoError } from '../../../native-free/io-error.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readSmallFile, type FileSystem } from '../../platform/filesystem.ts';
import type { Keystore } from '../keystore/keystore.ts';
import { fetchRoot, type MetadataSource } from './fetch.ts';
import { isRevoked, refuseRollback, type Floors } from './floors.ts';
import { requireSigners } from './keys.ts';
import { parseMetadata, type Document, type Root } from './metadata.ts';
import type { MetadataStore } from './store.ts';

export interface RootParts {
  readonly fs: FileSystem;
  readonly keystore: Keystore;
  /** The root that came with the device; pinned in the keystore at the first use. */
  readonly pinnedRootFile: string;
  readonly source: MetadataSource;
  readonly store: MetadataStore;
  readonly floors: Floors;
}

/** Throws `signature_invalid` unless `signer`'s root keys have signed `root`. */
const requireSignedBy = (signer: Document<Root>, root: Document<Root>): void =>
  void requireSigners(root, signer.signed.roles.root, signer.signed.keys, signer.what);

/** `next` may follow `before`. Throws `signature_invalid`, `metadata_mismatch`. */
export function requireSuccessor(before: Document<Root>, next: Document<Root>): void {
  requireSignedBy(before, next);
  requireSignedBy(next, next);
  const wanted = before.signed.version + 1;
  if (next.signed.version === wanted) return;
  throw new UpdateError('metadata_mismatch', `root version ${wanted} is missing: ${next.what} came instead`);
}

/** The trusted root, signed by itself. Throws `key_unreadable`, `signature_invalid`, what the keystore throws. */
async function trustedRoot({ fs, keystore, pinnedRootFile }: RootParts): Promise<Document<Root>> {
  const kept = await keystore.trustedRoot();
  const [bytes, what] =
    kept === null
      ? [await readPinned(fs, pinnedRootFile), `the pinned root ${pinnedRootFile}`]
      : [kept, "the keystore's root"];
  return verifyPinnedRoot(bytes, what);
}

/** A root that nothing vouches for but itself. Throws `key_unreadable` when it is none, `signature_invalid`. */
export function verifyPinnedRoot(bytes: Uint8Array, what: string): Document<Root> {
  let root: Document<Root>;
  try {
    root = parseMetadata('root', bytes, what);
  } catch (error) {
    throw new UpdateError('key_unreadable', UpdateError.from(error).message, { cause: error });
  }
  requireSignedBy(root, root);
  return root;
}

async function readPinned(fs: FileSystem, path: string): Promise<Uint8Array> {
  const read = readSmallFile(fs, path, LIMITS.root_bytes_max);
  const bytes = await orIoError(read, 'key_unreadable', `cannot read the pinned root ${path}`);
  if (bytes !== null) return bytes;
  throw new UpdateError('key_unreadable', `the pinned root ${path} does not exist`);
}

/** The newest root there is; kept. It may have expired. */
export async function updateRoot(parts: RootParts): Promise<Document<Root>> {
  const { source, keystore, store, floors } = parts;
  let root = await trustedRoot(parts);
  refuseRollback('the trusted root', root.signed.version, floors.root);
  for (let rotations = 0; rotations < LIMITS.root_rotations_max; rotations++) {
    const version = root.signed.version + 1;
    const bytes = await fetchRoot(source, version);
    if (bytes === null) return root;
    const next = parseMetadata('root', bytes, `${version}.root.json`);
    requireSuccessor(root, next);
    await forgetRevoked(root.signed, next.signed, store);
    await keystore.setTrustedRoot(bytes);
    await floors.raiseRoot(version);
    root = next;
  }
  return root;
}

/**
 * 5.3.11: what revoked keys may have driven too high is forgotten, before the root that says so is kept: cut off between
 * the two, the counters of the earlier keys still stand, and the next refresh comes here again.
 */
async function forgetRevoked(before: Root, now: Root, store: MetadataStore): Promise<void> {
  const revoked = (['timestamp', 'snapshot'] as const).some((role) => isRevoked(before.roles[role], now.roles[role]));
  if (revoked) await store.forget(['timestamp', 'snapshot']);
}
