/**
 * The embedded database: a libsql file in WAL mode, so that a command-line `publish --deploy-to` and a running server
 * can use it at the same time.
 * @module
 */
import { Kysely, sql, SqliteDialect, type Transaction } from 'kysely';
import { withLock } from '../../../release/index.ts';
import { Connection, type OpenRaw } from '../connection.ts';
import { migrate } from '../migrations/migrate.ts';
import type { Database } from '../schema.ts';
import type { Backend } from './backend.ts';

/** Opens, and migrates if need be. `path` may be ':memory:'. Throws UpdateError store_failed, disk_full, or the cause. */
export async function openSqlite(path: string, openRaw?: OpenRaw): Promise<Backend> {
  const connection = await Connection.open(path, openRaw);
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: connection }) });
  try {
    if (path === ':memory:') await migrate(db, 'sqlite');
    else await withLock(`${path}.migrate`, () => migrate(db, 'sqlite'), { waitMs: 30_000 });
  } catch (cause) {
    await db.destroy();
    throw cause;
  }
  return new SqliteBackend(db, connection);
}

class SqliteBackend implements Backend {
  readonly dialect = 'sqlite';
  readonly db: Kysely<Database>;
  readonly #connection: Connection;

  constructor(db: Kysely<Database>, connection: Connection) {
    this.db = db;
    this.#connection = connection;
  }

  stamp(): string {
    return this.#connection.stamp();
  }

  /** The stamp tells. */
  onChange(): void {}

  async probe(): Promise<void> {
    this.#connection.probe();
  }

  generation(): number {
    return this.#connection.generation();
  }

  async unsynced(work: (trx: Transaction<Database>) => Promise<void>): Promise<void> {
    await this.db.connection().execute(async (db) => {
      await sql`PRAGMA synchronous = NORMAL`.execute(db);
      try {
        await db.transaction().execute(work);
      } finally {
        await sql`PRAGMA synchronous = FULL`.execute(db);
      }
    });
  }

  close(): Promise<void> {
    return this.db.destroy();
  }
}
