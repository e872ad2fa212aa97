/**
 * ChaCha20-Poly1305 (RFC 8439), injected as hashes are: a runtime with its own code for it is many times faster.
 * @module
 */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';

export const TAG_BYTES = 16;

/** `key`: 32 bytes, `nonce`: 12 bytes; sealed bytes end with the tag. */
export interface Aead {
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array;
  /** Null when the tag is wrong; then nothing of the plaintext is given. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}

/** Works on every runtime. */
export const chachaPure: Aead = {
  seal: (key, nonce, plain) => chacha20poly1305(key, nonce).encrypt(plain),
  open(key, nonce, sealed) {
    try {
      return chacha20poly1305(key, nonce).decrypt(sealed);
    } catch {
      return null;
    }
  },
};
