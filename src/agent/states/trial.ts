/**
 * TRIAL: the new slot runs. Is it healthy?
 * @module
 */
import { attemptOf, slotsOf } from '../context.ts';
import type { Context } from '../context.ts';
import { checkHealth } from '../health.ts';
import type { Next } from '../machine.ts';

export async function trial(context: Context): Promise<Next> {
  const attempt = attemptOf(context);
  await checkHealth({
    commands: context.config.health.commands,
    deadlineMs: context.config.health.deadlineSeconds * 1000,
    run: context.run,
    clock: context.clock,
    env: {
      ENGRAFT_SLOT: attempt.targetSlot,
      ENGRAFT_VERSION: attempt.release.version,
      ENGRAFT_SLOT_PATH: slotsOf(context, attempt.release.slotClass).pathOf(attempt.targetSlot, attempt.targetSlot),
    },
    signal: context.signal,
  });
  return 'COMMIT';
}
