/**
 * ARM: the last chance to stop, then the boot loader is told. The record says "armed" before the flip; the flip is the
 * last write.
 * @module
 */
import { throwIfCancelled } from '../cancel.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { askHooks } from '../hooks.ts';
import type { Next } from '../machine.ts';

export async function arm(context: Context): Promise<Next> {
  const { boot, journal, config } = context;
  const attempt = attemptOf(context);
  const { running, bootId } = await boot.read();
  if (running === attempt.targetSlot) return 'TRIAL';
  if (attempt.armedBootId === null) {
    await throwIfCancelled(context, attempt, true);
    await askHooks({
      name: 'before_arm',
      commands: config.hooks.beforeArm,
      deadlineMs: config.hooks.deadlineSeconds * 1000,
      run: context.run,
      env: { ENGRAFT_VERSION: attempt.release.version, ENGRAFT_SLOT: attempt.targetSlot },
      signal: context.signal,
    });
  }
  attempt.armedBootId = bootId;
  await journal.save();
  await boot.arm(attempt.targetSlot);
  return 'REBOOT';
}
