/**
 * Policy hooks: commands that may say "not now" (battery, metered link, consent, maintenance window).
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { CommandRunner } from './commands.ts';

export type HookName = 'before_download' | 'before_arm';

export interface HookOptions {
  readonly name: HookName;
  readonly commands: readonly (readonly string[])[];
  readonly deadlineMs: number;
  readonly run: CommandRunner;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Throws `hook_refused` when one of them exits with anything but 0. */
export async function askHooks({ name, commands, deadlineMs, run, env, signal }: HookOptions): Promise<void> {
  for (const argv of commands) {
    const result = await run({ argv, deadlineMs, env: { ...env, ENGRAFT_HOOK: name }, signal });
    if (signal?.aborted) throw new UpdateError('aborted', `stopped in hook ${name}`);
    if (result.exitCode === 0 && !result.timedOut) continue;
    const why = result.timedOut ? `ran over ${deadlineMs} ms` : `ended with ${result.exitCode}`;
    throw new UpdateError('hook_refused', `hook ${name} '${argv.join(' ')}' ${why}: ${result.output.slice(-500)}`, {
      detail: { hook: name, argv, exitCode: result.exitCode },
    });
  }
}
