/**
 * Steps of a rollout, each applied within the transaction that found it due.
 * @module
 */
import type { Selectable, Transaction } from 'kysely';
import type { RolloutFacts, Step } from '../../rollouts/decide.ts';
import { next, type RolloutEvent } from '../../rollouts/states.ts';
import { BY_ITSELF, note, type AuditEntry } from '../audit.ts';
import { assign, withdraw } from '../deployments.ts';
import { formatsOf } from '../devices.ts';
import { finishDeployments } from '../ends.ts';
import { payloadFor } from '../payload-for.ts';
import { fromRow as releaseFromRow, type StoredRelease } from '../releases.ts';
import { LET_IN_MAX, type Rollout } from './facts.ts';
import { moveMember } from './members.ts';
import type { Database, DeviceName, DevicesTable, RolloutMembersTable } from '../schema.ts';

type Trx = Transaction<Database>;

/** Applies a step. Resolves with the devices that it changes something for. */
export async function applyStep(trx: Trx, rollout: Rollout, facts: RolloutFacts, step: Step): Promise<DeviceName[]> {
  const { nowMs } = facts;
  switch (step.do) {
    case 'start':
      await changeState(trx, rollout, 'start', { who: BY_ITSELF, what: 'start', why: 'its time has come' }, nowMs);
      return [];
    case 'finish':
      await changeState(trx, rollout, 'finish', { who: BY_ITSELF, what: 'finish' }, nowMs);
      return [];
    case 'halt': {
      await changeState(trx, rollout, 'halt', { who: BY_ITSELF, what: 'halt', why: step.why }, nowMs);
      return recall(trx, rollout, nowMs);
    }
    case 'open':
    case 'close': {
      await trx
        .updateTable('rollout_groups')
        .set({ state: step.do === 'open' ? 'running' : 'done' })
        .where('rollout_id', '=', rollout.id)
        .where('position', '=', step.group)
        .execute();
      await noteOf(trx, rollout, { who: BY_ITSELF, what: `${step.do} group ${step.group + 1}` }, nowMs);
      return [];
    }
    case 'let in':
      return letIn(trx, rollout, facts, step);
  }
}

export function noteOf(trx: Trx, { tenant, id }: Pick<Rollout, 'tenant' | 'id'>, entry: AuditEntry, at: number) {
  return note(trx, { tenant, subject: `rollout/${id}`, at }, entry);
}

/** Throws UpdateError state_conflict. */
export async function changeState(
  trx: Trx,
  rollout: Rollout,
  event: RolloutEvent,
  entry: AuditEntry,
  at: number,
): Promise<void> {
  const state = next(rollout.state, event);
  // Nobody is let in for the time that it did not run.
  const credits = state === 'running' ? { credits: 1000, credits_at: at } : {};
  await trx
    .updateTable('rollouts')
    .set({ state, reason: entry.why ?? null, updated_at: at, ...credits })
    .where('id', '=', rollout.id)
    .execute();
  await noteOf(trx, rollout, entry, at);
}

async function deploymentsOf(trx: Trx, rolloutId: number): Promise<number[]> {
  const rows = await trx
    .selectFrom('rollout_deployments')
    .select('deployment_id')
    .where('rollout_id', '=', rolloutId)
    .execute();
  return rows.map((row) => row.deployment_id);
}

/** Devices that have not fetched their action by the time of a halt wait again: they were lucky. */
async function recall(trx: Trx, { id, tenant }: Rollout, at: number): Promise<DeviceName[]> {
  const deployments = await deploymentsOf(trx, id);
  if (deployments.length === 0) return [];
  const rows = await trx
    .updateTable('actions')
    .set({ state: 'cancelled', updated_at: at })
    .where('deployment_id', 'in', deployments)
    .where('state', '=', 'pending')
    .where('retrieved_at', 'is', null)
    .returning(['id', 'controller_id as controllerId'])
    .execute();
  for (const row of rows) {
    const member = await trx
      .selectFrom('rollout_members')
      .selectAll()
      .where('rollout_id', '=', id)
      .where('action_id', '=', row.id)
      .executeTakeFirst();
    if (member !== undefined) await moveMember(trx, member, { state: 'waiting', action_id: null, let_in_at: null });
  }
  await finishDeployments(trx, new Set(deployments));
  return rows.map(({ controllerId }) => ({ tenant, controllerId }));
}

/** Ends all that devices have not begun, and asks the others to stop. */
export async function withdrawAll(trx: Trx, { id }: Rollout, at: number): Promise<void> {
  const deployments = await deploymentsOf(trx, id);
  if (deployments.length === 0) return;
  await trx.updateTable('deployments').set({ state: 'cancelled' }).where('id', 'in', deployments).execute();
  await withdraw(trx, at, (query) => query.where('deployment_id', 'in', deployments));
}

type Candidate = Selectable<RolloutMembersTable> & Pick<Selectable<DevicesTable>, 'version' | 'decodes'>;

async function letIn(
  trx: Trx,
  rollout: Rollout,
  { nowMs, credits }: RolloutFacts,
  { group, count }: Extract<Step, { do: 'let in' }>,
): Promise<DeviceName[]> {
  const { id, tenant, plan } = rollout;
  const row = await trx.selectFrom('releases').selectAll().where('id', '=', rollout.release_id).executeTakeFirst();
  const release = releaseFromRow(row!);
  const candidates: Candidate[] = await trx
    .selectFrom('rollout_members')
    .innerJoin('devices', 'devices.controller_id', 'rollout_members.controller_id')
    .selectAll('rollout_members')
    .select(['devices.version', 'devices.decodes'])
    .where('devices.tenant', '=', tenant)
    .where('rollout_id', '=', id)
    .where('position', '=', group)
    .where('state', '=', 'waiting')
    .where('due_at', '<=', nowMs)
    .orderBy('due_at')
    .orderBy('rollout_members.controller_id')
    .limit(Math.min(count, LET_IN_MAX))
    .execute();
  const wave = { bytes: await bytesOf(trx, id, group) };
  let begun = 0;
  for (const candidate of candidates) {
    if (await admit(trx, { rollout, release, wave, nowMs }, candidate)) begun++;
  }
  await trx
    .updateTable('rollout_groups')
    .set({ bytes: wave.bytes })
    .where('rollout_id', '=', id)
    .where('position', '=', group)
    .execute();
  const left = Number.isFinite(credits) ? { credits: Math.floor((credits - begun) * 1000), credits_at: nowMs } : {};
  if (plan.rate !== null) await trx.updateTable('rollouts').set(left).where('id', '=', id).execute();
  return candidates.map((each) => ({ tenant, controllerId: each.controller_id }));
}

async function bytesOf(trx: Trx, id: number, group: number): Promise<number> {
  const row = await trx
    .selectFrom('rollout_groups')
    .select('bytes')
    .where('rollout_id', '=', id)
    .where('position', '=', group)
    .executeTakeFirstOrThrow();
  return row.bytes;
}

interface Entry {
  readonly rollout: Rollout;
  readonly release: StoredRelease;
  readonly wave: { bytes: number };
  readonly nowMs: number;
}

/** One device: there already, too dear, or given an action. True for the last. */
async function admit(trx: Trx, { rollout, release, wave, nowMs }: Entry, member: Candidate): Promise<boolean> {
  const { tenant, plan } = rollout;
  const set = (values: Partial<Selectable<RolloutMembersTable>>) => moveMember(trx, member, values);
  if (member.version === release.version) {
    await set({ state: 'succeeded', reason: 'runs it already' });
    return false;
  }
  const bytes =
    payloadFor(release.payloads, member.version, formatsOf(member.decodes))?.bytes ?? release.artifact.bytes;
  const isTooDear = plan.deviceBytes !== null && bytes > plan.deviceBytes;
  if (isTooDear || (plan.waveBytes !== null && wave.bytes + bytes > plan.waveBytes)) {
    const whose = isTooDear ? 'a device' : 'the group';
    await set({ state: 'left_out', reason: `${bytes} bytes are over the budget of ${whose}` });
    return false;
  }
  wave.bytes += bytes;
  const attempt = member.attempt + 1;
  const deployment = await deploymentFor(trx, rollout, attempt, nowMs);
  const name = { tenant, controllerId: member.controller_id };
  const touched = await assign(trx, name, { id: deployment, releaseId: rollout.release_id }, nowMs);
  touched.delete(deployment);
  await finishDeployments(trx, touched);
  const action = await trx
    .selectFrom('actions')
    .select('id')
    .where('deployment_id', '=', deployment)
    .where('tenant', '=', tenant)
    .where('controller_id', '=', member.controller_id)
    .executeTakeFirstOrThrow();
  await set({ state: 'open', reason: null, attempt, action_id: action.id, let_in_at: nowMs });
  return true;
}

/** The deployment that actions of this attempt belong to. */
async function deploymentFor(trx: Trx, { id, tenant, release_id }: Rollout, attempt: number, at: number) {
  const known = await trx
    .selectFrom('rollout_deployments')
    .select('deployment_id')
    .where('rollout_id', '=', id)
    .where('attempt', '=', attempt)
    .executeTakeFirst();
  if (known !== undefined) {
    const again = trx.updateTable('deployments').set({ state: 'active' });
    await again.where('id', '=', known.deployment_id).where('state', '=', 'finished').execute();
    return known.deployment_id;
  }
  const made = await trx
    .insertInto('deployments')
    .values({ tenant, release_id, selector: 'rollout', state: 'active', created_at: at })
    .returning('id')
    .executeTakeFirstOrThrow();
  await trx.insertInto('rollout_deployments').values({ rollout_id: id, attempt, deployment_id: made.id }).execute();
  return made.id;
}
