/**
 * COMMIT: mark the slot good, **then** raise the counter, then report. The other way round, a power cut between the two
 * would leave a device that may neither run the new release nor go back to the earlier one. Every step may be repeated.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, type Context } from '../context.ts';
import { tellHooks } from '../life/hooks.ts';
import { partsOf } from '../records/journal.ts';
import { rollbackCounter } from '../keystore/keystore.ts';
import type { Next } from './states.ts';
import { rollbackCounters } from '../start/doubt.ts';

export async function commit(context: Context): Promise<Next<'COMMIT'>> {
  const { boot, keystore, journal } = context;
  const attempt = attemptOf(context);
  if (attempt.plan === null) throw new UpdateError('bug', 'COMMIT without a plan');
  await boot.markGood(attempt.targetSlot);
  const { product, version } = attempt.release;
  const counters = partsOf(attempt).map((part) => [rollbackCounter(product, part.slotClass), part.rollbackIndex]);
  await keystore.raise(Object.fromEntries(counters) as Record<string, number>);
  attempt.outcome = {
    status: 0,
    code: 'ok',
    subStatus: 0,
    message: `version ${version} runs from ${attempt.targetSlot}`,
  };
  journal.body.tried = {};
  journal.body.confirmed = { slot: attempt.targetSlot, counters: await rollbackCounters(context) };
  await tellHooks(context, attempt, 'after_commit');
  return 'REPORT';
}
