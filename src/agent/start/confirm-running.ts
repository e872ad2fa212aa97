/**
 * The running slot at the start of the agent: confirmed where it is known to be good, tested where it is not.
 *
 * A boot loader that counts takes a try at every boot. Somebody has to give it back, or the tries run out over the
 * reboots of a device that has no attempt for months, or one that takes many power cuts, or a report that nobody takes.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { BootState } from '../boot/control.ts';
import { slotsOf, type Context } from '../context.ts';
import { outcomeOf } from '../records/outcome.ts';
import { rebootNow } from '../states/reboot.ts';
import { slotHealth } from '../life/health.ts';
import { digestOfSlot } from '../slots/slots.ts';
import { doubtAbout, rollbackCounters } from './doubt.ts';
import { stayIn, wayBackFrom } from './way-back.ts';

/**
 * A success is told, or told again, only by a journal that agrees with the rest. The server still has the
 * action: it is begun anew, and ends as is right now.
 */
export async function checkSuccesses(context: Context, running: string): Promise<void> {
  const { ended } = context.journal.body;
  if (!ended.some(({ outcome }) => outcome.status === 0)) return;
  if ((await doubtAbout(context, running))?.code === 'record_stale') forgetSuccesses(context);
}

function forgetSuccesses({ journal }: Context): void {
  const { body } = journal;
  body.ended = body.ended.filter(({ outcome }) => outcome.status !== 0);
}

/** Call only where the attempt does not put the running slot on trial. `STOP`: a reboot has to come first. */
export async function confirmRunning(context: Context, boot: BootState): Promise<'STOP' | undefined> {
  const { running, tries } = boot;
  // The boot loader has used a try up for this boot: who has all of them was confirmed since.
  if ((tries[running] ?? 0) >= context.boot.triesMax) return undefined;
  if (isRejected(context, boot)) return leave(context, boot, wayBackFrom(running, boot)!);
  const doubt = await doubtAbout(context, running);
  // Marking a slot good puts it first: where another one is armed, that would take the flip back.
  if (otherIsArmed(context, boot, doubt !== null)) return undefined;
  if (doubt === null) {
    await context.boot.markGood(running);
    return undefined;
  }
  context.emit({ type: 'note', message: `slot ${running} is tested: ${doubt.message}`, error: doubt });
  try {
    await slotHealth(context, running, 'unknown');
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (error.code !== 'health_failed') throw thrown;
    return failed(context, boot, error);
  }
  await context.boot.markGood(running);
  await remember(context, running, doubt.code === 'record_stale');
  return undefined;
}

/**
 * First in order and bootable, and not the one that runs: armed, and waiting for the reboot. Without a journal it may as
 * well be the running slot that is on its one try, which firmware leaves out of its order; then it has none left.
 */
function otherIsArmed({ journal }: Context, { running, order, tries }: BootState, inDoubt: boolean): boolean {
  const first = order[0];
  if (first === undefined || first === running || (tries[first] ?? 0) === 0) return false;
  return !inDoubt || (tries[running] ?? 0) > 0 || journal.body.attempt?.targetSlot === first;
}

/** It failed its test in this very boot, and the reboot has not come yet. */
function isRejected({ journal }: Context, boot: BootState): boolean {
  const { rejected } = journal.body;
  if (rejected === null || rejected.slot !== boot.running || rejected.bootId !== boot.bootId) return false;
  return wayBackFrom(boot.running, boot) !== null;
}

async function failed(context: Context, boot: BootState, error: UpdateError): Promise<'STOP' | undefined> {
  const { running, bootId } = boot;
  const { body } = context.journal;
  const wayBack = wayBackFrom(running, boot);
  if (wayBack === null) {
    await stayIn(context, running, error.message);
    return undefined;
  }
  const why = new UpdateError('health_failed', `slot ${running}: ${error.message}`, { cause: error });
  context.emit({ type: 'note', message: `back to slot ${wayBack}: ${why.message}`, error: why });
  // A file target's way back replaces the file; a slot can still be read afterwards.
  const slots = slotsOf(context, context.config.device.slotClass);
  const sha256 = context.boot.needsReboot ? null : await digestOfSlot(context.hash, slots, running).catch(() => null);
  body.rejected = { slot: running, bootId, sha256, outcome: outcomeOf(why) };
  if (body.attempt?.targetSlot === running) {
    // A journal of before the trial: that was it.
    body.attempt.outcome = body.rejected.outcome;
    body.state = 'ROLLBACK';
  }
  // Before the way back is taken, so that the slot that runs then knows; but nothing that happens here may prevent it.
  await saveIfPossible(context);
  return leave(context, boot, wayBack);
}

async function leave(context: Context, { running }: BootState, wayBack: string): Promise<'STOP' | undefined> {
  await context.boot.rollBack(running, wayBack);
  await rebootNow(context, wayBack);
  return context.boot.needsReboot ? 'STOP' : undefined;
}

/** The journal knows the running slot again. What a stale one says of slots, and what it was about to do, is not believed. */
async function remember(context: Context, running: string, isStale: boolean): Promise<void> {
  const { body } = context.journal;
  body.confirmed = { slot: running, counters: await rollbackCounters(context) };
  if (isStale) {
    body.slots = {};
    body.partial = null;
    forgetSuccesses(context);
  }
  if (body.rejected?.slot === running) body.rejected = null;
  if (body.attempt?.outcome === null && (isStale || body.attempt.targetSlot === running)) {
    // Of long ago, or it runs and the journal is still writing it: the server is asked anew what is to be done.
    body.attempt = null;
    body.state = 'IDLE';
  }
  await saveIfPossible(context);
}

async function saveIfPossible({ journal, emit }: Context): Promise<void> {
  if (journal.isUnread) return;
  await journal.save().catch((thrown: unknown) => {
    const error = UpdateError.from(thrown);
    emit({ type: 'note', message: `the journal cannot be written: ${error.message}`, error });
  });
}
