/**
 * REPORT: tell the server how the attempt ended, until it acknowledges. Whatever happens here, nothing is ever
 * installed again: the attempt is over.
 * @module
 */
import { mayPass } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { retryDelayMs } from '../../transfer/retry-after.ts';
import { Spool } from '../../transfer/spool.ts';
import { attemptOf, placeOf, spoolFolder } from '../context.ts';
import type { Context } from '../context.ts';
import { History, historyEntry, historyFile } from '../history.ts';
import { tellHooks } from '../hooks.ts';
import type { Attempt } from '../journal.ts';
import type { Next } from '../machine.ts';
import { patiently } from '../patience/faults.ts';

/** A program that runs once must end; the report goes out at the next start. */
const TRIES_ONCE = 3;
/** Nor does it wait for longer than this, whatever the server asks for. */
const WAIT_ONCE_MS = 60_000;

export async function report(context: Context): Promise<Next> {
  const attempt = attemptOf(context);
  await remember(context, attempt);
  if (!(await acknowledged(context, attempt))) return 'STOP';
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

async function acknowledged(context: Context, attempt: Attempt): Promise<boolean> {
  const { clock, signal } = context;
  const { backoffFirstMs, backoffMostMs } = context.config.limits;
  const outcome = attempt.outcome;
  if (outcome === null) throw new UpdateError('bug', 'REPORT without an outcome');
  for (let tries = 1; ; tries++) {
    try {
      if (attempt.cancelId === null) await context.deployments.close(attempt.actionId, outcome);
      else await context.deployments.answerCancel(attempt.cancelId, outcome.code === 'cancelled', outcome.message);
      return true;
    } catch (thrown) {
      const error = UpdateError.from(thrown);
      if (error.code === 'aborted') throw error;
      // The server knows no such action any more (or knows it as closed): nobody is waiting for this report.
      if (error.code === 'http_status' && [404, 410].includes(Number(error.detail['httpStatus']))) return true;
      context.emit({ type: 'note', message: `the report was not taken: ${error.message}`, error });
      const policy = { firstMs: backoffFirstMs, mostMs: backoffMostMs };
      const delayMs = retryDelayMs(policy, tries - 1, clock.random(), error);
      if (context.once && (tries >= TRIES_ONCE || delayMs > WAIT_ONCE_MS)) return false;
      await clock.sleep(delayMs, signal);
    }
  }
}

/** The attempt becomes history. What a later attempt can go on with stays. */
async function forget(context: Context, attempt: Attempt): Promise<void> {
  const { body } = context.journal;
  const { config, fs, hash } = context;
  const plan = attempt.plan;
  const later =
    attempt.outcome?.status === 10 &&
    plan !== null &&
    body.slots[placeOf(context, attempt.targetSlot, plan.slotClass)] === null;
  body.partial = later
    ? {
        slot: placeOf(context, attempt.targetSlot, plan.slotClass),
        payloadSha256: plan.payload.sha256,
        segmentsDone: attempt.segmentsDone,
      }
    : null;
  body.last = { ...attempt, finishedAtMs: context.clock.now() };
  body.attempt = null;
  if (later) return;
  const spool = new Spool({ fs, hash, folder: spoolFolder(config), payloadSha256: '' });
  // What stays is in the way of nothing: the next attempt removes it.
  await patiently(context, 'the spool', () => spool.clear(), 2).catch((thrown: unknown) => {
    const error = UpdateError.from(thrown);
    if (!mayPass(error)) throw thrown;
    context.emit({ type: 'note', message: error.message, error });
  });
}
