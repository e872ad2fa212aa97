/**
 * What `engraft-agent status --json` prints: read from the journal, the boot control and the keystore, changing
 * nothing.
 * @module
 */
import type { UpdateError } from '../../native-free/status.ts';
import type { BootState } from './boot/control.ts';
import { placeOf, type Context } from './context.ts';
import { emptyJournal, type Attempt, type JournalBody } from './records/journal.ts';
import type { State } from './states/states.ts';

/** What the journal knows of one place: one class of one slot. */
export interface PlaceStatus {
  /** The image that is held, verified; null where unknown or half-written. */
  readonly version: string | null;
  readonly sha256: string | null;
  /** What the attempt under way brings here; null where it brings nothing. */
  readonly pending: {
    readonly version: string;
    readonly sha256: string;
    readonly step: 'waiting' | 'writing' | 'verified';
  } | null;
}

export interface AgentStatus {
  /** 0, 10, 20, 30 or 40 of the last finished attempt; null before the first. */
  readonly status: number | null;
  readonly code: string | null;
  readonly message: string | null;
  /** Null where the journal cannot be read. */
  readonly state: State | null;
  /** True when the next boot goes into another slot than the running one; null, here and below: the boot control cannot be read. */
  readonly rebootPending: boolean | null;
  readonly running: string | null;
  readonly bootId: string | null;
  readonly slots: Readonly<
    Record<
      string,
      { readonly version: string | null; readonly sha256: string | null; readonly triesLeft: number | null }
    >
  >;
  /** By slot class, then by slot; `slots` has the device's own class alone. */
  readonly classes: Readonly<Record<string, Readonly<Record<string, PlaceStatus>>>>;
  readonly order: readonly string[] | null;
  /** Null: the keystore cannot be read. */
  readonly counters: Readonly<Record<string, number>> | null;
  /** The slot that was confirmed last; null where nobody knows. */
  readonly confirmed: string | null;
  readonly attempt: JournalBody['attempt'];
  readonly last: JournalBody['last'];
  /** What could not be read. */
  readonly problems: readonly UpdateError[];
}

/** States in which the part under way is not yet known to be right. */
const BEFORE_VERIFIED: readonly State[] = ['PLAN', 'PREPARE', 'APPLY', 'REPAIR', 'VERIFY'];

function pendingOf(attempt: Attempt | null, state: State, slot: string, slotClass: string): PlaceStatus['pending'] {
  if (attempt === null || attempt.outcome !== null || attempt.targetSlot !== slot) return null;
  const { version } = attempt.release;
  const { plan, verified, pending } = attempt;
  const stands = verified.find((part) => part.slotClass === slotClass);
  if (stands !== undefined) return { version, sha256: stands.target.sha256, step: 'verified' };
  if (plan?.slotClass === slotClass) {
    return { version, sha256: plan.target.sha256, step: BEFORE_VERIFIED.includes(state) ? 'writing' : 'verified' };
  }
  const waits = pending.find((part) => part.slotClass === slotClass);
  return waits === undefined ? null : { version, sha256: waits.target.sha256, step: 'waiting' };
}

/** What is shown; null where it could not be read, and `problems` say why. */
export interface StatusParts {
  readonly body: JournalBody | null;
  readonly boot: BootState | null;
  readonly counters: Readonly<Record<string, number>> | null;
  readonly problems: readonly UpdateError[];
}

/** `slotClasses` are all that are configured. */
export function statusOf(
  { body: read, boot, counters, problems }: StatusParts,
  config: Context['config'],
  slotNames: readonly string[],
  slotClasses: readonly string[],
): AgentStatus {
  const body = read ?? emptyJournal();
  const heldIn = (place: string) => ({
    version: body.slots[place]?.version ?? null,
    sha256: body.slots[place]?.sha256 ?? null,
  });
  const classes: Record<string, Record<string, PlaceStatus>> = {};
  for (const slotClass of slotClasses) {
    const places: Record<string, PlaceStatus> = (classes[slotClass] = {});
    for (const slot of slotNames) {
      const pending = pendingOf(body.attempt, body.state, slot, slotClass);
      places[slot] = { ...heldIn(placeOf({ config }, slot, slotClass)), pending };
    }
  }
  const own = slotNames.map((slot) => [slot, { ...heldIn(slot), triesLeft: boot?.tries[slot] ?? null }]);
  const outcome = body.last?.outcome ?? null;
  return {
    status: outcome?.status ?? null,
    code: outcome?.code ?? null,
    message: outcome?.message ?? null,
    state: read?.state ?? null,
    rebootPending: boot === null ? null : boot.order[0] !== boot.running && (boot.tries[boot.order[0] ?? ''] ?? 0) > 0,
    running: boot?.running ?? null,
    bootId: boot?.bootId ?? null,
    slots: Object.fromEntries(own) as AgentStatus['slots'],
    classes,
    order: boot?.order ?? null,
    counters,
    confirmed: body.confirmed?.slot ?? null,
    attempt: body.attempt,
    last: body.last,
    problems,
  };
}
