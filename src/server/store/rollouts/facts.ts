/**
 * What the database knows of a rollout, as the machine wants it; and what became of the devices that were let in.
 * @module
 */
import type { Selectable, Transaction } from 'kysely';
import { creditsAt, type GroupFacts, type Health, type RolloutFacts } from '../../rollouts/decide.ts';
import { MINUTE_MS, type RolloutPlan } from '../../rollouts/plan.ts';
import { finishDeployments } from '../ends.ts';
import { ACTIVE_STATES, type Database, type RolloutsTable } from '../schema.ts';
import { moveMember } from './members.ts';

type Trx = Transaction<Database>;

/** Devices of one transaction: requests are answered between two of them. */
export const LET_IN_MAX = 200;

export interface Rollout extends Omit<Selectable<RolloutsTable>, 'plan'> {
  readonly plan: RolloutPlan;
}

/** As it stays until the transaction ends: no other runs meanwhile (store/backend/backend.ts). */
export async function rolloutIn(trx: Trx, id: number): Promise<Rollout | null> {
  const row = await trx.selectFrom('rollouts').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : { ...row, plan: JSON.parse(row.plan) as RolloutPlan };
}

export async function factsOf(trx: Trx, rollout: Rollout, nowMs: number): Promise<RolloutFacts> {
  const groups = await groupFacts(trx, rollout, nowMs);
  const succeeded = groups.reduce((sum, group) => sum + group.succeeded, 0);
  const stored = { credits: rollout.credits / 1000, atMs: rollout.credits_at };
  const credits = creditsAt(rollout.plan, { ...stored, nowMs, succeeded });
  return { state: rollout.state, nowMs, groups, credits, before: await healthBefore(trx, rollout) };
}

async function groupFacts(trx: Trx, { id, plan }: Rollout, nowMs: number): Promise<GroupFacts[]> {
  const rows = await trx
    .selectFrom('rollout_groups')
    .selectAll()
    .where('rollout_id', '=', id)
    .orderBy('position')
    .execute();
  const facts: GroupFacts[] = [];
  for (const { position, state, approved, waiting, open, succeeded, failed, forgiven } of rows) {
    // Without retries nobody waits for a time.
    const due = plan.retries === 0 || waiting === 0 ? waiting : await dueIn(trx, id, position, nowMs);
    facts.push({ state, approved: approved === 1, waiting, due, open, succeeded, failed, forgiven });
  }
  return facts;
}

/** Members of a group that may be let in now; no more are counted than are let in by one step. */
async function dueIn(trx: Trx, id: number, position: number, nowMs: number): Promise<number> {
  const some = trx
    .selectFrom('rollout_members')
    .select('controller_id')
    .where('rollout_id', '=', id)
    .where('position', '=', position)
    .where('state', '=', 'waiting')
    .where('due_at', '<=', nowMs)
    .limit(LET_IN_MAX);
  const { count } = await trx
    .selectFrom(some.as('some'))
    .select(({ fn }) => fn.countAll().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** How devices of this tenant fared with the release before, in the same line. */
async function healthBefore(trx: Trx, { tenant, release_id, plan }: Rollout): Promise<Health> {
  if (plan.health === null) return { ended: 0, failed: 0 };
  const own = await trx.selectFrom('releases').selectAll().where('id', '=', release_id).executeTakeFirstOrThrow();
  const before = await trx
    .selectFrom('releases')
    .select('id')
    .where('product', '=', own.product)
    .where('hardware', '=', own.hardware)
    .where('slot_class', '=', own.slot_class)
    .where('id', '<', release_id)
    .orderBy('id', 'desc')
    .executeTakeFirst();
  if (before === undefined) return { ended: 0, failed: 0 };
  const rows = await trx
    .selectFrom('actions')
    .select(({ fn }) => ['state', fn.countAll().as('count')])
    .where('tenant', '=', tenant)
    .where('release_id', '=', before.id)
    .groupBy('state')
    .execute();
  const count = (...states: string[]): number =>
    rows.filter(({ state }) => states.includes(state)).reduce((sum, row) => sum + Number(row.count), 0);
  const failed = count('failed', 'timed_out');
  return { ended: count('finished') + failed, failed };
}

/** Gives up on devices that take too long. A report that comes later after all still counts. */
export async function expireMembers(trx: Trx, { id, plan }: Rollout, nowMs: number): Promise<void> {
  const late = trx
    .selectFrom('rollout_members')
    .select('action_id')
    .where('rollout_id', '=', id)
    .where('state', '=', 'open')
    .where('let_in_at', '<=', nowMs - plan.timeoutMinutes * MINUTE_MS);
  const ended = await trx
    .updateTable('actions')
    .set({ state: 'timed_out', updated_at: nowMs })
    .where('state', 'in', [...ACTIVE_STATES])
    .where('id', 'in', late)
    .returning('deployment_id')
    .execute();
  await finishDeployments(trx, new Set(ended.map((row) => row.deployment_id)));
}

/** Notes what became of the devices that were let in: of the one with an action, or of all. */
export async function settleMembers(trx: Trx, { id, plan }: Rollout, nowMs: number, actionId?: number): Promise<void> {
  let query = trx
    .selectFrom('rollout_members')
    .innerJoin('actions', 'actions.id', 'rollout_members.action_id')
    .selectAll('rollout_members')
    .select(['actions.state as became', 'actions.reason as said'])
    .where('rollout_members.rollout_id', '=', id)
    .where(({ or, and, eb }) =>
      or([
        and([eb('rollout_members.state', '=', 'open'), eb('actions.state', 'not in', [...ACTIVE_STATES])]),
        and([eb('rollout_members.state', '=', 'failed'), eb('actions.state', '=', 'finished')]),
      ]),
    );
  if (actionId !== undefined) query = query.where('rollout_members.action_id', '=', actionId);
  for (const { became, said, ...member } of await query.execute()) {
    const hasFailed = became === 'failed' || became === 'timed_out';
    const isTriedAgain = hasFailed && member.failures < plan.retries;
    await moveMember(trx, member, {
      state: isTriedAgain ? 'waiting' : hasFailed ? 'failed' : became === 'finished' ? 'succeeded' : 'withdrawn',
      reason: became === 'timed_out' ? 'timed_out' : said,
      failures: member.failures + (hasFailed ? 1 : 0),
      ...(isTriedAgain ? { due_at: nowMs + plan.retryMinutes * MINUTE_MS } : {}),
    });
  }
}
