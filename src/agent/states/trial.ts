/**
 * TRIAL: the new slot runs. Is it healthy?
 * @module
 */
import { attemptOf, type Context } from '../context.ts';
import { slotHealth } from '../life/health.ts';
import type { Next } from './states.ts';

export async function trial(context: Context): Promise<Next<'TRIAL'>> {
  const attempt = attemptOf(context);
  await slotHealth(context, attempt.targetSlot, attempt.release.version);
  return 'COMMIT';
}
