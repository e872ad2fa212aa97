/**
 * PostgreSQL: any number of servers and programs on one database.
 * @module
 */
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { UpdateError } from '../../../../native-free/status.ts';
import { migrate } from '../migrations/migrate.ts';
import type { Database, DeviceName } from '../schema.ts';
import { deviceTransaction } from '../transactions.ts';
import type { Backend } from './backend.ts';
import { Listener } from './listener.ts';
import { MIGRATION, placeOf, Pool, storeError } from './pool.ts';

const connected = (url: string, statementMs?: number): Kysely<Database> =>
  new Kysely<Database>({ dialect: new PostgresDialect({ pool: new Pool(url, statementMs) }) });

/** Opens, and migrates if need be. Throws UpdateError store_failed, disk_full. */
export async function openPostgres(url: string): Promise<Backend> {
  const listener = new Listener(url);
  try {
    await migrateAlone(url);
    await listener.start();
  } catch (cause) {
    const error = storeError(cause, placeOf(url));
    if (UpdateError.is(error)) throw error;
    const text = `cannot migrate the database ${placeOf(url)}: ${(cause as Error).message}`;
    throw new UpdateError('store_failed', text, { cause });
  }
  return new PostgresBackend(connected(url), url, listener);
}

/** Servers may start all at once. A step takes as long as it takes. */
async function migrateAlone(url: string): Promise<void> {
  const db = connected(url, 0);
  try {
    await db.connection().execute(async (holder) => {
      await sql`select pg_advisory_lock(${sql.lit(MIGRATION)})`.execute(holder);
      try {
        await migrate(db, 'postgres');
      } finally {
        await sql`select pg_advisory_unlock(${sql.lit(MIGRATION)})`.execute(holder);
      }
    });
  } finally {
    await db.destroy();
  }
}

class PostgresBackend implements Backend {
  readonly dialect = 'postgres';
  readonly db: Kysely<Database>;
  readonly #url: string;
  readonly #listener: Listener;

  constructor(db: Kysely<Database>, url: string, listener: Listener) {
    this.db = db;
    this.#url = url;
    this.#listener = listener;
  }

  stamp(): string | null {
    return this.#listener.hears ? String(this.#listener.epoch) : null;
  }

  onChange(heard: (name?: DeviceName) => void): void {
    this.#listener.onChange(heard);
  }

  async probe(): Promise<void> {
    const question = sql<{ off: boolean }>`select current_setting('transaction_read_only')::bool as off`;
    const { rows } = await question.execute(this.db);
    if (rows[0]?.off !== true) return;
    throw new UpdateError('store_failed', `the database ${placeOf(this.#url)} may only be read`);
  }

  generation(): number {
    return this.#listener.epoch;
  }

  async unsynced(work: (trx: Transaction<Database>) => Promise<void>): Promise<void> {
    await deviceTransaction(this.db, async (trx) => {
      await sql`set local synchronous_commit to off`.execute(trx);
      await work(trx);
    });
  }

  async close(): Promise<void> {
    await this.#listener.close();
    await this.db.destroy();
  }
}
