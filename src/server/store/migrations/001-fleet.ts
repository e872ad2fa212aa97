/**
 * Devices, releases, deployments, actions and reports.
 * @module
 */
import { sql, type Kysely, type Migration } from 'kysely';
import { counted, instant, type DialectName } from './dialect.ts';

export function fleet(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await devicesAndReleases(db, dialect);
      await deploymentsAndActions(db, dialect);
    },
  };
}

async function devicesAndReleases(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  await db.schema
    .createTable('devices')
    .addColumn('tenant', 'text', (c) => c.notNull())
    .addColumn('controller_id', 'text', (c) => c.notNull())
    .addColumn('attributes', 'text', (c) => c.notNull())
    .addColumn('product', 'text')
    .addColumn('hardware', 'text')
    .addColumn('version', 'text')
    .addColumn('token_sha256', 'text')
    .addColumn('attributes_wanted', 'integer', (c) => c.notNull())
    .addColumn('first_seen', at, (c) => c.notNull())
    .addColumn('last_seen', at)
    .addColumn('last_address', 'text')
    .addPrimaryKeyConstraint('devices_key', ['tenant', 'controller_id'])
    .execute();
  await db.schema.createIndex('devices_line').on('devices').columns(['tenant', 'product', 'hardware']).execute();
  await db.schema
    .createTable('releases')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('product', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('hardware', 'text', (c) => c.notNull())
    .addColumn('slot_class', 'text', (c) => c.notNull())
    .addColumn('rollback_index', at, (c) => c.notNull())
    .addColumn('published_at', 'text', (c) => c.notNull())
    .addColumn('artifact', 'text', (c) => c.notNull())
    .addColumn('payloads', 'text', (c) => c.notNull())
    .addUniqueConstraint('releases_name', ['product', 'version', 'hardware', 'slot_class'])
    .execute();
}

async function deploymentsAndActions(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  await db.schema
    .createTable('deployments')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('tenant', 'text', (c) => c.notNull())
    .addColumn('release_id', 'integer', (c) => c.notNull().references('releases.id'))
    .addColumn('selector', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('created_at', at, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('actions')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('tenant', 'text', (c) => c.notNull())
    .addColumn('controller_id', 'text', (c) => c.notNull())
    .addColumn('deployment_id', 'integer', (c) => c.notNull().references('deployments.id'))
    .addColumn('release_id', 'integer', (c) => c.notNull().references('releases.id'))
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('code', 'integer')
    .addColumn('outcome', 'integer')
    .addColumn('reason', 'text')
    .addColumn('sub_status', 'integer')
    .addColumn('source_version', 'text')
    .addColumn('retrieved_at', at)
    .addColumn('created_at', at, (c) => c.notNull())
    .addColumn('updated_at', at, (c) => c.notNull())
    .addUniqueConstraint('actions_once', ['deployment_id', 'tenant', 'controller_id'])
    .execute();
  await db.schema.createIndex('actions_device').on('actions').columns(['tenant', 'controller_id', 'state']).execute();
  await db.schema.createIndex('actions_deployment').on('actions').columns(['deployment_id', 'state']).execute();
  await db.schema.createIndex('actions_silent').on('actions').columns(['state', 'updated_at']).execute();
  await beginActionsAt(db, dialect, firstActionId(Date.now()));
  await db.schema
    .createTable('feedback')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('action_id', 'integer', (c) => c.notNull().references('actions.id'))
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('channel', 'text', (c) => c.notNull())
    .addColumn('execution', 'text', (c) => c.notNull())
    .addColumn('finished', 'text', (c) => c.notNull())
    .addColumn('code', 'integer')
    .addColumn('details', 'text', (c) => c.notNull())
    .addColumn('received_at', at, (c) => c.notNull())
    .addUniqueConstraint('feedback_once', ['action_id', 'digest'])
    .execute();
}

/**
 * Actions of a new database begin at its time, so that an old report never means a new action. In seconds since 2020,
 * because foreign clients keep ids in 32 bits.
 */
function firstActionId(nowMs: number): number {
  return Math.max(1, Math.floor((nowMs - Date.UTC(2020, 0, 1)) / 1000));
}

async function beginActionsAt(db: Kysely<unknown>, dialect: DialectName, id: number): Promise<void> {
  if (dialect === 'sqlite')
    await sql`INSERT INTO sqlite_sequence (name, seq) VALUES ('actions', ${id - 1})`.execute(db);
  else await sql`ALTER TABLE actions ALTER COLUMN id RESTART WITH ${sql.lit(id)}`.execute(db);
}
