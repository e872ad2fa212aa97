/**
 * At the start: what happened while the agent was not running?
 *
 * The journal says what was intended, the boot control which slot runs, the boot id whether there was a reboot. On
 * `armed` + source slot the record alone is ambiguous (the flip may not have happened, or the boot loader may have
 * given the target slot up); the order and the tries tell them apart.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, type Context } from '../context.ts';
import type { BootState } from '../boot/control.ts';
import type { Attempt } from '../records/journal.ts';
import { outcomeOf } from '../records/outcome.ts';
import { requireWay, type State } from './states.ts';
import { checkSuccesses, confirmRunning } from '../start/confirm-running.ts';
import { commitIsStale, countersLag } from '../start/doubt.ts';

/** A boot loader that does not do as it is told must not make the device reboot for ever. */
const REARMS_MAX = 5;

/** Call once per process, before the machine runs. `STOP`: a reboot has to come first. */
export async function reconcile(context: Context): Promise<'STOP' | undefined> {
  const { body } = context.journal;
  // As the boot loader left it: confirming the running slot puts that one first, and what was armed is not seen any more.
  const found = await context.boot.read();
  if (body.attempt === null) {
    body.state = 'IDLE';
    await checkSuccesses(context, found.running);
    return confirmRunning(context, found);
  }
  const attempt = attemptOf(context);
  let boot = found;
  if (!onTrial(attempt, body.state, found)) {
    if ((await confirmRunning(context, found)) === 'STOP') return 'STOP';
    if (context.journal.body.attempt === null) return undefined;
    // A file target goes back at once.
    boot = { ...found, running: (await context.boot.read()).running };
  }
  await countResume(context, attempt);
  switch (body.state) {
    case 'PREPARE':
    case 'APPLY':
    case 'REPAIR':
    case 'VERIFY':
      if (boot.running !== attempt.sourceSlot) await otherSlotRuns(context, attempt, boot);
      // It was closed before the first write. A boot state of before that would boot what is half-written.
      else if ((boot.tries[attempt.targetSlot] ?? 0) > 0) await context.boot.markUnbootable(attempt.targetSlot);
      break;
    case 'ARM':
    case 'REBOOT':
      await afterArming(context, attempt, boot);
      break;
    case 'TRIAL':
    case 'COMMIT':
      if (boot.running !== attempt.targetSlot) await fellBack(context, attempt, boot);
      else if (body.state === 'COMMIT' && (await commitIsStale(context, attempt))) await enter(context, 'TRIAL');
      break;
    case 'REPORT':
      await stillRuns(context, attempt, boot);
      break;
    default:
      break;
  }
  return undefined;
}

function onTrial(attempt: Attempt, state: State, { running }: BootState): boolean {
  return running === attempt.targetSlot && ['ARM', 'REBOOT', 'TRIAL', 'COMMIT', 'ROLLBACK'].includes(state);
}

/**
 * A success that nobody has heard of yet is none any more when another slot runs, and none yet where the counters do
 * not say so: every step of COMMIT may be repeated.
 */
async function stillRuns(context: Context, attempt: Attempt, { running }: BootState): Promise<void> {
  if (attempt.outcome?.status !== 0) return;
  if (running === attempt.targetSlot) {
    if (await countersLag(context, attempt)) await enter(context, 'COMMIT');
    return;
  }
  const message = `slot ${running} runs; ${attempt.targetSlot} was confirmed before`;
  attempt.outcome = outcomeOf(new UpdateError('boot_wrong_slot', message, { detail: { running } }));
  await context.journal.save();
}

/** Bounds crash loops: every start without progress counts. */
async function countResume(context: Context, attempt: Attempt): Promise<void> {
  const { body } = context.journal;
  if (!['PREPARE', 'APPLY', 'REPAIR', 'VERIFY', 'ARM'].includes(body.state)) return;
  attempt.resumes++;
  const { resumesMax } = context.config.limits;
  if (attempt.resumes <= resumesMax) {
    await context.journal.save();
    return;
  }
  const error = new UpdateError('attempts_exhausted', `state ${body.state} was begun ${resumesMax} times in vain`);
  attempt.outcome = outcomeOf(error);
  await enter(context, body.state === 'ARM' ? 'ROLLBACK' : 'REPORT');
}

/** Somebody switched slots by hand: the slot that was being written is the running one now. Hands off. */
async function otherSlotRuns(context: Context, attempt: Attempt, boot: BootState): Promise<void> {
  const error = new UpdateError(
    'slot_active',
    `slot ${attempt.targetSlot} was being written and is running now (${boot.bootId})`,
    { detail: { running: boot.running } },
  );
  attempt.outcome = outcomeOf(error);
  await enter(context, 'REPORT');
}

async function afterArming(context: Context, attempt: Attempt, boot: BootState): Promise<void> {
  const { body } = context.journal;
  if (boot.running === attempt.targetSlot) {
    // A file target has its restart command still to come.
    if (context.boot.needsReboot) await enter(context, 'TRIAL');
    else if (body.state === 'ARM') await enter(context, 'REBOOT');
    return;
  }
  if (attempt.armedBootId === null || boot.bootId === attempt.armedBootId) {
    // No reboot yet. In REBOOT the flip is done, in ARM it may be: doing it again harms nothing.
    return;
  }
  const flipped = boot.order[0] === attempt.targetSlot;
  const left = boot.tries[attempt.targetSlot] ?? 0;
  // REBOOT is recorded once the flip was read back. If it is gone then and no try is left, it was used up: EFI removes
  // BootNext to follow it, and a board's program answers for the next boot.
  const tookEffect = flipped ? left < context.boot.triesMax : body.state === 'REBOOT' && left === 0;
  if (!tookEffect && attempt.resumes < REARMS_MAX) {
    attempt.resumes++;
    context.emit({ type: 'note', message: `the flip to slot ${attempt.targetSlot} did not take effect; arming again` });
    await enter(context, 'ARM');
    return;
  }
  await fellBack(context, attempt, boot);
}

/** The boot loader tried the target slot and went back. */
async function fellBack(context: Context, attempt: Attempt, boot: BootState): Promise<void> {
  const left = boot.tries[attempt.targetSlot] ?? 0;
  const error =
    left === 0
      ? new UpdateError('trial_expired', `the boot loader used up the tries of slot ${attempt.targetSlot}`)
      : new UpdateError(
          'boot_wrong_slot',
          `slot ${boot.running} runs; ${attempt.targetSlot} was armed, ${left} tries left`,
        );
  attempt.outcome = outcomeOf(error);
  await enter(context, 'ROLLBACK');
}

/** Make `next` durable and say so. */
async function enter(context: Context, next: State): Promise<void> {
  requireWay('atStart', context.journal.body.state, next);
  context.journal.body.state = next;
  try {
    await context.journal.save();
  } catch (thrown) {
    // The release that breaks the data partition is exactly the one that must be tried, and go back. What runs and what
    // comes first tell the next process as much as the record would.
    if (next !== 'TRIAL' && next !== 'ROLLBACK') throw thrown;
    const error = UpdateError.from(thrown);
    context.emit({ type: 'note', message: `${next} goes unrecorded: ${error.message}`, error });
  }
  context.emit({ type: 'state', state: next });
}
