/**
 * REBOOT: leave this system for the armed slot. Without a reboot command somebody else has to.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, type Context } from '../context.ts';
import { failureOf } from '../life/commands.ts';
import { askToReboot } from '../life/hooks.ts';
import type { Next } from './states.ts';

const REBOOT_DEADLINE_MS = 120_000;

export async function reboot(context: Context): Promise<Next<'REBOOT'>> {
  const attempt = attemptOf(context);
  const { running } = await context.boot.read();
  if (running === attempt.targetSlot && context.boot.needsReboot) return 'TRIAL';
  // A switch that takes effect at once is there, or it was never made: the journal may be newer than the files.
  if (running !== attempt.targetSlot && !context.boot.needsReboot) return 'ARM';
  // Without a command somebody else chooses the time, and asks nobody.
  if (context.config.rebootCommand !== null) await askToReboot(context, attempt, 'before_reboot');
  const done = await rebootNow(context, attempt.targetSlot);
  return done || context.boot.needsReboot ? 'STOP' : 'TRIAL';
}

/** Runs the reboot command, if there is one. For a file target it restarts what uses the file. */
export async function rebootNow(context: Context, slot: string): Promise<boolean> {
  const argv = context.config.rebootCommand;
  if (argv === null) {
    if (context.boot.needsReboot) context.emit({ type: 'note', message: `a reboot into slot ${slot} is pending` });
    return false;
  }
  const { run, signal } = context;
  const result = await run({ argv, deadlineMs: REBOOT_DEADLINE_MS, env: { ENGRAFT_SLOT: slot }, signal });
  if (result.exitCode === 0) return context.boot.needsReboot;
  // A reboot command is often killed by the reboot; only a clear refusal counts.
  if (result.exitCode === null && !result.timedOut && result.output === '') return context.boot.needsReboot;
  const { exitCode } = result;
  throw new UpdateError('reboot_failed', failureOf(argv, result, REBOOT_DEADLINE_MS), { detail: { argv, exitCode } });
}
