/**
 * Rollouts: a release given to devices in groups, by a plan. What happens next is decided in rollouts/decide.ts; here
 * it is done, each step in a transaction of its own, so that a crash between two of them loses nothing.
 * @module
 */
import type { Kysely, Transaction } from 'kysely';
import { UpdateError } from '../../../../native-free/status.ts';
import { decide } from '../../rollouts/decide.ts';
import { parseFilter, type Filtered } from '../../rollouts/filter.ts';
import { checkPlan, divide } from '../../rollouts/groups.ts';
import type { RolloutPlan } from '../../rollouts/plan.ts';
import type { AuditEntry } from '../audit.ts';
import type { PollStore } from '../polls.ts';
import { expireMembers, factsOf, rolloutIn, settleMembers, type Rollout } from './facts.ts';
import { countMembers } from './members.ts';
import { applyStep, changeState, noteOf, withdrawAll } from './steps.ts';
import type { Database, DeviceName, RolloutGroupsTable, RolloutMembersTable } from '../schema.ts';

export interface NewRollout {
  readonly tenant: string;
  readonly name: string;
  readonly releaseId: number;
  readonly plan: RolloutPlan;
  /** Instead of the devices of the line: those that this rollout let in, to take them back. */
  readonly after?: number;
}

export type Command = 'approve' | 'start' | 'pause' | 'resume' | 'stop';

/** Rows of one insertion. */
const ROWS_MAX = 500;
/** A bound for what can only end sooner. */
const STEPS_MAX = 10_000;
/** So many devices that something changed for are told one by one, more all at once. */
const FORGET_MAX = 64;

export class RolloutStore {
  readonly #db: Kysely<Database>;
  readonly #polls: PollStore;

  constructor(db: Kysely<Database>, polls: PollStore) {
    this.#db = db;
    this.#polls = polls;
  }

  /**
   * Takes a plan, and divides the devices that there are now.
   * @throws UpdateError usage_invalid, limit_exceeded for the plan, entity_unknown for the release, state_conflict for
   * a name that is taken, or a release that devices of `after` would refuse
   */
  async create({ tenant, name, releaseId, plan, after }: NewRollout, who: string, at: number): Promise<number> {
    checkPlan(plan);
    return this.#db.transaction().execute(async (trx) => {
      const release = await trx.selectFrom('releases').selectAll().where('id', '=', releaseId).executeTakeFirst();
      if (release === undefined) throw new UpdateError('entity_unknown', `there is no release ${releaseId}`);
      await checkName(trx, tenant, name);
      if (after !== undefined) await checkReturn(trx, { tenant, after, release });
      const made = await trx
        .insertInto('rollouts')
        .values({
          ...{ tenant, name, release_id: releaseId, state: plan.approve ? 'waiting' : 'ready' },
          ...{ plan: JSON.stringify(plan), reason: null, credits: 0, credits_at: at, created_at: at, updated_at: at },
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      const devices = await candidates(trx, { tenant, ...release }, plan, after);
      const places = divide(plan, `${tenant}/${name}`, devices);
      const waiting = new Uint32Array(plan.groups.length);
      for (const place of places) waiting[place]!++;
      const groups = plan.groups.map((_, position) => {
        const fresh = { state: 'waiting' as const, approved: 0, forgiven: 0, bytes: 0 };
        const counts = { waiting: waiting[position]!, open: 0, succeeded: 0, failed: 0 };
        return { rollout_id: made.id, position, ...fresh, ...counts };
      });
      await trx.insertInto('rollout_groups').values(groups).execute();
      const members = devices.map(({ controllerId }, i) => freshMember(made.id, controllerId, places[i]!, at));
      for (let i = 0; i < members.length; i += ROWS_MAX) {
        await trx
          .insertInto('rollout_members')
          .values(members.slice(i, i + ROWS_MAX))
          .execute();
      }
      const why = `${members.length} devices in ${groups.length} groups`;
      await noteOf(trx, { tenant, id: made.id }, { who, what: 'create', why }, at);
      return made.id;
    });
  }

  /**
   * Does what a person asks for. When it has resolved after 'stop', no device is offered the release any more.
   * @throws UpdateError entity_unknown, state_conflict
   */
  async command(tenant: string, id: number, command: Command, entry: Omit<AuditEntry, 'what'>, at: number) {
    await this.#db.transaction().execute(async (trx) => {
      const rollout = await this.#own(trx, tenant, id);
      const note = { ...entry, what: command };
      if (command === 'approve' && rollout.state !== 'waiting') return approveGroup(trx, rollout, note, at);
      if (command === 'resume' && rollout.state === 'halted') await forgive(trx, rollout);
      await changeState(trx, rollout, command, note, at);
      if (command === 'stop') await withdrawAll(trx, rollout, at);
    });
    if (command === 'stop') this.#polls.forget();
    await this.tick(id, at);
  }

  /** Goes on with all rollouts that may. Those that a failure stands in the way of do not stop the others. */
  async tickAll(at: number): Promise<void> {
    const rows = await this.#db
      .selectFrom('rollouts')
      .select('id')
      .where('state', 'in', ['ready', 'running', 'paused', 'halted'])
      .execute();
    const failures: unknown[] = [];
    for (const { id } of rows) await this.tick(id, at).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  /** After a report on an action: its slot is free at once. */
  async tickOf(actionId: number, at: number): Promise<void> {
    const rows = await this.#db
      .selectFrom('rollout_members')
      .select('rollout_id')
      .where('action_id', '=', actionId)
      .execute();
    for (const row of rows) await this.tick(row.rollout_id, at, actionId);
  }

  /** Notes what devices have reported, or the one with an action, and takes all steps that follow. */
  async tick(id: number, at: number, actionId?: number): Promise<void> {
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      const changed = await this.#db.transaction().execute(async (trx) => {
        const rollout = await rolloutIn(trx, id);
        if (rollout === null) return null;
        if (steps === 0 && actionId === undefined) await expireMembers(trx, rollout, at);
        if (steps === 0) await settleMembers(trx, rollout, at, actionId);
        const facts = await factsOf(trx, rollout, at);
        const step = decide(rollout.plan, facts);
        return step === null ? null : applyStep(trx, rollout, facts, step);
      });
      if (changed === null) return;
      if (changed.length > FORGET_MAX) this.#polls.forget();
      else for (const name of changed) this.#polls.forget(name);
    }
  }

  /** A device that came later, or changed: into the last group of every rollout that takes such. */
  async join(name: DeviceName, at: number): Promise<void> {
    const open = await this.#openFor(name);
    if (open.length === 0) return;
    const device = await filteredDevice(this.#db, name);
    for (const { id, plan } of open) {
      if (plan.filter !== null && !parseFilter(plan.filter)(device)) continue;
      const own = plan.groups.findIndex(({ filter }) => filter !== undefined && parseFilter(filter)(device));
      const place = own === -1 ? plan.groups.length - 1 : own;
      await this.#db.transaction().execute(async (trx) => {
        const added = await trx
          .insertInto('rollout_members')
          .values(freshMember(id, name.controllerId, place, at))
          .onConflict((on) => on.columns(['rollout_id', 'controller_id']).doNothing())
          .executeTakeFirst();
        if (Number(added.numInsertedOrUpdatedRows ?? 0) === 0) return;
        await countMembers(trx, { rollout_id: id, position: place }, { waiting: 1 });
      });
      this.#polls.forget(name);
      await this.tick(id, at);
    }
  }

  async #openFor({ tenant, controllerId }: DeviceName): Promise<{ id: number; plan: RolloutPlan }[]> {
    const rows = await this.#db
      .selectFrom('rollouts')
      .innerJoin('releases', 'releases.id', 'rollouts.release_id')
      .innerJoin('devices', (join) =>
        join
          .onRef('devices.product', '=', 'releases.product')
          .onRef('devices.hardware', '=', 'releases.hardware')
          .onRef('devices.tenant', '=', 'rollouts.tenant'),
      )
      .leftJoin('rollout_members', (join) =>
        join
          .onRef('rollout_members.rollout_id', '=', 'rollouts.id')
          .onRef('rollout_members.controller_id', '=', 'devices.controller_id'),
      )
      .select(['rollouts.id', 'rollouts.plan'])
      .where('devices.tenant', '=', tenant)
      .where('devices.controller_id', '=', controllerId)
      .where('rollouts.state', 'in', ['waiting', 'ready', 'running', 'paused', 'halted'])
      .where('rollout_members.controller_id', 'is', null)
      .orderBy('rollouts.id')
      .execute();
    const plans = rows.map(({ id, plan }) => ({ id, plan: JSON.parse(plan) as RolloutPlan }));
    return plans.filter(({ plan }) => plan.dynamic);
  }

  async #own(trx: Transaction<Database>, tenant: string, id: number): Promise<Rollout> {
    const rollout = await rolloutIn(trx, id);
    if (rollout !== null && rollout.tenant === tenant) return rollout;
    throw new UpdateError('entity_unknown', `there is no rollout ${id}`);
  }
}

function freshMember(rolloutId: number, controllerId: string, position: number, at: number): RolloutMembersTable {
  const fresh = { reason: null, attempt: 0, failures: 0, action_id: null, let_in_at: null };
  return { rollout_id: rolloutId, controller_id: controllerId, position, state: 'waiting', due_at: at, ...fresh };
}

async function checkName(trx: Transaction<Database>, tenant: string, name: string): Promise<void> {
  const taken = await trx
    .selectFrom('rollouts')
    .select('id')
    .where('tenant', '=', tenant)
    .where('name', '=', name)
    .executeTakeFirst();
  if (taken === undefined) return;
  throw new UpdateError('state_conflict', `the name '${name}' is that of rollout ${taken.id}`);
}

interface Return {
  readonly tenant: string;
  readonly after: number;
  readonly release: { readonly rollback_index: number; readonly version: string };
}

/** Devices refuse what is below the rollback index that they have committed. */
async function checkReturn(trx: Transaction<Database>, { tenant, after, release }: Return): Promise<void> {
  const from = await trx
    .selectFrom('rollouts')
    .innerJoin('releases', 'releases.id', 'rollouts.release_id')
    .select(['releases.rollback_index', 'releases.version'])
    .where('rollouts.tenant', '=', tenant)
    .where('rollouts.id', '=', after)
    .executeTakeFirst();
  if (from === undefined) throw new UpdateError('entity_unknown', `there is no rollout ${after}`);
  if (release.rollback_index >= from.rollback_index) return;
  const text = `devices that run ${from.version} refuse ${release.version}: its rollback index is lower`;
  throw new UpdateError('state_conflict', `${text}; publish its content as a new release`, {
    detail: { index: release.rollback_index, committed: from.rollback_index },
  });
}

interface Line {
  readonly tenant: string;
  readonly product: string;
  readonly hardware: string;
}

/** What filters ask for, and as they see it. */
const FILTERED = ['controller_id as controllerId', 'product', 'hardware', 'version', 'attributes'] as const;

const filteredOf = (row: Omit<Filtered, 'attributes'> & { readonly attributes: string }): Filtered => ({
  ...row,
  attributes: JSON.parse(row.attributes) as Record<string, string>,
});

async function candidates(
  trx: Transaction<Database>,
  { tenant, product, hardware }: Line,
  { filter }: RolloutPlan,
  after: number | undefined,
): Promise<Filtered[]> {
  const isWanted = filter === null ? () => true : parseFilter(filter);
  let query = trx
    .selectFrom('devices')
    .select(FILTERED)
    .where('tenant', '=', tenant)
    .where('product', '=', product)
    .where('hardware', '=', hardware)
    .orderBy('controller_id');
  if (after !== undefined) {
    const taken = trx.selectFrom('rollout_members').select('controller_id').where('rollout_id', '=', after);
    query = query.where('controller_id', 'in', taken.where('attempt', '>', 0));
  }
  const devices: Filtered[] = [];
  for await (const row of query.stream(ROWS_MAX)) {
    const device = filteredOf(row);
    if (isWanted(device)) devices.push(device);
  }
  return devices;
}

async function filteredDevice(db: Kysely<Database>, { tenant, controllerId }: DeviceName): Promise<Filtered> {
  const row = await db
    .selectFrom('devices')
    .select(FILTERED)
    .where('tenant', '=', tenant)
    .where('controller_id', '=', controllerId)
    .executeTakeFirstOrThrow();
  return filteredOf(row);
}

/** The next group that waits for a person. Throws UpdateError state_conflict. */
async function approveGroup(trx: Transaction<Database>, rollout: Rollout, entry: AuditEntry, at: number) {
  const { id, plan, state } = rollout;
  const groups: RolloutGroupsTable[] = await trx
    .selectFrom('rollout_groups')
    .selectAll()
    .where('rollout_id', '=', id)
    .where('state', '=', 'waiting')
    .orderBy('position')
    .execute();
  const group = groups.find(({ position, approved }) => plan.groups[position]!.approve === true && approved === 0);
  if (group === undefined || state === 'stopped' || state === 'finished') {
    throw new UpdateError('state_conflict', `rollout ${id} is ${state}: nothing waits for approval`);
  }
  await trx
    .updateTable('rollout_groups')
    .set({ approved: 1 })
    .where('rollout_id', '=', id)
    .where('position', '=', group.position)
    .execute();
  await noteOf(trx, rollout, { ...entry, what: `approve group ${group.position + 1}` }, at);
}

/** What has failed so far no longer halts the rollout, nor keeps the next group from beginning. */
async function forgive(trx: Transaction<Database>, { id }: Rollout): Promise<void> {
  await trx
    .updateTable('rollout_groups')
    .set(({ ref }) => ({ forgiven: ref('failed') }))
    .where('rollout_id', '=', id)
    .execute();
}
