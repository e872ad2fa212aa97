/**
 * A network in memory: a handler answers, a plan drops links, and every byte that crosses is counted.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { Network, NetworkRequest, NetworkResponse } from '../platform/network.ts';
import type { Power } from './power.ts';

export interface MemoryAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export type MemoryHandler = (request: NetworkRequest) => MemoryAnswer | Promise<MemoryAnswer>;

/** What becomes of a request; asked once for each, with its number from 1. */
export interface LinkPlan {
  /** No answer at all. */
  readonly refuse?: boolean;
  /** The link drops after so many bytes of the body. */
  readonly dropAfterBytes?: number;
}

export interface MemoryNetworkOptions {
  readonly handler: MemoryHandler;
  readonly plan?: (request: NetworkRequest, number: number) => LinkPlan;
  readonly pieceBytes?: number;
  readonly power?: Power;
}

export class MemoryNetwork implements Network {
  readonly #options: MemoryNetworkOptions;
  /** All requests so far. */
  readonly requests: NetworkRequest[] = [];
  /** Body bytes that crossed, by URL. */
  readonly bodyBytes = new Map<string, number>();

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
  }

  /** Body bytes of all URLs that contain `part`. */
  bytesOf(part: string): number {
    let sum = 0;
    for (const [url, bytes] of this.bodyBytes) if (url.includes(part)) sum += bytes;
    return sum;
  }

  async request(request: NetworkRequest): Promise<NetworkResponse> {
    const { handler, plan, power } = this.#options;
    power?.use(`${request.method} ${request.url}`);
    this.requests.push(request);
    const fate = plan?.(request, this.requests.length) ?? {};
    if (fate.refuse === true) throw new UpdateError('link_failed', `${request.url}: no route`);
    const answer = await handler(request);
    const body = typeof answer.body === 'string' ? new TextEncoder().encode(answer.body) : answer.body;
    const headers = new Map(Object.entries(answer.headers ?? {}).map(([name, text]) => [name.toLowerCase(), text]));
    return {
      status: answer.status,
      header: (name) => headers.get(name) ?? null,
      body: this.#pieces(request.url, body ?? new Uint8Array(0), fate.dropAfterBytes ?? Infinity),
      discard: () => Promise.resolve(),
    };
  }

  async *#pieces(url: string, body: Uint8Array, dropAfterBytes: number): AsyncGenerator<Uint8Array, void, void> {
    const { pieceBytes = 16 * 1024, power } = this.#options;
    for (let at = 0; at < body.length;) {
      power?.use(`receive ${url}`);
      const end = Math.min(body.length, at + pieceBytes, dropAfterBytes);
      if (end <= at) throw new UpdateError('link_failed', `${url}: the link dropped after ${at} bytes`);
      const piece = body.slice(at, end);
      this.bodyBytes.set(url, (this.bodyBytes.get(url) ?? 0) + piece.length);
      at = end;
      yield piece;
    }
  }
}

/** Answers GET for immutable content with single ranges, ETag and If-Range, as the blob server does. */
export function serveBytes(request: NetworkRequest, content: Uint8Array, etag: string): MemoryAnswer {
  const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' };
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers?.['range'] ?? '');
  const ifRange = request.headers?.['if-range'];
  if (match === null || (ifRange !== undefined && ifRange !== etag)) {
    return { status: 200, headers: { ...headers, 'content-length': String(content.length) }, body: content };
  }
  const from = Number(match[1]);
  const to = Math.min(Number(match[2]) + 1, content.length);
  if (from >= content.length) return { status: 416, headers: { 'content-range': `bytes */${content.length}` } };
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${from}-${to - 1}/${content.length}` },
    body: content.subarray(from, to),
  };
}
