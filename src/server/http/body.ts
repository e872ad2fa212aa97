/**
 * Request bodies: read whole, up to a bound, in every form that HTTP has for them (a length, chunks, none at all).
 *
 * The framework's own limiter makes a second Request out of the adapter's light one when no length is given, which
 * throws; here the bytes are read once and handed on through the framework's cache.
 * @module
 */
import type { Context, MiddlewareHandler } from 'hono';
import { UpdateError } from '../../../native-free/status.ts';
import { withHttpStatus } from '../problem.ts';

/**
 * The body as it was sent.
 * @throws UpdateError limit_exceeded before more than `bytesMax` are held, usage_invalid for one that was cut off
 */
async function readBody(context: Context, bytesMax: number): Promise<Uint8Array> {
  const declared = Number(context.req.header('Content-Length') ?? 0);
  if (declared > bytesMax) throw tooLarge(bytesMax);
  const coding = context.req.header('Content-Encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw withHttpStatus(new UpdateError('usage_invalid', `a body in the coding '${coding}' is not taken`), 415);
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const stream = context.req.raw.body as ReadableStream<Uint8Array> | null;
  try {
    // Not iterated: leaving early would cancel the stream, and with it the connection that the answer is for.
    const reader = stream?.getReader();
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader!.read()) {
      bytes += next.value.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      pieces.push(next.value);
    }
  } catch (cause) {
    if (UpdateError.is(cause)) throw cause;
    throw new UpdateError('usage_invalid', 'the body was cut off', { cause });
  }
  return Buffer.concat(pieces, bytes);
}

function tooLarge(bytesMax: number): UpdateError {
  return new UpdateError('limit_exceeded', `the body is over ${bytesMax} bytes`);
}

/** Throws UpdateError usage_invalid for a body that is not JSON, whatever its Content-Type says. */
export async function readJson(context: Context, bytesMax: number): Promise<unknown> {
  const bytes = await readBody(context, bytesMax);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new UpdateError('usage_invalid', 'the body is not JSON', { cause });
  }
}

/** For routes that the framework validates: reads the body ahead of it. Other types than JSON are 415. */
export function jsonBody(bytesMax: number): MiddlewareHandler {
  return async (context, next) => {
    const value = await readJson(context, bytesMax);
    const type = context.req.header('Content-Type') ?? '';
    if (!/^application\/(?:[a-z0-9.-]+\+)?json\s*(?:;|$)/i.test(type)) {
      const text = `the body must be application/json, not '${type.slice(0, 100)}'`;
      throw withHttpStatus(new UpdateError('usage_invalid', text), 415);
    }
    context.req.bodyCache.json = Promise.resolve(value);
    await next();
  };
}
