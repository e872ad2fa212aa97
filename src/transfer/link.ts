/**
 * A byte range of a blob over an unreliable link: drops are waited out and resumed at the very byte.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { DEFAULT_BACKOFF } from './clock.ts';
import type { BackoffPolicy, Clock } from './clock.ts';
import { refuseHtml, statusError } from './network.ts';
import type { Network, NetworkResponse } from './network.ts';
import { retryDelayMs } from './retry-after.ts';

/** Bytes [from, to) of the payload. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface LinkWait {
  /** Consecutive failures without one byte of progress, from 1. */
  readonly failures: number;
  readonly delayMs: number;
  readonly error: UpdateError;
}

export interface LinkOptions {
  readonly url: string;
  /** Size of the whole blob, from signed metadata. */
  readonly totalBytes: number;
  readonly network: Network;
  readonly clock: Clock;
  readonly backoff?: BackoffPolicy;
  /** Consecutive failures without progress before `retries_exhausted`. Default 50. */
  readonly retriesMax?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Called before every wait (the WAIT_NET state); may throw to give up, e.g. on cancellation. */
  readonly onWait?: (wait: LinkWait) => void | Promise<void>;
  /** A long wait is cut into slices of this many ms; default: it is not. */
  readonly sliceMs?: number;
  /** Called between two slices; may throw to give up. True: do not wait any longer. */
  readonly whileWaiting?: (error: UpdateError) => Promise<boolean>;
  /** Called when bytes flow again. */
  readonly onFlow?: () => void;
}

/** Bytes came that are not the ones that were asked for: what else this connection gives is not to be trusted. */
const isWrongContent = ({ code }: UpdateError): boolean =>
  code === 'content_wrong' || code === 'chunk_digest' || code === 'header_digest';

/** One blob behind one URL. Throws `retries_exhausted`, `aborted`, or whatever `onWait` throws. */
export class Link {
  readonly #options: LinkOptions;
  /** The strong ETag of the first answer: all later ones must have it. */
  #etag: string | null = null;
  #failures = 0;
  /** Consecutive answers with wrong content: flowing bytes alone do not end them. */
  #wrong = 0;
  #distrusted = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Counts wrong content. Whoever reads an open range and sees this change should open it anew. */
  get distrusted(): number {
    return this.#distrusted;
  }

  /** What came was what was asked for, by its digest. */
  verified(): void {
    this.#wrong = 0;
  }

  /** The bytes of `range`, in order, in pieces as the link gives them. */
  async *fetch(range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    let at = range.from;
    while (at < range.to) {
      try {
        for await (const piece of this.#stream({ from: at, to: range.to })) {
          this.#flowing();
          at += piece.length;
          yield piece;
        }
      } catch (error) {
        await this.pause(error);
      }
    }
  }

  /** Bytes of a small range, whole. */
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

  /** Count a failure and wait; rethrows what waiting cannot help. */
  async pause(cause: unknown): Promise<void> {
    const { clock, signal, onWait, retriesMax = 50, backoff = DEFAULT_BACKOFF } = this.#options;
    const error = UpdateError.from(cause, 'link_failed', this.#options.url);
    if (signal?.aborted) throw new UpdateError('aborted', 'the download was stopped', { cause: error });
    if (!error.retryable || error.code === 'over_budget' || error.code === 'aborted') throw error;
    this.#options.network.reset?.();
    if (isWrongContent(error)) {
      // Digests are what vouches for the content. A server that renews its ETags must not lock the device out for ever.
      this.#etag = null;
      this.#wrong++;
      this.#distrusted++;
    }
    this.#failures++;
    const failures = Math.max(this.#failures, this.#wrong);
    if (failures > retriesMax) {
      throw new UpdateError('retries_exhausted', `gave up after ${retriesMax} retries: ${error.message}`, {
        detail: { url: this.#options.url, retries: retriesMax, last: error.code },
        cause: error,
      });
    }
    const delayMs = retryDelayMs(backoff, failures - 1, clock.random(), error);
    await onWait?.({ failures, delayMs, error });
    await this.#sleep(delayMs, error);
  }

  async #sleep(delayMs: number, error: UpdateError): Promise<void> {
    const { clock, signal, whileWaiting, sliceMs = Infinity } = this.#options;
    for (let leftMs = delayMs; leftMs > 0;) {
      const stepMs = Math.min(leftMs, sliceMs);
      await clock.sleep(stepMs, signal);
      leftMs -= stepMs;
      if (leftMs > 0 && (await whileWaiting?.(error)) === true) return;
    }
  }

  #flowing(): void {
    if (this.#failures > 0) {
      this.#failures = 0;
      this.#options.onFlow?.();
    }
  }

  async *#stream(range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    const { url, network, signal, headers } = this.#options;
    const asked: Record<string, string> = { ...headers, range: `bytes=${range.from}-${range.to - 1}` };
    if (this.#etag !== null) asked['if-range'] = this.#etag;
    const response = await network.request({ method: 'GET', url, headers: asked, signal, followRedirects: true });
    let good = false;
    try {
      this.#checkAnswer(response, range);
      good = true;
    } finally {
      if (!good) await response.discard();
    }
    let left = range.to - range.from;
    for await (const piece of response.body) {
      const part = piece.length > left ? piece.subarray(0, left) : piece;
      left -= part.length;
      if (part.length > 0) yield part;
      if (left === 0) return;
    }
    if (left > 0) throw new UpdateError('link_failed', `${url}: the body ended ${left} bytes early`);
  }

  #checkAnswer(response: NetworkResponse, range: ByteRange): void {
    const { url, totalBytes } = this.#options;
    const wrong = (what: string): UpdateError =>
      new UpdateError('content_wrong', `${url}: ${what}`, { detail: { url, ...range, httpStatus: response.status } });
    const { status } = response;
    if (status !== 200 && status !== 206 && status !== 416) throw statusError(response, url, this.#options.clock.now());
    if (status === 416) throw wrong('the server has no such range: its blob is of another size');
    refuseHtml(response, url);
    const encoding = response.header('content-encoding') ?? 'identity';
    if (encoding !== 'identity') throw wrong(`content-encoding ${encoding} was not asked for`);
    if (status === 200) this.#checkWhole(response, range, wrong);
    else {
      const expected = `bytes ${range.from}-${range.to - 1}/${totalBytes}`;
      const given = response.header('content-range') ?? 'none';
      if (given !== expected) throw wrong(`content-range is "${given}" and should be "${expected}"`);
    }
    const etag = response.header('etag');
    const strong = etag !== null && !etag.startsWith('W/') ? etag : null;
    if (this.#etag !== null && strong !== this.#etag) {
      throw wrong(`the ETag changed from ${this.#etag} to ${etag ?? 'none'}`);
    }
    this.#etag = strong;
  }

  /** A server without Range support is fine for the whole blob, and only for that. */
  #checkWhole(response: NetworkResponse, range: ByteRange, wrong: (what: string) => UpdateError): void {
    const { totalBytes } = this.#options;
    if (range.from !== 0) throw wrong('the server ignored the range');
    const length = response.header('content-length');
    if (length !== null && Number(length) !== totalBytes) {
      throw wrong(`the blob has ${length} bytes and should have ${totalBytes}`);
    }
  }
}
