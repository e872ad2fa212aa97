/**
 * What a refresh signs anew. A repository that nobody renews stops updating its devices, and one whose every document
 * lives for years lets a mirror freeze the fleet; so the timestamp lives short, and what lies under it is renewed when
 * half of its life is over, with time left to fetch a key from where it is kept.
 * @module
 */
import type { Metadata, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { UpdateError } from '../../native-free/status.ts';
import type { RoleName, RoleSigners } from './keys.ts';
import { expiryAt, type ExpiryDays } from './metadata.ts';

/** What the timestamp of a repository leads to. */
export interface RepositoryDocuments {
  readonly targets: Metadata<Targets>;
  readonly snapshot: Metadata<Snapshot>;
  readonly timestamp: Metadata<Timestamp>;
}

/** The roles below root, in the order in which their documents are written. */
export type SignedRole = keyof RepositoryDocuments;
export const SIGNED_ROLES: readonly SignedRole[] = ['targets', 'snapshot', 'timestamp'];

/** What a refresh did: the roles that were signed anew, and when each role expires now. */
export interface RefreshResult {
  readonly renewed: readonly SignedRole[];
  readonly versions: Readonly<Record<RoleName, number>>;
  readonly expires: Readonly<Record<RoleName, string>>;
}

interface RenewalRules {
  readonly now: Date;
  readonly lives: ExpiryDays;
  /** However fresh they are. */
  readonly all: boolean;
}

/**
 * The roles whose turn has come. A key that is not at hand is done without as long as what it signs outlives the new
 * timestamp.
 * @throws UpdateError key_unreadable
 */
export function rolesToRenew(
  documents: RepositoryDocuments,
  signers: Partial<RoleSigners>,
  { now, lives, all }: RenewalRules,
): SignedRole[] {
  const outlives = new Date(expiryAt(now, lives.timestamp));
  const roles = new Set<SignedRole>(['timestamp']);
  for (const role of ['targets', 'snapshot'] as const) {
    const expires = new Date(documents[role].signed.expires);
    const halfOver = expires.getTime() - now.getTime() < (lives[role] * 86_400_000) / 2;
    // A snapshot vouches for the targets below it.
    const due = all || halfOver || (role === 'snapshot' && roles.has('targets'));
    if (!due) continue;
    if (signers[role] !== undefined) roles.add(role);
    else if (all || expires < outlives || roles.has('targets')) {
      const asked = all && expires >= outlives ? 'everything is to be renewed, and ' : '';
      throw missingKey(role, `${asked}what it signed expires on ${documents[role].signed.expires}`);
    }
  }
  return SIGNED_ROLES.filter((role) => roles.has(role));
}

export function missingKey(role: SignedRole, why: string): UpdateError {
  return new UpdateError('key_unreadable', `the ${role} key is needed and not at hand: ${why}`, { detail: { role } });
}
