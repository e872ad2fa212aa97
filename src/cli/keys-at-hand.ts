/**
 * Which keys a command has: a folder of them, and single ones by file or PKCS#11 URI.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { RoleKeys, SignersAtHand } from '../release/index.ts';

export interface KeyOptions {
  readonly keys?: string;
  /** A file, or `pkcs11:…`. */
  readonly targetsKey?: string;
}

export const TARGETS_KEY_HELP = 'the targets key: a file, or pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=file:FILE';

/** Throws UpdateError usage_invalid, key_unreadable. */
export async function keysAtHand({ keys, targetsKey }: KeyOptions): Promise<SignersAtHand> {
  if (keys === undefined && targetsKey === undefined) {
    throw new UpdateError('usage_invalid', 'no keys: give --keys, a folder, or --targets-key');
  }
  const { loadSignersAtHand, openSigner } = await import('../release/index.ts');
  const targets = targetsKey === undefined ? undefined : await openSigner(targetsKey);
  const signers = keys === undefined ? {} : await loadSignersAtHand(keys);
  return targets === undefined ? signers : { ...signers, targets };
}

/** `a.pub.pem,b.pub.pem`; PKCS#11 URIs do as well. Throws UpdateError usage_invalid, key_unreadable. */
export async function publicKeys(list: string, threshold: number): Promise<RoleKeys> {
  const { loadPublicKey, openSigner } = await import('../release/index.ts');
  const places = list.split(',').map((place) => place.trim());
  const keys = await Promise.all(
    places.map((place) => (place.startsWith('pkcs11:') ? openSigner(place) : loadPublicKey(place))),
  );
  if (new Set(keys.map(({ keyId }) => keyId)).size < keys.length) {
    throw new UpdateError('usage_invalid', `a key is named twice in ${list}`);
  }
  if (threshold <= keys.length) return { keys, threshold };
  throw new UpdateError('usage_invalid', `a threshold of ${threshold} is not to be reached with ${keys.length} keys`);
}
