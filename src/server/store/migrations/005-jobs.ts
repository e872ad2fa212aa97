/**
 * Jobs, releases in the making, planned payloads and uploads.
 * @module
 */
import type { Kysely, Migration } from 'kysely';
import { counted, instant, type DialectName } from './dialect.ts';

export function jobs(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await jobTable(db, dialect);
      await publishingTables(db, dialect);
      await uploadTables(db, dialect);
    },
  };
}

async function jobTable(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  await db.schema
    .createTable('jobs')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('key', 'text', (c) => c.notNull().unique())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('input', 'text', (c) => c.notNull())
    .addColumn('priority', 'integer', (c) => c.notNull())
    .addColumn('memory_bytes', at, (c) => c.notNull())
    .addColumn('affinity', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('progress_permille', 'integer', (c) => c.notNull())
    .addColumn('phase', 'text')
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('worker', 'text')
    .addColumn('lease_until', at)
    .addColumn('run_after', at, (c) => c.notNull())
    .addColumn('cancel_wanted', 'integer', (c) => c.notNull())
    .addColumn('result', 'text')
    .addColumn('error_code', 'text')
    .addColumn('error_message', 'text')
    .addColumn('created_at', at, (c) => c.notNull())
    .addColumn('updated_at', at, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('jobs_waiting').on('jobs').columns(['state', 'priority', 'id']).execute();
}

async function publishingTables(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  const name = ['product', 'version', 'hardware', 'slot_class'] as const;
  await db.schema
    .createTable('publications')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('product', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('hardware', 'text', (c) => c.notNull())
    .addColumn('slot_class', 'text', (c) => c.notNull())
    .addColumn('artifact', 'text', (c) => c.notNull())
    .addColumn('wishes', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('error', 'text')
    .addColumn('created_at', at, (c) => c.notNull())
    .addColumn('updated_at', at, (c) => c.notNull())
    .addUniqueConstraint('publications_name', [...name])
    .execute();
  await db.schema
    .createTable('planned_payloads')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('product', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('hardware', 'text', (c) => c.notNull())
    .addColumn('slot_class', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('source_sha256', 'text', (c) => c.notNull())
    .addColumn('source_version', 'text')
    .addColumn('job_key', 'text', (c) => c.notNull())
    .addColumn('job_id', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    .addColumn('origin', 'text', (c) => c.notNull())
    .addColumn('devices', 'integer', (c) => c.notNull())
    .addColumn('estimate_bytes', at, (c) => c.notNull())
    .addColumn('created_at', at, (c) => c.notNull())
    .addColumn('updated_at', at, (c) => c.notNull())
    .addUniqueConstraint('planned_payloads_once', [...name, 'source_sha256'])
    .execute();
  await db.schema.createIndex('planned_payloads_state').on('planned_payloads').column('state').execute();
}

async function uploadTables(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  await db.schema
    .createTable('uploads')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('bytes', at, (c) => c.notNull())
    .addColumn('sha256', 'text', (c) => c.notNull())
    .addColumn('filename', 'text')
    .addColumn('digests', 'text')
    .addColumn('created_at', at, (c) => c.notNull())
    .addColumn('touched_at', at, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('delta_waits')
    .addColumn('deployment_id', 'integer', (c) => c.primaryKey().references('deployments.id'))
    .addColumn('wait_ms', at, (c) => c.notNull())
    .execute();
}
