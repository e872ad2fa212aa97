/**
 * One HTTP exchange, injected. The real one is node-network.ts.
 * @module
 */
import { concat } from '../../native-free/format/bytes.ts';
import { UpdateError } from '../../native-free/status.ts';
import { nodeClock } from './clock.ts';
import { parseRetryAfter } from './http/retry-after.ts';

export interface NetworkRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /**
   * Follow redirects, to other hosts too: only for content that is vouched for by digests. By default a redirect is an
   * answer like any other, so that nobody can pass for the server by redirecting to himself.
   */
  readonly followRedirects?: boolean;
  /**
   * A body of any length (a payload): held to a lowest rate. Everything else has to be over within one deadline, since
   * the device does nothing else meanwhile.
   */
  readonly bulk?: boolean;
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
  /** Rejects with `link_failed` when there is no answer, `proxy_refused` where a proxy stops it. Any HTTP status is an answer. */
  request(request: NetworkRequest): Promise<NetworkResponse>;
  /** Close connections that stand idle: the next request begins with a new one. */
  reset?(): void;
}

export const isHtml = (response: Pick<NetworkResponse, 'header'>): boolean =>
  /^(text\/html|application\/xhtml)/i.test(response.header('content-type') ?? '');

/**
 * Throws `content_wrong` for an HTML page, which neither a payload nor metadata nor an API answer ever is. A portal that
 * answers a report with its login page has not taken the report.
 */
export function refuseHtml(response: Pick<NetworkResponse, 'header' | 'status'>, url: string): void {
  if (!isHtml(response)) return;
  throw new UpdateError(
    'content_wrong',
    `${url}: an HTML page came instead of what was asked for (a captive portal?)`,
    {
      detail: { url, httpStatus: response.status },
    },
  );
}

/**
 * What an unexpected status says, with a hint where the network itself seems to have answered. Where the server says when
 * to come again, that is in the detail as `retryAfterMs`.
 */
export function statusError(
  response: Pick<NetworkResponse, 'header' | 'status'>,
  url: string,
  nowMs = nodeClock.now(),
): UpdateError {
  const { status } = response;
  const location = status >= 300 && status < 400 ? response.header('location') : null;
  const where = location === null ? '' : ` to ${location.slice(0, 200)}`;
  const hint = status === 511 || location !== null ? ' (a captive portal?)' : '';
  const retryAfterMs = parseRetryAfter(response.header('retry-after'), nowMs, response.header('date'));
  const detail = { url, httpStatus: status, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  return new UpdateError('http_status', `${url}: HTTP ${status}${where}${hint}`, { detail });
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
  return concat(parts);
}
