/**
 * Opens the embedded database: a libsql file in WAL mode, so that a command-line `publish --deploy-to` and a running
 * server can use it at the same time.
 * @module
 */
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { withLock } from '../../release/index.ts';
import { Connection, type OpenRaw } from './connection.ts';
import { migrationsFor } from './migrations/index.ts';
import type { Database } from './schema.ts';

export interface OpenedDatabase {
  readonly db: Kysely<Database>;
  readonly connection: Connection;
}

/**
 * Opens, and migrates if need be. `path` may be ':memory:'.
 * @throws UpdateError store_failed, disk_full
 */
export async function openDatabase(path: string, openRaw?: OpenRaw): Promise<OpenedDatabase> {
  const connection = await Connection.open(path, openRaw);
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: connection }) });
  try {
    if (path === ':memory:') await migrate(db);
    else await withLock(`${path}.migrate`, () => migrate(db), { waitMs: 30_000 });
  } catch (cause) {
    await db.destroy();
    throw ioError(cause, 'store_failed', `cannot migrate the database ${path}`, { path });
  }
  return { db, connection };
}

async function migrate(db: Kysely<Database>): Promise<void> {
  const { error } = await new Migrator({ db, provider: migrationsFor('sqlite') }).migrateToLatest();
  if (error === undefined) return;
  throw error instanceof Error ? error : new UpdateError('store_failed', String(error));
}
