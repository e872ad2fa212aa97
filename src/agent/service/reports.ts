/**
 * Telling the server how attempts ended, beside the polls.
 *
 * A report waits in the journal until the server takes it, and nothing waits for a report: every round polls first, then
 * sends what is due, once. The poll also shows whether the server still means the same action: ids begin anew with a new
 * database, and a report of the old action must not close the new one.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { retryDelayMs } from '../../platform/http/retry-after.ts';
import { noteLoss, type Context } from '../context.ts';
import { sameRelease, type Deployment, type PollResult, type Report } from './deployments.ts';
import type { EndedAction } from '../records/journal.ts';
import { outcomeOf, type AttemptOutcome } from '../records/outcome.ts';
import { isAboutContent, isGone, isRefusal } from './answers.ts';
import { sendAttributesIfDue } from './attributes.ts';
import { endedAs, hasWaiting, saveResting, settle } from './ended.ts';
import { plainLines } from './texts.ts';

/** A program that runs once must end; the report goes out at the next start. */
const TRIES_ONCE = 3;
/** Nor does it wait for longer than this, whatever the server asks for. */
const WAIT_ONCE_MS = 60_000;
/** A server that goes on offering what ended is told again, and not at every poll. */
const AGAIN_MS = 3_600_000;
/** A server that fails this often may be failing over the words. */
const FAILURES_WITH_TEXTS = 5;

/**
 * After each poll: what waits is sent, a cancellation of something that is not under way is answered, attributes that
 * changed are told. Throws only `aborted`: whatever the server thinks of it, the poll's answer counts.
 */
export async function tellServer(context: Context, poll: PollResult): Promise<void> {
  const { body } = context.journal;
  const tries = context.memory.reports;
  const { deployment, cancel } = poll;
  await dropReportsOfOthers(context, deployment);
  if (cancel !== null) await answerCancellation(context, cancel);
  const again = deployment === null ? null : endedAs(body, deployment);
  for (const entry of [...body.ended]) {
    const isOffered = entry === again || (cancel !== null && entry.cancelId === cancel.cancelId);
    if (entry.report !== 'waiting' && !isOffered) continue;
    if (context.clock.monotonicMs() < (tries.get(entry)?.dueMs ?? -Infinity)) continue;
    await tell(context, entry);
  }
  await sendAttributesIfDue(context, poll.attributesWanted === true);
}

/** When the next report is due, in ms from now; Infinity when none waits. */
export function nextReportMs({ journal, clock, memory }: Context): number {
  const due = journal.body.ended
    .filter(({ report }) => report === 'waiting')
    .map((entry) => (memory.reports.get(entry)?.dueMs ?? -Infinity) - clock.monotonicMs());
  return Math.max(0, Math.min(Infinity, ...due));
}

/** For a process that ends after one attempt: a few rounds. Returns whether everything was taken. */
export async function tellBeforeTheEnd(context: Context): Promise<boolean> {
  const { journal, clock, signal, deployments } = context;
  for (let round = 1; hasWaiting(journal.body); round++) {
    let failed: UpdateError | null = null;
    try {
      await tellServer(context, await deployments.poll(signal));
    } catch (thrown) {
      failed = noteLoss(context, 'the server was not told', thrown);
    }
    if (!hasWaiting(journal.body)) break;
    const delayMs = Math.max(nextReportMs(context), failed === null ? 0 : delayAfter(context, round - 1, failed));
    if (round >= TRIES_ONCE || delayMs > WAIT_ONCE_MS) return false;
    await clock.sleep(delayMs, signal);
  }
  return true;
}

const delayAfter = ({ config, clock }: Context, failures: number, error: UpdateError): number =>
  retryDelayMs(config.limits.backoff, failures, clock.random(), error);

function requireKnown(thrown: unknown): UpdateError {
  const error = UpdateError.from(thrown);
  if (error.code === 'aborted' || !UpdateError.is(thrown)) throw thrown;
  return error;
}

/** Where it cannot be kept it is told once more, after the next start. */
async function keep(context: Context): Promise<void> {
  try {
    await saveResting(context.journal);
  } catch (thrown) {
    noteLoss(context, 'what the server took cannot be recorded', thrown);
  }
}

/** The server means another release by this id: its database is a new one, and nobody waits for the report. */
async function dropReportsOfOthers(context: Context, offered: Deployment | null): Promise<void> {
  if (offered === null) return;
  for (const entry of context.journal.body.ended) {
    if (entry.report !== 'waiting' || entry.actionId !== offered.actionId) continue;
    if (sameRelease(entry.release, offered.release)) continue;
    const message = `action ${entry.actionId} is for another release now: the report on the earlier one is dropped`;
    context.emit({ type: 'note', message });
    settle(entry, 'unwanted');
    await keep(context);
  }
}

function detailsOf({ outcome: { code, subStatus, message }, fellBack }: EndedAction): string[] {
  const helped = fellBack ? plainLines(`another payload had to help: ${fellBack}`) : [];
  return [`${code} (${subStatus})`, ...plainLines(message), ...helped];
}

async function tell(context: Context, entry: EndedAction): Promise<void> {
  const tries = context.memory.reports;
  const known = tries.get(entry) ?? { failures: 0, dueMs: 0 };
  const details = known.failures < FAILURES_WITH_TEXTS ? detailsOf(entry) : [];
  const error = await sendOnceMoreWithoutTexts(context, entry, details);
  const nowMs = context.clock.monotonicMs();
  if (error === null || isGone(error) || isRefusal(error)) {
    const fate = error === null ? 'taken' : isGone(error) ? 'unwanted' : 'refused';
    if (error !== null) {
      const message = `the report on action ${entry.actionId} is not wanted, it stays in the history: ${error.message}`;
      context.emit({ type: 'note', message, error });
    }
    tries.set(entry, { failures: 0, dueMs: nowMs + AGAIN_MS });
    if (entry.report === fate) return;
    settle(entry, fate);
    await keep(context);
    return;
  }
  context.emit({ type: 'note', message: `the report was not taken: ${error.message}`, error });
  tries.set(entry, { failures: known.failures + 1, dueMs: nowMs + delayAfter(context, known.failures, error) });
}

/** Null when it was taken. Throws `aborted`. */
async function sendOnceMoreWithoutTexts(
  context: Context,
  entry: EndedAction,
  details: readonly string[],
): Promise<UpdateError | null> {
  try {
    await send(context, entry, details);
    return null;
  } catch (thrown) {
    const error = requireKnown(thrown);
    if (details.length === 0 || isGone(error) || !isAboutContent(error)) return error;
  }
  try {
    await send(context, entry, []);
    return null;
  } catch (thrown) {
    return requireKnown(thrown);
  }
}

async function send(context: Context, entry: EndedAction, details: readonly string[]): Promise<void> {
  const { cancelId, outcome } = entry;
  const report = reportOf(entry, details);
  if (cancelId === null) await context.deployments.close(report);
  else await context.deployments.answerCancel(cancelId, outcome.code === 'cancelled', report);
}

const reportOf = ({ actionId, release, outcome, endedAtMs }: EndedAction, details: readonly string[]): Report => ({
  ...{ actionId, release, outcome, details },
  atMs: endedAtMs,
});

/**
 * A cancellation of something that is not under way. Of an installed release it is rejected: the server then hears its
 * report. Writes nothing, since a download may be going on beside it. Throws only `aborted`.
 */
export async function answerCancellation(
  context: Context,
  { cancelId, stopId }: NonNullable<PollResult['cancel']>,
): Promise<void> {
  const { journal, clock, deployments } = context;
  const entry = journal.body.ended.find(({ actionId }) => actionId === stopId);
  // That one is answered by its own report.
  if (entry?.cancelId === cancelId) return;
  const isInstalled = entry?.outcome.status === 0;
  const message = entry === undefined ? 'nothing was under way' : `it had ended: ${entry.outcome.message}`;
  const outcome: AttemptOutcome = entry?.outcome ?? outcomeOf(new UpdateError('cancelled', message));
  const about = { actionId: stopId, release: entry?.release ?? null, atMs: clock.now() };
  try {
    await deployments.answerCancel(cancelId, !isInstalled, { ...about, outcome, details: plainLines(message) });
    if (isInstalled) context.memory.reports.delete(entry!);
  } catch (thrown) {
    noteLoss(context, `the answer to cancellation ${cancelId} was not taken`, thrown);
  }
}
