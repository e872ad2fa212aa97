/**
 * Root metadata for tests: a chain in which each version is signed by the keys of the one before and by its own.
 */
import { encodeMetadata, expiryAt, makeRoot, signWith } from '../../src/release/metadata.ts';
import { keygen, loadSigners, type RoleSigners } from '../../src/release/index.ts';
import { temporaryFolder } from './release.ts';

export async function signersFor(): Promise<Required<RoleSigners>> {
  const folder = `${temporaryFolder()}/keys`;
  await keygen(folder);
  return (await loadSigners(folder)) as Required<RoleSigners>;
}

/** Version `version` names the keys of `own` and is signed by `before` as well. */
export async function rootOf(
  version: number,
  own: Required<RoleSigners>,
  before: readonly Required<RoleSigners>[] = [],
): Promise<Uint8Array> {
  const metadata = makeRoot(version, expiryAt(new Date(), 365), own);
  for (const { root } of [...before, own]) await signWith(metadata, root);
  return encodeMetadata(metadata);
}
