/**
 * VERIFY: every segment was accepted by its signed digest as it was written, so the target needs no second pass. What
 * is left is to see that none is missing, and to record what the slot now holds. Then the next slot class follows, or
 * the flip.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, placeOf, slotsOf, type Context } from '../context.ts';
import { openDownload, readSignedHeader } from '../payloads/download.ts';
import type { Attempt, Plan } from '../records/journal.ts';
import type { Next } from './states.ts';

export async function verify(context: Context): Promise<Next<'VERIFY'>> {
  const attempt = attemptOf(context);
  const plan = attempt.plan;
  if (plan === null) throw new UpdateError('bug', 'VERIFY without a plan');
  // A copy was hashed as a whole before it got here.
  if (plan.kind !== 'copy') await countSegments(context, attempt, plan);
  const { targetSlot, sourceSlot } = attempt;
  await slotsOf(context, plan.slotClass).finish(targetSlot, sourceSlot, plan.target.bytes);
  const held = { ...plan.target, version: attempt.release.version };
  context.journal.body.slots[placeOf(context, targetSlot, plan.slotClass)] = held;
  const [next, ...pending] = attempt.pending;
  if (next === undefined) return 'ARM';
  // The next slot class; durable together with the state, so this part is never counted twice.
  attempt.verified = [...attempt.verified, plan];
  attempt.plan = next;
  attempt.pending = pending;
  attempt.segmentsDone = 0;
  attempt.repair = null;
  return 'PREPARE';
}

async function countSegments(context: Context, attempt: Attempt, plan: Plan): Promise<void> {
  const download = openDownload(context, attempt, plan);
  const { header } = await readSignedHeader(context, download, plan);
  if (attempt.segmentsDone === header.segments.length) return;
  throw new UpdateError('target_digest', `${attempt.segmentsDone} of ${header.segments.length} segments are there`);
}
