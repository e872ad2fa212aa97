/**
 * CHECK: is there a deployment for this device, and is the metadata it will be judged by in order?
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Deployment } from '../service/deployments.ts';
import type { Attempt, ReleaseName } from '../records/journal.ts';
import { outcomeOf } from '../records/outcome.ts';
import type { Next } from './states.ts';
import { endedAs, rememberEnded, saveResting } from '../service/ended.ts';
import { tellServer } from '../service/reports.ts';
import { trusted } from '../service/trusted.ts';

export async function check(context: Context): Promise<Next<'CHECK'>> {
  const { journal, deployments, clock } = context;
  let poll = await deployments.poll(context.signal);
  await tellServer(context, poll);
  if (poll.attributesWanted === true && poll.deployment === null && poll.cancel === null) {
    // A server that did not know what this device is could not know what is for it; now it does.
    poll = await deployments.poll(context.signal);
  }
  context.sleepMs = poll.sleepMs;
  const offered = poll.deployment;
  // What ended here is never begun again, whatever the server made of the report.
  if (offered === null || poll.cancel !== null || endedAs(journal.body, offered) !== null) return 'IDLE';
  if (offered.release === null) {
    await refuseForeign(context, offered);
    return 'IDLE';
  }
  if (offered.words?.download === 'skip') {
    context.emit({ type: 'note', message: `action ${offered.actionId} is not to be downloaded yet` });
    return 'IDLE';
  }
  context.cancelAskedMs = clock.monotonicMs();
  const { running } = await context.boot.read();
  const target = context.boot.slots.find((slot) => slot !== running) ?? running;
  const attempt = newAttempt(offered, offered.release, clock.now(), running, target);
  await trusted(context, attempt);
  journal.body.attempt = attempt;
  return 'PLAN';
}

function newAttempt(
  { actionId, words }: Deployment,
  release: ReleaseName,
  startedAtMs: number,
  sourceSlot: string,
  targetSlot: string,
): Attempt {
  return {
    ...{ actionId, release, startedAtMs, sourceSlot, targetSlot, words: words ?? null },
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
    behind: null,
    triedAs: null,
    cancelId: null,
    outcome: null,
  };
}

/** It is answered once, like an attempt that ended: the operator has to hear what is wrong with it. */
async function refuseForeign(context: Context, offered: Deployment): Promise<void> {
  const { journal, clock } = context;
  const { actionId, foreign = 'it names no release of ours' } = offered;
  const error = new UpdateError('deployment_foreign', `action ${actionId} is not for this device: ${foreign}`, { detail: { actionId } }); // prettier-ignore
  context.emit({ type: 'note', message: error.message, error });
  rememberEnded(journal.body, {
    actionId,
    cancelId: null,
    release: null,
    outcome: outcomeOf(error),
    endedAtMs: clock.now(),
  });
  await saveResting(journal);
  await tellServer(context, { deployment: offered, cancel: null, sleepMs: null });
}
