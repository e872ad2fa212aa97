/**
 * PLAN: choose the payload and refuse what can be refused before anything is downloaded or touched.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { checkMonthBudget } from '../payloads/budget.ts';
import { throwIfCancelled } from '../service/cancel.ts';
import { attemptOf, placeOf, type Context } from '../context.ts';
import { askPolicy } from '../life/hooks.ts';
import { checkHours } from '../life/hours.ts';
import { payloadBytesOf, type Attempt, type Plan } from '../records/journal.ts';
import type { Next } from './states.ts';
import * as planning from '../payloads/choose.ts';
import { unlessBehind } from '../payloads/behind.ts';
import { requireTriesLeft } from '../payloads/failed-installs.ts';
import { trusted } from '../service/trusted.ts';
import { noteSeen } from '../slots/read-back.ts';
import type { TrustedTargets } from '../tuf/trust.ts';

export async function plan(context: Context): Promise<Next<'PLAN'>> {
  const { boot } = context;
  const attempt = attemptOf(context);
  const { release } = attempt;
  planning.checkCompatible(context, release);
  // A hook may have kept us here for days.
  await throwIfCancelled(context, attempt);
  const targets = await trusted(context, attempt, attempt.behind !== null);
  const { running } = await boot.read();
  attempt.sourceSlot = running;
  const parts = await partsOrWait(context, attempt, targets, running);
  if (parts.every(({ source, full }) => source?.sha256 === full.target.sha256)) return confirm(context, attempt, parts);
  attempt.targetSlot = otherSlot(context, running);
  requireTriesLeft(context, attempt, parts.at(-1)!.full);
  await refuseRejected(context, parts, attempt.targetSlot);
  const verified: Plan[] = [];
  const pending: Plan[] = [];
  for (const part of parts) {
    const held = await planning.holdsAlready(context, part, attempt.targetSlot);
    if (held) {
      verified.push({ ...part.full, kind: 'held' });
      noteSeen(context, attempt, part.full.slotClass);
    } else pending.push(await planning.choosePlan(context, targets, part));
  }
  await planning.checkRoom(context, pending, attempt.targetSlot, running);
  const payloadBytes = payloadBytesOf(pending);
  if (payloadBytes > 0) {
    checkHours('the download', context.config.limits.allowedHours, context.clock);
    await checkMonthBudget(context, payloadBytes);
  }
  await askPolicy(context, attempt, 'before_download', { ENGRAFT_PAYLOAD_BYTES: String(payloadBytes) });
  // When the inactive slot holds all of it (a trial that failed, and now a second one), there is nothing to write.
  const next = pending.length > 0 ? 'PREPARE' : 'ARM';
  attempt.plan = pending.shift() ?? verified.pop()!;
  attempt.verified = verified;
  attempt.pending = pending;
  return next;
}

/** Throws `metadata_behind` where the metadata may only be old. */
async function partsOrWait(
  context: Context,
  attempt: Attempt,
  targets: TrustedTargets,
  running: string,
): Promise<planning.Part[]> {
  try {
    const parts = await planning.partsOfRelease(context, targets, attempt.release, running);
    attempt.behind = null;
    return parts;
  } catch (thrown) {
    throw await unlessBehind(context, attempt, thrown);
  }
}

/**
 * This very release failed its test when nobody knew of the attempt: that was its trial, and it ends here. Throws how it
 * ended. Whoever deploys it once more gets it tried once more.
 */
async function refuseRejected(context: Context, parts: readonly planning.Part[], slot: string): Promise<void> {
  const { body } = context.journal;
  const { rejected } = body;
  if (rejected?.slot !== slot) return;
  for (const part of parts) {
    const held = rejected.sha256 ?? (await planning.digestHeld(context, part, slot));
    if (held !== part.full.target.sha256) return;
  }
  body.rejected = null;
  const { code, message } = rejected.outcome;
  throw new UpdateError(code === 'ok' ? 'health_failed' : code, message);
}

/**
 * The running slot holds the release already (a journal was lost, or it came with the device): only confirm it, after
 * a trial if nobody knows any more whether there was one.
 */
function confirm(context: Context, attempt: Attempt, parts: readonly planning.Part[]): Next<'PLAN'> {
  const { body } = context.journal;
  const running = attempt.sourceSlot;
  const plans = parts.map(({ full }): Plan => ({ ...full, kind: 'held' }));
  for (const { slotClass, target } of plans) {
    body.slots[placeOf(context, running, slotClass)] = { ...target, version: attempt.release.version };
  }
  attempt.plan = plans.pop()!;
  attempt.verified = plans;
  attempt.targetSlot = running;
  if (body.confirmed?.slot === running) return 'COMMIT';
  attempt.sourceSlot = otherSlot(context, running);
  return 'TRIAL';
}

function otherSlot({ boot }: Context, running: string): string {
  const other = boot.slots.find((slot) => slot !== running);
  if (other === undefined) throw new UpdateError('slot_missing', `there is no slot besides ${running}`);
  return other;
}
