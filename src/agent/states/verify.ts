/**
 * VERIFY: every segment was accepted by its signed digest as it was written, so the target needs no second pass. What
 * is left is to see that none is missing, and to record what the slot now holds.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { openDownload, readSignedHeader } from '../download.ts';
import type { Next } from '../machine.ts';

export async function verify(context: Context): Promise<Next> {
  const attempt = attemptOf(context);
  const plan = attempt.plan;
  if (plan === null) throw new UpdateError('bug', 'VERIFY without a plan');
  const download = openDownload(context, attempt, plan);
  const { header } = await readSignedHeader(context, download, plan);
  if (attempt.segmentsDone !== header.segments.length) {
    throw new UpdateError('target_digest', `${attempt.segmentsDone} of ${header.segments.length} segments are there`);
  }
  await context.slots.finish(attempt.targetSlot, attempt.sourceSlot, plan.target.bytes);
  context.journal.body.slots[attempt.targetSlot] = { ...plan.target, version: attempt.release.version };
  return 'ARM';
}
