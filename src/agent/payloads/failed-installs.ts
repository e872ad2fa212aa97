/**
 * Stops endless loops over a release that never gets through: installs that failed are counted by release, and nothing
 * else is. An outage of the CDN, a cancellation, a full budget or a hook says nothing about the release.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Attempt, JournalBody, Plan } from '../records/journal.ts';
import type { AttemptOutcome } from '../records/outcome.ts';
import { prefixOf } from './manifest.ts';

/** Releases that are counted; the oldest are forgotten. */
const TRIED_MAX = 16;

/** What the link brought wrong is the link's; what this agent does not read, another one may. */
const NOT_THE_RELEASE = ['header_digest', 'chunk_digest', 'payload_version', 'age_malformed', 'age_key', 'age_chunk'];
const FAMILIES = {
  /** The payload decodes to something else, the slot cannot be written, the boot control refuses. */
  install: [2000, 3000, 6000, 7000],
  /** Counted by code. */
  codes: ['health_failed', 'trial_expired', 'bug'],
};

export function isFailedInstall({ status, code, subStatus }: AttemptOutcome): boolean {
  if (status === 0 || NOT_THE_RELEASE.includes(code)) return false;
  return FAMILIES.install.includes(Math.floor(subStatus / 1000) * 1000) || FAMILIES.codes.includes(code);
}

/** In PLAN, once it is known what the release is. Throws `attempts_exhausted`. */
export function requireTriesLeft({ config, journal }: Context, attempt: Attempt, full: Plan): void {
  const { attemptsMax } = config.limits;
  const key = `${prefixOf(attempt.release)}@${full.target.sha256}`;
  const failed = journal.body.tried[key] ?? 0;
  if (failed >= attemptsMax) {
    throw new UpdateError('attempts_exhausted', `installing ${attempt.release.version} has failed ${failed} times`, {
      detail: { attempts: failed },
    });
  }
  attempt.triedAs = key;
}

/** At the end of an attempt; durable with the next state. */
export function countFailedInstall(body: JournalBody, { triedAs, outcome }: Attempt): void {
  if (triedAs === null || outcome === null || !isFailedInstall(outcome)) return;
  const { [triedAs]: count = 0, ...others } = body.tried;
  body.tried = Object.fromEntries([...Object.entries(others).slice(-(TRIED_MAX - 1)), [triedAs, count + 1]]);
}
