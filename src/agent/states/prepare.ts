/**
 * PREPARE: fetch the header, and close the target slot to the boot loader before its first byte changes. A header of a
 * format that nobody had said sends the attempt back to choose again.
 * @module
 */
import { imageEndOf } from '../../../native-free/format/fill-map.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, placeOf, slotsOf, type Context } from '../context.ts';
import { askPolicy } from '../life/hooks.ts';
import { checkRollbackIndex } from '../payloads/choose.ts';
import { openDownload, readSignedHeader } from '../payloads/download.ts';
import { tellUnread } from '../payloads/formats.ts';
import type { Attempt, Plan } from '../records/journal.ts';
import type { Next } from './states.ts';
import { tellNews } from '../service/news.ts';

export async function prepare(context: Context): Promise<Next<'PREPARE'>> {
  const { journal, boot } = context;
  const attempt = attemptOf(context);
  const plan = attempt.plan;
  if (plan === null) throw new UpdateError('bug', 'PREPARE without a plan');
  await checkRollbackIndex(context, { ...attempt.release, slotClass: plan.slotClass }, plan);
  await slotsOf(context, plan.slotClass).check(attempt.targetSlot, plan.target.bytes);
  try {
    attempt.segmentsDone = plan.kind === 'copy' ? 0 : await fetchHeader(context, attempt, plan);
  } catch (thrown) {
    if (plan.kind !== 'delta' || !UpdateError.is(thrown) || thrown.code !== 'payload_version') throw thrown;
    await tellUnread(context, thrown);
    return 'PLAN';
  }
  await askPolicy(context, attempt, 'before_apply');
  // From here on nobody may believe that the slot holds an image.
  journal.body.slots[placeOf(context, attempt.targetSlot, plan.slotClass)] = null;
  journal.body.partial = null;
  if (journal.body.rejected?.slot === attempt.targetSlot) journal.body.rejected = null;
  await journal.save();
  await boot.markUnbootable(attempt.targetSlot);
  await tellNews(context, attempt, `${plan.kind} payload of ${plan.payload.bytes} bytes`);
  return 'APPLY';
}

/** The header into the spool. Returns how many segments an earlier attempt has left in the slot. */
async function fetchHeader(context: Context, attempt: Attempt, plan: Plan): Promise<number> {
  const download = openDownload(context, attempt, plan);
  await download.spool.prepare();
  try {
    const { header } = await readSignedHeader(context, download, plan);
    return await partialOf(context, attempt.targetSlot, plan, header);
  } finally {
    download.note();
  }
}

/** Segments of this very payload that an earlier attempt left in the slot, if they are still there. */
async function partialOf(context: Context, slot: string, plan: Plan, header: PayloadHeader): Promise<number> {
  const { partial } = context.journal.body;
  if (partial === null || partial.slot !== placeOf(context, slot, plan.slotClass)) return 0;
  if (partial.payloadSha256 !== plan.payload.sha256) return 0;
  const { target } = header.fills;
  const writtenBytes = imageEndOf(target, header.segments[partial.segmentsDone]?.offset ?? target.denseBytes);
  return (await slotsOf(context, plan.slotClass).growthBytes(slot, writtenBytes)) === 0 ? partial.segmentsDone : 0;
}
