/**
 * The state machine: it goes the ways of `states.ts`, and no other.
 *
 * A handler does the work of its state and names the next one; the machine makes that durable before it goes on, so
 * that after a power cut the same handler runs again. Every handler is therefore written to be repeated.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { attemptOf, type Context } from '../context.ts';
import { outcomeOf } from '../records/outcome.ts';
import { isTriedAgain, keepPatiently, settle } from '../life/faults.ts';
import { apply } from './apply.ts';
import { arm } from './arm.ts';
import { check } from './check.ts';
import { commit } from './commit.ts';
import { plan } from './plan.ts';
import { prepare } from './prepare.ts';
import { reboot } from './reboot.ts';
import { repair } from './repair.ts';
import { report } from './report.ts';
import { rollback } from './rollback.ts';
import { noteWaiting } from '../service/waiting.ts';
import { afterFailure, isNotNow, requireWay, type Next, type State, type WorkingState } from './states.ts';
import { trial } from './trial.ts';
import { verify } from './verify.ts';

type Handlers = { readonly [S in WorkingState]: (context: Context) => Promise<Next<S>> };
type Handler = Handlers[WorkingState];

const HANDLERS: Handlers = {
  CHECK: check,
  PLAN: plan,
  PREPARE: prepare,
  APPLY: apply,
  REPAIR: repair,
  VERIFY: verify,
  ARM: arm,
  REBOOT: reboot,
  TRIAL: trial,
  COMMIT: commit,
  ROLLBACK: rollback,
  REPORT: report,
};

/** Run until the machine rests in IDLE or stops. Throws what could not be turned into an outcome. */
export async function runMachine(context: Context): Promise<'IDLE' | 'STOP'> {
  for (;;) {
    const { state } = context.journal.body;
    if (!(state in HANDLERS)) return 'IDLE';
    const handler = HANDLERS[state as WorkingState];
    const next = await step(context, state, handler);
    if (next === 'STOP') return 'STOP';
    // Polling in vain must not wear out the flash.
    if (state === 'CHECK' && next === 'IDLE') context.journal.body.state = 'IDLE';
    else await advance(context, state, next);
  }
}

async function advance(context: Context, state: State, next: State): Promise<void> {
  let entered = next;
  try {
    await keepPatiently(context, state, next);
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (state !== 'TRIAL' || error.code === 'aborted') throw thrown;
    // Healthy as it says it is, nothing can be kept while it runs: from such a release there would be no next update.
    attemptOf(context).outcome = outcomeOf(error);
    entered = 'ROLLBACK';
    await keepPatiently(context, state, entered);
  }
  context.emit({ type: 'state', state: entered });
}

async function step(context: Context, state: State, handler: Handler): Promise<State | 'STOP'> {
  for (let isAgain = false; ; isAgain = true) {
    try {
      if (context.signal?.aborted) throw new UpdateError('aborted', 'the agent was stopped');
      if (isAgain) await settle(context);
      const next = await handler(context);
      requireWay('next', state, next);
      return next;
    } catch (thrown) {
      const error = UpdateError.from(thrown);
      if (error.code === 'aborted') throw error;
      if (await isTriedAgain(context, state, error)) continue;
      return failed(context, state, error);
    }
  }
}

/** The state that a failed one leads to, with the outcome in the attempt. Throws `error` where it leads to none. */
async function failed(context: Context, state: State, error: UpdateError): Promise<State> {
  const next = afterFailure(state, error, context.memory.distrusted.has(error));
  if (next === null) {
    const waiting = context.journal.body.attempt;
    if (waiting !== null && isNotNow(error)) await noteWaiting(context, waiting, error);
    throw error;
  }
  context.emit({ type: 'note', message: `${state} failed: ${error.message}`, error });
  const attempt = attemptOf(context);
  if (attempt.cancelId !== null) {
    // Whatever failed while it was stopped: it was cancelled, nothing is armed, and that is what the server waits for.
    const why = error.code === 'cancelled' ? error.message : `cancelled by the server, then: ${error.message}`;
    attempt.outcome = outcomeOf(new UpdateError('cancelled', why, { detail: error.detail, cause: error }));
    return next === 'REPAIR' ? 'REPORT' : next;
  }
  if (next === 'REPAIR' && attempt.plan !== null && attempt.plan.kind !== 'full') {
    // Every repair brings at least one segment, so this ends.
    attempt.fellBack ??= error.message;
    return 'REPAIR';
  }
  attempt.outcome = outcomeOf(error);
  return next === 'REPAIR' ? 'REPORT' : next;
}
