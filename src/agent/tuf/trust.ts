/**
 * Trust: what the agent asks of signed metadata. The verification itself is in `tuf/`.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { SignedTarget } from '../payloads/manifest.ts';
import type { MetadataSource } from './fetch.ts';
import { refresh, type RefreshOptions } from './refresh.ts';
import { TargetSearch } from './search.ts';

/** As a refresh takes it; the repository is `${server}/tuf/`. */
export type TrustOptions = Omit<RefreshOptions, 'source'> & MetadataSource;

/** Signed targets of one refresh. */
export interface TrustedTargets {
  find(path: string): Promise<SignedTarget | null>;
  /** Paths that begin with `prefix`, of all roles that may speak for some; each counts only once `find` has found it. */
  paths(prefix: string): Promise<string[]>;
}

/**
 * Refresh the metadata. Throws UpdateErrors of the 4000 family, `metadata_malformed`, and those of the link
 * (retryable).
 */
export async function refreshTrust(options: TrustOptions): Promise<TrustedTargets> {
  const verified = await refresh({ ...options, source: options });
  const search = new TargetSearch(verified);
  return {
    paths: (prefix) => search.paths(prefix),
    find: async (path) => {
      const target = await search.find(path);
      if (target === null) return null;
      // Payloads are named by their SHA-256, whatever other digests a repository gives.
      const sha256 = target.hashes.get('sha256');
      if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) {
        throw new UpdateError('metadata_malformed', `target ${path} has no SHA-256`);
      }
      return { path, bytes: target.length, sha256, custom: target.custom };
    },
  };
}
