/**
 * Not now: a hook, the hours or the server's word hold an attempt back. What is there stays, nothing is downloaded again,
 * and the server may still cancel.
 * @module
 */
import type { UpdateError } from '../../../native-free/status.ts';
import type { Context } from '../context.ts';
import type { Attempt } from '../records/journal.ts';
import { tellOnce } from './news.ts';

export async function noteWaiting(context: Context, attempt: Attempt, error: UpdateError): Promise<void> {
  const { body } = context.journal;
  // Waiting is no crash loop, however often the agent is started meanwhile.
  if (attempt.resumes > 0) {
    attempt.resumes = 0;
    await context.journal.save();
  }
  // hawkBit closes an action that is to be downloaded only when it hears this.
  const downloaded = body.state === 'ARM' && error.code === 'server_holds';
  await tellOnce(context, attempt, downloaded ? 'downloaded' : 'waiting', `waiting: ${error.message}`, { downloaded });
}
