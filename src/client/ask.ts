/**
 * One request to the management API, and its answer or the error that it stands for.
 * @module
 */
import { STATUS, UpdateError, type StatusCode } from '../../native-free/status.ts';
import type { Problem } from '../server/index.ts';

export interface ClientOptions {
  /** Of the server, such as https://updates.example.org. */
  readonly url: string;
  /** The management token. */
  readonly token: string;
  /** Default: 'default'. */
  readonly tenant?: string;
  readonly fetch?: typeof fetch;
}

/** A body of bytes, and headers of its own. */
export interface RawBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Throws UpdateError: the server's own code, http_status, link_failed, content_wrong. */
export type Ask = <T>(
  method: Method,
  path: string,
  query?: Record<string, unknown>,
  body?: object | RawBody,
) => Promise<T>;

const isRaw = (body: object): body is RawBody => 'bytes' in body && body.bytes instanceof Uint8Array;

export function askerFor({ url: server, token, fetch: given = fetch }: ClientOptions): Ask {
  const base = `${server.replace(/\/+$/, '')}/api/v1`;
  return async <T>(method: Method, path: string, query: Record<string, unknown> = {}, body?: object | RawBody) => {
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(
      pairs.map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const url = `${base}${path}${search === '' ? '' : `?${search}`}`;
    const headers: Record<string, string> = { Authorization: `Bearer ${token}` };
    let sent: string | Uint8Array<ArrayBuffer> | undefined;
    if (body !== undefined && isRaw(body)) {
      Object.assign(headers, { 'Content-Type': 'application/octet-stream' }, body.headers);
      sent = body.bytes;
    } else if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      sent = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await given(url, { method, headers, body: sent });
    } catch (cause) {
      throw new UpdateError('link_failed', `${method} ${url}: no answer${reasonOf(cause)}`, { cause });
    }
    const answer = await jsonOf(response, `${method} ${url}`);
    if (response.ok) return answer as T;
    throw errorOf(answer as Partial<Problem>, response.status, `${method} ${url}`);
  };
}

/** ` (connect ECONNREFUSED 127.0.0.1:8080)`: `fetch` itself only says that it failed. */
function reasonOf(failure: unknown): string {
  const cause = failure instanceof Error ? failure.cause : undefined;
  if (!(cause instanceof Error)) return '';
  const { code } = cause as { code?: unknown };
  // Of several addresses that were tried there is no message, only the code.
  const text = cause.message || (typeof code === 'string' ? code : '');
  return text === '' ? '' : ` (${text})`;
}

async function jsonOf(response: Response, request: string): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    throw new UpdateError('content_wrong', `${request}: the answer (${response.status}) is not JSON`, { cause });
  }
}

function errorOf(problem: Partial<Problem>, http: number, request: string): UpdateError {
  const known = problem.code !== undefined && Object.hasOwn(STATUS, problem.code);
  const code: StatusCode = known ? problem.code! : 'http_status';
  return new UpdateError(code, `${request}: ${problem.detail ?? `HTTP ${http}`}`, { detail: { http } });
}
