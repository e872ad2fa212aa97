/**
 * REPAIR: the source is not what the delta was made from (a slot was written to, or has a bad block). The segment that
 * did not come out is fetched from the full payload, alone, and the delta goes on behind it. Segments that were
 * accepted stay: they matched their digests, whatever they were made from.
 *
 * When so much is bad that the rest of the full payload is cheaper than delta and repairs together, it takes over. So it
 * does for a delta that takes more memory or work than the device allows by now, or that an earlier agent could read, and
 * for one that looks inside of compressed images: it cuts the target elsewhere, between compressed units.
 * @module
 */
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { sameFills } from '../../../native-free/format/fill-map.ts';
import { hexToBytes } from '../../../native-free/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { chunkRange, chunksFinished, chunksNeeded, segmentOffset } from '../../transfer/chunks.ts';
import { checkMonthBudget } from '../payloads/budget.ts';
import { throwIfCancelled } from '../service/cancel.ts';
import { attemptOf, placeOf, slotsOf, type Context } from '../context.ts';
import { decodeSegments } from '../payloads/decode.ts';
import { openDownload, readSignedHeader, type OpenPayload } from '../payloads/download.ts';
import { requireReadable } from '../payloads/formats.ts';
import type { Attempt, Plan } from '../records/journal.ts';
import { isUndecodable, type Next } from './states.ts';
import { checkBudget, checkRollbackIndex, fullPlan } from '../payloads/choose.ts';
import { trusted } from '../service/trusted.ts';

/** Weight of "nothing is bad" in the estimate of how much is: the first bad segment (a superblock) is no verdict. */
const GOOD_BEFORE = 2;

export async function repair(context: Context): Promise<Next<'REPAIR'>> {
  const attempt = attemptOf(context);
  const { plan } = attempt;
  if (plan === null) throw new UpdateError('bug', 'REPAIR without a plan');
  if (plan.kind === 'full') return 'APPLY';
  // Metadata may have kept us here for days.
  await throwIfCancelled(context, attempt);
  const delta = plan.kind === 'delta' ? await deltaHeader(context, attempt, plan) : null;
  const full = await openFull(context, attempt, plan);
  // What the running slot holds is not what the journal says, unless it was only the delta that cannot be decoded.
  if (delta !== 'undecodable') context.journal.body.slots[placeOf(context, attempt.sourceSlot, plan.slotClass)] = null;
  if (delta === null || delta === 'undecodable') {
    attempt.segmentsDone = 0;
    return takeOver(context, attempt, full);
  }
  const part = sameBytes(delta, full.header, attempt.segmentsDone);
  if (part === null || fullIsCheaper(delta, full.header, part, attempt)) {
    attempt.segmentsDone = segmentsStanding(delta, full.header, attempt.segmentsDone);
    return takeOver(context, attempt, full);
  }
  await repairSegment(context, attempt, full, part);
  return 'APPLY';
}

async function openFull(context: Context, attempt: Attempt, plan: Plan): Promise<OpenPayload> {
  const release = { ...attempt.release, slotClass: plan.slotClass };
  const found = await fullPlan(await trusted(context, attempt), release);
  if (found.target.sha256 !== plan.target.sha256) {
    throw new UpdateError('metadata_malformed', 'the full payload and the delta make different targets');
  }
  await checkRollbackIndex(context, release, found);
  requireReadable(context, found);
  const download = openDownload(context, attempt, found);
  await download.spool.prepare([plan.payload.sha256]);
  if ((await download.spool.header(hexToBytes(found.headerDigest))) === null) {
    await checkLimits(context, found.headerBytes);
  }
  try {
    const full = await readSignedHeader(context, download, found);
    attempt.repair = found;
    return full;
  } finally {
    download.note();
  }
}

async function deltaHeader(context: Context, attempt: Attempt, delta: Plan): Promise<PayloadHeader | 'undecodable'> {
  const download = openDownload(context, attempt, delta);
  await download.spool.prepare(attempt.repair === null ? [] : [attempt.repair.payload.sha256]);
  try {
    return (await readSignedHeader(context, download, delta)).header;
  } catch (error) {
    if (UpdateError.is(error) && isUndecodable(error)) return 'undecodable';
    throw error;
  } finally {
    download.note();
  }
}

/** Segments [from, to) of a full payload. */
interface FullPart {
  readonly from: number;
  readonly to: number;
}

/** The segments of the full payload that make what segment `index` of the delta makes; null if it is cut elsewhere. */
function sameBytes(delta: PayloadHeader, full: PayloadHeader, index: number): FullPart | null {
  if (!sameFills(delta.fills.target, full.fills.target)) return null;
  const { offset, length } = delta.segments[index]!;
  const from = full.segments.findIndex((segment) => segment.offset === offset);
  const last = full.segments.findIndex((segment) => segment.offset + segment.length === offset + length);
  return from < 0 || last < from ? null : { from, to: last + 1 };
}

/** How many segments of the full payload lie in what `done` segments of the delta have made: the target is the same. */
function segmentsStanding(delta: PayloadHeader, full: PayloadHeader, done: number): number {
  if (!sameFills(delta.fills.target, full.fills.target)) return 0;
  const madeTo = delta.segments[done]?.offset ?? delta.fills.target.denseBytes;
  return full.segments.filter(({ offset, length }) => offset + length <= madeTo).length;
}

/** Compares the rest of the full payload with the rest of the delta and the repairs to be expected on the way. */
function fullIsCheaper(delta: PayloadHeader, full: PayloadHeader, part: FullPart, attempt: Attempt): boolean {
  const seen = attempt.segmentsDone + 1;
  const badShare = (attempt.repairedSegments + 1) / (seen + GOOD_BEFORE);
  const restOf = (header: PayloadHeader, from: number): number => header.payloadBytes - segmentOffset(header, from);
  const fullRest = restOf(full, part.to);
  return restOf(delta, seen) + badShare * fullRest > fullRest;
}

/**
 * What PLAN has allowed was the delta: these bytes come on top. The hours are asked by the download itself, at every
 * chunk. Throws `over_budget`.
 */
async function checkLimits(context: Context, bytes: number): Promise<void> {
  checkBudget(context, bytes);
  if (bytes > 0) await checkMonthBudget(context, bytes);
}

async function takeOver(context: Context, attempt: Attempt, { plan, header }: OpenPayload): Promise<Next<'REPAIR'>> {
  const offset = segmentOffset(header, attempt.segmentsDone);
  await checkLimits(context, header.payloadBytes - offset);
  attempt.plan = plan;
  attempt.repair = null;
  return 'APPLY';
}

/** What segment `segmentsDone` of the delta should have made, from the full payload into the slot: synced, then counted. */
async function repairSegment(context: Context, attempt: Attempt, full: OpenPayload, part: FullPart): Promise<void> {
  const { download, header, plan } = full;
  // Of earlier repairs; what a power cut now would lose is fetched again only with the segment it belongs to.
  await download.spool.dropChunks(chunksFinished(header, 0, part.from));
  const spooled = await download.spool.chunks();
  const missing = chunksNeeded(header, part.from, part.to).filter((chunk) => !spooled.has(chunk));
  const ranges = missing.map((chunk) => chunkRange(header, chunk));
  await checkLimits(
    context,
    ranges.reduce((sum, { from, to }) => sum + to - from, 0),
  );
  const { running } = await context.boot.read();
  const sink = await slotsOf(context, plan.slotClass).sink(attempt.targetSlot, running);
  try {
    const run = decodeSegments(context, full, { sink, resumeSegment: part.from, endSegment: part.to });
    let left = part.to - part.from;
    for await (const _ of run) if (--left === 0) break;
  } finally {
    download.note();
    await sink.close();
  }
  const index = attempt.segmentsDone++;
  attempt.repairedSegments++;
  context.emit({ type: 'note', message: `segment ${index} was repaired from the full payload` });
}
