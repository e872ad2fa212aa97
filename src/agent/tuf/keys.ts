/**
 * Public keys and thresholds (TUF 4.2): which of a role's keys have signed a document.
 *
 * A key counts once, also when it is listed under two names or has signed twice. A key of a kind that is not known here
 * has signed nothing; it does not make the document that lists it unreadable.
 * @module
 */
import { constants, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { UpdateError } from '../../../native-free/status.ts';
import type { Document, Keys, ListedKey, Role } from './metadata.ts';

interface Scheme {
  readonly types: readonly string[];
  readonly digest: string | null;
  readonly padding?: number;
  fits(key: KeyObject): boolean;
}

const onCurve =
  (curve: string) =>
  (key: KeyObject): boolean =>
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve;

const RSA_BITS_MIN = 2048;

/** The three of the specification, and the wider curve that repositories of the field use. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map<string, Scheme>([
  ['ed25519', { types: ['ed25519'], digest: null, fits: (key) => key.asymmetricKeyType === 'ed25519' }],
  ['ecdsa-sha2-nistp256', { types: ['ecdsa', 'ecdsa-sha2-nistp256'], digest: 'sha256', fits: onCurve('prime256v1') }],
  ['ecdsa-sha2-nistp384', { types: ['ecdsa', 'ecdsa-sha2-nistp384'], digest: 'sha384', fits: onCurve('secp384r1') }],
  [
    'rsassa-pss-sha256',
    {
      types: ['rsa'],
      digest: 'sha256',
      padding: constants.RSA_PKCS1_PSS_PADDING,
      fits: (key) => key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= RSA_BITS_MIN,
    },
  ],
]);

/** What stands before the 32 bytes of a raw ed25519 key in its SubjectPublicKeyInfo (RFC 8410). */
const ED25519_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

function open({ value }: ListedKey, scheme: Scheme): KeyObject | null {
  try {
    const isRaw = scheme.digest === null && /^[0-9a-f]{64}$/i.test(value);
    const key = isRaw
      ? createPublicKey({
          key: Buffer.concat([ED25519_HEAD, Buffer.from(value, 'hex')]),
          format: 'der',
          type: 'spki',
        })
      : createPublicKey({ key: value, format: 'pem' });
    return scheme.fits(key) ? key : null;
  } catch {
    // Whatever it is, it is no key that could have signed.
    return null;
  }
}

/** What identifies the key itself, whatever it is called; null when its signature over `data` is not right. */
function identityOfSigner(listed: ListedKey, data: Uint8Array, signature: Uint8Array): string | null {
  const scheme = SCHEMES.get(listed.scheme);
  if (scheme === undefined || !scheme.types.includes(listed.type)) return null;
  const key = open(listed, scheme);
  if (key === null) return null;
  try {
    const { padding, digest } = scheme;
    if (!verify(digest, data, padding === undefined ? key : { key, padding }, signature)) return null;
    return key.export({ format: 'der', type: 'spki' }).toString('base64');
  } catch {
    // Bytes that cannot even be read as a signature.
    return null;
  }
}

/** Names of the role's keys that have signed `document`; of several names of one key the first. */
export function signersOf({ canonical, signatures }: Document<unknown>, role: Role, keys: Keys): string[] {
  const found = new Map<string, string>();
  for (const keyId of role.keyIds) {
    const [listed, signature] = [keys.get(keyId), signatures.get(keyId)];
    if (listed === undefined || signature === undefined) continue;
    const identity = identityOfSigner(listed, canonical, signature);
    if (identity !== null && !found.has(identity)) found.set(identity, keyId);
  }
  return [...found.values()];
}

/** The same, and throws `signature_invalid` when they are fewer than the role's threshold. `by` is whose keys these are. */
export function requireSigners(document: Document<unknown>, role: Role, keys: Keys, by: string): string[] {
  const signers = signersOf(document, role, keys);
  if (signers.length >= role.threshold) return signers;
  throw new UpdateError(
    'signature_invalid',
    `${document.what} is signed by ${signers.length} of the keys that ${by} names; ${role.threshold} are needed`,
    { detail: { signers: signers.length, threshold: role.threshold } },
  );
}
