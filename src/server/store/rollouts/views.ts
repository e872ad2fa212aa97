/**
 * Rollouts as people look at them.
 * @module
 */
import type { Kysely } from 'kysely';
import { UpdateError } from '../../../../native-free/status.ts';
import type { RolloutPlan } from '../../rollouts/plan.ts';
import type { GroupState } from '../../rollouts/decide.ts';
import type { RolloutState } from '../../rollouts/states.ts';
import type { ReleaseKey } from '../../../release/index.ts';
import { auditOf, type StoredAudit } from '../audit.ts';
import type { Database, MemberState } from '../schema.ts';

export interface StoredGroup {
  readonly name: string;
  readonly state: GroupState;
  readonly approved: boolean;
  /** Payload bytes of the devices that were let in. */
  readonly bytes: number;
  /** Devices by their state. */
  readonly devices: Readonly<Partial<Record<MemberState, number>>>;
}

export interface StoredRollout {
  readonly id: number;
  readonly name: string;
  readonly releaseId: number;
  readonly release: ReleaseKey;
  readonly state: RolloutState;
  readonly reason: string | null;
  readonly plan: RolloutPlan;
  readonly groups: readonly StoredGroup[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface StoredMember {
  readonly controllerId: string;
  readonly group: number;
  readonly state: MemberState;
  readonly reason: string | null;
  readonly attempt: number;
  readonly actionId: number | null;
}

export class RolloutViews {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /** Newest first. */
  async list(tenant: string, limit: number, before = Number.MAX_SAFE_INTEGER): Promise<StoredRollout[]> {
    return this.#read(tenant, limit, before);
  }

  /** Throws UpdateError entity_unknown. */
  async get(tenant: string, id: number): Promise<StoredRollout> {
    const [found] = await this.#read(tenant, 1, id + 1);
    if (found?.id === id) return found;
    throw new UpdateError('entity_unknown', `there is no rollout ${id}`);
  }

  /** In the order of their ids, those after `after`. */
  async members(id: number, limit: number, after = '', state?: MemberState): Promise<StoredMember[]> {
    let query = this.#db
      .selectFrom('rollout_members')
      .selectAll()
      .where('rollout_id', '=', id)
      .where('controller_id', '>', after)
      .orderBy('controller_id')
      .limit(limit);
    if (state !== undefined) query = query.where('state', '=', state);
    return (await query.execute()).map((row) => ({
      ...{ controllerId: row.controller_id, group: row.position + 1, state: row.state, reason: row.reason },
      ...{ attempt: row.attempt, actionId: row.action_id },
    }));
  }

  /** Newest first. */
  audit(tenant: string, id: number, limit: number): Promise<StoredAudit[]> {
    return auditOf(this.#db, { tenant, subject: `rollout/${id}`, limit });
  }

  async #read(tenant: string, limit: number, before: number): Promise<StoredRollout[]> {
    const rows = await this.#db
      .selectFrom('rollouts')
      .innerJoin('releases', 'releases.id', 'rollouts.release_id')
      .selectAll('rollouts')
      .select(['product', 'version', 'hardware', 'slot_class as slotClass'])
      .where('tenant', '=', tenant)
      .where('rollouts.id', '<', before)
      .orderBy('rollouts.id', 'desc')
      .limit(limit)
      .execute();
    if (rows.length === 0) return [];
    const groups = await this.#groups(rows.map(({ id }) => id));
    return rows.map(({ id, name, state, reason, plan: text, ...row }) => {
      const { product, version, hardware, slotClass } = row;
      const plan = JSON.parse(text) as RolloutPlan;
      const named = (groups.get(id) ?? []).map((group, i) => ({
        ...group,
        name: plan.groups[i]?.name ?? `group ${i + 1}`,
      }));
      const release = { product, version, hardware, slotClass };
      const times = { createdAt: row.created_at, updatedAt: row.updated_at };
      return { id, name, releaseId: row.release_id, release, state, reason, plan, groups: named, ...times };
    });
  }

  async #groups(ids: readonly number[]): Promise<Map<number, Omit<StoredGroup, 'name'>[]>> {
    const counts = await this.#db
      .selectFrom('rollout_members')
      .select(({ fn }) => ['rollout_id', 'position', 'state', fn.countAll().as('count')])
      .where('rollout_id', 'in', ids)
      .groupBy(['rollout_id', 'position', 'state'])
      .execute();
    const rows = await this.#db
      .selectFrom('rollout_groups')
      .selectAll()
      .where('rollout_id', 'in', ids)
      .orderBy('position')
      .execute();
    const groups = new Map<number, Omit<StoredGroup, 'name'>[]>();
    for (const { rollout_id: id, position, state, approved, bytes } of rows) {
      const own = counts.filter((row) => row.rollout_id === id && row.position === position);
      const devices = Object.fromEntries(own.map((row) => [row.state, Number(row.count)]));
      groups.set(id, [...(groups.get(id) ?? []), { state, approved: approved === 1, bytes, devices }]);
    }
    return groups;
  }
}
