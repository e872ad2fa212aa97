/**
 * What a refresh signs anew. A repository that nobody renews stops updating its devices, and one whose every document
 * lives for years lets a mirror freeze the fleet; so the timestamp lives short, and what lies under it is renewed when
 * half of its life is over, with time left to fetch a key from where it is kept.
 * @module
 */
import type { Metadata, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { UpdateError } from '../../native-free/status.ts';
import type { RoleName } from './keys.ts';
import { expiryAt, type ExpiryDays } from './metadata.ts';

/** What the timestamp of a repository leads to. */
export interface RepositoryDocuments {
  readonly targets: Metadata<Targets>;
  readonly snapshot: Metadata<Snapshot>;
  readonly timestamp: Metadata<Timestamp>;
  /** By name, in the order of the delegations. A role is missing that has signed nothing yet. */
  readonly delegated: ReadonlyMap<string, Metadata<Targets>>;
}

/** What a refresh did: the roles that were signed anew, and when each role expires now. */
export interface RefreshResult {
  readonly renewed: readonly string[];
  /** The targets roles that were staged and are in the snapshot now. */
  readonly taken: readonly string[];
  readonly versions: Readonly<Record<RoleName, number>>;
  readonly expires: Readonly<Record<RoleName, string>>;
}

interface RenewalRules {
  readonly now: Date;
  readonly lives: ExpiryDays;
  /** However fresh they are. */
  readonly all: boolean;
  /** Nothing is asked for that is not at hand: a server that signs timestamps holds no other key, and says so elsewhere. */
  readonly lenient: boolean;
}

/**
 * The roles whose turn has come. A key that is not at hand is done without as long as what it signs outlives the new
 * timestamp; that of a delegated role always, since it is its owner's affair and concerns its own products alone.
 * @throws UpdateError key_unreadable
 */
export function rolesToRenew(
  documents: RepositoryDocuments,
  canSign: (role: string) => boolean,
  { now, lives, all, lenient }: RenewalRules,
): string[] {
  const outlives = new Date(expiryAt(now, lives.timestamp));
  const roles = new Set<string>();
  const consider = (role: string, metadata: Metadata<Targets | Snapshot>, isAsked: boolean, life: number): void => {
    const expires = new Date(metadata.signed.expires);
    const halfOver = expires.getTime() - now.getTime() < (life * 86_400_000) / 2;
    if (!all && !halfOver && !isAsked) return;
    if (canSign(role)) roles.add(role);
    else if (!lenient && !documents.delegated.has(role) && (all || expires < outlives || isAsked)) {
      const asked = all && expires >= outlives ? 'everything is to be renewed, and ' : '';
      throw missingKey(role, `${asked}what it signed expires on ${metadata.signed.expires}`);
    }
  };
  consider('targets', documents.targets, false, lives.targets);
  for (const [name, metadata] of documents.delegated) consider(name, metadata, false, lives.targets);
  // A snapshot vouches for the targets below it.
  consider('snapshot', documents.snapshot, roles.size > 0, lives.snapshot);
  return [...roles, 'timestamp'];
}

export function missingKey(role: string, why: string): UpdateError {
  return new UpdateError('key_unreadable', `the ${role} key is needed and not at hand: ${why}`, { detail: { role } });
}
