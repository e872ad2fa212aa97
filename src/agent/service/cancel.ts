/**
 * Does the server still want this? Asked until ARM: a cancellation ends an attempt, and so does an action that is no
 * longer offered (force quit, closed by itself, replaced by another, a database that was lost).
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { retryAfterOf } from '../../platform/http/retry-after.ts';
import type { Context } from '../context.ts';
import { sameRelease, type PollResult } from './deployments.ts';
import type { Attempt } from '../records/journal.ts';
import { answerCancellation } from './reports.ts';

/**
 * Asks the server, at most every `cancelPollSeconds` unless `now`. Throws `cancelled`, `withdrawn`. A server that does
 * not answer has taken nothing back. True when it was asked and has answered: then the link is up.
 */
export async function throwIfCancelled(context: Context, attempt: Attempt, now = false): Promise<boolean> {
  const { clock, deployments, config } = context;
  const atMs = clock.monotonicMs();
  if (!now && atMs - context.cancelAskedMs < config.server.cancelPollSeconds * 1000) return false;
  context.cancelAskedMs = atMs;
  let poll: PollResult;
  try {
    poll = await deployments.poll(context.signal);
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    // A server that asks for more time than usual is given it.
    context.cancelAskedMs = atMs + Math.max(0, (retryAfterOf(error) ?? 0) - config.server.cancelPollSeconds * 1000);
    context.emit({ type: 'note', message: 'could not ask whether the deployment was cancelled', error });
    return false;
  }
  // A poll beside the download may end after the attempt did: its outcome is what is reported.
  if (attempt.outcome !== null) return true;
  const { actionId } = attempt;
  const { cancel, deployment } = poll;
  if (cancel?.stopId === actionId) {
    attempt.cancelId = cancel.cancelId;
    throw new UpdateError('cancelled', `the server cancelled action ${actionId}`, {
      detail: { actionId, cancelId: cancel.cancelId },
    });
  }
  if (cancel !== null) {
    // One thing at a time: as long as this one is not answered, the server does not say what it thinks of ours.
    await answerCancellation(context, cancel);
    return true;
  }
  if (deployment?.actionId !== actionId || !sameRelease(deployment.release, attempt.release)) {
    throw withdrawn(attempt, poll);
  }
  attempt.words = deployment.words ?? null;
  return true;
}

function withdrawn({ actionId }: Attempt, { deployment }: PollResult): UpdateError {
  const offers =
    deployment === null
      ? 'nothing'
      : deployment.actionId === actionId
        ? 'another release under the same id'
        : `action ${deployment.actionId}`;
  return new UpdateError('withdrawn', `the server no longer offers action ${actionId}; it offers ${offers}`, {
    detail: { actionId, offered: deployment?.actionId ?? null },
  });
}
