/**
 * Actions that are over on this device, and what became of their reports. They are part of the journal: an attempt
 * leaves it in the same write in which its report enters, so a power cut neither loses a report nor begins an action
 * anew.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import { sameRelease, type Deployment } from './deployments.ts';
import type { EndedAction, Journal, JournalBody } from '../records/journal.ts';

/** Messages carry the output of commands, and the journal is written often. */
const MESSAGE_CHARS_MAX = 1500;
const TOLD_MESSAGE_CHARS_MAX = 200;

/** `body` remembers that this action is over. An action of the same id that ended before is forgotten. */
export function rememberEnded(body: JournalBody, ended: Omit<EndedAction, 'report'>): EndedAction {
  const outcome = shortened(ended.outcome, MESSAGE_CHARS_MAX);
  const fellBack = ended.fellBack?.slice(0, TOLD_MESSAGE_CHARS_MAX) ?? null;
  const entry: EndedAction = { ...ended, outcome, fellBack, report: 'waiting' };
  const others = body.ended.filter(({ actionId }) => actionId !== entry.actionId);
  while (others.length >= LIMITS.ended_actions_max) {
    const taken = others.findIndex(({ report }) => report !== 'waiting');
    others.splice(Math.max(taken, 0), 1);
  }
  body.ended = [...others, entry];
  return entry;
}

/** What became of a report that is not sent any more. */
export function settle(entry: EndedAction, report: Exclude<EndedAction['report'], 'waiting'>): void {
  entry.report = report;
  entry.outcome = shortened(entry.outcome, TOLD_MESSAGE_CHARS_MAX);
}

/** The beginning and the end of a long message: what failed, and its last words. */
function shortened(outcome: EndedAction['outcome'], charsMax: number): EndedAction['outcome'] {
  const { message } = outcome;
  if (message.length <= charsMax) return outcome;
  return { ...outcome, message: `${message.slice(0, charsMax / 2)} … ${message.slice(3 - charsMax / 2)}` };
}

/** Null for an action that may be begun: one with an id that was not seen, or that names another release now. */
export function endedAs({ ended }: JournalBody, { actionId, release }: Deployment): EndedAction | null {
  return ended.find((entry) => entry.actionId === actionId && sameRelease(entry.release, release)) ?? null;
}

export const hasWaiting = ({ ended }: JournalBody): boolean => ended.some(({ report }) => report === 'waiting');

/** Talking to the server is no state of its own: what is written meanwhile is a machine at rest. */
export async function saveResting(journal: Journal): Promise<void> {
  const { body } = journal;
  const { state } = body;
  if (state === 'CHECK') body.state = 'IDLE';
  try {
    await journal.save();
  } finally {
    body.state = state;
  }
}
