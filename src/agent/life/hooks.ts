/**
 * Hooks: commands of the device's maker around an attempt.
 *
 * Those before a step are policy (battery, metered link, consent): all of them must exit 0, else the step waits and is
 * asked for again; nothing is lost meanwhile. Those after a step are news: they run at least once and change nothing,
 * whatever they do.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { failureOf, type CommandRunner } from './commands.ts';
import type { Context } from '../context.ts';
import { checkHours } from './hours.ts';
import { partsOf, payloadBytesOf, type Attempt } from '../records/journal.ts';

/** By their names, as they are in the configuration. */
const POLICY = {
  ...({ before_download: 'beforeDownload', before_apply: 'beforeApply' } as const),
  ...({ before_arm: 'beforeArm', before_reboot: 'beforeReboot' } as const),
};
const NEWS = { after_commit: 'afterCommit', after_rollback: 'afterRollback', after_failure: 'afterFailure' } as const;

type PolicyHookName = keyof typeof POLICY;
type NewsHookName = keyof typeof NEWS;
type HookName = PolicyHookName | NewsHookName;

interface HookOptions {
  readonly name: HookName;
  readonly commands: readonly (readonly string[])[];
  /** For each command. */
  readonly deadlineMs: number;
  readonly run: CommandRunner;
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** EX_TEMPFAIL of sysexits.h: "not now" on purpose. Anything else that is not 0 holds back as well, as a failed hook. */
const NOT_NOW = 75;

/** Throws `hook_refused` when one of them does not exit with 0 in time; `aborted` when the agent is stopped. */
export async function askHooks({ name, commands, deadlineMs, run, env, signal }: HookOptions): Promise<void> {
  for (const argv of commands) {
    const result = await run({ argv, deadlineMs, env: { ...env, ENGRAFT_HOOK: name }, signal });
    if (signal?.aborted) throw new UpdateError('aborted', `stopped in hook ${name}`);
    if (result.exitCode === 0 && !result.timedOut) continue;
    const { exitCode, timedOut } = result;
    const said = failureOf(argv, result, deadlineMs, exitCode === NOT_NOW ? 'says not now' : undefined);
    throw new UpdateError('hook_refused', `hook ${name} ${said}`, {
      detail: { hook: name, argv, exitCode, timedOut },
    });
  }
}

/** May the attempt go on? `env` replaces what the attempt does not know yet. Throws `hook_refused`. */
export async function askPolicy(
  context: Context,
  attempt: Attempt,
  name: PolicyHookName,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const options = optionsFor(context, attempt, name);
  await askHooks({ ...options, env: { ...options.env, ...env } });
}

/**
 * May the device leave the running slot now: within the maintenance window, and with the hook's consent? Throws
 * `outside_hours`, `hook_refused`.
 */
export async function askToReboot(context: Context, attempt: Attempt, name: PolicyHookName): Promise<void> {
  checkHours('the reboot', context.config.hooks.rebootWindow, context.clock);
  await askPolicy(context, attempt, name);
}

/** Tell whoever wants to know. Throws only `aborted`: what a command does here is noted, and no more. */
export async function tellHooks(context: Context, attempt: Attempt, name: NewsHookName): Promise<void> {
  const options = optionsFor(context, attempt, name);
  for (const argv of options.commands) {
    try {
      await askHooks({ ...options, commands: [argv] });
    } catch (thrown) {
      const cause = UpdateError.from(thrown);
      if (cause.code !== 'hook_refused') throw thrown;
      const error = new UpdateError('hook_failed', cause.message, { detail: cause.detail, cause });
      context.emit({ type: 'note', message: error.message, error });
    }
  }
}

function optionsFor(context: Context, attempt: Attempt, name: HookName): HookOptions {
  const { run, signal, config } = context;
  const commands = config.hooks[{ ...POLICY, ...NEWS }[name]];
  const deadlineMs = config.hooks.deadlineSeconds * 1000;
  return { name, commands, deadlineMs, run, signal, env: hookEnvironment(context, attempt) };
}

/** What every hook is told, besides `ENGRAFT_HOOK`. docs/operating.md lists it. */
function hookEnvironment(context: Context, attempt: Attempt): Record<string, string> {
  const { journal } = context;
  const { release, outcome } = attempt;
  const env: Record<string, string> = {
    ENGRAFT_STATE: journal.body.state,
    ENGRAFT_ACTION: attempt.actionId,
    ENGRAFT_PRODUCT: release.product,
    ENGRAFT_VERSION: release.version,
    ENGRAFT_FROM_VERSION: journal.body.slots[attempt.sourceSlot]?.version ?? '',
    ENGRAFT_SLOT: attempt.targetSlot,
    ENGRAFT_SOURCE_SLOT: attempt.sourceSlot,
    ENGRAFT_PAYLOAD_BYTES: String(payloadBytesOf(partsOf(attempt))),
    ENGRAFT_WIRE_BYTES: String(attempt.wireBytes),
    ENGRAFT_UPDATE: attempt.words?.update ?? 'forced',
  };
  if (outcome === null) return env;
  return {
    ...env,
    ENGRAFT_STATUS: String(outcome.status),
    ENGRAFT_CODE: outcome.code,
    ENGRAFT_MESSAGE: outcome.message,
  };
}
