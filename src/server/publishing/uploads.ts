/**
 * Uploads of images: begun with a size and a digest, sent in pieces, taken up again where they broke off. What was
 * received lies in `REPO/uploads/`; how much that is says the file itself.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Kysely, Selectable } from 'kysely';
import { ioError } from '../../../native-free/io-error.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readFully, writeFully, type FileSystem } from '../../platform/filesystem.ts';
import type { UploadsTable } from '../jobs/schema.ts';
import type { Database } from '../store/schema.ts';

export interface NewUpload {
  readonly bytes: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
  readonly filename?: string | undefined;
}

export interface StoredUpload {
  readonly id: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly filename: string | null;
  /** So much of it is here. */
  readonly offset: number;
  /** Null until it is whole. */
  readonly digests: { readonly sha256: string; readonly sha1: string; readonly md5: string } | null;
  readonly expiresAt: number;
}

export interface UploadStoreOptions {
  readonly db: Kysely<Database>;
  readonly files: FileSystem;
  readonly folder: string;
  readonly now: () => number;
}

/** Left free on the disk beside an upload: the payloads and the database need some. */
const SPARE_BYTES = 64 * 2 ** 20;
const HASH_PIECE_BYTES = 2 ** 20;

export class UploadStore {
  readonly #options: UploadStoreOptions;
  /** One request at a time writes an upload. */
  readonly #busy = new Set<string>();

  constructor(options: UploadStoreOptions) {
    this.#options = options;
  }

  /** Throws UpdateError limit_exceeded, disk_full, output_unwritable. */
  async begin({ bytes, sha256, filename }: NewUpload): Promise<StoredUpload> {
    const { db, files, folder, now } = this.#options;
    await this.sweep();
    const { open } = await db
      .selectFrom('uploads')
      .select(({ fn }) => fn.countAll().as('open'))
      .executeTakeFirstOrThrow();
    if (Number(open) >= LIMITS.uploads_open_max) {
      throw new UpdateError('limit_exceeded', `${LIMITS.uploads_open_max} uploads are under way: end or delete some`);
    }
    const id = randomBytes(16).toString('hex');
    try {
      await files.makeFolder(folder);
      if ((await files.freeBytes(folder)) < bytes + SPARE_BYTES) {
        throw new UpdateError('disk_full', `there is no room for an upload of ${bytes} bytes`);
      }
      const file = await files.open(this.path(id), 'create');
      await file.close();
      await files.syncFolder(folder);
    } catch (cause) {
      throw UpdateError.is(cause) ? cause : ioError(cause, 'output_unwritable', `cannot make an upload in ${folder}`);
    }
    const row = { id, bytes, sha256, filename: filename ?? null, digests: null, created_at: now(), touched_at: now() };
    await db.insertInto('uploads').values(row).execute();
    return uploadOf(row, 0);
  }

  /** Where its bytes are. */
  path(id: string): string {
    return join(this.#options.folder, `${id}.part`);
  }

  /** Throws UpdateError entity_unknown. */
  async get(id: string): Promise<StoredUpload> {
    const row = await this.#row(id);
    const facts = await this.#options.files.stat(this.path(id));
    if (facts === null) throw unknown(id);
    return uploadOf(row, facts.bytes);
  }

  /**
   * Takes the next bytes. What came before an error is kept, and durable once this resolves; with the last byte the whole
   * is checked, and one that is not what was declared is thrown away.
   * @throws UpdateError entity_unknown, state_conflict for another offset, limit_exceeded for more than was declared,
   * usage_invalid for bytes that broke off, target_digest, disk_full
   */
  async append(id: string, offset: number, pieces: AsyncIterable<Uint8Array>): Promise<StoredUpload> {
    if (this.#busy.has(id)) throw new UpdateError('state_conflict', `upload ${id} is being written by another request`);
    this.#busy.add(id);
    try {
      const upload = await this.get(id);
      if (upload.offset !== offset) {
        const detail = { offset: upload.offset };
        throw new UpdateError('state_conflict', `upload ${id} goes on at ${upload.offset}, not ${offset}`, { detail });
      }
      const end = await this.#write(upload, pieces);
      await this.#touch(id, {});
      return end < upload.bytes ? { ...upload, offset: end } : await this.#finish(upload);
    } finally {
      this.#busy.delete(id);
    }
  }

  /** It was taken over, or nobody wants it. */
  async remove(id: string): Promise<void> {
    await this.#options.db.deleteFrom('uploads').where('id', '=', id).execute();
    await this.#options.files.unlink(this.path(id)).catch(() => undefined);
  }

  /** Removes those that nothing came of for long, and files that belong to none. */
  async sweep(): Promise<void> {
    const { db, files, folder, now } = this.#options;
    const rows = await db.selectFrom('uploads').select(['id', 'touched_at']).execute();
    for (const { id, touched_at } of rows) {
      if (touched_at < now() - LIMITS.upload_idle_ms && !this.#busy.has(id)) await this.remove(id);
    }
    const known = new Set(rows.map(({ id }) => `${id}.part`));
    for (const name of await files.list(folder)) {
      if (known.has(name)) continue;
      const path = join(folder, name);
      const age = Date.now() - ((await files.stat(path))?.modifiedMs ?? Date.now());
      if (age > LIMITS.upload_idle_ms) await files.unlink(path).catch(() => undefined);
    }
  }

  async #write(upload: StoredUpload, pieces: AsyncIterable<Uint8Array>): Promise<number> {
    const file = await this.#options.files.open(this.path(upload.id), 'update');
    let at = upload.offset;
    try {
      for await (const piece of pieces) {
        if (at + piece.length > upload.bytes) {
          throw new UpdateError('limit_exceeded', `upload ${upload.id} was declared to have ${upload.bytes} bytes`);
        }
        await writeFully(file, piece, at);
        at += piece.length;
      }
    } catch (cause) {
      // What a write got half-way is cut off: the client goes on at a place that both know.
      await file.truncate(at).catch(() => undefined);
      throw UpdateError.is(cause) ? cause : ioError(cause, 'output_unwritable', `cannot write upload ${upload.id}`);
    } finally {
      await file.sync().catch(() => undefined);
      await file.close();
    }
    return at;
  }

  async #finish(upload: StoredUpload): Promise<StoredUpload> {
    const digests = await this.#digests(upload);
    if (digests.sha256 !== upload.sha256) {
      await this.remove(upload.id);
      const detail = { declared: upload.sha256, received: digests.sha256 };
      throw new UpdateError('target_digest', `the upload has the digest ${digests.sha256}, not the declared one`, {
        detail,
      });
    }
    await this.#touch(upload.id, { digests: JSON.stringify(digests) });
    return { ...upload, offset: upload.bytes, digests };
  }

  async #digests(upload: StoredUpload) {
    const hashes = { sha256: createHash('sha256'), sha1: createHash('sha1'), md5: createHash('md5') };
    const file = await this.#options.files.open(this.path(upload.id), 'read');
    const piece = new Uint8Array(HASH_PIECE_BYTES);
    try {
      for (let at = 0; at < upload.bytes;) {
        const count = await readFully(file, piece, at);
        if (count === 0) throw new UpdateError('input_unreadable', `upload ${upload.id} became shorter`);
        for (const hash of Object.values(hashes)) hash.update(piece.subarray(0, count));
        at += count;
      }
    } finally {
      await file.close();
    }
    const hex = (name: keyof typeof hashes): string => hashes[name].digest('hex');
    return { sha256: hex('sha256'), sha1: hex('sha1'), md5: hex('md5') };
  }

  async #touch(id: string, more: { digests?: string }): Promise<void> {
    const change = { ...more, touched_at: this.#options.now() };
    await this.#options.db.updateTable('uploads').set(change).where('id', '=', id).execute();
  }

  async #row(id: string): Promise<Selectable<UploadsTable>> {
    const row = /^[0-9a-f]{32}$/.test(id)
      ? await this.#options.db.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst()
      : undefined;
    if (row === undefined) throw unknown(id);
    return row;
  }
}

const unknown = (id: string): UpdateError =>
  new UpdateError(
    'entity_unknown',
    `there is no upload ${id.slice(0, 40)}: it was never begun, was taken over, or has expired`,
  );

function uploadOf(row: Selectable<UploadsTable>, offset: number): StoredUpload {
  const { id, bytes, sha256, filename, digests, touched_at } = row;
  return {
    ...{ id, bytes, sha256, filename, offset },
    digests: digests === null ? null : (JSON.parse(digests) as StoredUpload['digests']),
    expiresAt: touched_at + LIMITS.upload_idle_ms,
  };
}
