/**
 * Cancellation by the server, accepted until ARM.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import { retryAfterOf } from '../transfer/retry-after.ts';
import type { Context } from './context.ts';
import type { Attempt } from './journal.ts';

/**
 * Asks the server, at most every `cancelPollSeconds` unless `now`. Throws `cancelled`. A server that does not answer
 * has cancelled nothing. True when it was asked and has answered: then the link is up.
 */
export async function throwIfCancelled(context: Context, attempt: Attempt, now = false): Promise<boolean> {
  const { clock, deployments, config } = context;
  const atMs = clock.monotonicMs();
  if (!now && atMs - context.cancelAskedMs < config.server.cancelPollSeconds * 1000) return false;
  context.cancelAskedMs = atMs;
  let cancel;
  try {
    ({ cancel } = await deployments.poll(context.signal));
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    // A server that asks for more time than usual is given it.
    context.cancelAskedMs = atMs + Math.max(0, (retryAfterOf(error) ?? 0) - config.server.cancelPollSeconds * 1000);
    context.emit({ type: 'note', message: 'could not ask whether the deployment was cancelled', error });
    return false;
  }
  if (cancel === null || cancel.stopId !== attempt.actionId) return true;
  // A poll beside the download may end after the attempt did: its outcome is what is reported.
  if (attempt.outcome !== null) return true;
  attempt.cancelId = cancel.cancelId;
  throw new UpdateError('cancelled', `the server cancelled action ${attempt.actionId}`, {
    detail: { actionId: attempt.actionId, cancelId: cancel.cancelId },
  });
}
