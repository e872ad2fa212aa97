/**
 * Intermediate news of an attempt: losing it does no harm, and nothing waits for it longer than one request.
 * @module
 */
import { noteLoss, type Context } from '../context.ts';
import type { Proceeding } from './deployments.ts';
import type { Attempt } from '../records/journal.ts';
import { isGone } from './answers.ts';
import { plainLines } from './texts.ts';

interface NewsOptions {
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
    // Perhaps the action was withdrawn; what the poll says counts.
    if (isGone(noteLoss(context, 'feedback was lost', thrown))) context.cancelAskedMs = -Infinity;
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
