/**
 * A link to an encrypted payload, in terms of the payload in clear: ranges are asked for in clear and given in clear, so
 * that chunks, spool, resume and repair know nothing of encryption. Nothing is given before its tag was checked.
 *
 * A range is fetched with whole encrypted chunks around it: up to 64 KiB more at a resume, nothing more within a run.
 * @module
 */
import type { Aead } from '../../native-free/age/aead.ts';
import { sealedRange, StreamOpener } from '../../native-free/age/stream.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import type { ByteRange, PayloadLink } from './link.ts';
import type { Meter } from './meter.ts';

export interface EncryptedLinkOptions {
  /** To the body of the age file. */
  readonly link: PayloadLink;
  /** Counts what comes over the link: bytes of the body. */
  readonly meter: Pick<Meter, 'take' | 'noteRefetch'>;
  readonly plainBytes: number;
  readonly aead: Aead;
  /** The key of the body; asked for anew after a chunk that it did not open. */
  readonly key: (anew: boolean) => Promise<Uint8Array>;
  /** How often a chunk with a wrong tag is fetched again before `age_chunk`. Default 5. */
  readonly refetchesMax?: number;
  readonly signal?: AbortSignal;
}

export class EncryptedLink implements PayloadLink {
  readonly #options: EncryptedLinkOptions;
  #key: Uint8Array | null = null;
  #isDoubted = false;

  constructor(options: EncryptedLinkOptions) {
    this.#options = options;
  }

  get distrusted(): number {
    return this.#options.link.distrusted;
  }

  verified(): void {
    this.#options.link.verified();
  }

  pause(thrown: unknown): Promise<void> {
    return this.#options.link.pause(thrown);
  }

  /** The bytes of `range`, in order. Throws as Link does, `age_chunk`, and what asking for the key throws. */
  async *fetch(range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    const { refetchesMax = 5, meter } = this.#options;
    let at = range.from;
    let failedAt = -1;
    let tries = 0;
    while (at < range.to) {
      try {
        for await (const part of this.#open({ from: at, to: range.to })) {
          at += part.length;
          yield part;
        }
      } catch (thrown) {
        if (!UpdateError.is(thrown) || thrown.code !== 'age_chunk') throw thrown;
        tries = failedAt === at ? tries + 1 : 1;
        failedAt = at;
        if (tries > refetchesMax) throw thrown;
        await this.pause(thrown);
        // The header may be that of another body; what was fetched in vain is counted.
        meter.noteRefetch(LIMITS.age_chunk_bytes);
        this.#isDoubted = true;
        this.#key = null;
      }
    }
  }

  async fetchAll(range: ByteRange, onPiece?: (bytes: number) => Promise<void>): Promise<Uint8Array> {
    const bytes = new Uint8Array(range.to - range.from);
    let at = 0;
    for await (const piece of this.fetch(range)) {
      if (onPiece !== undefined) await onPiece(piece.length);
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  async *#open({ from, to }: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    const { link, meter, plainBytes, aead, signal, key } = this.#options;
    this.#key ??= await key(this.#isDoubted);
    const sealed = sealedRange(plainBytes, from, to);
    const opener = new StreamOpener({ key: this.#key, plainBytes, aead }, sealed.firstChunk);
    let plainAt = sealed.firstChunk * LIMITS.age_chunk_bytes;
    for await (const piece of link.fetch({ from: sealed.from, to: sealed.to })) {
      await meter.take(piece.length, signal);
      for (const plain of opener.push(piece)) {
        const part = plain.subarray(Math.max(0, from - plainAt), Math.max(0, to - plainAt));
        plainAt += plain.length;
        if (part.length > 0) yield part;
      }
    }
  }
}
