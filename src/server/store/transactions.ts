/**
 * Transactions of a device, which concern rows of its own and run beside one another on PostgreSQL, where each locks
 * the rows that it reads to change them. Beside a transaction of an operator (`db.transaction()`) none of them runs.
 * @module
 */
import { PostgresAdapter, type Kysely, type Transaction } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import { pause } from '../../platform/timers.ts';
import type { Database } from './schema.ts';

const AGAIN_WAITS_MS = [20, 100, 500];

/** Whether rows have to be locked: SQLite's transactions are alone. */
const locks = (db: Kysely<Database>): boolean => db.getExecutor().adapter instanceof PostgresAdapter;

/** Locks the rows that a query reads until the transaction ends, in the order in which they are read. */
export function forUpdate<Q extends { forUpdate(): Q }>(db: Kysely<Database>, query: Q): Q {
  return locks(db) ? query.forUpdate() : query;
}

/**
 * Runs what is right to do twice: it is tried again when the connection was lost, even if it may have been done, and
 * when two transactions stood in each other's way.
 */
export async function deviceTransaction<T>(
  db: Kysely<Database>,
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  for (const wait of [...AGAIN_WAITS_MS, null]) {
    try {
      return await db.transaction().setIsolationLevel('read committed').execute(work);
    } catch (error) {
      if (wait === null || !UpdateError.is(error) || error.detail['again'] !== true) throw error;
      await pause(wait);
    }
  }
  throw new UpdateError('bug', 'attempts at a transaction have run out');
}
