/**
 * The body of an answer: all that arrived, then the error if there was one; within its bounds of time.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { UpdateError } from '../../../native-free/status.ts';
import { after, monotonicMs, type Timer } from '../timers.ts';
import type { RateGauge } from './rate-floor.ts';

/** A body that the reader is slow to take stays in the kernel beyond this. */
const QUEUE_BYTES = 64 * 1024;

export const linkFailed = (url: string, error: unknown): UpdateError => {
  if (UpdateError.is(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new UpdateError('link_failed', `${url}: ${reason}`, { detail: { url }, cause: error });
};

export const overdue = (url: string, deadlineMs: number): UpdateError =>
  new UpdateError('link_slow', `${url}: no whole answer within ${deadlineMs / 1000} s`, {
    detail: { url, deadlineMs },
  });

export interface BodyBounds {
  /** Without a byte for so long the connection counts as dropped. */
  readonly idleMs: number;
  /** Least rate; null: none. */
  readonly gauge: RateGauge | null;
  /** All of it has to be there by then; null: whenever. */
  readonly deadline: { readonly untilMs: number; readonly deadlineMs: number } | null;
}

export class Body implements AsyncIterable<Uint8Array> {
  readonly #url: string;
  readonly #message: IncomingMessage;
  readonly #bounds: BodyBounds;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;
  #late: Timer | null = null;
  #waitingSinceMs: number | null = null;

  constructor(url: string, message: IncomingMessage, bounds: BodyBounds) {
    this.#url = url;
    this.#message = message;
    this.#bounds = bounds;
    message.on('data', (piece: Uint8Array) => this.#arrived(piece));
    message.on('end', () => this.#finish(null));
    message.on('error', (error) => this.#finish(error));
    message.on('close', () => this.#finish(new Error('the connection was closed')));
    // Nothing is taken before somebody reads: the answer may be one that nobody wants.
    message.pause();
    const { deadline } = bounds;
    if (deadline === null) return;
    this.#late = after(Math.max(0, deadline.untilMs - monotonicMs()), () => {
      this.#giveUp(overdue(url, deadline.deadlineMs));
    });
  }

  #arrived(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
    this.#countWaiting();
    this.#bounds.gauge?.arrived(piece.length);
    if (this.#queuedBytes >= QUEUE_BYTES) this.#message.pause();
    this.#wake?.();
  }

  #finish(error: unknown): void {
    if (this.#ended || this.#error !== null) return;
    if (error === null) this.#ended = true;
    else {
      this.#error = error;
      // What the message had taken off the socket while it was paused.
      const rest = this.#message.read() as Uint8Array | null;
      if (rest !== null) this.#queue.push(rest);
    }
    this.#late?.cancel();
    this.#wake?.();
  }

  #giveUp(error: unknown): void {
    if (this.#ended || this.#error !== null) return;
    this.#finish(error);
    this.#drop();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const piece = this.#queue.shift();
        if (piece !== undefined) {
          this.#queuedBytes -= piece.length;
          yield piece;
        } else if (this.#error !== null) throw linkFailed(this.#url, this.#error);
        else if (this.#ended) return;
        else await this.#more();
      }
    } finally {
      this.discard();
    }
  }

  /** Time only counts while we wait for the link: a slow reader is no dropped link. */
  async #more(): Promise<void> {
    const { idleMs, gauge } = this.#bounds;
    this.#waitingSinceMs = monotonicMs();
    const leftMs = gauge?.leftMs ?? Infinity;
    const timer = after(Math.max(0, Math.min(idleMs, leftMs)), () => {
      this.#giveUp(leftMs < idleMs ? gauge!.tooSlow(this.#url) : new Error(`no byte for ${idleMs} ms`));
    });
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#message.resume();
    });
    this.#wake = null;
    timer.cancel();
    this.#countWaiting();
    this.#waitingSinceMs = null;
  }

  /** Before what has arrived is counted: it may begin a new window. */
  #countWaiting(): void {
    if (this.#waitingSinceMs === null) return;
    const nowMs = monotonicMs();
    this.#bounds.gauge?.waited(nowMs - this.#waitingSinceMs);
    this.#waitingSinceMs = nowMs;
  }

  /** Closes the connection, unless all of the answer is here: then the next request may use it. */
  discard(): void {
    this.#late?.cancel();
    if (this.#ended) return;
    const empty = this.#message.headers['content-length'] === '0' || this.#message.statusCode === 204;
    if (empty) this.#message.resume();
    else this.#drop();
  }

  /** With an RST: after a mere FIN the server would go on sending what nobody reads, and over a link that was gone. */
  #drop(): void {
    const { socket } = this.#message;
    if (socket instanceof TLSSocket) socket.destroy();
    else socket.resetAndDestroy();
  }
}
