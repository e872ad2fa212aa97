/**
 * Intermediate news of an attempt: losing it does no harm, and nothing waits for it longer than one request.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Proceeding } from './deployments.ts';
import type { Attempt } from '../records/journal.ts';
import { isGone } from './answers.ts';
import { plainLines } from './texts.ts';

export interface NewsOptions {
  /** A sub-code's number. */
  readonly code?: number;
  readonly downloaded?: boolean;
}

export async function tellNews(
  context: Context,
  { actionId, release }: Pick<Attempt, 'actionId' | 'release'>,
  message: string,
  { code = 0, downloaded = false }: NewsOptions = {},
): Promise<void> {
  const news: Proceeding = { actionId, release, atMs: context.clock.now(), details: plainLines(message), code, downloaded }; // prettier-ignore
  try {
    await context.deployments.proceeding(news);
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    if (error.code === 'aborted' || !UpdateError.is(thrown)) throw thrown;
    // Perhaps the action was withdrawn; what the poll says counts.
    if (isGone(error)) context.cancelAskedMs = -Infinity;
    context.emit({ type: 'note', message: `feedback was lost: ${error.message}`, error });
  }
}

/** Once for each `topic` of an attempt and process. */
export async function tellOnce(
  context: Context,
  attempt: Attempt,
  topic: string,
  message: string,
  options?: NewsOptions,
): Promise<void> {
  const { told } = context.memory;
  const topics = told.get(attempt) ?? new Set();
  if (topics.has(topic)) return;
  told.set(attempt, topics.add(topic));
  await tellNews(context, attempt, message, options);
}
