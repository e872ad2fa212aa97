/**
 * Errors as answers: problem+json (RFC 9457) with our codes.
 * @module
 */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Logger } from 'pino';
import { STATUS, UpdateError, type StatusCode } from '../../native-free/status.ts';

/** HTTP status of the codes that a client can bring about; all others are the server's own trouble: 500. */
const HTTP: Partial<Record<StatusCode, number>> = {
  usage_invalid: 400,
  not_authorized: 401,
  entity_unknown: 404,
  state_conflict: 409,
  release_exists: 409,
  release_rollback: 409,
  limit_exceeded: 413,
  repository_busy: 503,
};

/** The body of an error answer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  /** HTTP status. */
  readonly status: number;
  readonly detail: string;
  readonly code: StatusCode;
  /** The number of `code` in the status table. */
  readonly number: number;
  readonly action: string;
}

/** An UpdateError whose answer has an HTTP status of its own (410 for closed actions). */
export function withHttpStatus(error: UpdateError, http: number): UpdateError {
  return Object.defineProperty(error, HTTP_STATUS, { value: http });
}
const HTTP_STATUS = Symbol('http status');

/** The answer to an error. What went wrong inside is logged, not told: it may name paths of this machine. */
export function problemResponse(error: unknown, context: Context, logger: Logger): Response {
  const known = knownError(error);
  const own = (known as unknown as Record<symbol, number | undefined>)[HTTP_STATUS];
  const status = own ?? HTTP[known.code] ?? 500;
  if (status >= 500) logger.error({ err: known, path: context.req.path }, 'request failed');
  const problem: Problem = {
    type: `urn:engraft:error:${known.code}`,
    title: STATUS[known.code].meaning,
    status,
    detail: status >= 500 ? 'the server log has the details' : known.message,
    code: known.code,
    number: known.status,
    action: known.action,
  };
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' };
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  if (status === 503) headers['Retry-After'] = '5';
  return new Response(context.req.method === 'HEAD' ? null : JSON.stringify(problem), { status, headers });
}

/** The framework refuses some requests by itself, such as bodies that are not JSON. */
function knownError(error: unknown): UpdateError {
  if (!(error instanceof HTTPException) || error.status >= 500) return UpdateError.from(error);
  return withHttpStatus(new UpdateError('usage_invalid', error.message, { cause: error }), error.status);
}
