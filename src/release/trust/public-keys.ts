/**
 * Public keys as files, and signers by what an operator calls them: a private key in a file, or a key in a token by its
 * PKCS#11 URI.
 * @module
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { replaceFile } from '../../platform/files/atomic-file.ts';
import { keyIdOf, loadSigner, type Signer } from '../keys.ts';
import type { PublicKey } from '../metadata.ts';

/**
 * Makes a key: `NAME.key.pem` (mode 0600) and, for those who only verify, `NAME.pub.pem`. Neither may exist.
 * @throws UpdateError output_unwritable
 */
export async function makeKey(name: string): Promise<{ keyId: string; privateFile: string; publicFile: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const [privateFile, publicFile] = [`${name}.key.pem`, `${name}.pub.pem`];
  const pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await replaceFile(privateFile, pem, { mode: 0o600, exclusive: true });
  const shown = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }));
  await replaceFile(publicFile, shown, { mode: 0o644, exclusive: true });
  return { keyId: publicKeyOf(publicKey).keyId, privateFile, publicFile };
}

/** Loads a public key: PEM, as `makeKey` or `openssl pkey -pubout` write it. Throws UpdateError key_unreadable. */
export async function loadPublicKey(path: string): Promise<PublicKey> {
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (cause) {
    throw ioError(cause, 'key_unreadable', `cannot read the key ${path}`, { path });
  }
  if (pem.includes('PRIVATE KEY')) {
    throw new UpdateError(
      'key_unreadable',
      `${path} holds a private key, which has no business here: give the public one`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new UpdateError('key_unreadable', `${path} is not a PEM public key`, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new UpdateError('key_unreadable', `${path} holds a key of kind ${key.asymmetricKeyType}, not ed25519`);
  }
  return publicKeyOf(key);
}

/** A private key file, or `pkcs11:…`. Throws UpdateError key_unreadable. */
export async function openSigner(place: string): Promise<Signer> {
  if (!place.startsWith('pkcs11:')) return loadSigner(place);
  const { openPkcs11Signer } = await import('./pkcs11-signer.ts');
  return openPkcs11Signer(place);
}

function publicKeyOf(key: KeyObject): PublicKey {
  const spki = key.export({ type: 'spki', format: 'der' });
  const publicKey = new Uint8Array(spki.subarray(spki.length - 32));
  return { keyId: keyIdOf(publicKey), publicKey };
}
