/**
 * Members of a rollout, and how many of a group are in which state: the numbers go along with every change.
 * @module
 */
import { sql, type Selectable, type Transaction } from 'kysely';
import type { Database, MemberState, RolloutMembersTable } from '../schema.ts';

type Trx = Transaction<Database>;

const COUNTED = ['waiting', 'open', 'succeeded', 'failed'] as const;
type Counted = (typeof COUNTED)[number];

const isCounted = (state: MemberState): state is Counted => (COUNTED as readonly string[]).includes(state);

/** Which member, and in which state it is by what was read in this transaction. */
export type MemberKey = Pick<Selectable<RolloutMembersTable>, 'rollout_id' | 'controller_id' | 'position' | 'state'>;

/** Changes a member's row; with a `state` among the values, also its group's numbers. */
export async function moveMember(
  trx: Trx,
  member: MemberKey,
  values: Partial<Selectable<RolloutMembersTable>>,
): Promise<void> {
  await trx
    .updateTable('rollout_members')
    .set(values)
    .where('rollout_id', '=', member.rollout_id)
    .where('controller_id', '=', member.controller_id)
    .execute();
  const { state } = values;
  if (state === undefined || state === member.state) return;
  await countMembers(trx, member, { [member.state]: -1, [state]: 1 });
}

/** Adds to the numbers of a group. */
export async function countMembers(
  trx: Trx,
  { rollout_id, position }: Pick<MemberKey, 'rollout_id' | 'position'>,
  changes: Readonly<Partial<Record<MemberState, number>>>,
): Promise<void> {
  const set = Object.fromEntries(
    Object.entries(changes)
      .filter(([state]) => isCounted(state as MemberState))
      .map(([state, change]) => [state, sql<number>`${sql.ref(state)} + ${change}`]),
  );
  if (Object.keys(set).length === 0) return;
  await trx
    .updateTable('rollout_groups')
    .set(set)
    .where('rollout_id', '=', rollout_id)
    .where('position', '=', position)
    .execute();
}
