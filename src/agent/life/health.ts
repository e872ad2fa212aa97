/**
 * Health of a slot on trial: every configured command must exit 0, all of them within one deadline.
 * @module
 */
import { codeOfErrno } from '../../../native-free/errno.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Clock } from '../../platform/clock.ts';
import { slotsOf, type Context } from '../context.ts';
import { failureOf, type CommandResult, type CommandRunner } from './commands.ts';

export interface HealthOptions {
  readonly commands: readonly (readonly string[])[];
  /** For all commands together. */
  readonly deadlineMs: number;
  readonly run: CommandRunner;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Throws `health_failed` with the command, its exit code and its last words; `aborted` when the agent is stopped. */
export async function checkHealth(options: HealthOptions): Promise<void> {
  const { commands, run, clock, env, signal } = options;
  let leftMs = options.deadlineMs;
  for (const argv of commands) {
    const startMs = clock.monotonicMs();
    const result = await run({ argv, deadlineMs: leftMs, env, signal });
    if (signal?.aborted) throw new UpdateError('aborted', 'stopped during the health check');
    if (result.exitCode === 0 && !result.timedOut) {
      leftMs = Math.max(0, leftMs - (clock.monotonicMs() - startMs));
      continue;
    }
    refuseUnasked(argv, result);
    const { exitCode, timedOut } = result;
    throw new UpdateError('health_failed', `health check ${failureOf(argv, result, options.deadlineMs)}`, {
      detail: { argv, exitCode, timedOut },
    });
  }
}

/** A check for which there was no process to be had says nothing of the slot. Throws `resources_exhausted`, `storage_failed`. */
function refuseUnasked(argv: readonly string[], { exitCode, errno = '', output }: CommandResult): void {
  const code = codeOfErrno(errno === 'EAGAIN' ? 'ENOMEM' : errno, 'bug');
  if (exitCode !== null || (code !== 'resources_exhausted' && code !== 'storage_failed')) return;
  throw new UpdateError(code, `health check '${argv.join(' ')}' could not be started: ${output}`, {
    detail: { argv, errno },
  });
}

/** Throws `health_failed`. `slot` is the running one. */
export async function slotHealth(context: Context, slot: string, version: string): Promise<void> {
  const { run, clock, signal, config } = context;
  const { commands, deadlineSeconds } = config.health;
  const path = slotsOf(context, config.device.slotClass).pathOf(slot, slot);
  const env = { ENGRAFT_SLOT: slot, ENGRAFT_VERSION: version, ENGRAFT_SLOT_PATH: path };
  await checkHealth({ commands, deadlineMs: deadlineSeconds * 1000, run, clock, env, signal });
}
