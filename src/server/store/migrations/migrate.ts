/**
 * Brings a database up to date. Whoever calls sees to it that nobody else does so at the same time.
 * @module
 */
import { Migrator, type Kysely } from 'kysely';
import { UpdateError } from '../../../../native-free/status.ts';
import type { DialectName } from './dialect.ts';
import { migrationsFor } from './index.ts';

/** Throws whatever a step throws; UpdateError store_failed where that is no error. */
export async function migrate<T>(db: Kysely<T>, dialect: DialectName): Promise<void> {
  const { error } = await new Migrator({ db, provider: migrationsFor(dialect) }).migrateToLatest();
  if (error === undefined) return;
  throw error instanceof Error ? error : new UpdateError('store_failed', String(error));
}
