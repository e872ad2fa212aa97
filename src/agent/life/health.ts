/**
 * Health of a slot on trial: every configured command must exit 0, all of them within one deadline.
 * @module
 */
import { codeOfErrno } from '../../../native-free/errno.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Clock } from '../../platform/clock.ts';
import type { CommandResult, CommandRunner } from './commands.ts';

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
    const why = result.timedOut ? `did not end within ${options.deadlineMs} ms` : `ended with ${result.exitCode}`;
    const words = result.output.slice(-500);
    throw new UpdateError(
      'health_failed',
      `health check '${argv.join(' ')}' ${why}${words === '' ? '' : `: ${words}`}`,
      {
        detail: { argv, exitCode: result.exitCode, timedOut: result.timedOut },
      },
    );
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
