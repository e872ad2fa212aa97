/**
 * ARM: the last chance to stop, then the boot loader is told. The record says "armed" before the flip; the flip is the
 * last write.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { throwIfCancelled } from '../service/cancel.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { askToReboot } from '../life/hooks.ts';
import { partsOf } from '../records/journal.ts';
import type { Attempt } from '../records/journal.ts';
import { isNotNow } from './states.ts';
import type { Next } from './states.ts';
import { checkRollbackIndex } from '../payloads/choose.ts';
import { tellOnce } from '../service/news.ts';
import { requireUpdate } from '../service/words.ts';
import { holdsRelease } from '../slots/read-back.ts';

export async function arm(context: Context): Promise<Next<'ARM'>> {
  const { boot, journal } = context;
  const attempt = attemptOf(context);
  const { running, bootId } = await boot.read();
  if (running === attempt.targetSlot) return 'TRIAL';
  if (attempt.armedBootId === null) {
    const isFresh = await throwIfCancelled(context, attempt, true);
    await permitted(context, attempt, isFresh);
  }
  // A journal may be older than the keystore: what was right to install then is not armed now.
  for (const part of partsOf(attempt)) {
    await checkRollbackIndex(context, { ...attempt.release, slotClass: part.slotClass }, part);
  }
  if (!(await holdsRelease(context, attempt))) return 'PREPARE';
  attempt.armedBootId = bootId;
  await journal.save();
  await boot.arm(attempt.targetSlot);
  return 'REBOOT';
}

/**
 * Throws `server_holds`, `outside_hours` or `hook_refused`, and the machine comes back to ARM later: the slot is written,
 * nothing is downloaded again, and the server may still cancel.
 */
async function permitted(context: Context, attempt: Attempt, isFresh: boolean): Promise<void> {
  try {
    requireUpdate(attempt.words, isFresh);
    await askToReboot(context, attempt, 'before_arm');
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (!isNotNow(error)) throw thrown;
    // Waiting is no crash loop, however often the agent is started meanwhile.
    if (attempt.resumes > 0) {
      attempt.resumes = 0;
      await context.journal.save();
    }
    // hawkBit closes an action that is to be downloaded only when it hears this.
    const downloaded = error.code === 'server_holds';
    await tellOnce(context, attempt, downloaded ? 'downloaded' : 'waiting', `waiting: ${error.message}`, {
      downloaded,
    });
    throw error;
  }
}
