/** Rollouts to fleets of virtual devices, over the device protocol, in virtual time. */
import { describe, expect, it } from 'vitest';
import { createServer, Store, type EngraftServer } from '../../src/server/index.ts';
import { Fleet, type FleetOptions } from '../../src/testing/index.ts';
import type { RolloutPlan } from '../../src/server/rollouts/plan.ts';
import { publisher } from '../support/release.ts';
import { HOUR, MINUTE, NOON, mirrorReleases, planOf, TENANT } from '../support/rollouts.ts';

const WHO = { who: 'ann', why: null };
const WAVES = [
  { percent: 2, successPercent: 90, errorPercent: 10 },
  { percent: 20, successPercent: 90, errorPercent: 10 },
  { successPercent: 90, errorPercent: 10 },
];

interface World {
  readonly server: EngraftServer;
  readonly fleet: Fleet;
  roll(releaseId: number, plan: Partial<RolloutPlan>): Promise<number>;
  /** Everything that was offered after the rollout was in this state. */
  offersAfter(at: number, version: string): number;
}

/** A server in memory whose clock is the fleet's, with its upkeep every minute. */
async function worldOf(options: Partial<FleetOptions> & { devices: number; pollSeconds?: number }): Promise<World> {
  const { pollSeconds = 300 } = options;
  const made = await publisher();
  await made.release(1);
  let fleet: Fleet | null = null;
  const store = await Store.open(':memory:');
  await mirrorReleases(store);
  const now = (): number => fleet?.now() ?? NOON;
  const server = await createServer({ repo: made.dir, store, auth: {}, now, actionTimeoutHours: 0, pollSeconds });
  fleet = new Fleet({
    ...{ request: async (path, init) => server.app.request(`http://ota.example${path}`, init), seed: 7, startMs: NOON },
    ...{ facts: { product: 'cam', hardware: 'v1' }, version: () => '1.0', spreadMs: pollSeconds * 1000 },
    ...options,
  });
  const tend = async (): Promise<void> => {
    await server.tend();
    fleet!.at(now() + MINUTE, tend);
  };
  fleet.at(NOON, tend);
  return {
    server,
    fleet,
    async roll(releaseId, plan) {
      const name = `release ${releaseId}`;
      const id = await store.rollouts.create({ tenant: TENANT, name, releaseId, plan: planOf(plan) }, 'ann', now());
      await store.rollouts.command(TENANT, id, 'start', WHO, now());
      return id;
    },
    offersAfter: (at, version) =>
      fleet.log.filter((event) => event.what === 'offer' && event.version === version && event.at > at).length,
  };
}

describe('a fleet of virtual devices', () => {
  it('of 5,000: a good release reaches all of them, a bad one nobody outside of its first wave', async () => {
    const { server, fleet, roll, offersAfter } = await worldOf({
      devices: 5000,
      pollSeconds: 3600,
      behaviour: (version) =>
        version === '3.0' ? { failureShare: 0.4 } : { failureShare: 0.01, lostShare: 0.05, dropShare: 0.2 },
    });
    await fleet.run(NOON + 61 * MINUTE);
    const good = await roll(2, { groups: WAVES, retries: 3, retryMinutes: 5 });
    const stateOf = (id: number) => server.store.rolloutViews.get(TENANT, id);
    await fleet.run(NOON + 12 * HOUR);
    expect(await stateOf(good)).toMatchObject({ state: 'finished' });
    expect(fleet.versions()).toEqual({ '2.0': 5000 });
    expect(fleet.count('success', '2.0')).toBe(5000);

    const bad = await roll(3, { groups: WAVES });
    await fleet.run(fleet.now() + 5 * HOUR);
    const halted = await stateOf(bad);
    expect(halted).toMatchObject({
      state: 'halted',
      groups: [{ state: 'running' }, { state: 'waiting' }, { state: 'waiting' }],
    });
    expect(fleet.count('offer', '3.0')).toBeLessThanOrEqual(100);
    expect(fleet.count('offer', '3.0')).toBeGreaterThan(10);
    expect(offersAfter(halted.updatedAt, '3.0')).toBe(0);
  }, 300_000);

  it('is left alone from the moment that stop is answered', async () => {
    const { server, fleet, roll, offersAfter } = await worldOf({
      devices: 400,
      behaviour: () => ({ installMs: HOUR }),
    });
    await fleet.run(NOON + 6 * MINUTE);
    const id = await roll(2, { groups: [{ successPercent: 100, errorPercent: 50 }] });
    await fleet.run(fleet.now() + 2 * MINUTE);
    const begun = fleet.count('offer');
    expect(begun).toBeGreaterThan(50);
    expect(begun).toBeLessThan(350);
    await server.store.rollouts.command(TENANT, id, 'stop', WHO, fleet.now());
    const stoppedAt = fleet.now();
    await fleet.run(stoppedAt + 2 * HOUR);
    expect(offersAfter(stoppedAt, '2.0')).toBe(0);
    expect(fleet.count('cancel')).toBe(begun);
    expect(fleet.versions()).toEqual({ '1.0': 400 });
  }, 120_000);

  it('halts when too many devices are never heard of again', async () => {
    const { server, fleet, roll } = await worldOf({ devices: 200, behaviour: () => ({ vanishShare: 0.3 }) });
    await fleet.run(NOON + 6 * MINUTE);
    const id = await roll(2, { groups: WAVES.map((wave) => ({ ...wave, errorPercent: 20 })), timeoutMinutes: 120 });
    await fleet.run(fleet.now() + HOUR);
    expect((await server.store.rolloutViews.get(TENANT, id)).state).toBe('running');
    await fleet.run(fleet.now() + 10 * HOUR);
    const { state, reason } = await server.store.rolloutViews.get(TENANT, id);
    expect(state).toBe('halted');
    expect(reason).toMatch(/devices of group \d failed/);
    expect(fleet.count('vanished')).toBeGreaterThan(0);
  }, 120_000);

  it('finishes a rollout after an outage in which nobody was answered', async () => {
    let isDown = false;
    const { server, fleet, roll } = await worldOf({ devices: 300, behaviour: () => ({ dropShare: 0.5 }) });
    const up = server.app.request.bind(server.app);
    const flaky = new Fleet({
      ...{ devices: 300, seed: 9, startMs: NOON, facts: { product: 'cam', hardware: 'v1' }, version: () => '1.0' },
      request: async (path, init) => {
        if (isDown) throw new TypeError('fetch failed');
        return up(`http://ota.example${path}`, init);
      },
    });
    await flaky.run(NOON + 6 * MINUTE);
    await fleet.run(NOON + 6 * MINUTE);
    const id = await roll(2, { groups: [{ successPercent: 100, errorPercent: 50 }] });
    flaky.at(NOON + 8 * MINUTE, async () => void (isDown = true));
    flaky.at(NOON + 3 * HOUR, async () => void (isDown = false));
    await flaky.run(NOON + 4 * HOUR);
    expect(flaky.count('unanswered')).toBe(300);
    expect(await server.store.rolloutViews.get(TENANT, id)).toMatchObject({ state: 'finished' });
    expect(flaky.versions()).toEqual({ '2.0': 300 });
  }, 120_000);

  it('does the same again for the same seed', async () => {
    const logs: unknown[] = [];
    for (let run = 0; run < 2; run++) {
      const { fleet, roll } = await worldOf({
        devices: 50,
        behaviour: () => ({ failureShare: 0.3, vanishShare: 0.1 }),
      });
      await fleet.run(NOON + 6 * MINUTE);
      await roll(2, { groups: [{ successPercent: 1, errorPercent: 100 }] });
      await fleet.run(NOON + 2 * HOUR);
      logs.push(fleet.log);
    }
    expect(logs[1]).toEqual(logs[0]);
  });
});
