/**
 * REPORT: the attempt is over. It goes into the history, and its report to those that wait for the server; from then on
 * the machine rests and polls. Whatever the server says, nothing is ever installed again.
 * @module
 */
import { mayPass } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { Spool } from '../../transfer/spool.ts';
import { attemptOf, placeOf, spoolFolder, type Context } from '../context.ts';
import { History, historyEntry, historyFile } from '../records/history.ts';
import { tellHooks } from '../life/hooks.ts';
import type { Attempt } from '../records/journal.ts';
import type { Next } from './states.ts';
import { patiently } from '../life/faults.ts';
import { rememberEnded } from '../service/ended.ts';
import { countFailedInstall } from '../payloads/failed-installs.ts';

export async function report(context: Context): Promise<Next<'REPORT'>> {
  const attempt = attemptOf(context);
  await remember(context, attempt);
  await forget(context, attempt);
  return 'IDLE';
}

/**
 * Into the history, and to the hooks that want to know. The hooks first: a power cut repeats them rather than leaving
 * them out. Whatever goes wrong here is noted, and the report goes on.
 */
async function remember(context: Context, attempt: Attempt): Promise<void> {
  const { fs, hash, config, journal, clock } = context;
  const history = new History({ fs, hash, path: historyFile(config) });
  const note = (thrown: unknown): void => {
    const error = UpdateError.from(thrown);
    if (error.code === 'aborted') throw error;
    context.emit({ type: 'note', message: `the history: ${error.message}`, error });
  };
  try {
    if (await history.holds(attempt)) return;
  } catch (thrown) {
    note(thrown);
  }
  if (attempt.outcome !== null && attempt.outcome.status !== 0) await tellHooks(context, attempt, 'after_failure');
  try {
    await history.add(historyEntry(journal.body, attempt, clock.now()));
  } catch (thrown) {
    note(thrown);
  }
}

/** The attempt becomes history. What a later attempt can go on with stays. */
async function forget(context: Context, attempt: Attempt): Promise<void> {
  const { body } = context.journal;
  const { config, fs, hash, clock } = context;
  const { plan, outcome, actionId, cancelId, release } = attempt;
  if (outcome === null) throw new UpdateError('bug', 'REPORT without an outcome');
  const later =
    outcome.status === 10 && plan !== null && body.slots[placeOf(context, attempt.targetSlot, plan.slotClass)] === null;
  body.partial = later
    ? {
        slot: placeOf(context, attempt.targetSlot, plan.slotClass),
        payloadSha256: plan.payload.sha256,
        segmentsDone: attempt.segmentsDone,
      }
    : null;
  const finishedAtMs = clock.now();
  body.last = { ...attempt, finishedAtMs };
  body.attempt = null;
  countFailedInstall(body, attempt);
  // Nobody waits for a report on what is no longer offered, and should it be offered again, it is begun again.
  if (outcome.code !== 'withdrawn') {
    rememberEnded(body, { actionId, cancelId, release, outcome, endedAtMs: finishedAtMs, fellBack: attempt.fellBack });
  }
  if (later) return;
  const spool = new Spool({ fs, hash, folder: spoolFolder(config), payloadSha256: '' });
  // What stays is in the way of nothing: the next attempt removes it.
  await patiently(context, 'the spool', () => spool.clear(), 2).catch((thrown: unknown) => {
    const error = UpdateError.from(thrown);
    if (!mayPass(error)) throw thrown;
    context.emit({ type: 'note', message: error.message, error });
  });
}
