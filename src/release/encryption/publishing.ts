/**
 * What is different about publishing an encrypted release: where its image is kept, what its blobs are, what is signed.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { sha256Hex } from '../../platform/hash.ts';
import type { BlobFolder } from '../blobs.ts';
import type { CatalogPayload, CatalogRelease } from '../catalog.ts';
import type { TargetCustom } from '../custom.ts';
import type { Repository } from '../repository.ts';
import type { FileKeyWrapper } from './master-key.ts';
import { sealPayload } from './seal-payload.ts';

/** The folder with the raw image of a release. */
export const imagesFor = (
  repository: Repository,
  { isPrivate }: Pick<CatalogRelease['artifact'], 'isPrivate'>,
): BlobFolder => (isPrivate === true ? repository.privateImages : repository.blobs);

/** Throws UpdateError usage_invalid for what only foreign clients read: they open no age files. */
export function requireEncryptable(withoutPayloads: string | null): void {
  if (withoutPayloads === null) return;
  const why = withoutPayloads === 'asked' ? 'no payloads are asked for' : `this is a bundle of ${withoutPayloads}`;
  throw new UpdateError('usage_invalid', `only payloads are encrypted, and ${why}: publish it without encryption`);
}

/**
 * One release is encrypted as a whole or not at all: one payload in clear gives away all.
 * @throws UpdateError release_exists
 */
export function sameEncryption(known: CatalogRelease, keys: FileKeyWrapper | undefined, label: string): void {
  const wasEncrypted = known.artifact.isPrivate === true;
  if (wasEncrypted === (keys !== undefined)) return;
  const text = wasEncrypted ? 'was published encrypted: name the master key again' : 'was published in clear';
  throw new UpdateError('release_exists', `${label} ${text}`);
}

/** Stores a payload, encrypted where a master key is given. What the catalog says of the blob. */
export async function storePayload(
  { repository, encryption: keys }: { readonly repository: Repository; readonly encryption?: FileKeyWrapper },
  payload: Uint8Array,
): Promise<Pick<CatalogPayload, 'bytes' | 'sha256' | 'encryption'>> {
  if (keys === undefined) return { bytes: payload.length, sha256: await repository.blobs.add(payload) };
  const { body, nonce, fileKey } = await sealPayload(payload, keys);
  const clear = { bytes: payload.length, sha256: sha256Hex(payload) };
  const encryption = { format: 'age-v1' as const, ...clear, nonce, fileKey };
  return { bytes: body.length, sha256: await repository.blobs.add(body), encryption };
}

/** What signed metadata say of it: all but the wrapped key. */
export function encryptionOf({ encryption }: CatalogPayload): TargetCustom['encryption'] | null {
  if (encryption === undefined) return null;
  const { fileKey: _, ...signed } = encryption;
  return signed;
}
