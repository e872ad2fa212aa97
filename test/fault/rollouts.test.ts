/**
 * Every interleaving of what people, devices, clocks and crashes can do to a small rollout, on the real store: states are
 * told apart by what is in the database, and from each of them everything is tried once.
 */
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/server/index.ts';
import type { RolloutPlan } from '../../src/server/rollouts/plan.ts';
import { DAY, fleet, Hand, MINUTE, NOON, planOf, Rewindable, TENANT } from '../support/rollouts.ts';

const WHO = { who: 'ann', why: null };
const ROLLOUT = 1;

interface Member {
  readonly controller_id: string;
  readonly position: number;
  readonly state: string;
  readonly attempt: number;
}

/** What is looked at after each step. */
interface Picture {
  readonly state: string;
  readonly groups: readonly { state: string; forgiven: number }[];
  readonly members: readonly Member[];
  readonly active: readonly { controller_id: string; state: string }[];
  readonly key: string;
}

type Operation = readonly [name: string, run: () => Promise<unknown>];

class Exploration {
  readonly seen = new Set<string>();
  readonly states = new Set<string>();
  steps = 0;
  readonly #store: Store;
  readonly #database: Rewindable;
  readonly #plan: RolloutPlan;
  readonly #devices: readonly string[];

  constructor(store: Store, database: Rewindable, plan: RolloutPlan, devices: readonly string[]) {
    this.#store = store;
    this.#database = database;
    this.#plan = plan;
    this.#devices = devices;
  }

  async run(): Promise<void> {
    await this.#explore([], this.#picture());
  }

  async #explore(path: readonly string[], before: Picture): Promise<void> {
    if (this.seen.has(before.key)) return;
    this.seen.add(before.key);
    this.states.add(before.state);
    await this.#within(() => this.#checkProgress(path, before));
    for (const [name, run] of this.#operations()) {
      await this.#within(async () => {
        this.steps++;
        await run().catch((error: unknown) => {
          const expected = ['state_conflict', 'entity_unknown'].includes((error as { code?: string }).code ?? '');
          if (!expected && (error as Error).message !== 'killed') throw error;
        });
        this.#database.failAfter = 0;
        const after = this.#picture();
        const way = [...path, name];
        await this.#check(name, before, after, way);
        await this.#explore(way, after);
      });
    }
  }

  /** Takes back what `work` does. */
  async #within(work: () => Promise<void>): Promise<void> {
    this.#database.mark();
    await work();
    this.#database.rewind();
    this.#store.polls.forget();
  }

  #operations(): Operation[] {
    const { rollouts } = this.#store;
    const commands = (['approve', 'start', 'pause', 'resume', 'stop'] as const).map((name): Operation => {
      return [name, () => rollouts.command(TENANT, ROLLOUT, name, WHO, NOON)];
    });
    const killed = (name: string, transactions: number, run: () => Promise<unknown>): Operation => [
      `${name}, killed at transaction ${transactions}`,
      () => {
        this.#database.failAfter = transactions;
        return run();
      },
    ];
    const devices = this.#devices.flatMap((id): Operation[] => {
      const hand = new Hand(this.#store, id);
      return [
        [`${id} fetches`, () => hand.fetch(NOON)],
        [`${id} succeeds`, () => hand.report('success', NOON)],
        [`${id} fails`, () => hand.report('failure', NOON)],
        killed(`${id} succeeds`, 2, () => hand.report('success', NOON)),
        killed(`${id} fails`, 2, () => hand.report('failure', NOON)),
      ];
    });
    return [
      ...commands,
      ...devices,
      ['tick', () => rollouts.tick(ROLLOUT, NOON)],
      ['a day', () => rollouts.tick(ROLLOUT, NOON + DAY)],
      killed('start', 2, () => rollouts.command(TENANT, ROLLOUT, 'start', WHO, NOON)),
      killed('resume', 3, () => rollouts.command(TENANT, ROLLOUT, 'resume', WHO, NOON)),
    ];
  }

  #picture(): Picture {
    const all = <T>(sql: string): T[] => this.#database.raw!.prepare(sql).all() as T[];
    const [rollout] = all<{ state: string }>('select state from rollouts');
    const groups = all<{ state: string; forgiven: number }>(
      'select state, approved, forgiven from rollout_groups order by position',
    );
    const members = all<Member>('select * from rollout_members order by controller_id');
    const actions = all<{ id: number; controller_id: string; state: string; retrieved: number }>(
      'select id, controller_id, state, retrieved_at is not null as retrieved from actions order by id',
    );
    const active = actions.filter(({ state }) => ['pending', 'running', 'cancelling'].includes(state));
    // Numbers of actions and times do not matter; that a member points at its last action does.
    const facts = members.map((member) => {
      const {
        controller_id: id,
        state,
        failures,
        action_id: action,
      } = member as Member & { failures: number; action_id: number };
      return [
        id,
        state,
        failures,
        Math.min(member.attempt, 3),
        actions.find((each) => each.id === action)?.state ?? null,
      ];
    });
    const running = active.map(({ controller_id, state, retrieved }) => [controller_id, state, retrieved]);
    return { state: rollout!.state, groups, members, active, key: JSON.stringify([rollout, groups, facts, running]) };
  }

  async #check(operation: string, before: Picture, after: Picture, way: readonly string[]): Promise<void> {
    const path = way.join(' > ');
    const open = after.members.filter(({ state }) => state === 'open').length;
    expect(open, path).toBeLessThanOrEqual(this.#plan.concurrent ?? Infinity);
    expect(new Set(after.active.map(({ controller_id }) => controller_id)).size, path).toBe(after.active.length);
    expect(after.members.length, path).toBe(this.#devices.length);
    if (after.state === 'stopped') {
      for (const id of this.#devices) {
        const action = (await this.#store.polls.state({ tenant: TENANT, controllerId: id })).action;
        expect(action === null || action.state === 'cancelling', `${path}: ${id} is offered the release`).toBe(true);
      }
    }
    if (before.state === 'stopped' || before.state === 'finished') expect(after.state, path).toBe(before.state);
    if (before.state === 'halted') expect(['halted', 'running', 'stopped', 'finished'], path).toContain(after.state);
    const told = ['start', 'resume', 'approve'].some((name) => operation.startsWith(name));
    if (before.state !== 'running' && !told) {
      const letIn = (picture: Picture): number => picture.members.reduce((sum, { attempt }) => sum + attempt, 0);
      expect(letIn(after), `${path}: let in while ${before.state}`).toBe(letIn(before));
      if (before.state === 'halted') expect(after.state, path).not.toBe('running');
    }
    after.groups.forEach((group, i) => {
      if (i === 0 || group.state === 'waiting' || before.groups[i]!.state !== 'waiting') return;
      const earlier = after.members.filter(({ position }) => position === i - 1);
      const good = earlier.filter(({ state }) => state === 'succeeded').length + after.groups[i - 1]!.forgiven;
      const counted = earlier.filter(({ state }) => state !== 'withdrawn').length;
      expect(good * 100, `${path}: group ${i + 1} began too soon`).toBeGreaterThanOrEqual(
        this.#plan.groups[i - 1]!.successPercent * counted,
      );
    });
  }

  /** With devices that do what they are told, whatever runs comes to an end. */
  async #checkProgress(path: readonly string[], { state }: Picture): Promise<void> {
    if (state !== 'running') return;
    const { rollouts } = this.#store;
    const [due] = this.#database.raw!.prepare('select max(due_at) as at from rollout_members').all() as {
      at: number;
    }[];
    let last = '';
    for (let round = 0; round < 12; round++) {
      const at = due!.at + round * 2 * MINUTE;
      await rollouts.tick(ROLLOUT, at);
      for (const id of this.#devices) await new Hand(this.#store, id).report('success', at);
      await rollouts.command(TENANT, ROLLOUT, 'approve', WHO, NOON).catch(() => undefined);
      last = this.#picture().state;
      if (last !== 'running') return;
    }
    expect(last, `${path.join(' > ')}: it never ends`).not.toBe('running');
  }
}

async function explore(count: number, changes: Partial<RolloutPlan>): Promise<Exploration> {
  const database = new Rewindable();
  const store = await fleet(count, database.open);
  const plan = planOf(changes);
  await store.rollouts.create({ tenant: TENANT, name: 'r', releaseId: 2, plan }, 'ann', NOON);
  const devices = Array.from({ length: count }, (_, i) => `d${i}`);
  const exploration = new Exploration(store, database, plan, devices);
  await exploration.run();
  await store.close();
  return exploration;
}

const strict = { successPercent: 100, errorPercent: 50 };

describe('every interleaving of a small rollout', () => {
  it.each<[string, number, Partial<RolloutPlan>]>([
    [
      'two devices, two groups, approval',
      2,
      {
        approve: true,
        groups: [
          { ...strict, count: 1 },
          { ...strict, approve: true },
        ],
      },
    ],
    ['two devices at a time of one', 2, { concurrent: 1, groups: [{ successPercent: 50, errorPercent: 100 }] }],
    ['two devices, tried twice', 2, { retries: 1, retryMinutes: 1, groups: [{ ...strict, count: 1 }, strict] }],
    [
      'three devices, two groups',
      3,
      { concurrent: 2, groups: [{ successPercent: 50, errorPercent: 100, count: 2 }, strict] },
    ],
  ])(
    '%s',
    async (_, count, plan) => {
      const { seen, states, steps } = await explore(count, plan);
      expect([...states].sort()).toEqual(expect.arrayContaining(['halted', 'paused', 'ready', 'running', 'stopped']));
      expect(seen.size).toBeGreaterThan(50);
      expect(steps).toBeGreaterThan(500);
    },
    600_000,
  );
});
