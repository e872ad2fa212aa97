/**
 * HTTP over node:http, made for links that drop.
 *
 * Not the platform's fetch: when a connection breaks, fetch throws away what it had received and not yet handed out,
 * and those bytes would cross a metered link again. Here everything that came off the socket is handed out first, and
 * only then the error. Idle connections are closed as soon as anything went wrong, so that a new address, another route
 * or a portal that has gone is noticed by the next request; names are looked up anew for each connection.
 *
 * Nothing here waits for ever, whoever drips what: the head of an answer, a whole exchange and each window of a long body
 * have their bounds, and each of them ends in an error that is worth another try.
 * @module
 */
import type * as http from 'node:http';
import { urlToHttpOptions } from 'node:url';
import { UpdateError } from '../../../native-free/status.ts';
import { after, monotonicMs } from '../timers.ts';
import { Body, linkFailed, overdue, type BodyBounds } from './body.ts';
import { Connections, type ConnectionOptions } from './connections.ts';
import { proxyRefused } from './proxy.ts';
import { DEFAULT_RATE_FLOOR, RateGauge, type RateFloor } from './rate-floor.ts';
import type { Network, NetworkRequest, NetworkResponse } from '../network.ts';

export interface NetworkBounds {
  /** No byte of a body for this long: the link counts as dropped. Default 30,000. */
  readonly idleMs: number;
  /** The head of an answer has to be there, with lookup, connection and handshake. Default twice `idleMs`. */
  readonly answerMs: number;
  /** A whole exchange that is not `bulk`. Default 300,000. */
  readonly exchangeMs: number;
  /** For bodies that are `bulk`. */
  readonly floor: RateFloor;
}

export interface NodeNetworkOptions extends Partial<NetworkBounds>, Omit<ConnectionOptions, 'connectMs'> {
  readonly userAgent?: string;
}

const REDIRECTS_MAX = 3;

export function boundsOf({ idleMs = 30_000, answerMs, exchangeMs, floor }: NodeNetworkOptions): NetworkBounds {
  const bounds = { idleMs, answerMs: answerMs ?? 2 * idleMs };
  return { ...bounds, exchangeMs: exchangeMs ?? 300_000, floor: floor ?? DEFAULT_RATE_FLOOR };
}

/** These may be sent again by whoever sends them, whatever became of the first (RFC 9110, 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT']);

interface Exchange {
  readonly request: NetworkRequest;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: Connections;
  readonly answerMs: number;
}

/** A connection that had served before was closed before it served again. */
const staleConnection = (url: string, cause: Error): UpdateError =>
  new UpdateError('link_failed', `${url}: ${cause.message}`, { detail: { url, reused: true }, cause });

/** Resolves with the head of the answer. */
function send({ request, url, headers, connections, answerMs }: Exchange): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, body, signal } = request;
    const isOwn = new URL(url).origin === new URL(request.url).origin;
    const { client, options, headers: more, plainProxy } = connections.route(url, isOwn);
    const target = urlToHttpOptions(new URL(url));
    const sent = client.request({ ...target, method, ...options, headers: { ...headers, ...more } });
    const settle = (): void => {
      late.cancel();
      signal?.removeEventListener('abort', stop);
    };
    // A request without a socket yet does not tell that it was destroyed.
    const giveUp = (why: Error): void => {
      settle();
      reject(why);
      sent.destroy(why);
    };
    const stop = (): void => giveUp(new UpdateError('aborted', `${url}: stopped`));
    const late = after(answerMs, () => giveUp(new Error(`no answer within ${answerMs} ms`)));
    sent.on('response', (message) => {
      settle();
      if (signal !== undefined) {
        // From here on it is the body that has to end.
        const drop = (): void => void message.destroy(new Error('stopped'));
        signal.addEventListener('abort', drop, { once: true });
        message.once('close', () => signal.removeEventListener('abort', drop));
      }
      if (plainProxy !== null && message.statusCode === 407) {
        reject(proxyRefused(url, plainProxy, message));
        message.destroy();
      } else resolve(message);
    });
    // Also after the answer's head: then the message has the same error, and is where it is told.
    sent.on('error', (error) => {
      settle();
      reject(sent.reusedSocket ? staleConnection(url, error) : error);
    });
    if (signal?.aborted === true) stop();
    else {
      signal?.addEventListener('abort', stop, { once: true });
      sent.end(body);
    }
  });
}

/** At once on a new connection where the first was a stale one: a server may close an idle one at any time. */
async function sendTwice(exchange: Exchange): Promise<http.IncomingMessage> {
  const { request, connections } = exchange;
  try {
    return await send(exchange);
  } catch (error) {
    const isStale = UpdateError.is(error) && error.detail['reused'] === true;
    if (!isStale || !IDEMPOTENT.has(request.method)) throw error;
    connections.reset();
    return send(exchange);
  }
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

function responseOf(url: string, message: http.IncomingMessage, bounds: BodyBounds): NetworkResponse {
  const body = new Body(url, message, bounds);
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
  const { userAgent = 'engraft-agent', credentials, proxy } = options;
  const { idleMs, answerMs, exchangeMs, floor } = boundsOf(options);
  const connections = new Connections({ credentials, proxy, connectMs: answerMs });
  const reset = (): void => connections.reset();
  return {
    reset,
    async request(request) {
      const isBulk = request.bulk === true;
      const untilMs = monotonicMs() + exchangeMs;
      const deadline = isBulk ? null : { untilMs, deadlineMs: exchangeMs };
      let { url } = request;
      for (let redirects = 0; ; redirects++) {
        let message: http.IncomingMessage;
        try {
          const leftMs = isBulk ? answerMs : Math.min(answerMs, untilMs - monotonicMs());
          if (leftMs <= 0) throw overdue(url, exchangeMs);
          const headers = headersFor(request, url, userAgent);
          message = await sendTwice({ request, url, headers, connections, answerMs: leftMs });
        } catch (error) {
          reset();
          throw linkFailed(url, error);
        }
        const gauge = isBulk ? new RateGauge(floor) : null;
        const response = responseOf(url, message, { idleMs, gauge, deadline });
        const next = request.followRedirects === true && redirects < REDIRECTS_MAX ? redirectedTo(message, url) : null;
        if (next === null) return response;
        await response.discard();
        url = next;
      }
    },
  };
}
