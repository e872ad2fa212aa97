import { describe, expect, it } from 'vitest';
import { creditsAt, decide, type GroupFacts, type RolloutFacts } from '../../../src/server/rollouts/decide.ts';
import { checkPlan, divide } from '../../../src/server/rollouts/groups.ts';
import { isOpen } from '../../../src/server/rollouts/plan.ts';
import { next, ROLLOUT_EVENTS, ROLLOUT_STATES, WAYS } from '../../../src/server/rollouts/states.ts';
import { DAY, HOUR, MINUTE, NOON, planOf } from '../../support/rollouts.ts';

const devices = Array.from({ length: 1000 }, (_, i) => ({
  ...{ controllerId: `d${i}`, product: 'cam', hardware: 'v1', version: '1.0' },
  attributes: { region: i % 10 === 0 ? 'eu' : 'us' },
}));
const PERCENT = { successPercent: 100, errorPercent: 10 };

function countsOf(groups: number[]): number[] {
  const counts: number[] = [];
  for (const group of groups) counts[group] = (counts[group] ?? 0) + 1;
  return counts;
}

describe('groups of a rollout', () => {
  it('are of a filter, a count, a percentage, and whoever is left', () => {
    const groups = [
      { ...PERCENT, count: 5 },
      { ...PERCENT, filter: 'attribute.region==eu' },
      { ...PERCENT, percent: 20 },
      PERCENT,
    ];
    const places = divide(planOf({ groups }), 'a', devices);
    expect(countsOf(places)).toEqual([5, 100, 200, 695]);
    expect(devices.every(({ attributes }, i) => (places[i] === 1) === (attributes.region === 'eu'))).toBe(true);
  });

  it('are the same each time, and others for another rollout', () => {
    const plan = planOf({ groups: [{ ...PERCENT, percent: 10 }, PERCENT] });
    expect(divide(plan, 'a', devices)).toEqual(divide(plan, 'a', devices));
    const both = [divide(plan, 'a', devices), divide(plan, 'b', devices)];
    const inBoth = devices.filter((_, i) => both.every((places) => places[i] === 0)).length;
    expect(inBoth).toBeLessThan(30);
  });

  it('take all devices also where percentages are small or too many', () => {
    const plan = planOf({ groups: [{ ...PERCENT, percent: 90 }, { ...PERCENT, percent: 90 }, PERCENT] });
    expect(countsOf(divide(plan, 'a', devices))).toEqual([900, 100]);
    expect(divide(planOf({ groups: [{ ...PERCENT, percent: 1 }, PERCENT] }), 'a', devices.slice(0, 2)).sort()).toEqual([
      0, 1,
    ]);
    expect(divide(plan, 'a', [])).toEqual([]);
  });

  it.each([
    [[], 'needs a group'],
    [[{ ...PERCENT, percent: 1, count: 1 }], 'only one of'],
    [[PERCENT, PERCENT], 'is missing'],
    [[{ ...PERCENT, filter: 'x' }], 'the filter is wrong'],
    [Array.from({ length: 501 }, () => ({ ...PERCENT, count: 1 })), '500 groups at most'],
  ])('that cannot be are refused', (groups, text) => {
    expect(() => checkPlan(planOf({ groups }))).toThrow(text);
  });
});

describe('the table of states', () => {
  it('has a way for every event or says what can be done', () => {
    for (const state of ROLLOUT_STATES) {
      for (const event of ROLLOUT_EVENTS) {
        const to = WAYS[state][event];
        if (to === undefined) expect(() => next(state, event)).toThrow(`a rollout that is ${state} cannot ${event}`);
        else expect(next(state, event)).toBe(to);
      }
    }
  });

  it('ends in stopped and finished for ever, and everything else can be stopped', () => {
    for (const state of ROLLOUT_STATES) {
      const isEnd = state === 'stopped' || state === 'finished';
      expect(WAYS[state].stop === undefined).toBe(isEnd);
      expect(Object.keys(WAYS[state]).length === 0).toBe(isEnd);
    }
  });
});

const NONE: GroupFacts = {
  ...{ state: 'running', approved: false, waiting: 0, due: 0, open: 0, succeeded: 0, failed: 0, forgiven: 0 },
};
const facts = (groups: Partial<GroupFacts>[], more: Partial<RolloutFacts> = {}): RolloutFacts => ({
  ...{ state: 'running', nowMs: NOON, credits: Infinity, before: { ended: 0, failed: 0 } },
  groups: groups.map((group) => ({ ...NONE, ...group })),
  ...more,
});
const two = planOf({
  groups: [
    { successPercent: 80, errorPercent: 20, percent: 10 },
    { successPercent: 100, errorPercent: 50 },
  ],
});

describe('what a rollout does next', () => {
  it('lets in as many as there is room and credit for', () => {
    const group = { waiting: 10, due: 8, open: 3 };
    expect(decide(planOf(), facts([group]))).toEqual({ do: 'let in', group: 0, count: 8 });
    expect(decide(planOf({ concurrent: 5 }), facts([group]))).toEqual({ do: 'let in', group: 0, count: 2 });
    expect(decide(planOf({ concurrent: 3 }), facts([group]))).toBeNull();
    const rest = { succeeded: 90, open: 10 };
    const both = planOf({ groups: [{ ...two.groups[0]! }, two.groups[1]!], concurrent: 14 });
    expect(decide(both, facts([rest, group]))).toEqual({ do: 'let in', group: 1, count: 1 });
    expect(decide(planOf(), facts([group], { credits: 1.9 }))).toEqual({ do: 'let in', group: 0, count: 1 });
    expect(decide(planOf(), facts([group], { credits: 0.9 }))).toBeNull();
  });

  it('halts at the error threshold, not before, and not for what was forgiven', () => {
    const group = { open: 2, succeeded: 7 };
    expect(
      decide(
        two,
        facts([
          { ...group, failed: 1 },
          { state: 'waiting', waiting: 9 },
        ]),
      ),
    ).toBeNull();
    expect(decide(two, facts([{ ...group, failed: 3 }, { state: 'waiting' }]))).toMatchObject({ do: 'halt' });
    expect(decide(two, facts([{ ...group, failed: 3, forgiven: 3 }, { state: 'waiting' }]))).toMatchObject({
      do: 'open',
    });
  });

  it('opens the next group at the success threshold while the rest go on', () => {
    const later = { state: 'waiting' as const, waiting: 9, due: 9 };
    expect(decide(two, facts([{ open: 3, succeeded: 7 }, later]))).toBeNull();
    expect(decide(two, facts([{ open: 2, succeeded: 8 }, later]))).toEqual({ do: 'open', group: 1 });
  });

  it('halts where a group is over and too few have succeeded', () => {
    const lone = planOf({ groups: [{ successPercent: 100, errorPercent: 100, percent: 10 }, PERCENT] });
    const step = decide(
      lone,
      facts([
        { state: 'done', succeeded: 3, failed: 1 },
        { state: 'waiting', waiting: 4 },
      ]),
    );
    expect(step).toEqual({ do: 'halt', why: 'only 3 of 4 devices of group 1 succeeded, not 100 %' });
  });

  it('halts where it fares worse than the release before, with enough devices on both sides', () => {
    const plan = planOf({ groups: [{ successPercent: 100, errorPercent: 100 }], health: { ratio: 2, sample: 20 } });
    const group = { open: 50, succeeded: 17, failed: 3 };
    expect(decide(plan, facts([group], { before: { ended: 100, failed: 5 } }))).toMatchObject({ do: 'halt' });
    expect(decide(plan, facts([group], { before: { ended: 100, failed: 8 } }))).toBeNull();
    expect(decide(plan, facts([group], { before: { ended: 10, failed: 0 } }))).toBeNull();
    expect(decide(plan, facts([{ ...group, succeeded: 15 }], { before: { ended: 100, failed: 5 } }))).toBeNull();
  });

  it('waits for approval of a group, and for its time', () => {
    const plan = planOf({
      groups: [
        { ...PERCENT, percent: 10 },
        { ...PERCENT, approve: true },
      ],
    });
    const done = { state: 'done' as const, succeeded: 1 };
    expect(decide(plan, facts([done, { state: 'waiting', waiting: 1 }]))).toBeNull();
    expect(decide(plan, facts([done, { state: 'waiting', approved: true, waiting: 1 }]))).toEqual({
      do: 'open',
      group: 1,
    });
    const timed = planOf({ startAt: NOON });
    expect(decide(timed, facts([], { state: 'ready', nowMs: NOON - 1 }))).toBeNull();
    expect(decide(timed, facts([], { state: 'ready' }))).toEqual({ do: 'start' });
    expect(decide(planOf(), facts([], { state: 'ready' }))).toBeNull();
  });

  it('does nothing in any other state', () => {
    for (const state of ['waiting', 'paused', 'halted', 'stopped', 'finished'] as const) {
      expect(decide(planOf(), facts([{ waiting: 5, due: 5 }], { state }))).toBeNull();
    }
  });

  it('closes groups and finishes, but for a dynamic one', () => {
    expect(decide(planOf(), facts([{ succeeded: 5 }]))).toEqual({ do: 'close', group: 0 });
    expect(decide(planOf(), facts([{ state: 'done', succeeded: 5 }]))).toEqual({ do: 'finish' });
    expect(decide(planOf({ dynamic: true }), facts([{ succeeded: 5 }]))).toBeNull();
  });

  it('lets devices in within its hours only, also over midnight', () => {
    const night = { fromMinute: 22 * 60, toMinute: 4 * 60, offsetMinutes: 60 };
    const hours = Array.from({ length: 24 }, (_, hour) => isOpen(night, NOON - 12 * HOUR + hour * HOUR));
    expect(hours.flatMap((open, hour) => (open ? [hour] : []))).toEqual([0, 1, 2, 21, 22, 23]);
    const day = planOf({ window: { fromMinute: 13 * 60, toMinute: 14 * 60, offsetMinutes: 0 } });
    expect(decide(day, facts([{ waiting: 1, due: 1 }]))).toBeNull();
    expect(decide(day, facts([{ waiting: 1, due: 1 }], { nowMs: NOON + HOUR }))).toMatchObject({ do: 'let in' });
  });
});

describe('a rate', () => {
  const plan = planOf({ rate: { devicesPerHour: 60, growth: 2, every: 100 } });
  it('earns credits with time, and doubles with success', () => {
    const stored = { credits: 0, atMs: NOON, nowMs: NOON + 2 * MINUTE };
    expect(creditsAt(plan, { ...stored, succeeded: 99 })).toBe(2);
    expect(creditsAt(plan, { ...stored, succeeded: 100 })).toBe(4);
  });
  it('does not make up for a pause, nor for a clock that went back', () => {
    expect(creditsAt(plan, { credits: 0, atMs: NOON, nowMs: NOON + DAY, succeeded: 0 })).toBe(5);
    expect(creditsAt(plan, { credits: 1.5, atMs: NOON, nowMs: NOON - DAY, succeeded: 0 })).toBe(1.5);
  });
});
