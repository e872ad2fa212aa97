/**
 * Before the flip: what this process did not write itself, it reads back.
 *
 * Every segment was hashed as it was written, so whoever wrote a whole slot needs no second pass. After a restart the
 * journal vouches for the segments before it, and a journal may be older than the slot: from a backup, or of another
 * board. Reading the slot once costs seconds; arming half of one release and half of another costs a trial.
 * @module
 */
import { placeOf, slotsOf, type Context } from '../context.ts';
import { partsOf, type Attempt, type Plan } from '../records/journal.ts';
import { digestOfSlot } from './slots.ts';

/** This process writes all of this slot class, from its first byte, or has just hashed it. */
export function noteSeen({ memory: { seen } }: Context, attempt: Attempt, slotClass: string): void {
  seen.set(attempt, (seen.get(attempt) ?? new Set()).add(slotClass));
}

/** True when the target slot holds the release. Else the attempt is set up to write again what is not right. */
export async function holdsRelease(context: Context, attempt: Attempt): Promise<boolean> {
  const parts = partsOf(attempt);
  const wrong: Plan[] = [];
  for (const part of parts) if (!(await holds(context, attempt, part))) wrong.push(part);
  const [first, ...more] = wrong;
  if (first === undefined) return true;
  const { body } = context.journal;
  for (const { slotClass } of wrong) body.slots[placeOf(context, attempt.targetSlot, slotClass)] = null;
  body.partial = null;
  attempt.verified = parts.filter((part) => !wrong.includes(part));
  attempt.plan = asWritten(first);
  attempt.pending = more.map(asWritten);
  attempt.segmentsDone = 0;
  attempt.repair = null;
  attempt.armedBootId = null;
  const names = wrong.map(({ slotClass }) => slotClass).join(' and ');
  context.emit({ type: 'note', message: `slot ${attempt.targetSlot} does not hold what the journal says: ${names} is written again` }); // prettier-ignore
  return false;
}

/** What was held and is not is fetched after all. */
const asWritten = (plan: Plan): Plan => (plan.kind === 'held' ? { ...plan, kind: 'full' } : plan);

async function holds(context: Context, attempt: Attempt, part: Plan): Promise<boolean> {
  if (context.memory.seen.get(attempt)?.has(part.slotClass) === true) return true;
  const slots = slotsOf(context, part.slotClass);
  const sha256 = await digestOfSlot(context.hash, slots, attempt.targetSlot, part.target.bytes);
  if (sha256 === part.target.sha256) noteSeen(context, attempt, part.slotClass);
  return sha256 === part.target.sha256;
}
