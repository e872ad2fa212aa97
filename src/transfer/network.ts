/**
 * One HTTP exchange, injected. The real one is the platform's fetch.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';

export interface NetworkRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface NetworkResponse {
  readonly status: number;
  /** Header by lower-case name, or null. */
  header(name: string): string | null;
  /** The body's pieces. Leaving the loop early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Give the connection up without reading on. Never throws. */
  discard(): Promise<void>;
}

export interface Network {
  /** Rejects with `link_failed` when there is no answer. Any HTTP status is an answer. */
  request(request: NetworkRequest): Promise<NetworkResponse>;
}

export interface FetchNetworkOptions {
  /** No byte for this long: the link counts as dropped. Default 30,000. */
  readonly idleMs?: number;
  readonly userAgent?: string;
}

async function* noBody(): AsyncGenerator<Uint8Array> {
  // A response without a body has no pieces.
}

/** A watchdog: aborts the exchange when it was not fed for `idleMs`. */
class IdleGuard {
  readonly #controller = new AbortController();
  readonly #idleMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  signal(outer?: AbortSignal): AbortSignal {
    return outer === undefined ? this.#controller.signal : AbortSignal.any([outer, this.#controller.signal]);
  }

  feed(): void {
    clearTimeout(this.#timer);
    const why = new Error(`no byte for ${this.#idleMs} ms`);
    this.#timer = setTimeout(() => this.#controller.abort(why), this.#idleMs);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }
}

const linkFailed = (url: string, error: unknown): UpdateError => {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  const reason = error instanceof Error ? error.message : String(error);
  return new UpdateError('link_failed', `${url}: ${reason}${cause}`, { detail: { url }, cause: error });
};

async function* pieces(
  url: string,
  body: ReadableStream<Uint8Array>,
  guard: IdleGuard,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      // The guard only runs while we wait for the link: a slow consumer is no dropped link.
      guard.feed();
      const { done, value } = await reader.read();
      guard.rest();
      if (done) return;
      if (value.length > 0) yield value;
    }
  } catch (error) {
    throw linkFailed(url, error);
  } finally {
    guard.rest();
    await reader.cancel().catch(() => undefined);
  }
}

/** The platform's fetch with an idle timeout on every wait. */
export function fetchNetwork(options: FetchNetworkOptions = {}): Network {
  const idleMs = options.idleMs ?? 30_000;
  const agent = options.userAgent ?? 'engraft-agent';
  return {
    async request({ method, url, headers, body, signal }) {
      const guard = new IdleGuard(idleMs);
      guard.feed();
      let response: Response;
      try {
        response = await fetch(url, {
          method,
          // identity: a transparent gzip would make Range offsets meaningless.
          headers: { 'user-agent': agent, 'accept-encoding': 'identity', ...headers },
          body,
          signal: guard.signal(signal),
          redirect: 'follow',
        });
      } catch (error) {
        throw signal?.aborted ? new UpdateError('aborted', `${url}: stopped`) : linkFailed(url, error);
      } finally {
        guard.rest();
      }
      const stream = response.body as ReadableStream<Uint8Array> | null;
      return {
        status: response.status,
        header: (name) => response.headers.get(name),
        body: stream === null ? noBody() : pieces(url, stream, guard),
        discard: async () => {
          if (stream !== null && !stream.locked) await stream.cancel().catch(() => undefined);
        },
      };
    },
  };
}

/** A whole small body. Throws `content_wrong` over `bytesMax`, before more than that was kept. */
export async function readBody(response: NetworkResponse, bytesMax: number, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body) {
    length += piece.length;
    if (length > bytesMax) {
      throw new UpdateError('content_wrong', `${url} sent more than ${bytesMax} bytes`, { detail: { url, bytesMax } });
    }
    parts.push(piece.slice());
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
