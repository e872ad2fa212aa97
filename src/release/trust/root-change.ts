/**
 * What changes from one root to the next: for the importer, which has to sign anew what other keys vouch for, and for the
 * person who signs.
 * @module
 */
import type { Metadata, Root } from '@tufjs/models';
import { UpdateError } from '../../../native-free/status.ts';
import { ROLES, type RoleName } from '../keys.ts';
import { checkSignatures, rootWith, type PublicKey, type RoleKeys } from '../metadata.ts';
import type { RepositoryDocuments } from '../renewal.ts';

/** Those of which no key stays. */
export function rolesReplaced(before: Metadata<Root>, after: Metadata<Root>): RoleName[] {
  return ROLES.filter((role) => {
    const [old, now] = [before, after].map(({ signed }) => signed.roles[role]?.keyIDs ?? []);
    return !old!.some((id) => now!.includes(id));
  });
}

const ACCEPTED = ['targets', 'snapshot', 'timestamp'] as const;

/** Whether the documents stay good under this root. */
export function isAccepted(root: Metadata<Root>, documents: RepositoryDocuments): boolean {
  return ACCEPTED.every((role) => isSignedFor(root, role, documents));
}

/** What has to be signed anew beside the timestamp: what other keys vouch for, and the snapshot of that. */
export function rolesToSign(root: Metadata<Root>, documents: RepositoryDocuments): string[] {
  const targets = isSignedFor(root, 'targets', documents) ? [] : ['targets'];
  const isSame = targets.length === 0 && isSignedFor(root, 'snapshot', documents);
  return isSame ? [] : [...targets, 'snapshot'];
}

function isSignedFor(root: Metadata<Root>, role: (typeof ACCEPTED)[number], documents: RepositoryDocuments): boolean {
  try {
    checkSignatures(root, role, documents[role], role);
    return true;
  } catch {
    return false;
  }
}

/** The roles of a root as they are, with some replaced. */
export function nextRoot(
  before: Metadata<Root>,
  changes: Partial<Record<RoleName, RoleKeys>>,
  expires: string,
): Metadata<Root> {
  const of = (role: RoleName): RoleKeys => changes[role] ?? keysOf(before, role);
  const roles = { root: of('root'), targets: of('targets'), snapshot: of('snapshot'), timestamp: of('timestamp') };
  return rootWith(before.signed.version + 1, expires, roles);
}

function keysOf({ signed }: Metadata<Root>, role: RoleName): RoleKeys {
  const { keyIDs, threshold } = signed.roles[role]!;
  const keys = keyIDs.map((keyId): PublicKey => {
    const key = signed.keys[keyId]!;
    if (key.keyType !== 'ed25519') {
      const text = `the ${role} key ${keyId} is of kind ${key.keyType}, which this program does not carry over`;
      throw new UpdateError('key_unreadable', text);
    }
    return { keyId, publicKey: new Uint8Array(Buffer.from(key.keyVal.public, 'hex')) };
  });
  return { keys, threshold };
}

/** In words, a line each. Told from the documents themselves, never from what a file says of them. */
export function describeChange(before: Metadata<Root> | null, after: Metadata<Root>): string[] {
  const { version, expires } = after.signed;
  const was = before === null ? ', which founds a repository' : ` in place of ${before.signed.version}`;
  const lines = [`root version ${version}${was}, until ${expires}`];
  for (const role of ROLES) {
    const now = after.signed.roles[role]!;
    const old = before?.signed.roles[role];
    for (const id of now.keyIDs) if (old?.keyIDs.includes(id) !== true) lines.push(`${role}: adds key ${id}`);
    for (const id of old?.keyIDs ?? []) if (!now.keyIDs.includes(id)) lines.push(`${role}: takes away key ${id}`);
    if (old?.threshold !== now.threshold || old.keyIDs.length !== now.keyIDs.length) {
      lines.push(`${role}: ${now.threshold} of ${now.keyIDs.length} keys have to sign`);
    }
  }
  if (before !== null && lines.length === 1) lines.push('the keys stay as they are');
  return lines;
}
