/**
 * ROLLBACK: flip back, and leave the slot that failed. The outcome was recorded by whoever sent us here.
 * @module
 */
import { attemptOf, type Context } from '../context.ts';
import { outcomeOf } from '../records/outcome.ts';
import { tellHooks } from '../life/hooks.ts';
import type { Next } from './states.ts';
import { stayIn, wayBackFrom } from '../start/way-back.ts';
import { rebootNow } from './reboot.ts';

export async function rollback(context: Context): Promise<Next<'ROLLBACK'>> {
  const { boot } = context;
  const attempt = attemptOf(context);
  const { sourceSlot, targetSlot } = attempt;
  const before = await boot.read();
  // A slot that the boot loader would skip is no way back: stay, and say what happened.
  if (before.running === targetSlot && wayBackFrom(targetSlot, before) === null) {
    const { outcome } = attempt;
    const why = await stayIn(context, targetSlot, outcome?.message ?? 'the trial failed');
    if (outcome?.status === why.outcome) attempt.outcome = outcomeOf(why);
    // It was never confirmed, and is tested again at every start.
    context.journal.body.confirmed = null;
    return 'REPORT';
  }
  await boot.rollBack(targetSlot, sourceSlot);
  const { running } = await boot.read();
  if (running === targetSlot) {
    await rebootNow(context, sourceSlot);
    return 'STOP';
  }
  if (!boot.needsReboot) await rebootNow(context, sourceSlot);
  // Before the flip there was nothing to go back from.
  if (attempt.armedBootId !== null) await tellHooks(context, attempt, 'after_rollback');
  return 'REPORT';
}
