/**
 * Opens the embedded database: a libsql file in WAL mode, so that a command-line `publish --deploy-to` and a running
 * server can use it at the same time.
 * @module
 */
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import Libsql from 'libsql';
import { ioError } from '../../../native-free/io-error.ts';
import { withLock } from '../../release/index.ts';
import { migrationsFor } from './migrations.ts';
import type { Database } from './schema.ts';

/** How long a statement waits for a writer in another process. */
const BUSY_MS = 5000;

/**
 * Opens, and migrates if need be. `path` may be ':memory:'.
 * @throws UpdateError store_failed
 */
export async function openDatabase(path: string): Promise<Kysely<Database>> {
  let raw: Libsql.Database;
  try {
    raw = new Libsql(path, { timeout: BUSY_MS });
    raw.exec('PRAGMA journal_mode = WAL');
    raw.exec('PRAGMA synchronous = FULL');
    raw.exec('PRAGMA foreign_keys = ON');
  } catch (cause) {
    throw ioError(cause, 'store_failed', `cannot open the database ${path}`, { path });
  }
  // A deferred transaction that reads first cannot become a writer once another process wrote: it fails at once,
  // whatever the busy timeout. Immediate ones queue up.
  const prepare = (sql: string) => raw.prepare(sql === 'begin' ? 'begin immediate' : sql);
  const dialect = new SqliteDialect({ database: { prepare: prepare as never, close: () => void raw.close() } });
  const db = new Kysely<Database>({ dialect });
  try {
    if (path === ':memory:') await migrate(db);
    else await withLock(`${path}.migrate`, () => migrate(db), { waitMs: 30_000 });
  } catch (cause) {
    await db.destroy();
    throw ioError(cause, 'store_failed', `cannot migrate the database ${path}`, { path });
  }
  return db;
}

async function migrate(db: Kysely<Database>): Promise<void> {
  const { error } = await new Migrator({ db, provider: migrationsFor('sqlite') }).migrateToLatest();
  if (error === undefined) return;
  throw error instanceof Error ? error : new Error(String(error));
}
