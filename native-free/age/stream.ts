/**
 * The body of an age file: 16 bytes of nonce, then chunks of 64 KiB, each with its tag (STREAM). A chunk is opened by its
 * number alone, so reading begins at any of them; which one is the last is part of its nonce, so that no chunk is left out
 * at the end unseen.
 * @module
 */
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import { chachaPure, TAG_BYTES, type Aead } from './aead.ts';

export const BODY_NONCE_BYTES = 16;
const CHUNK = LIMITS.age_chunk_bytes;
const SEALED_CHUNK = CHUNK + TAG_BYTES;

/** An empty plaintext is one empty chunk. */
const chunksOf = (plainBytes: number): number => Math.max(1, Math.ceil(plainBytes / CHUNK));

/** How long the body of a plaintext is. */
export const bodyBytes = (plainBytes: number): number =>
  BODY_NONCE_BYTES + plainBytes + TAG_BYTES * chunksOf(plainBytes);

/** Bytes [from, to) of a body, which hold chunks from `firstChunk` on. */
export interface SealedRange {
  readonly from: number;
  readonly to: number;
  readonly firstChunk: number;
}

/** Where bytes [from, to) of the plaintext are; `from` < `to`. */
export function sealedRange(plainBytes: number, from: number, to: number): SealedRange {
  const firstChunk = Math.floor(from / CHUNK);
  const end = Math.ceil(to / CHUNK);
  return {
    firstChunk,
    from: BODY_NONCE_BYTES + firstChunk * SEALED_CHUNK,
    to: Math.min(BODY_NONCE_BYTES + end * SEALED_CHUNK, bodyBytes(plainBytes)),
  };
}

/** Eleven bytes count, the last one marks the end. */
function nonceOf(chunk: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(3, Math.floor(chunk / 2 ** 32));
  view.setUint32(7, chunk >>> 0);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

export interface StreamKey {
  /** Of `payloadKey`. */
  readonly key: Uint8Array;
  readonly plainBytes: number;
  readonly aead?: Aead;
}

/** The sealed chunks of `plain`, in order; the nonce goes before them. */
export function* sealChunks(plain: Uint8Array, key: Uint8Array, aead: Aead = chachaPure): Generator<Uint8Array> {
  const count = chunksOf(plain.length);
  for (let chunk = 0; chunk < count; chunk++) {
    yield aead.seal(key, nonceOf(chunk, chunk === count - 1), plain.subarray(chunk * CHUNK, (chunk + 1) * CHUNK));
  }
}

/** Opens chunks from one of them on, fed in pieces of any length. Nothing is given out before its tag was checked. */
export class StreamOpener {
  readonly #key: StreamKey;
  readonly #aead: Aead;
  readonly #count: number;
  #chunk: number;
  #held: Uint8Array;
  #filled = 0;

  constructor(key: StreamKey, firstChunk = 0) {
    this.#key = key;
    this.#aead = key.aead ?? chachaPure;
    this.#count = chunksOf(key.plainBytes);
    this.#chunk = firstChunk;
    this.#held = new Uint8Array(this.#sealedBytes());
  }

  /** The chunk that the next byte belongs to. */
  get chunk(): number {
    return this.#chunk;
  }

  /** Bytes of it that are held. */
  get heldBytes(): number {
    return this.#filled;
  }

  /**
   * The plaintext of the chunks that `piece` completes.
   * @throws UpdateError age_chunk, and the opener stands before that chunk; age_malformed for bytes behind the last one
   */
  *push(piece: Uint8Array): Generator<Uint8Array, void, void> {
    let at = 0;
    while (at < piece.length) {
      if (this.#chunk >= this.#count) throw new UpdateError('age_malformed', 'bytes follow the last encrypted chunk');
      const taken = Math.min(this.#held.length - this.#filled, piece.length - at);
      this.#held.set(piece.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#held.length) yield this.#open();
    }
  }

  /** Throws UpdateError payload_truncated unless `chunk` chunks were opened and nothing is left over. */
  end(chunk: number = this.#count): void {
    if (this.#chunk === chunk && this.#filled === 0) return;
    const text = `the encrypted body ends in chunk ${this.#chunk} of ${this.#count}`;
    throw new UpdateError('payload_truncated', text, { detail: { chunk: this.#chunk, heldBytes: this.#filled } });
  }

  #open(): Uint8Array {
    const chunk = this.#chunk;
    this.#filled = 0;
    const plain = this.#aead.open(this.#key.key, nonceOf(chunk, chunk === this.#count - 1), this.#held);
    if (plain === null) {
      throw new UpdateError('age_chunk', `encrypted chunk ${chunk} does not have its tag`, { detail: { chunk } });
    }
    this.#chunk++;
    if (this.#chunk < this.#count && this.#sealedBytes() !== this.#held.length) {
      this.#held = new Uint8Array(this.#sealedBytes());
    }
    return plain;
  }

  #sealedBytes(): number {
    const plainLeft = this.#key.plainBytes - this.#chunk * CHUNK;
    return Math.max(0, Math.min(CHUNK, plainLeft)) + TAG_BYTES;
  }
}
