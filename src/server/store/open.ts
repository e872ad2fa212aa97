/**
 * Opens a database by its name: `postgres://…`, a file, or ':memory:'.
 * @module
 */
import { ioError } from '../../../native-free/io-error.ts';
import type { Backend } from './backend/backend.ts';
import { openSqlite } from './backend/sqlite.ts';
import type { OpenRaw } from './connection.ts';

/** Whether a database is named by the URL of a server. */
export const isServerUrl = (name: string): boolean => /^postgres(ql)?:\/\//.test(name);

/**
 * Opens, and migrates if need be.
 * @throws UpdateError store_failed, disk_full
 */
export async function openDatabase(name: string, openRaw?: OpenRaw): Promise<Backend> {
  if (isServerUrl(name)) {
    const { openPostgres } = await import('./backend/postgres.ts');
    return openPostgres(name);
  }
  try {
    return await openSqlite(name, openRaw);
  } catch (cause) {
    throw ioError(cause, 'store_failed', `cannot migrate the database ${name}`, { path: name });
  }
}
