/**
 * APPLY: from the link to the slot. After each segment: slot synced, then the journal, then the chunks it needed are
 * removed.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { chunksFinished } from '../../transfer/chunks.ts';
import { throwIfCancelled } from '../service/cancel.ts';
import { copySlot } from '../slots/copy-slot.ts';
import { attemptOf, slotsOf, type Context } from '../context.ts';
import { decodeSegments, type Decoding } from '../payloads/decode.ts';
import { openDownload, readSignedHeader, type OpenPayload } from '../payloads/download.ts';
import type { Attempt } from '../records/journal.ts';
import type { Next } from './states.ts';
import { noteSeen } from '../slots/read-back.ts';

export async function apply(context: Context): Promise<Next<'APPLY'>> {
  const attempt = attemptOf(context);
  const plan = attempt.plan;
  if (plan === null) throw new UpdateError('bug', 'APPLY without a plan');
  // It may have been days since this state was entered.
  await throwIfCancelled(context, attempt);
  if (attempt.segmentsDone === 0) noteSeen(context, attempt, plan.slotClass);
  const slots = slotsOf(context, plan.slotClass);
  const { running } = await context.boot.read();
  if (plan.kind === 'copy') {
    await copySlot(context, attempt, plan, running);
    return 'VERIFY';
  }
  const download = openDownload(context, attempt, plan);
  await download.spool.prepare(attempt.repair === null ? [] : [attempt.repair.payload.sha256]);
  const sink = await slots.sink(attempt.targetSlot, running);
  try {
    const source = plan.kind === 'delta' ? await slots.source(attempt.sourceSlot) : undefined;
    try {
      const payload = await readSignedHeader(context, download, plan);
      await download.spool.dropChunks(await staleChunks(payload, attempt.segmentsDone));
      await follow(context, attempt, payload, { sink, source });
    } finally {
      await source?.close();
    }
  } finally {
    download.note();
    await sink.close();
  }
  return 'VERIFY';
}

/** Chunks of durable segments that a power cut kept from being removed. */
async function staleChunks({ download, header }: OpenPayload, segmentsDone: number): Promise<number[]> {
  const spooled = await download.spool.chunks();
  return chunksFinished(header, 0, segmentsDone).filter((index) => spooled.has(index));
}

async function follow(
  context: Context,
  attempt: Attempt,
  payload: OpenPayload,
  ends: Pick<Decoding, 'sink' | 'source'>,
): Promise<void> {
  const { plan, download, header } = payload;
  let droppedTo = 0;
  const resumeSegment = attempt.segmentsDone;
  for await (const event of decodeSegments(context, payload, { ...ends, resumeSegment })) {
    attempt.segmentsDone = event.index + 1;
    attempt.resumes = 0;
    attempt.faults = 0;
    download.note();
    await context.journal.save();
    const finished = chunksFinished(header, droppedTo, attempt.segmentsDone);
    await download.spool.dropChunks(finished);
    droppedTo = (finished.at(-1) ?? droppedTo - 1) + 1;
    context.emit({
      type: 'progress',
      kind: plan.kind === 'delta' ? 'delta' : 'full',
      segmentsDone: attempt.segmentsDone,
      segments: header.segments.length,
      payloadBytesDone: event.payloadBytesDone,
      payloadBytes: header.payloadBytes,
      targetBytesDone: event.targetBytesDone,
      targetBytes: header.targetBytes,
    });
    await throwIfCancelled(context, attempt);
  }
}
