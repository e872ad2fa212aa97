/**
 * Public keys of devices, for the headers of encrypted payloads.
 * @module
 */
import type { Kysely, Migration } from 'kysely';
import { instant, type DialectName } from './dialect.ts';

export function deviceKeys(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('device_keys')
        .addColumn('tenant', 'text', (c) => c.notNull())
        .addColumn('controller_id', 'text', (c) => c.notNull())
        .addColumn('recipient', 'text')
        .addColumn('offered', 'text')
        .addColumn('changed_at', instant(dialect), (c) => c.notNull())
        .addColumn('revoked_at', instant(dialect))
        .addPrimaryKeyConstraint('device_keys_key', ['tenant', 'controller_id'])
        .execute();
    },
  };
}
