/**
 * `GET /tuf/<file>.json`: the repository's signed metadata as it lies on disk.
 *
 * Numbered files never change and may be cached for ever; timestamp.json must be asked for again each time, and that
 * a file is missing must not be remembered, since clients look for the next root by its number.
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { Context } from 'hono';
import { ioCode } from '../../native-free/errno.ts';
import { UpdateError } from '../../native-free/status.ts';
import { unreadable } from '../platform/files/io-errors.ts';
import { sha256Hex } from '../platform/hash.ts';
import { RepositoryLayout } from '../release/layout.ts';
import { tagListed } from './ranges.ts';

/** Roles below the top-level ones have names as `engraft keys delegate` takes them. Versions are below 2^53. */
const NAME = /^(?:[1-9]\d{0,15}\.[a-z0-9][a-z0-9-]{0,63}|timestamp)\.json$/;

/** The handler. Throws UpdateError entity_unknown when there is no such file. */
export function tufHandler(repo: string): (context: Context) => Promise<Response> {
  const layout = new RepositoryLayout(repo);
  return async (context) => {
    const name = context.req.param('file') ?? '';
    const bytes = NAME.test(name) ? await readOrNull(layout.metadataFile(name)) : null;
    if (bytes === null) throw new UpdateError('entity_unknown', 'there is no such metadata file');
    const etag = `"${sha256Hex(bytes)}"`;
    const caching = name === 'timestamp.json' ? 'no-cache' : 'public, max-age=31536000, immutable';
    const headers = { ETag: etag, 'Cache-Control': caching, 'Content-Type': 'application/json' };
    const known = context.req.header('If-None-Match');
    if (known !== undefined && tagListed(known, etag, 'weak')) return new Response(null, { status: 304, headers });
    const length = { 'Content-Length': String(bytes.length) };
    const body = context.req.method === 'HEAD' ? null : new Uint8Array(bytes);
    return new Response(body, { status: 200, headers: { ...headers, ...length } });
  };
}

async function readOrNull(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (ioCode(cause) === 'ENOENT') return null;
    throw unreadable(path, cause);
  }
}
