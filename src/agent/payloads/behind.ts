/**
 * A deployment of a release that signed metadata does not list: most likely a cache between holds older metadata, or the
 * deployment was made a moment too early. That is "not yet", for hours; only then it is "no such release".
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Attempt } from '../records/journal.ts';
import { tellNews } from '../service/news.ts';

const HOUR_MS = 3_600_000;
/** Waiting is written down in steps of this, and a clock that was set between two looks counts no more than an hour. */
const NOTE_EVERY_MS = 600_000;

/** What to throw for `thrown`: `metadata_behind` while it may still come, else itself. */
export async function unlessBehind(context: Context, attempt: Attempt, thrown: unknown): Promise<unknown> {
  if (!UpdateError.is(thrown) || thrown.code !== 'target_unknown') return thrown;
  const nowMs = context.clock.now();
  const { behind } = attempt;
  // Across restarts there is no other clock; a wrong step is bounded, and no timer hangs on it.
  // eslint-disable-next-line engraft/wall-clock
  const stepMs = behind === null ? 0 : Math.min(HOUR_MS, Math.max(0, nowMs - behind.lookedAtMs));
  const waitedMs = (behind?.waitedMs ?? 0) + stepMs;
  const { metadataWaitHours } = context.config.limits;
  if (waitedMs >= metadataWaitHours * HOUR_MS) return thrown;
  attempt.behind = { waitedMs, lookedAtMs: nowMs };
  const error = new UpdateError('metadata_behind', `${thrown.message} yet (waiting for up to ${metadataWaitHours} hours)`, { detail: thrown.detail, cause: thrown }); // prettier-ignore
  const steps = Math.floor(waitedMs / NOTE_EVERY_MS) - Math.floor((behind?.waitedMs ?? 0) / NOTE_EVERY_MS);
  if (behind === null || steps > 0) await context.journal.save();
  if (behind === null) await tellNews(context, attempt, error.message, { code: error.status });
  return error;
}
