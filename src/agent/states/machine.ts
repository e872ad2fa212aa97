/**
 * The state machine: a table of states and what each one does.
 *
 * A handler does the work of its state and names the next one; the machine makes that durable before it goes on, so
 * that after a power cut the same handler runs again. Every handler is therefore written to be repeated. What a state
 * does on failure is in one place here, not in the handlers.
 * @module
 */
import { mayPass } from '../../../native-free/io-error.ts';
import { SOURCE_FAULTS } from '../../../native-free/apply/source-faults.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import { attemptOf } from '../context.ts';
import type { AttemptOutcome, State } from '../records/journal.ts';
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
import { trial } from './trial.ts';
import { verify } from './verify.ts';

/** `STOP`: nothing more to do in this process (a reboot is under way or pending, or a report has to wait). */
export type Next = State | 'STOP';
export type Handler = (context: Context) => Promise<Next>;

/** IDLE is where the machine rests; WAIT_NET is a face of APPLY. Neither has work of its own. */
const HANDLERS: Readonly<Partial<Record<State, Handler>>> = {
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

export function outcomeOf(error: UpdateError): AttemptOutcome {
  return { status: error.outcome, code: error.code, subStatus: error.status, message: error.message };
}

const NOT_NOW = ['hook_refused', 'outside_hours', 'server_holds'];
/** Metadata that cannot be trusted now: the repository may be mended, or an older copy leave its cache. */
const UNTRUSTED = ['signature_invalid', 'metadata_expired', 'metadata_rollback'];

/** Where a failed state leads; null: the run fails, and the state is tried again at the next one. */
function afterFailure(state: State, error: UpdateError): State | null {
  // Not now: what is there stays, and the state is begun again when it may.
  if (NOT_NOW.includes(error.code)) return null;
  // In these two only metadata is fetched through the link, and nothing has begun that a delay could harm.
  const linkDown = error.retryable && error.status >= 5000 && error.status < 6000;
  if ((linkDown || UNTRUSTED.includes(error.code)) && (state === 'PLAN' || state === 'REPAIR')) return null;
  switch (state) {
    case 'PLAN':
    case 'PREPARE':
    case 'REPAIR':
    case 'VERIFY':
      return 'REPORT';
    case 'APPLY':
      return repairable(error) ? 'REPAIR' : 'REPORT';
    // The flip may have happened: the way back goes through the boot control.
    case 'ARM':
    case 'REBOOT':
    case 'TRIAL':
      return 'ROLLBACK';
    default:
      return null;
  }
}

/** Only what a full payload can help: a source that is not what the delta was made from, or that cannot be read. */
function repairable(error: UpdateError): boolean {
  return SOURCE_FAULTS.has(error.code);
}

/** Run until the machine rests in IDLE or stops. Throws what could not be turned into an outcome. */
export async function runMachine(context: Context): Promise<Next> {
  for (;;) {
    const { state } = context.journal.body;
    const handler = HANDLERS[state];
    if (handler === undefined) return 'IDLE';
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
    if (state !== 'TRIAL' || !mayPass(error)) throw thrown;
    // Healthy as it says it is, nothing can be kept while it runs: from such a release there would be no next update.
    attemptOf(context).outcome = outcomeOf(error);
    entered = 'ROLLBACK';
    await keepPatiently(context, state, entered);
  }
  context.emit({ type: 'state', state: entered });
}

/** Make `next` durable and say so. */
export async function enter(context: Context, next: State): Promise<void> {
  context.journal.body.state = next;
  try {
    await context.journal.save();
  } catch (thrown) {
    // The release that breaks the data partition is exactly the one that must go back. What runs and what comes first
    // tell the next process as much as the record would.
    if (next !== 'TRIAL' && next !== 'ROLLBACK') throw thrown;
    const error = UpdateError.from(thrown);
    context.emit({ type: 'note', message: `${next} goes unrecorded: ${error.message}`, error });
  }
  context.emit({ type: 'state', state: next });
}

async function step(context: Context, state: State, handler: Handler): Promise<Next> {
  for (let isAgain = false; ; isAgain = true) {
    try {
      if (context.signal?.aborted) throw new UpdateError('aborted', 'the agent was stopped');
      if (isAgain) await settle(context);
      return await handler(context);
    } catch (thrown) {
      const error = UpdateError.from(thrown);
      if (error.code === 'aborted') throw error;
      if (await isTriedAgain(context, state, error)) continue;
      return failed(context, state, error);
    }
  }
}

/** The state that a failed one leads to, with the outcome in the attempt. Throws `error` where it leads to none. */
function failed(context: Context, state: State, error: UpdateError): Next {
  const next = afterFailure(state, error);
  if (next === null) throw error;
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
