/**
 * Rollouts: what was planned, its groups, its devices, and who did what.
 * @module
 */
import type { Kysely, Migration } from 'kysely';
import { counted, instant, type DialectName } from './dialect.ts';

export function rollouts(dialect: DialectName): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await plans(db, dialect);
      await members(db, dialect);
      await audit(db, dialect);
    },
  };
}

async function plans(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  await db.schema
    .createTable('rollouts')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('tenant', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('release_id', 'integer', (c) => c.notNull().references('releases.id'))
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('plan', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    // Thousandths of a device, and when they were counted.
    .addColumn('credits', at, (c) => c.notNull())
    .addColumn('credits_at', at, (c) => c.notNull())
    .addColumn('created_at', at, (c) => c.notNull())
    .addColumn('updated_at', at, (c) => c.notNull())
    .addUniqueConstraint('rollouts_name', ['tenant', 'name'])
    .execute();
  await db.schema.createIndex('rollouts_state').on('rollouts').columns(['state']).execute();
  await db.schema
    .createTable('rollout_groups')
    .addColumn('rollout_id', 'integer', (c) => c.notNull().references('rollouts.id'))
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('approved', 'integer', (c) => c.notNull())
    .addColumn('forgiven', 'integer', (c) => c.notNull())
    .addColumn('bytes', at, (c) => c.notNull())
    // Members by their state, so that no report has to count a fleet.
    .addColumn('waiting', 'integer', (c) => c.notNull())
    .addColumn('open', 'integer', (c) => c.notNull())
    .addColumn('succeeded', 'integer', (c) => c.notNull())
    .addColumn('failed', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('rollout_groups_key', ['rollout_id', 'position'])
    .execute();
}

async function members(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  const at = instant(dialect);
  await db.schema
    .createTable('rollout_members')
    .addColumn('rollout_id', 'integer', (c) => c.notNull().references('rollouts.id'))
    .addColumn('controller_id', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('action_id', 'integer')
    .addColumn('due_at', at, (c) => c.notNull())
    .addColumn('let_in_at', at)
    .addPrimaryKeyConstraint('rollout_members_key', ['rollout_id', 'controller_id'])
    .execute();
  await db.schema
    .createIndex('rollout_members_state')
    .on('rollout_members')
    .columns(['rollout_id', 'position', 'state', 'due_at'])
    .execute();
  await db.schema.createIndex('rollout_members_action').on('rollout_members').columns(['action_id']).execute();
  // A device that is tried again gets a new action, which needs a deployment of its own.
  await db.schema
    .createTable('rollout_deployments')
    .addColumn('rollout_id', 'integer', (c) => c.notNull().references('rollouts.id'))
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('deployment_id', 'integer', (c) => c.notNull().references('deployments.id'))
    .addPrimaryKeyConstraint('rollout_deployments_key', ['rollout_id', 'attempt'])
    .addUniqueConstraint('rollout_deployments_once', ['deployment_id'])
    .execute();
}

async function audit(db: Kysely<unknown>, dialect: DialectName): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('id', 'integer', counted(dialect))
    .addColumn('tenant', 'text', (c) => c.notNull())
    .addColumn('at', instant(dialect), (c) => c.notNull())
    .addColumn('who', 'text', (c) => c.notNull())
    .addColumn('what', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('why', 'text')
    .execute();
  await db.schema.createIndex('audit_subject').on('audit').columns(['tenant', 'subject', 'id']).execute();
}
