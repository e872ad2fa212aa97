/**
 * Uploads: begun with a size and a digest, sent in pieces (`PATCH` with `Upload-Offset`), taken up again after `HEAD`.
 * @module
 */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { withHttpStatus } from '../problem.ts';
import type { StoredUpload } from '../publishing/uploads.ts';
import * as model from './job-model.ts';
import { body, bounded, iso, ok, secured, type ManagementOptions } from './parts.ts';

export function uploadRoutes(app: OpenAPIHono, { room: { uploads } }: Pick<ManagementOptions, 'room'>): void {
  const begin = createRoute({
    ...{ method: 'post', path: '/uploads', operationId: 'beginUpload', ...secured, ...bounded },
    request: { body: body(model.newUploadSchema) },
    responses: ok('begun; send its bytes with PATCH', model.uploadSchema),
  });
  app.openapi(begin, async (context) => {
    const upload = await uploads.begin(context.req.valid('json'));
    context.header('Location', `/api/v1/uploads/${upload.id}`);
    return context.json(uploadOf(upload), 200);
  });

  const get = createRoute({
    ...{ method: 'get', path: '/uploads/{id}', operationId: 'getUpload', ...secured },
    request: { params: model.jobIdParam },
    responses: ok('how far it is; HEAD has the same in Upload-Offset', model.uploadSchema),
  });
  app.openapi(get, async (context) => {
    const upload = await uploads.get(context.req.valid('param').id);
    context.header('Upload-Offset', String(upload.offset));
    return context.json(uploadOf(upload), 200);
  });

  const append = createRoute({
    ...{ method: 'patch', path: '/uploads/{id}', operationId: 'appendUpload', ...secured },
    request: {
      params: model.jobIdParam,
      body: { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } },
    },
    responses: ok('taken; complete once the whole has its size and digest', model.uploadSchema),
  });
  app.openapi(append, async (context) => {
    const offset = context.req.header('Upload-Offset') ?? '';
    if (!/^\d{1,15}$/.test(offset)) throw new UpdateError('usage_invalid', 'Upload-Offset says where the bytes belong');
    const upload = await appendTo(context, Number(offset));
    context.header('Upload-Offset', String(upload.offset));
    return context.json(uploadOf(upload), 200);
  });

  const remove = createRoute({
    ...{ method: 'delete', path: '/uploads/{id}', operationId: 'deleteUpload', ...secured },
    request: { params: model.jobIdParam },
    responses: ok('gone', model.uploadSchema),
  });
  app.openapi(remove, async (context) => {
    const upload = await uploads.get(context.req.valid('param').id);
    await uploads.remove(upload.id);
    return context.json(uploadOf(upload), 200);
  });

  async function appendTo(context: Context, offset: number): Promise<StoredUpload> {
    try {
      return await uploads.append(context.req.param('id') ?? '', offset, piecesOf(context));
    } catch (error) {
      const at = UpdateError.is(error) ? error.detail['offset'] : undefined;
      throw typeof at === 'number' ? withHttpStatus(error as UpdateError, 409, { 'Upload-Offset': String(at) }) : error;
    }
  }
}

/** The body as it comes. Bounded by itself, since an upload may be far larger than one request of it. */
async function* piecesOf(context: Context): AsyncGenerator<Uint8Array> {
  const tooLarge = (): UpdateError =>
    new UpdateError('limit_exceeded', `a request has at most ${LIMITS.upload_piece_bytes_max} bytes: send several`);
  if (Number(context.req.header('Content-Length') ?? 0) > LIMITS.upload_piece_bytes_max) throw tooLarge();
  const stream = context.req.raw.body as ReadableStream<Uint8Array> | null;
  const reader = stream?.getReader();
  let bytes = 0;
  for (;;) {
    let next;
    try {
      next = await reader?.read();
    } catch (cause) {
      throw new UpdateError('usage_invalid', 'the body was cut off: ask where the upload goes on', { cause });
    }
    if (next === undefined || next.done) return;
    bytes += next.value.length;
    if (bytes > LIMITS.upload_piece_bytes_max) throw tooLarge();
    yield next.value;
  }
}

function uploadOf({ id, bytes, sha256, filename, offset, digests, expiresAt }: StoredUpload): model.Upload {
  const complete = digests !== null;
  return { id, bytes, sha256, filename, offset, complete, expiresAt: iso(expiresAt) };
}
