/**
 * Actions: what one device is told to do, and what it says of it. hawkBit's rules: one action at a time, the oldest
 * first; a cancellation is only done when the device says so; a closed action stays closed.
 * @module
 */
import type { Kysely, Selectable, Transaction } from 'kysely';
import { UpdateError } from '../../../native-free/status.ts';
import { sha256Hex } from '../../platform/hash.ts';
import { formatsOf } from './devices.ts';
import { finishDeployments, outcomeOf } from './ends.ts';
import type { PollStore } from './polls.ts';
import { ACTIVE_STATES, type ActionState, type ActionsTable, type Database, type DeviceName } from './schema.ts';
import { deviceTransaction, forUpdate } from './transactions.ts';

export interface StoredAction {
  readonly id: number;
  readonly deploymentId: number;
  readonly releaseId: number;
  readonly state: ActionState;
  readonly code: number | null;
  /** In our numbers, once it has ended by a report. */
  readonly outcome: number | null;
  readonly reason: string | null;
  readonly subStatus: number | null;
  /** What ran when the device fetched the action; null before, and where nobody knows. */
  readonly sourceVersion: string | null;
  readonly retrievedAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An action with its device. */
export interface DeploymentActionRow extends StoredAction {
  readonly controllerId: string;
  readonly runs: string | null;
  /** Names of the formats that it reads; null where it has not said. */
  readonly decodes: readonly string[] | null;
  readonly lastSeen: number | null;
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
  /** Which release an engraft agent means: an id alone may be of an earlier database. */
  readonly about: { readonly product?: string; readonly version?: string; readonly hardware?: string };
  /** An engraft agent's sub-code. */
  readonly reason: string | null;
  readonly subStatus: number | null;
}

export interface StoredFeedback extends Omit<Feedback, 'time' | 'about' | 'reason' | 'subStatus'> {
  readonly receivedAt: number;
}

/** Reports kept of one action: a device that reports for ever must not fill the disk. */
const FEEDBACK_ROWS_MAX = 500;

export class ActionStore {
  readonly #db: Kysely<Database>;

  readonly #polls: PollStore;

  constructor(db: Kysely<Database>, polls: PollStore) {
    this.#db = db;
    this.#polls = polls;
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

  /** A deployment's actions in the order of their devices, those after `after`. */
  async ofDeployment(tenant: string, id: number, limit: number, after = ''): Promise<DeploymentActionRow[]> {
    const rows = await this.#db
      .selectFrom('actions')
      .innerJoin('devices', (join) =>
        join
          .onRef('devices.tenant', '=', 'actions.tenant')
          .onRef('devices.controller_id', '=', 'actions.controller_id'),
      )
      .selectAll('actions')
      .select(['devices.version as runs', 'devices.decodes as decodes', 'devices.last_seen as lastSeen'])
      .where('actions.deployment_id', '=', id)
      .where('actions.tenant', '=', tenant)
      .where('actions.controller_id', '>', after)
      .orderBy('actions.controller_id')
      .limit(limit)
      .execute();
    return rows.map((row) => {
      const controllerId = row.controller_id;
      const sight = this.#polls.lastSeen({ tenant, controllerId });
      const decodes = formatsOf(row.decodes);
      return { ...fromRow(row), controllerId, runs: row.runs, decodes, lastSeen: sight?.at ?? row.lastSeen };
    });
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

  /**
   * The device has fetched the action: from now on a cancellation needs its consent. False when the action is not for
   * it to fetch any more.
   */
  async retrieved({ tenant, controllerId }: DeviceName, id: number, at: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('actions')
      .set(({ selectFrom }) => ({
        retrieved_at: at,
        source_version: selectFrom('devices')
          .select('version')
          .where('tenant', '=', tenant)
          .where('controller_id', '=', controllerId),
      }))
      .where('id', '=', id)
      .where('retrieved_at', 'is', null)
      .where('state', 'in', ['pending', 'running'])
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  /**
   * Gives up actions that a device took and has not reported on since `before`. A report that comes later after all
   * still tells how it ended.
   */
  async expire(before: number, at: number): Promise<number> {
    const ended = await this.#db.transaction().execute(async (trx) => {
      const rows = await trx
        .updateTable('actions')
        .set({ state: 'timed_out', updated_at: at })
        .where('state', 'in', [...ACTIVE_STATES])
        .where('updated_at', '<', before)
        .where((eb) => eb.or([eb('state', '!=', 'pending'), eb('retrieved_at', 'is not', null)]))
        .where((eb) => eb.or([eb('retrieved_at', 'is', null), eb('retrieved_at', '<', before)]))
        .returning(['deployment_id', 'tenant', 'controller_id'])
        .execute();
      await finishDeployments(trx, new Set(rows.map((row) => row.deployment_id)));
      return rows;
    });
    for (const row of ended) this.#polls.forget({ tenant: row.tenant, controllerId: row.controller_id });
    return ended.length;
  }

  /**
   * Takes a report. The same report again changes nothing, also when the action is closed by now: its answer may have
   * been lost on the way.
   * @throws UpdateError entity_unknown; state_conflict with `detail.closed` telling a closed action from one that is
   * not being cancelled, or is of another release than the report
   */
  async report(name: DeviceName, id: number, feedback: Feedback, at: number): Promise<'recorded' | 'repeated'> {
    const taken = await this.#record(name, id, feedback, at);
    if (taken === 'recorded') this.#polls.forget(name);
    return taken;
  }

  #record(name: DeviceName, id: number, feedback: Feedback, at: number): Promise<'recorded' | 'repeated'> {
    return deviceTransaction(this.#db, async (trx) => {
      const action = await rowOf(trx, name, id, 'locked');
      const release = await releaseOf(trx, action.release_id);
      checkRelease(id, release, feedback);
      const digest = sha256Hex(JSON.stringify(feedback));
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
      const said = { code: code ?? action.code, outcome: outcomeOf(state, code) };
      const { reason, subStatus } = feedback;
      const why = reason === null ? {} : { reason, sub_status: subStatus };
      await trx
        .updateTable('actions')
        .set({ state, ...said, ...why, updated_at: at, retrieved_at: action.retrieved_at ?? at })
        .where('id', '=', id)
        .execute();
      if (state === 'finished') await runs(trx, name, release.version);
      if (!isActive(state)) await finishDeployments(trx, new Set([action.deployment_id]));
      return 'recorded';
    });
  }
}

type Named = { product: string; version: string; hardware: string };

function releaseOf(trx: Transaction<Database>, id: number): Promise<Named> {
  const names = trx.selectFrom('releases').select(['product', 'version', 'hardware']);
  return names.where('id', '=', id).executeTakeFirstOrThrow();
}

/** Ids may have begun anew with a new database; a report that says of which release it is must fit. */
function checkRelease(id: number, release: Named, { about }: Feedback): void {
  for (const key of ['product', 'version', 'hardware'] as const) {
    const said = about[key];
    if (said === undefined || said === release[key]) continue;
    const text = `action ${id} is about ${key} ${release[key]}, the report about ${said.slice(0, 100)}`;
    throw new UpdateError('state_conflict', text, { detail: { closed: false } });
  }
}

function checkOpen(action: Selectable<ActionsTable>, feedback: Feedback): void {
  // That it was given up here is no reason not to hear how it ended there.
  if (action.state === 'timed_out' && feedback.channel === 'deployment' && feedback.execution === 'closed') return;
  if (!isActive(action.state)) {
    const text = `action ${action.id} is closed (${action.state})`;
    throw new UpdateError('state_conflict', text, { detail: { closed: true } });
  }
  if (feedback.channel === 'cancel' && action.state !== 'cancelling') {
    const text = `action ${action.id} is not being cancelled`;
    throw new UpdateError('state_conflict', text, { detail: { closed: false } });
  }
}

/** hawkBit's mapping of reports to states (DDI API, "State Machine Mapping"). */
function stateAfter(state: ActionState, { channel, execution, finished }: Feedback): ActionState {
  if (channel === 'cancel') {
    if (execution === 'closed') return finished === 'failure' ? 'failed' : 'cancelled';
    if (execution === 'canceled') return 'cancelled';
    return execution === 'rejected' ? 'running' : 'cancelling';
  }
  if (execution === 'closed') return finished === 'failure' ? 'failed' : 'finished';
  if (execution === 'canceled') return 'cancelled';
  return state === 'cancelling' ? 'cancelling' : 'running';
}

function isActive(state: ActionState): boolean {
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

/** After an update a device may have other things to tell of itself; what it runs is known already. */
async function runs(trx: Transaction<Database>, { tenant, controllerId }: DeviceName, version: string): Promise<void> {
  await trx
    .updateTable('devices')
    .set({ attributes_wanted: 1, version })
    .where('tenant', '=', tenant)
    .where('controller_id', '=', controllerId)
    .execute();
}

async function rowOf(
  db: Kysely<Database>,
  name: DeviceName,
  id: number,
  how: 'read' | 'locked' = 'read',
): Promise<Selectable<ActionsTable>> {
  const query = db
    .selectFrom('actions')
    .selectAll()
    .where('tenant', '=', name.tenant)
    .where('controller_id', '=', name.controllerId)
    .where('id', '=', id);
  const row = await (how === 'locked' ? forUpdate(db, query) : query).executeTakeFirst();
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
    outcome: row.outcome,
    reason: row.reason,
    subStatus: row.sub_status,
    sourceVersion: row.source_version,
    retrievedAt: row.retrieved_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
