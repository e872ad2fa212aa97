/**
 * The payload's body, chunk by chunk; nothing of a chunk is given out before its digest matched. A body in the header is
 * one chunk of any length: the header's digest has vouched for all of it.
 * @module
 */
import type { PayloadHeader } from '../format/payload-header.ts';
import { bytesEqual, digestOf, toHex } from '../hash.ts';
import type { HashFactory } from '../io.ts';
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import type { PieceReader } from './piece-reader.ts';

export class BodyReader {
  readonly #payload: PieceReader;
  readonly #header: PayloadHeader;
  readonly #hash: HashFactory;
  readonly #buffer: Uint8Array;
  readonly #chunkBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkIndex = -1;
  #position = 0;

  /** `payload` stands anywhere at or before the body's first byte. */
  constructor(payload: PieceReader, header: PayloadHeader, hash: HashFactory) {
    this.#payload = payload;
    this.#header = header;
    this.#hash = hash;
    const isInline = header.inlineBody !== null;
    this.#chunkBytes = isInline ? header.bodyBytes : LIMITS.chunk_bytes;
    this.#buffer = new Uint8Array(isInline ? 0 : Math.min(LIMITS.chunk_bytes, header.bodyBytes));
    if (!isInline) return;
    this.#chunk = header.inlineBody!;
    this.#chunkIndex = 0;
  }

  /** Offset of the next byte in the body. */
  get position(): number {
    return this.#position;
  }

  /** Continues at a later body offset; chunks in between are never read. */
  skipTo(offset: number): void {
    this.#position = offset;
  }

  /** Fills `into` with authenticated bytes. */
  async fill(into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length;) {
      const index = Math.floor(this.#position / this.#chunkBytes);
      if (index !== this.#chunkIndex) await this.#load(index);
      const from = this.#position - index * this.#chunkBytes;
      const take = Math.min(into.length - done, this.#chunk.length - from);
      into.set(this.#chunk.subarray(from, from + take), done);
      done += take;
      this.#position += take;
    }
  }

  async #load(index: number): Promise<void> {
    const offset = index * this.#chunkBytes;
    const length = Math.min(this.#chunkBytes, this.#header.bodyBytes - offset);
    if (length <= 0 || this.#header.inlineBody !== null)
      throw new UpdateError('bug', `body offset ${this.#position} is past the body's end`);
    await this.#payload.skipTo(this.#header.headerBytes + offset, `chunk ${index}`);
    this.#chunk = this.#buffer.subarray(0, length);
    this.#chunkIndex = index;
    await this.#payload.fill(this.#chunk, `chunk ${index}`);
    const digest = digestOf(this.#hash, this.#chunk);
    if (!bytesEqual(digest, this.#header.chunkDigests[index]!)) {
      throw new UpdateError(
        'chunk_digest',
        `chunk ${index} (payload byte ${this.#header.headerBytes + offset}) is damaged or forged`,
        {
          detail: { chunk: index, expected: toHex(this.#header.chunkDigests[index]!), actual: toHex(digest) },
        },
      );
    }
  }
}
