/**
 * ARM: the last chance to stop, then the boot loader is told. The record says "armed" before the flip; the flip is the
 * last write.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { throwIfCancelled } from '../cancel.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { askToReboot } from '../hooks.ts';
import type { Attempt } from '../journal.ts';
import type { Next } from '../machine.ts';

export async function arm(context: Context): Promise<Next> {
  const { boot, journal } = context;
  const attempt = attemptOf(context);
  const { running, bootId } = await boot.read();
  if (running === attempt.targetSlot) return 'TRIAL';
  if (attempt.armedBootId === null) {
    await throwIfCancelled(context, attempt, true);
    await permitted(context, attempt);
  }
  attempt.armedBootId = bootId;
  await journal.save();
  await boot.arm(attempt.targetSlot);
  return 'REBOOT';
}

/** Attempts whose server was told, by this process, that they wait. */
const told = new WeakSet<Attempt>();

/**
 * Throws `outside_hours` or `hook_refused`, and the machine comes back to ARM later: the slot is written, nothing is downloaded again, and
 * the server may still cancel.
 */
async function permitted(context: Context, attempt: Attempt): Promise<void> {
  try {
    await askToReboot(context, attempt, 'before_arm');
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (error.code !== 'hook_refused' && error.code !== 'outside_hours') throw thrown;
    // Waiting is no crash loop, however often the agent is started meanwhile.
    if (attempt.resumes > 0) {
      attempt.resumes = 0;
      await context.journal.save();
    }
    if (!told.has(attempt)) {
      told.add(attempt);
      await context.deployments
        .proceeding(attempt.actionId, `waiting: ${error.message}`, 0)
        .catch((lost: unknown) => context.emit({ type: 'note', message: `feedback was lost: ${String(lost)}` }));
    }
    throw error;
  }
}
