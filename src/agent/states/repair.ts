/**
 * REPAIR: the source is not what the delta was made from, so the rest comes from the full payload. Segments that were
 * accepted stay: they matched their digests, whatever they were made from.
 * @module
 */
import { bytesEqual } from '../../../native-free/hash.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { openDownload, readSignedHeader } from '../download.ts';
import type { Next } from '../machine.ts';
import { checkRoom, checkRollbackIndex, fullPlan } from '../plan.ts';

export async function repair(context: Context): Promise<Next> {
  const attempt = attemptOf(context);
  if (attempt.plan?.kind === 'full') return 'APPLY';
  const delta = attempt.plan;
  if (delta === null) throw new UpdateError('bug', 'REPAIR without a plan');
  const full = await fullPlan(await context.trust(), attempt.release);
  if (full.target.sha256 !== delta.target.sha256) {
    throw new UpdateError('metadata_malformed', 'the full payload and the delta make different targets');
  }
  await checkRollbackIndex(context, attempt.release, full);
  await checkRoom(context, full, attempt.targetSlot, attempt.sourceSlot);
  const deltaDownload = openDownload(context, attempt, delta);
  const before = await readSignedHeader(context, deltaDownload, delta);
  deltaDownload.note();
  const download = openDownload(context, attempt, full);
  await download.spool.prepare();
  const after = await readSignedHeader(context, download, full);
  download.note();
  attempt.segmentsDone = segmentsThatStay(before.header, after.header, attempt.segmentsDone);
  attempt.plan = full;
  // Whatever the running slot holds, it is not what the journal says.
  context.journal.body.slots[attempt.sourceSlot] = null;
  return 'APPLY';
}

/** The accepted segments, if both payloads cut the target in the same way. */
function segmentsThatStay(delta: PayloadHeader, full: PayloadHeader, done: number): number {
  if (delta.segmentBytes !== full.segmentBytes || delta.segments.length !== full.segments.length) return 0;
  for (let i = 0; i < done; i++) if (!bytesEqual(delta.segments[i]!.digest, full.segments[i]!.digest)) return 0;
  return done;
}
