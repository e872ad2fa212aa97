/**
 * The steps that bring a database up to date, one file each. One set for SQLite and PostgreSQL: where they differ, a
 * step asks for the dialect. Steps are appended, never changed.
 * @module
 */
import type { Migration, MigrationProvider } from 'kysely';
import { fleet } from './001-fleet.ts';
import { decoders } from './002-decoders.ts';
import { rollouts } from './004-rollouts.ts';
import { jobs } from './005-jobs.ts';
import { manyServers } from './007-many-servers.ts';
import { deviceKeys } from './008-device-keys.ts';
import type { DialectName } from './dialect.ts';

const STEPS: Readonly<Record<string, (dialect: DialectName) => Migration>> = {
  '001-fleet': fleet,
  '002-decoders': decoders,
  '004-rollouts': rollouts,
  '005-jobs': jobs,
  '007-many-servers': manyServers,
  '008-device-keys': deviceKeys,
};

/** Kysely's migrator reads the steps from here. */
export function migrationsFor(dialect: DialectName): MigrationProvider {
  const steps = Object.entries(STEPS).map(([name, step]): [string, Migration] => [name, step(dialect)]);
  return { getMigrations: async () => Object.fromEntries(steps) };
}
