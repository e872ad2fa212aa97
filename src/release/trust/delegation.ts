/**
 * Delegations: the top-level targets role lets a role of another owner speak for the releases of some products.
 *
 * Roles are asked in the order in which they were added. They are terminating, so that nobody further down is asked for
 * their paths. The owner signs an empty document first: clients refuse a role that is named and not there.
 * @module
 */
import { Targets } from '@tufjs/models';
import { UpdateError } from '../../../native-free/status.ts';
import type { LockOptions } from '../lock.ts';
import { namePattern } from '../custom.ts';
import { ROLES, type SignersAtHand } from '../keys.ts';
import { tufKey, type RoleKeys } from '../metadata.ts';
import type { Repository } from '../repository.ts';
import type { Delegations } from './commit.ts';
import type { RepositoryState } from './reader.ts';

const ROLE_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

export interface Delegation extends RoleKeys {
  readonly name: string;
  /** `PRODUCT/*`, or patterns of whole target names. `*` never matches a slash. */
  readonly paths: readonly string[];
}

/** The target names of `PRODUCT/*`: full payloads and deltas. Other patterns are taken as they are. */
export function targetPatterns(pattern: string): string[] {
  const parts = pattern.split('/');
  if (parts.length === 2 && parts[1] === '*' && isProduct(parts[0]!)) {
    return [`${parts[0]}/*/*/*/full`, `${parts[0]}/*/*/*/delta/*`];
  }
  if ((parts.length === 5 || parts.length === 6) && parts.every((part) => part !== '')) return [pattern];
  const text = `'${pattern}' is neither PRODUCT/* nor a pattern of target names (PRODUCT/VERSION/HARDWARE/CLASS/full)`;
  throw new UpdateError('usage_invalid', text);
}

const isProduct = (text: string): boolean => namePattern.test(text.replaceAll(/[*?]/g, 'x'));

/**
 * Adds a delegation, or gives one that is there other keys or paths.
 * @param signers the top-level targets key, the keys of the role itself, and those of snapshot and timestamp (or it is staged)
 * @throws UpdateError usage_invalid, key_unreadable, signature_invalid, repository_missing
 */
export async function delegate(
  repository: Repository,
  delegation: Delegation,
  signers: SignersAtHand,
  lock?: LockOptions,
): Promise<{ staged: boolean; version: number }> {
  const { name, keys, threshold } = delegation;
  if (!ROLE_NAME.test(name) || ROLES.some((role) => role === name)) {
    const text = `'${name}' is no name for a delegated role: lower-case letters, digits and hyphens, none of TUF's own`;
    throw new UpdateError('usage_invalid', text);
  }
  if (threshold < 1 || threshold > keys.length) {
    throw new UpdateError('usage_invalid', `${threshold} of ${keys.length} keys cannot sign`);
  }
  const paths = delegation.paths.flatMap(targetPatterns);
  const keyids = keys.map(({ keyId }) => keyId);
  const role = { name, keyids, threshold, terminating: true, paths };
  return change(repository, signers, lock, [name], ({ roles, keys: known }) => ({
    roles: roles.some((each) => each['name'] === name)
      ? roles.map((each) => (each['name'] === name ? role : each))
      : [...roles, role],
    keys: { ...known, ...Object.fromEntries(keys.map((key) => [key.keyId, tufKey(key).toJSON()])) },
  }));
}

/**
 * Takes a delegation away. What its role has signed is no longer listed; its file stays named by the snapshot, since
 * clients refuse a snapshot that forgets a role.
 */
export async function undelegate(
  repository: Repository,
  name: string,
  signers: SignersAtHand,
  lock?: LockOptions,
): Promise<{ staged: boolean; version: number }> {
  return change(repository, signers, lock, [], ({ roles, keys }) => {
    if (!roles.some((each) => each['name'] === name)) {
      throw new UpdateError('usage_invalid', `there is no delegated role '${name}'`);
    }
    return { roles: roles.filter((each) => each['name'] !== name), keys };
  });
}

type Json = Record<string, unknown>;
interface Parts {
  readonly roles: readonly Json[];
  readonly keys: Json;
}

async function change(
  repository: Repository,
  signers: SignersAtHand,
  lock: LockOptions | undefined,
  renew: readonly string[],
  edit: (parts: Parts) => Parts,
): Promise<{ staged: boolean; version: number }> {
  if ((await repository.roots()).length === 0) {
    throw new UpdateError('repository_missing', `${repository.dir} is no repository`);
  }
  return repository.exclusively(
    signers,
    async ({ state, commit }) => {
      const delegations = edited(edit(partsOf(state)));
      const done = await commit({ targets: [], catalog: state.catalog, delegations, renew });
      return { staged: done.staged, version: done.versions.targets };
    },
    lock,
  );
}

function partsOf({ documents }: RepositoryState): Parts {
  const json = (documents?.targets.signed.delegations?.toJSON() ?? {}) as Partial<Parts>;
  return { roles: json.roles ?? [], keys: json.keys ?? {} };
}

/** Keys that no role names go with the last role that did. */
function edited({ roles, keys }: Parts): Delegations {
  const named = new Set(roles.flatMap((role) => role['keyids'] as string[]));
  const kept = Object.fromEntries(Object.entries(keys).filter(([id]) => named.has(id)));
  const json = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: '2000-01-01T00:00:00Z', targets: {} };
  return Targets.fromJSON({ ...json, delegations: { keys: kept, roles } } as never).delegations!;
}
