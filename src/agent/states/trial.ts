/**
 * TRIAL: the new slot runs. Is it healthy?
 * @module
 */
import { attemptOf, slotsOf } from '../context.ts';
import type { Context } from '../context.ts';
import { checkHealth } from '../life/health.ts';
import type { Next } from './states.ts';

export async function trial(context: Context): Promise<Next<'TRIAL'>> {
  const attempt = attemptOf(context);
  await slotHealth(context, attempt.targetSlot, attempt.release.version);
  return 'COMMIT';
}

/** Throws `health_failed`. `slot` is the running one. */
export async function slotHealth(context: Context, slot: string, version: string): Promise<void> {
  await checkHealth({
    commands: context.config.health.commands,
    deadlineMs: context.config.health.deadlineSeconds * 1000,
    run: context.run,
    clock: context.clock,
    env: {
      ENGRAFT_SLOT: slot,
      ENGRAFT_VERSION: version,
      ENGRAFT_SLOT_PATH: slotsOf(context, context.config.device.slotClass).pathOf(slot, slot),
    },
    signal: context.signal,
  });
}
