/**
 * Signed metadata for an attempt. What cannot be had, or not be trusted, ends no attempt, in whatever state it is asked for:
 * the repository may be mended, and another edge or a later hour may have better metadata. The fleet has to see it, once.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Attempt } from '../records/journal.ts';
import type { TrustedTargets } from '../tuf/trust.ts';
import { tellOnce } from './news.ts';

/** Throws what a refresh throws; so does `find`, for roles that it has to fetch. */
export async function trusted(context: Context, attempt: Attempt, fresh = false): Promise<TrustedTargets> {
  const targets = await watched(context, attempt, () => context.trust(fresh || context.memory.doubted.has(attempt)));
  context.memory.doubted.delete(attempt);
  return {
    paths: (prefix) => targets.paths(prefix),
    find: (path) => watched(context, attempt, () => targets.find(path)),
  };
}

async function watched<T>(context: Context, attempt: Attempt, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    context.memory.doubted.add(attempt);
    // The device's own storage is no matter of trust.
    if (error.outcome !== 30) context.memory.distrusted.add(error);
    await tellOnce(context, attempt, error.code, error.message, { code: error.status });
    throw error;
  }
}
