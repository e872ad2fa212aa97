/**
 * What a rollout does next, from what is known of it: a function without memory, clock or database, so that every
 * interleaving of what people, devices and crashes do can be tried on it.
 * @module
 */
import { HOUR_MS, isOpen, type GroupPlan, type RolloutPlan } from './plan.ts';
import type { RolloutState } from './states.ts';

export type GroupState = 'waiting' | 'running' | 'done';

/** Devices of one group. Those that were left out or withdrawn are in none of these numbers. */
export interface GroupFacts {
  readonly state: GroupState;
  readonly approved: boolean;
  /** Not let in yet, and of those the ones that may be now. */
  readonly waiting: number;
  readonly due: number;
  /** Let in, and not ended. */
  readonly open: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Failures that an operator has passed over by going on after a halt: they halt no more, and stand in no way. */
  readonly forgiven: number;
}

/** Devices that have ended with a release, and those among them that failed. */
export interface Health {
  readonly ended: number;
  readonly failed: number;
}

export interface RolloutFacts {
  readonly state: RolloutState;
  readonly nowMs: number;
  readonly groups: readonly GroupFacts[];
  /** Devices that the rate allows to be let in now. */
  readonly credits: number;
  /** Of the release before, in the same line. */
  readonly before: Health;
}

export type Step =
  | { readonly do: 'start' }
  | { readonly do: 'halt'; readonly why: string }
  | { readonly do: 'open'; readonly group: number }
  | { readonly do: 'close'; readonly group: number }
  | { readonly do: 'let in'; readonly group: number; readonly count: number }
  | { readonly do: 'finish' };

/** The next step, or null when there is none until something changes. */
export function decide(plan: RolloutPlan, facts: RolloutFacts): Step | null {
  if (facts.state === 'ready') {
    return plan.startAt !== null && facts.nowMs >= plan.startAt ? { do: 'start' } : null;
  }
  if (facts.state !== 'running') return null;
  const why = reasonToHalt(plan, facts);
  if (why !== null) return { do: 'halt', why };
  const over = facts.groups.findIndex(({ state, waiting, open }) => state === 'running' && waiting + open === 0);
  // The last group of a dynamic rollout stays open for those that come.
  const stays = plan.dynamic && over === facts.groups.length - 1;
  if (over >= 0 && !stays) return { do: 'close', group: over };
  const opened = groupToOpen(plan, facts);
  if (opened >= 0) return { do: 'open', group: opened };
  const entry = letIn(plan, facts);
  if (entry !== null) return entry;
  return facts.groups.every(({ state }) => state === 'done') ? { do: 'finish' } : null;
}

const totalOf = ({ waiting, open, succeeded, failed }: GroupFacts): number => waiting + open + succeeded + failed;

function hasSucceeded({ successPercent }: GroupPlan, group: GroupFacts): boolean {
  return (group.succeeded + group.forgiven) * 100 >= successPercent * totalOf(group);
}

function reasonToHalt({ groups: plans, health }: RolloutPlan, { groups, before }: RolloutFacts): string | null {
  for (const [i, group] of groups.entries()) {
    const { errorPercent } = plans[i]!;
    const failed = group.failed - group.forgiven;
    if (group.state === 'waiting' || failed <= 0) continue;
    const total = totalOf(group);
    if (failed * 100 >= errorPercent * total)
      return `${failed} of ${total} devices of group ${i + 1} failed, ${errorPercent} % are too many`;
  }
  const stuck = groups.findIndex((group, i) => {
    return group.state === 'done' && i + 1 < groups.length && !hasSucceeded(plans[i]!, group);
  });
  if (stuck >= 0 && groups[stuck + 1]!.state === 'waiting') {
    const { succeeded } = groups[stuck]!;
    const text = `only ${succeeded} of ${totalOf(groups[stuck]!)} devices of group ${stuck + 1} succeeded`;
    return `${text}, not ${plans[stuck]!.successPercent} %`;
  }
  if (health === null) return null;
  const failed = groups.reduce((sum, group) => sum + Math.max(0, group.failed - group.forgiven), 0);
  const ended = groups.reduce((sum, group) => sum + group.failed + group.succeeded, 0);
  if (ended < health.sample || before.ended < health.sample) return null;
  const usual = Math.max(before.failed / before.ended, 0.01);
  if (failed / ended <= usual * health.ratio) return null;
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const was = percent(before.failed / before.ended);
  return `${percent(failed / ended)} of ${ended} devices failed, with the release before ${was}`;
}

/** The group whose turn it is, or -1. */
function groupToOpen({ groups: plans }: RolloutPlan, { groups }: RolloutFacts): number {
  const i = groups.findIndex(({ state }) => state === 'waiting');
  if (i < 0 || (plans[i]!.approve === true && !groups[i]!.approved)) return -1;
  return i === 0 || hasSucceeded(plans[i - 1]!, groups[i - 1]!) ? i : -1;
}

function letIn({ concurrent, window }: RolloutPlan, { groups, credits, nowMs }: RolloutFacts): Step | null {
  if (!isOpen(window, nowMs)) return null;
  const open = groups.reduce((sum, group) => sum + group.open, 0);
  const room = Math.min(concurrent === null ? Infinity : concurrent - open, Math.floor(credits));
  const group = groups.findIndex(({ state, due }) => state === 'running' && due > 0);
  const count = group < 0 ? 0 : Math.min(room, groups[group]!.due);
  return count > 0 ? { do: 'let in', group, count } : null;
}

/** Credits in store, at most those of five minutes: a rollout that was paused does not make up for it at once. */
const CREDITS_HOURS = 1 / 12;

/**
 * How many devices may be let in, by a rate.
 * @param credits what was left at `atMs`
 * @param succeeded devices so far
 */
export function creditsAt(
  { rate }: RolloutPlan,
  { credits, atMs, nowMs, succeeded }: { credits: number; atMs: number; nowMs: number; succeeded: number },
): number {
  if (rate === null) return Infinity;
  const perHour = rate.devicesPerHour * rate.growth ** Math.floor(succeeded / rate.every);
  const earned = (perHour * Math.max(0, nowMs - atMs)) / HOUR_MS;
  return Math.min(Math.max(1, perHour * CREDITS_HOURS), credits + earned);
}
