/**
 * A byte range of a blob over an unreliable link: drops are waited out and resumed at the very byte.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { DEFAULT_RATE_FLOOR, floorBytes } from '../platform/http/rate-floor.ts';
import { DEFAULT_BACKOFF, type BackoffPolicy, type Clock } from '../platform/clock.ts';
import { refuseHtml, statusError, type Network, type NetworkResponse } from '../platform/network.ts';
import { retryDelayMs } from '../platform/http/retry-after.ts';

/** Bytes [from, to) of the payload. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface LinkWait {
  /** Consecutive failures without progress, from 1. */
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
  /** So many bytes are progress: less than that between two failures is a link that only seems to live. */
  readonly progressBytes?: number;
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
  /** Called after every piece; may throw to give up. A link that drips is no reason to be deaf. */
  readonly whileFlowing?: () => Promise<void>;
}

/** Bytes came that are not the ones that were asked for: what else this connection gives is not to be trusted. */
const isWrongContent = ({ code }: UpdateError): boolean =>
  ['content_wrong', 'chunk_digest', 'header_digest', 'age_chunk'].includes(code);

/** A payload over a link, whatever way it comes. */
export interface PayloadLink {
  /** Counts wrong content. Whoever reads an open range and sees this change should open it anew. */
  readonly distrusted: number;
  /** What came was what was asked for, by its digest. */
  verified(): void;
  /** Count a failure and wait; rethrows what waiting cannot help. */
  pause(thrown: unknown): Promise<void>;
  /** The bytes of `range`, in order, in pieces. */
  fetch(range: ByteRange): AsyncGenerator<Uint8Array, void, void>;
  /** Bytes of a small range, whole. */
  fetchAll(range: ByteRange, onPiece?: (bytes: number) => Promise<void>): Promise<Uint8Array>;
}

/** One blob behind one URL. Throws `retries_exhausted`, `aborted`, or whatever `onWait` throws. */
export class Link implements PayloadLink {
  readonly #options: LinkOptions;
  /** The strong ETag of the first answer: all later ones must have it. */
  #etag: string | null = null;
  /** Consecutive failures without a byte between them. */
  #failures = 0;
  /** Consecutive failures without `progressBytes` between them, and the bytes since the last one. */
  #stalls = 0;
  #flowedBytes = 0;
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
    this.#stalls = 0;
  }

  /** The bytes of `range`, in order, in pieces as the link gives them. */
  async *fetch(range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    let at = range.from;
    while (at < range.to) {
      try {
        for await (const piece of this.#stream({ from: at, to: range.to })) {
          this.#flowing(piece.length);
          at += piece.length;
          yield piece;
          if (at < range.to) await this.#options.whileFlowing?.();
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
    // What policy forbids (hours, budgets, a cancellation) is not for the link to wait out.
    if (!error.retryable || error.status >= 8000 || error.code === 'aborted') throw error;
    this.#options.network.reset?.();
    if (isWrongContent(error)) {
      // Digests are what vouches for the content. A server that renews its ETags must not lock the device out for ever.
      this.#etag = null;
      this.#wrong++;
      this.#distrusted++;
    }
    this.#failures++;
    this.#stalls++;
    const failures = Math.max(this.#failures, this.#wrong);
    if (Math.max(failures, this.#stalls) > retriesMax) {
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

  #flowing(bytes: number): void {
    this.#flowedBytes += bytes;
    if (this.#flowedBytes >= (this.#options.progressBytes ?? floorBytes(DEFAULT_RATE_FLOOR))) {
      this.#flowedBytes = 0;
      this.#stalls = 0;
    }
    if (this.#failures > 0) {
      this.#failures = 0;
      this.#options.onFlow?.();
    }
  }

  async *#stream(range: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    const { url, network, signal, headers } = this.#options;
    const asked: Record<string, string> = { ...headers, range: `bytes=${range.from}-${range.to - 1}` };
    if (this.#etag !== null) asked['if-range'] = this.#etag;
    const response = await network.request({
      method: 'GET',
      url,
      headers: asked,
      signal,
      followRedirects: true,
      bulk: true,
    });
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
      const given = response.header('content-range') ?? 'none';
      // A server may not know the whole length, or not say it (RFC 9110, 14.4).
      const [, from, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(given.trim()) ?? [];
      const isIt = Number(from) === range.from && Number(last) === range.to - 1;
      if (!isIt || (total !== '*' && Number(total) !== totalBytes)) {
        const expected = `bytes ${range.from}-${range.to - 1}/${totalBytes}`;
        throw wrong(`content-range is "${given}" and should be "${expected}"`);
      }
    }
    const etag = response.header('etag');
    const strong = etag !== null && !etag.startsWith('W/') ? etag : null;
    if (this.#etag !== null && strong !== this.#etag) {
      throw wrong(`the ETag changed from ${this.#etag} to ${etag ?? 'none'}`);
    }
    this.#etag = strong;
  }

  /**
   * The whole blob is fine where it was asked for from its beginning, and may come where the range was asked for only of
   * the blob that was known before (If-Range). Else the server knows no ranges, and would not know them after fifty waits either.
   */
  #checkWhole(response: NetworkResponse, range: ByteRange, wrong: (what: string) => UpdateError): void {
    const { url, totalBytes } = this.#options;
    const length = response.header('content-length');
    if (length !== null && Number(length) !== totalBytes) {
      throw wrong(`the blob has ${length} bytes and should have ${totalBytes}`);
    }
    if (range.from === 0) return;
    // Asked with If-Range: it is another blob, or the server compares wrongly; without it this shows.
    if (this.#etag !== null) throw wrong('the whole blob came instead of the range');
    const asked = `bytes ${range.from} to ${range.to}`;
    throw new UpdateError('range_unsupported', `${url}: ${asked} were asked for and the whole blob came`, {
      detail: { url, ...range, httpStatus: response.status },
    });
  }
}
