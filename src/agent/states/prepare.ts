/**
 * PREPARE: fetch the header, and close the target slot to the boot loader before its first byte changes.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { openDownload, readSignedHeader } from '../download.ts';
import type { Plan } from '../journal.ts';
import type { Next } from '../machine.ts';
import { rollbackCounter } from '../keystore.ts';

export async function prepare(context: Context): Promise<Next> {
  const { journal, boot, slots } = context;
  const attempt = attemptOf(context);
  const plan = attempt.plan;
  if (plan === null) throw new UpdateError('bug', 'PREPARE without a plan');
  const { product, slotClass, version } = attempt.release;
  const committed = await context.keystore.counter(rollbackCounter(product, slotClass));
  if (plan.rollbackIndex < committed) {
    throw new UpdateError('release_rollback', `release ${version} has index ${plan.rollbackIndex}, not ${committed}`);
  }
  const download = openDownload(context, attempt, plan);
  await download.spool.prepare();
  let segmentBytes: number;
  try {
    ({ segmentBytes } = (await readSignedHeader(context, download, plan)).header);
  } finally {
    download.note();
  }
  await slots.check(attempt.targetSlot, plan.target.bytes);
  attempt.segmentsDone = await partialOf(context, attempt.targetSlot, plan, segmentBytes);
  // From here on nobody may believe that the slot holds an image.
  journal.body.slots[attempt.targetSlot] = null;
  journal.body.partial = null;
  await journal.save();
  await boot.markUnbootable(attempt.targetSlot);
  await context.deployments
    .proceeding(attempt.actionId, `${plan.kind} payload of ${plan.payload.bytes} bytes`, 0)
    .catch((error: unknown) => context.emit({ type: 'note', message: `feedback was lost: ${String(error)}` }));
  return 'APPLY';
}

/** Segments of this very payload that an earlier attempt left in the slot, if they are still there. */
async function partialOf(context: Context, slot: string, plan: Plan, segmentBytes: number): Promise<number> {
  const { partial } = context.journal.body;
  if (partial === null || partial.slot !== slot || partial.payloadSha256 !== plan.payload.sha256) return 0;
  const writtenBytes = Math.min(partial.segmentsDone * segmentBytes, plan.target.bytes);
  return (await context.slots.growthBytes(slot, writtenBytes)) === 0 ? partial.segmentsDone : 0;
}
