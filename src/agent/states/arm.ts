/**
 * ARM: the last chance to stop, then the boot loader is told. The record says "armed" before the flip; the flip is the
 * last write.
 * @module
 */
import { throwIfCancelled } from '../service/cancel.ts';
import { attemptOf, type Context } from '../context.ts';
import { askToReboot } from '../life/hooks.ts';
import { partsOf } from '../records/journal.ts';
import type { Next } from './states.ts';
import { checkRollbackIndex } from '../payloads/choose.ts';
import { requireUpdate } from '../service/words.ts';
import { holdsRelease } from '../slots/read-back.ts';

export async function arm(context: Context): Promise<Next<'ARM'>> {
  const { boot, journal } = context;
  const attempt = attemptOf(context);
  const { running, bootId } = await boot.read();
  if (running === attempt.targetSlot) return 'TRIAL';
  if (attempt.armedBootId === null) {
    const isFresh = await throwIfCancelled(context, attempt, true);
    requireUpdate(attempt.words, isFresh);
    await askToReboot(context, attempt, 'before_arm');
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
