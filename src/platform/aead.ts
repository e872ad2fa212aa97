/**
 * ChaCha20-Poly1305 by node:crypto, several times as fast as the native-free default (decision 0160).
 * @module
 */
import { createCipheriv, createDecipheriv, getCiphers } from 'node:crypto';
import { chachaPure, TAG_BYTES, type Aead } from '../../native-free/age/aead.ts';

const NAME = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG_BYTES };

const native: Aead = {
  seal(key, nonce, plain) {
    const cipher = createCipheriv(NAME, key, nonce, OPTIONS);
    const sealed = new Uint8Array(plain.length + TAG_BYTES);
    sealed.set(cipher.update(plain), 0);
    cipher.final();
    sealed.set(cipher.getAuthTag(), plain.length);
    return sealed;
  },
  open(key, nonce, sealed) {
    const bytes = sealed.length - TAG_BYTES;
    if (bytes < 0) return null;
    const decipher = createDecipheriv(NAME, key, nonce, OPTIONS);
    decipher.setAuthTag(sealed.subarray(bytes));
    const plain = new Uint8Array(decipher.update(sealed.subarray(0, bytes)));
    try {
      decipher.final();
    } catch {
      return null;
    }
    return plain;
  },
};

/** Not every runtime that has this module has the cipher in it. */
export const chachaNode: Aead = getCiphers().includes(NAME) ? native : chachaPure;
