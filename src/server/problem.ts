/**
 * Errors as answers: problem+json (RFC 9457) with our codes.
 * @module
 */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Logger } from 'pino';
import { STATUS, UpdateError, type StatusCode } from '../../native-free/status.ts';
import { errorFields } from './http/log.ts';

/** HTTP status of the codes that a client can bring about; all others are the server's own trouble: 500. */
const HTTP: Partial<Record<StatusCode, number>> = {
  usage_invalid: 400,
  not_authorized: 401,
  entity_unknown: 404,
  state_conflict: 409,
  release_exists: 409,
  release_rollback: 409,
  not_compatible: 409,
  limit_exceeded: 413,
  target_digest: 422,
  repository_busy: 503,
  store_failed: 503,
  disk_full: 503,
  disk_read_only: 503,
  storage_failed: 503,
  resources_exhausted: 503,
  repository_missing: 503,
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

interface OwnAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}
const OWN = Symbol('http answer');

/** An UpdateError whose answer has an HTTP status of its own (410 for closed actions). */
export function withHttpStatus(error: UpdateError, status: number, headers: OwnAnswer['headers'] = {}): UpdateError {
  return Object.defineProperty(error, OWN, { value: { status, headers } satisfies OwnAnswer });
}

const ownAnswer = (error: UpdateError): OwnAnswer | undefined =>
  (error as unknown as Record<symbol, OwnAnswer | undefined>)[OWN];

/** What is told of an error. What went wrong inside is logged, not told: it may name paths of this machine. */
export function problemOf(error: UpdateError): Problem {
  const status = ownAnswer(error)?.status ?? HTTP[error.code] ?? 500;
  return {
    type: `urn:engraft:error:${error.code}`,
    title: STATUS[error.code].meaning,
    status,
    detail: status >= 500 ? 'the server log has the details' : error.message,
    code: error.code,
    number: error.status,
    action: error.action,
  };
}

/** The answer to an error; the server's own trouble is logged. */
export function problemResponse(error: unknown, context: Context, logger: Logger): Response {
  const known = knownError(error);
  const problem = problemOf(known);
  const { status } = problem;
  const { method, path } = context.req;
  if (status >= 500) logger.error({ event: 'failed', method, path, ...errorFields(known) }, 'request failed');
  const headers: Record<string, string> = {
    ...{ 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' },
    ...ownAnswer(known)?.headers,
  };
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  if (status === 413) headers['Connection'] = 'close';
  if (status === 503) headers['Retry-After'] = '5';
  return new Response(method === 'HEAD' ? null : JSON.stringify(problem), { status, headers });
}

/** The framework refuses some requests by itself. */
function knownError(error: unknown): UpdateError {
  if (!(error instanceof HTTPException) || error.status >= 500) return UpdateError.from(error);
  return withHttpStatus(new UpdateError('usage_invalid', error.message, { cause: error }), error.status);
}
