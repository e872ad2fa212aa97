/**
 * What must hold for a release to be published, asked before the work and once more when it is committed.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { sameLine, sameRelease, type Catalog } from '../catalog.ts';
import type { ReleaseKey } from '../custom.ts';
import type { FileKeyWrapper } from '../encryption/master-key.ts';
import { sameEncryption } from '../encryption/publishing.ts';

export interface RollbackWishes {
  readonly rollbackIndex?: number | 'keep' | undefined;
  readonly force?: boolean | undefined;
  /** Given where the release is encrypted. */
  readonly encryption?: FileKeyWrapper | undefined;
}

/**
 * Whether a release may be published into a catalog.
 * @returns its rollback index
 * @throws UpdateError usage_invalid, release_exists, release_rollback
 */
export function checkRelease(
  catalog: Catalog,
  wanted: ReleaseKey & { readonly sha256: string },
  options: RollbackWishes,
): number {
  const line = catalog.releases.filter((release) => sameLine(release, wanted));
  const highest = line.reduce((max, release) => Math.max(max, release.rollbackIndex), 0);
  const known = line.find((release) => sameRelease(release, wanted));
  const wish = options.rollbackIndex;
  const rollbackIndex =
    typeof wish === 'number' ? wish : (known?.rollbackIndex ?? (wish === 'keep' ? highest : highest + 1));
  if (!Number.isSafeInteger(rollbackIndex) || rollbackIndex < 0) {
    throw new UpdateError('usage_invalid', `rollback index ${rollbackIndex} is not a whole number from 0 up`);
  }
  if (known !== undefined) {
    const label = `${wanted.product} ${wanted.version} for ${wanted.hardware} (${wanted.slotClass})`;
    if (known.artifact.sha256 !== wanted.sha256) {
      const detail = { published: known.artifact.sha256, given: wanted.sha256 };
      throw new UpdateError('release_exists', `${label} was published with other content`, { detail });
    }
    if (known.rollbackIndex !== rollbackIndex) {
      const text = `${label} was published with rollback index ${known.rollbackIndex}, not ${rollbackIndex}`;
      throw new UpdateError('release_exists', text);
    }
    sameEncryption(known, options.encryption, label);
  } else if (rollbackIndex < highest && options.force !== true) {
    const text = `rollback index ${rollbackIndex} is below ${highest}, which devices may have committed`;
    throw new UpdateError('release_rollback', `${text}; they would refuse this release`, { detail: { highest } });
  }
  return rollbackIndex;
}
