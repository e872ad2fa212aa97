/**
 * HTTP over node:http, made for links that drop.
 *
 * Not the platform's fetch: when a connection breaks, fetch throws away what it had received and not yet handed out,
 * and those bytes would cross a metered link again. Here everything that came off the socket is handed out first, and
 * only then the error. Idle connections are closed as soon as anything went wrong, so that a new address, another route
 * or a portal that has gone is noticed by the next request; names are looked up anew for each connection.
 * @module
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { TLSSocket } from 'node:tls';
import { UpdateError } from '../../native-free/status.ts';
import { after } from '../platform/timers.ts';
import type { Timer } from '../platform/timers.ts';
import type { Network, NetworkRequest, NetworkResponse } from './network.ts';

export interface NodeNetworkOptions {
  /** No byte for this long: the link counts as dropped. Default 30,000. */
  readonly idleMs?: number;
  readonly userAgent?: string;
  /** Roots besides the platform's, PEM. */
  readonly ca?: string;
}

const REDIRECTS_MAX = 3;
/** An idle connection older than this may have died without a word (NAT, another cell). */
const REUSE_MS = 10_000;
/** A body that the reader is slow to take stays in the kernel beyond this. */
const QUEUE_BYTES = 64 * 1024;

const linkFailed = (url: string, error: unknown): UpdateError => {
  const reason = error instanceof Error ? error.message : String(error);
  return new UpdateError('link_failed', `${url}: ${reason}`, { detail: { url }, cause: error });
};

/** Calls `expire` when it was not fed for `idleMs`. */
class IdleGuard {
  readonly #idleMs: number;
  readonly #expire: (why: Error) => void;
  #timer: Timer | undefined;

  constructor(idleMs: number, expire: (why: Error) => void) {
    this.#idleMs = idleMs;
    this.#expire = expire;
  }

  feed(): void {
    this.#timer?.cancel();
    const why = new Error(`no byte for ${this.#idleMs} ms`);
    this.#timer = after(this.#idleMs, () => this.#expire(why));
  }

  rest(): void {
    this.#timer?.cancel();
  }
}

/** The body's pieces: all that arrived, then the error if there was one. */
class Body implements AsyncIterable<Uint8Array> {
  readonly #url: string;
  readonly #message: http.IncomingMessage;
  readonly #guard: IdleGuard;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;

  constructor(url: string, message: http.IncomingMessage, idleMs: number) {
    this.#url = url;
    this.#message = message;
    this.#guard = new IdleGuard(idleMs, (why) => {
      this.#finish(why);
      this.#drop();
    });
    message.on('data', (piece: Uint8Array) => this.#arrived(piece));
    message.on('end', () => this.#finish(null));
    message.on('error', (error) => this.#finish(error));
    message.on('close', () => this.#finish(new Error('the connection was closed')));
    // Nothing is taken before somebody reads: the answer may be one that nobody wants.
    message.pause();
  }

  #arrived(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
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
    this.#guard.rest();
    this.#wake?.();
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
      this.#guard.rest();
      this.discard();
    }
  }

  /** The guard only runs while we wait for the link: a slow reader is no dropped link. */
  async #more(): Promise<void> {
    this.#guard.feed();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#message.resume();
    });
    this.#wake = null;
    this.#guard.rest();
  }

  /** Closes the connection, unless all of the answer is here: then the next request may use it. */
  discard(): void {
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

interface Exchange {
  readonly request: NetworkRequest;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: http.Agent;
  readonly idleMs: number;
  readonly ca: string | undefined;
}

/** Resolves with the head of the answer. */
function send({ request, url, headers, agent, idleMs, ca }: Exchange): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, body, signal } = request;
    const options = { method, headers, agent, signal, ca };
    const sent = url.startsWith('https:') ? https.request(url, options) : http.request(url, options);
    const guard = new IdleGuard(idleMs, (why) => sent.destroy(why));
    guard.feed();
    sent.on('response', (message) => {
      guard.rest();
      resolve(message);
    });
    // Also after the answer's head: then the message has the same error, and is where it is told.
    sent.on('error', (error) => {
      guard.rest();
      reject(error);
    });
    sent.end(body);
  });
}

/** Where a redirect leads, or null when it is not to be followed. Never from https to http. */
function redirectedTo(message: http.IncomingMessage, url: string): string | null {
  const { location } = message.headers;
  if (![301, 302, 303, 307, 308].includes(message.statusCode ?? 0) || location === undefined) return null;
  if (!URL.canParse(location, url)) return null;
  const { href, protocol } = new URL(location, url);
  return protocol === 'https:' || (protocol === 'http:' && url.startsWith('http:')) ? href : null;
}

function headersFor(request: NetworkRequest, url: string, userAgent: string): Record<string, string> {
  // identity: a transparent gzip would make Range offsets meaningless.
  const headers: Record<string, string> = {
    'user-agent': userAgent,
    'accept-encoding': 'identity',
    ...request.headers,
  };
  if (request.body !== undefined) headers['content-length'] = String(Buffer.byteLength(request.body));
  // Tokens are for the server that was asked, and for nobody that it names.
  if (new URL(url).origin !== new URL(request.url).origin) delete headers['authorization'];
  return headers;
}

function responseOf(url: string, message: http.IncomingMessage, idleMs: number): NetworkResponse {
  const body = new Body(url, message, idleMs);
  return {
    status: message.statusCode ?? 0,
    header: (name) => {
      const value = message.headers[name];
      return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
    },
    body,
    discard: async () => body.discard(),
  };
}

/** The real network. */
export function nodeNetwork(options: NodeNetworkOptions = {}): Network {
  const { idleMs = 30_000, userAgent = 'engraft-agent', ca } = options;
  // Handshakes are what small exchanges cost most on a slow link, so requests that follow each other share one.
  const keep = { keepAlive: true, timeout: REUSE_MS };
  const agents = { 'http:': new http.Agent(keep), 'https:': new https.Agent(keep) };
  const reset = (): void => {
    for (const { freeSockets } of Object.values(agents)) {
      for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    }
  };
  return {
    reset,
    async request(request) {
      const { signal } = request;
      let { url } = request;
      for (let redirects = 0; ; redirects++) {
        let message: http.IncomingMessage;
        try {
          const agent = agents[url.startsWith('https:') ? 'https:' : 'http:'];
          message = await send({ request, url, headers: headersFor(request, url, userAgent), agent, idleMs, ca });
        } catch (error) {
          reset();
          throw signal?.aborted ? new UpdateError('aborted', `${url}: stopped`) : linkFailed(url, error);
        }
        const response = responseOf(url, message, idleMs);
        const next = request.followRedirects === true && redirects < REDIRECTS_MAX ? redirectedTo(message, url) : null;
        if (next === null) return response;
        await response.discard();
        url = next;
      }
    },
  };
}
