/**
 * CHECK: is there a deployment for this device, and is the metadata it will be judged by in order?
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Next } from '../machine.ts';

export async function check(context: Context): Promise<Next> {
  const { journal, deployments } = context;
  const poll = await deployments.poll(context.signal);
  context.sleepMs = poll.sleepMs;
  if (poll.cancel !== null) {
    // Nothing is under way, so there is nothing to stop.
    await deployments.answerCancel(poll.cancel.cancelId, true, 'nothing was under way');
    return 'IDLE';
  }
  if (poll.deployment === null) return 'IDLE';
  context.cancelAskedMs = context.clock.monotonicMs();
  await trusted(context, poll.deployment.actionId);
  const { running } = await context.boot.read();
  journal.body.attempt = {
    actionId: poll.deployment.actionId,
    release: poll.deployment.release,
    startedAtMs: context.clock.now(),
    sourceSlot: running,
    targetSlot: context.boot.slots.find((slot) => slot !== running) ?? running,
    plan: null,
    verified: [],
    pending: [],
    segmentsDone: 0,
    repair: null,
    repairedSegments: 0,
    resumes: 0,
    wireBytes: 0,
    refetchedBytes: 0,
    fellBack: null,
    armedBootId: null,
    cancelId: null,
    outcome: null,
  };
  return 'PLAN';
}

/** Metadata that cannot be trusted ends no attempt (the repository may be mended), but the fleet has to see it. */
async function trusted(context: Context, actionId: string): Promise<void> {
  try {
    await context.trust();
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    await context.deployments.proceeding(actionId, error.message, error.status).catch(() => undefined);
    throw error;
  }
}
