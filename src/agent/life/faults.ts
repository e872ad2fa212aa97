/**
 * Faults of the device's own storage, tools and memory are tried again before they are taken for the outcome.
 *
 * An EIO, a full disk or a process without descriptors may be gone a moment later, and an update must not end for it. So
 * the state is begun again, from what is durable: the journal goes back to what was kept last, as it would be in a new
 * process. That is a way the machine knows, since every handler is written to be repeated. The pauses grow, the tries
 * are counted, and the count is in the journal, so that restarts do not begin it anew. Only then the fault decides.
 *
 * A journal that cannot be written is a fault like any other, but it cannot be the outcome, for nobody would remember
 * it: the machine stays where it is, and whoever runs it tries again. Only the way back from a slot on trial goes on
 * without it, since a release that breaks the data partition is one that has to go.
 * @module
 */
import { mayPass } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { backoffMs } from '../../platform/clock.ts';
import { settleFolder } from '../../platform/filesystem.ts';
import type { Context } from '../context.ts';
import type { Attempt, Journal } from '../records/journal.ts';
import type { State } from '../states/states.ts';

/** Tries again where something else than patience helps: a slot that cannot be read is repaired from the full payload. */
const SOURCE_TRIES = 2;
/** Nobody waits long for a record before a sick slot is left. */
const WAY_BACK_TRIES = 3;

/**
 * To be asked when `state` failed. True: some time has passed, and the state is to be begun again from the journal, which
 * is as it was kept last. False: the error is what came of it. Throws `aborted`.
 */
export async function isTriedAgain(context: Context, state: State, error: UpdateError): Promise<boolean> {
  const { journal, memory } = context;
  const { attempt } = journal.body;
  // What was cancelled is over, whatever failed while it stopped.
  if (!mayPass(error) || (attempt !== null && attempt.cancelId !== null)) return false;
  const most = sourceCanBeRepaired(attempt, error) ? SOURCE_TRIES : context.config.limits.faultRetriesMax;
  const at = `${state} ${attempt?.actionId} ${attempt?.segmentsDone}`;
  const count = Math.max(memory.faults?.at === at ? memory.faults.count : 0, attempt?.faults ?? 0) + 1;
  if (count > most) return false;
  memory.faults = { at, count };
  // A poll is no part of the journal.
  if (state !== 'CHECK') await goBack(journal, state, count);
  await pause(context, state, error, count, most);
  return true;
}

function sourceCanBeRepaired(attempt: Attempt | null, { code }: UpdateError): boolean {
  return code === 'slot_unreadable' && attempt?.plan?.kind !== 'full';
}

/**
 * What can be read becomes durable. A call that failed may have left a name that the next power cut takes back; what reads
 * right is not written again, so it has to be settled first, as in a new process.
 */
export async function settle({ fs, boot, config }: Context): Promise<void> {
  await settleFolder(fs, `${config.dataFolder}/journal`);
  await boot.settle?.();
}

/** The journal as it was kept last, but for what was counted since. */
async function goBack(journal: Journal, state: State, count: number): Promise<void> {
  // A way back that could not be recorded is gone on with all the same.
  if (journal.keptState !== state) return;
  const { attempt } = journal.body;
  journal.revert();
  const kept = journal.body.attempt;
  if (kept === null) return;
  kept.faults = count;
  if (attempt !== null && attempt.actionId === kept.actionId && attempt.startedAtMs === kept.startedAtMs) {
    kept.wireBytes = Math.max(kept.wireBytes, attempt.wireBytes);
    kept.refetchedBytes = Math.max(kept.refetchedBytes, attempt.refetchedBytes);
  }
  // Where this is what fails, the count is in memory at least.
  await journal.save().catch(() => undefined);
}

async function pause(context: Context, what: string, error: UpdateError, count: number, most: number): Promise<void> {
  const { clock, config, signal } = context;
  const delayMs = backoffMs(config.limits.backoff, count - 1, clock.random());
  const seconds = (delayMs / 1000).toFixed(1);
  const message = `${what}: ${error.message}; once more in ${seconds} s (${count} of ${most})`;
  context.emit({ type: 'note', message, error });
  await clock.sleep(delayMs, signal);
}

/** `work`, tried again while it fails for what may pass. It has to be repeatable. */
export async function patiently<T>(
  context: Context,
  what: string,
  work: () => Promise<T>,
  most = context.config.limits.faultRetriesMax,
): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await work();
    } catch (thrown) {
      const error = UpdateError.from(thrown);
      if (count > most || !mayPass(error)) throw thrown;
      await pause(context, what, error, count, most);
    }
  }
}

/**
 * Make `next` durable. The way into ROLLBACK is gone even where that cannot be done. Throws what the storage says; the
 * journal is then as it was kept last.
 */
export async function keepPatiently(context: Context, state: State, next: State): Promise<void> {
  const { journal } = context;
  if (journal.body.attempt !== null) journal.body.attempt.faults = 0;
  journal.body.state = next;
  const most = next === 'ROLLBACK' ? WAY_BACK_TRIES : undefined;
  try {
    await patiently(context, `${next} cannot be recorded`, () => journal.save(), most);
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (next === 'ROLLBACK' && error.code !== 'aborted') {
      context.emit({ type: 'note', message: `going back without a record: ${error.message}`, error });
      return;
    }
    journal.revert();
    if (state === 'CHECK') journal.body.state = 'IDLE';
    throw thrown;
  }
}
