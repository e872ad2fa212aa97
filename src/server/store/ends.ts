/**
 * What an action's end brings about: its outcome in our numbers, and the end of its deployment when it was the last.
 * @module
 */
import type { Transaction } from 'kysely';
import { OUTCOME, type Outcome } from '../../../native-free/status.ts';
import { ACTIVE_STATES, type ActionState, type Database } from './schema.ts';
import { forUpdate } from './transactions.ts';

const FAILURES: readonly number[] = Object.values(OUTCOME).filter((outcome) => outcome !== OUTCOME.ok);

/**
 * The outcome of an action that has come to `state` by a report. Clients other than ours give no code, or one of their
 * own: what they say of the end decides, and a failure that says no more is one to install.
 */
export function outcomeOf(state: ActionState, code: number | null): Outcome | null {
  switch (state) {
    case 'finished':
      return OUTCOME.ok;
    case 'failed':
      return code !== null && FAILURES.includes(code) ? (code as Outcome) : OUTCOME.install_failed;
    case 'cancelled':
      return OUTCOME.download_failed;
    default:
      return null;
  }
}

/**
 * Deployments among these whose actions have all ended are finished. Of two that end the last two actions, one waits
 * for the other, and sees what it did.
 */
export async function finishDeployments(trx: Transaction<Database>, ids: ReadonlySet<number>): Promise<void> {
  for (const id of [...ids].sort((a, b) => a - b)) {
    await forUpdate(trx, trx.selectFrom('deployments').select('id').where('id', '=', id)).execute();
    const open = await trx
      .selectFrom('actions')
      .select('id')
      .where('deployment_id', '=', id)
      .where('state', 'in', [...ACTIVE_STATES])
      .limit(1)
      .executeTakeFirst();
    if (open !== undefined) continue;
    await trx
      .updateTable('deployments')
      .set({ state: 'finished' })
      .where('id', '=', id)
      .where('state', '=', 'active')
      .execute();
  }
}
