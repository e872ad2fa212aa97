/**
 * PLAN: choose the payload and refuse what can be refused before anything is downloaded or touched.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { throwIfCancelled } from '../cancel.ts';
import { attemptOf } from '../context.ts';
import type { Context } from '../context.ts';
import { askHooks } from '../hooks.ts';
import type { Attempt, JournalBody, Plan } from '../journal.ts';
import type { Next } from '../machine.ts';
import { prefixOf } from '../manifest.ts';
import * as planning from '../plan.ts';

/** Releases whose attempts are counted; the oldest are forgotten. */
const TRIED_MAX = 16;

export async function plan(context: Context): Promise<Next> {
  const { journal, boot, slots } = context;
  const attempt = attemptOf(context);
  const { release } = attempt;
  planning.checkCompatible(context, release);
  // A hook may have kept us here for days.
  await throwIfCancelled(context, attempt);
  const targets = await context.trust();
  const full = await planning.fullPlan(targets, release);
  await planning.checkRollbackIndex(context, release, full);
  const { running } = await boot.read();
  attempt.sourceSlot = running;
  const source = await planning.identifySource(context, targets, release, running, full);
  if (source !== null && source.sha256 === full.target.sha256) {
    // The running slot holds the release already (a journal was lost, or it came with the device): only confirm it,
    // after a trial if nobody knows any more whether there was one.
    attempt.plan = full;
    attempt.targetSlot = running;
    journal.body.slots[running] = { ...full.target, version: release.version };
    if (!journal.body.recovered) return 'COMMIT';
    attempt.sourceSlot = otherSlot(context, running);
    return 'TRIAL';
  }
  attempt.targetSlot = otherSlot(context, running);
  const chosen = await planning.choosePlan(context, targets, release, source, full);
  await slots.check(running, 0);
  await planning.checkRoom(context, chosen, attempt.targetSlot, running);
  await askHooks({
    name: 'before_download',
    commands: context.config.hooks.beforeDownload,
    deadlineMs: context.config.hooks.deadlineSeconds * 1000,
    run: context.run,
    env: { ENGRAFT_VERSION: release.version, ENGRAFT_PAYLOAD_BYTES: String(chosen.payload.bytes) },
    signal: context.signal,
  });
  countAttempt(context, journal.body, attempt, full);
  attempt.plan = chosen;
  return 'PREPARE';
}

function otherSlot({ boot }: Context, running: string): string {
  const other = boot.slots.find((slot) => slot !== running);
  if (other === undefined) throw new UpdateError('slot_missing', `there is no slot besides ${running}`);
  return other;
}

/** Stops endless loops over a release that never gets through. Durable with the next state. */
function countAttempt(context: Context, body: JournalBody, attempt: Attempt, full: Plan): void {
  const { attemptsMax } = context.config.limits;
  const key = `${prefixOf(attempt.release)}@${full.target.sha256}`;
  const count = (body.tried[key] ?? 0) + 1;
  if (count > attemptsMax) {
    throw new UpdateError('attempts_exhausted', `release ${attempt.release.version} was tried ${attemptsMax} times`, {
      detail: { attempts: attemptsMax },
    });
  }
  const { [key]: _, ...others } = body.tried;
  body.tried = Object.fromEntries([...Object.entries(others).slice(-(TRIED_MAX - 1)), [key, count]]);
}
