/**
 * What the store asks of a database: SQLite in a file for one machine, PostgreSQL for many servers at once.
 *
 * On both, `db.transaction()` is alone: no other one runs meanwhile, in whatever process (BEGIN IMMEDIATE there, an
 * advisory lock here), so that what it reads first still holds when it writes. What one device does to its own rows
 * goes beside others of its kind: `deviceTransaction` of transactions.ts.
 * @module
 */
import type { Kysely, Transaction } from 'kysely';
import type { DialectName } from '../migrations/dialect.ts';
import type { Database, DeviceName } from '../schema.ts';

export interface Backend {
  readonly dialect: DialectName;
  readonly db: Kysely<Database>;
  /**
   * Another value than before when anything may have been written elsewhere that nobody told of; null while nobody
   * would hear of it, so that nothing may be remembered. Throws UpdateError store_failed.
   */
  stamp(): string | null;
  /** Whom to tell of a device that something changed for, or of all. */
  onChange(heard: (name?: DeviceName) => void): void;
  /** Throws UpdateError store_failed when the database cannot be written to now. */
  probe(): Promise<void>;
  /** Another number when it may be another database than before. Throws UpdateError store_failed. */
  generation(): number;
  /** A transaction that a crash of the machine may lose, and nothing else. */
  unsynced(work: (trx: Transaction<Database>) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}
