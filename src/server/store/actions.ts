/**
 * Actions: what one device is told to do, and what it says of it. hawkBit's rules: one action at a time, the oldest
 * first; a cancellation is only done when the device says so; a closed action stays closed.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Kysely, Selectable, Transaction } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import type { DeviceName } from './devices.ts';
import { ACTIVE_STATES, type ActionState, type ActionsTable, type Database } from './schema.ts';

export interface StoredAction {
  readonly id: number;
  readonly deploymentId: number;
  readonly releaseId: number;
  readonly state: ActionState;
  readonly code: number | null;
  readonly retrievedAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export const EXECUTIONS = [
  'closed',
  'proceeding',
  'canceled',
  'scheduled',
  'rejected',
  'resumed',
  'download',
  'downloaded',
] as const;
export type Execution = (typeof EXECUTIONS)[number];

/** What a device reports of an action. */
export interface Feedback {
  readonly channel: 'deployment' | 'cancel';
  readonly execution: Execution;
  readonly finished: 'success' | 'failure' | 'none';
  readonly code: number | null;
  readonly details: readonly string[];
  /** The device's own time stamp, in whatever form: it tells two equal reports apart. */
  readonly time: string;
}

export interface StoredFeedback extends Omit<Feedback, 'time'> {
  readonly receivedAt: number;
}

/** Reports kept of one action: a device that reports for ever must not fill the disk. */
const FEEDBACK_ROWS_MAX = 500;

export class ActionStore {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** The action that the device is to see now, or null. */
  async current({ tenant, controllerId }: DeviceName): Promise<StoredAction | null> {
    const row = await this.#db
      .selectFrom('actions')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .where('state', 'in', [...ACTIVE_STATES])
      .orderBy('id')
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** The last action that the device finished successfully, or null. */
  async installed({ tenant, controllerId }: DeviceName): Promise<StoredAction | null> {
    const row = await this.#db
      .selectFrom('actions')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .where('state', '=', 'finished')
      .orderBy('updated_at', 'desc')
      .orderBy('id', 'desc')
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** Throws UpdateError entity_unknown, also for an action of another device. */
  async get(name: DeviceName, id: number): Promise<StoredAction> {
    return fromRow(await rowOf(this.#db, name, id));
  }

  /** Newest first. */
  async history({ tenant, controllerId }: DeviceName, limit: number): Promise<StoredAction[]> {
    const rows = await this.#db
      .selectFrom('actions')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('controller_id', '=', controllerId)
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** In the order in which they came. */
  async feedback(actionId: number): Promise<StoredFeedback[]> {
    const rows = await this.#db
      .selectFrom('feedback')
      .selectAll()
      .where('action_id', '=', actionId)
      .orderBy('id')
      .execute();
    return rows.map((row) => ({
      channel: row.channel,
      execution: row.execution as Execution,
      finished: row.finished as StoredFeedback['finished'],
      code: row.code,
      details: JSON.parse(row.details) as string[],
      receivedAt: row.received_at,
    }));
  }

  /** The device has fetched the action: from now on a cancellation needs its consent. */
  async retrieved(id: number, at: number): Promise<void> {
    await this.#db
      .updateTable('actions')
      .set({ retrieved_at: at })
      .where('id', '=', id)
      .where('retrieved_at', 'is', null)
      .execute();
  }

  /**
   * Takes a report. The same report again changes nothing, also when the action is closed by now: its answer may have
   * been lost on the way.
   * @throws UpdateError entity_unknown; state_conflict with `detail.closed` telling a closed action from one that is
   * not being cancelled
   */
  async report(name: DeviceName, id: number, feedback: Feedback, at: number): Promise<'recorded' | 'repeated'> {
    return this.#db.transaction().execute(async (trx) => {
      const action = await rowOf(trx, name, id);
      const digest = createHash('sha256').update(JSON.stringify(feedback)).digest('hex');
      const same = await trx
        .selectFrom('feedback')
        .select('id')
        .where('action_id', '=', id)
        .where('digest', '=', digest)
        .executeTakeFirst();
      if (same !== undefined) return 'repeated';
      checkOpen(action, feedback);
      const { channel, execution, finished, code } = feedback;
      const details = JSON.stringify(feedback.details);
      await trx
        .insertInto('feedback')
        .values({ action_id: id, digest, channel, execution, finished, code, details, received_at: at })
        .execute();
      await forgetOldest(trx, id);
      const state = stateAfter(action.state, feedback);
      await trx
        .updateTable('actions')
        .set({ state, code: code ?? action.code, updated_at: at, retrieved_at: action.retrieved_at ?? at })
        .where('id', '=', id)
        .execute();
      if (state === 'finished') await wantAttributes(trx, name);
      return 'recorded';
    });
  }
}

function checkOpen(action: Selectable<ActionsTable>, feedback: Feedback): void {
  if (!isActive(action.state)) {
    const text = `action ${action.id} is closed (${action.state})`;
    throw new UpdateError('state_conflict', text, { detail: { closed: true } });
  }
  if (feedback.channel === 'cancel' && action.state !== 'canceling') {
    const text = `action ${action.id} is not being cancelled`;
    throw new UpdateError('state_conflict', text, { detail: { closed: false } });
  }
}

/** hawkBit's mapping of reports to states (DDI API, "State Machine Mapping"). */
function stateAfter(state: ActionState, { channel, execution, finished }: Feedback): ActionState {
  if (channel === 'cancel') {
    if (execution === 'closed') return finished === 'failure' ? 'failed' : 'canceled';
    if (execution === 'canceled') return 'canceled';
    return execution === 'rejected' ? 'running' : 'canceling';
  }
  if (execution === 'closed') return finished === 'failure' ? 'failed' : 'finished';
  if (execution === 'canceled') return 'canceled';
  return state === 'canceling' ? 'canceling' : 'running';
}

export function isActive(state: ActionState): boolean {
  return (ACTIVE_STATES as readonly string[]).includes(state);
}

async function forgetOldest(trx: Transaction<Database>, actionId: number): Promise<void> {
  const oldest = await trx
    .selectFrom('feedback')
    .select('id')
    .where('action_id', '=', actionId)
    .orderBy('id', 'desc')
    .offset(FEEDBACK_ROWS_MAX)
    .limit(1)
    .executeTakeFirst();
  if (oldest === undefined) return;
  await trx.deleteFrom('feedback').where('action_id', '=', actionId).where('id', '<=', oldest.id).execute();
}

/** After an update a device may have other things to tell of itself. */
async function wantAttributes(trx: Transaction<Database>, { tenant, controllerId }: DeviceName): Promise<void> {
  await trx
    .updateTable('devices')
    .set({ attributes_wanted: 1 })
    .where('tenant', '=', tenant)
    .where('controller_id', '=', controllerId)
    .execute();
}

async function rowOf(db: Kysely<Database>, name: DeviceName, id: number): Promise<Selectable<ActionsTable>> {
  const row = await db
    .selectFrom('actions')
    .selectAll()
    .where('tenant', '=', name.tenant)
    .where('controller_id', '=', name.controllerId)
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw new UpdateError('entity_unknown', `device ${name.controllerId} has no action ${id}`);
  return row;
}

function fromRow(row: Selectable<ActionsTable>): StoredAction {
  return {
    id: row.id,
    deploymentId: row.deployment_id,
    releaseId: row.release_id,
    state: row.state,
    code: row.code,
    retrievedAt: row.retrieved_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
