import { afterEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/server/index.ts';
import type { RolloutPlan } from '../../../src/server/rollouts/plan.ts';
import { addDevice, DAY, fleet, Hand, HOUR, MINUTE, NOON, planOf, TENANT } from '../../support/rollouts.ts';

const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function fleetOf(count: number): Promise<Store> {
  const store = await fleet(count);
  opened.push(store);
  return store;
}

const WHO = { who: 'ann', why: null };

async function begin(store: Store, plan: Partial<RolloutPlan>, releaseId = 2, name = 'r'): Promise<number> {
  const id = await store.rollouts.create({ tenant: TENANT, name, releaseId, plan: planOf(plan) }, 'ann', NOON);
  await store.rollouts.command(TENANT, id, 'start', WHO, NOON);
  return id;
}

const hands = (store: Store, count: number): Hand[] =>
  Array.from({ length: count }, (_, i) => new Hand(store, `d${i}`));

/** How many devices are offered something now. */
async function offered(store: Store, count: number, at = NOON): Promise<number> {
  const actions = await Promise.all(hands(store, count).map((hand) => hand.poll(at)));
  return actions.filter((action) => action !== null && action.state !== 'cancelling').length;
}

async function reportAll(store: Store, count: number, finished: 'success' | 'failure', at = NOON): Promise<void> {
  for (const hand of hands(store, count)) await hand.report(finished, at);
}

const GROUPS = [
  { count: 2, successPercent: 100, errorPercent: 50 },
  { successPercent: 100, errorPercent: 50 },
];

describe('a rollout in a store', () => {
  it('goes on to the next group only when the first has succeeded', async () => {
    const store = await fleetOf(6);
    const id = await begin(store, { groups: GROUPS });
    expect(await offered(store, 6)).toBe(2);
    await reportAll(store, 6, 'success');
    expect(await offered(store, 6)).toBe(4);
    await reportAll(store, 6, 'success');
    const { state, groups } = await store.rolloutViews.get(TENANT, id);
    expect(state).toBe('finished');
    expect(groups.map(({ devices }) => devices)).toEqual([{ succeeded: 2 }, { succeeded: 4 }]);
    const said = (await store.rolloutViews.audit(TENANT, id, 50)).map(({ who, what }) => `${who}: ${what}`).reverse();
    expect(said).toEqual([
      ...['ann: create', 'ann: start', 'server: open group 1', 'server: close group 1', 'server: open group 2'],
      ...['server: close group 2', 'server: finish'],
    ]);
  });

  it('halts in its first group, takes back what was not fetched, and goes on only when told to', async () => {
    const store = await fleetOf(6);
    const id = await begin(store, { groups: [{ count: 4, successPercent: 100, errorPercent: 25 }, GROUPS[1]!] });
    const [first, second] = (await store.rolloutViews.members(id, 10, '', 'open')).map(
      (m) => new Hand(store, m.controllerId),
    );
    await second!.fetch(NOON);
    await first!.report('failure', NOON);
    expect((await store.rolloutViews.get(TENANT, id)).state).toBe('halted');
    expect(await offered(store, 6)).toBe(1);
    await second!.report('success', NOON);
    await store.rollouts.tickAll(NOON + DAY);
    expect(await offered(store, 6)).toBe(0);
    await store.rollouts.command(TENANT, id, 'resume', { who: 'ann', why: 'a loose cable' }, NOON + DAY);
    expect(await offered(store, 6, NOON + DAY)).toBe(2);
  });

  it('stops for ever: nothing is offered, what was begun is cancelled', async () => {
    const store = await fleetOf(4);
    const id = await begin(store, {});
    await new Hand(store, 'd0').fetch(NOON);
    await store.rollouts.command(TENANT, id, 'stop', WHO, NOON);
    expect(await offered(store, 4)).toBe(0);
    expect(await new Hand(store, 'd0').poll(NOON)).toMatchObject({ state: 'cancelling' });
    await expect(store.rollouts.command(TENANT, id, 'resume', WHO, NOON)).rejects.toMatchObject({
      code: 'state_conflict',
    });
  });

  it('counts a device that is silent for too long as failed, and as succeeded when it reports after all', async () => {
    const store = await fleetOf(4);
    const id = await begin(store, {
      groups: [{ count: 2, successPercent: 100, errorPercent: 100 }, GROUPS[1]!],
      timeoutMinutes: 30,
    });
    const open = await store.rolloutViews.members(id, 10, '', 'open');
    const hand = new Hand(store, open[0]!.controllerId);
    await hand.fetch(NOON);
    await store.rollouts.tickAll(NOON + 29 * MINUTE);
    expect((await store.rolloutViews.get(TENANT, id)).groups[0]!.devices).toEqual({ open: 2 });
    await store.rollouts.tickAll(NOON + 30 * MINUTE);
    const late = await store.rolloutViews.get(TENANT, id);
    expect(late).toMatchObject({ state: 'halted', groups: [{ devices: { failed: 2 } }, { devices: { waiting: 2 } }] });
    const action = open[0]!.actionId!;
    const said = { channel: 'deployment' as const, execution: 'closed' as const, finished: 'success' as const };
    const name = { tenant: TENANT, controllerId: open[0]!.controllerId };
    const report = { ...said, code: 0, details: [], time: 'x', about: {}, reason: null, subStatus: null };
    await store.actions.report(name, action, report, NOON + HOUR);
    await store.rollouts.tickOf(action, NOON + HOUR);
    expect((await store.rolloutViews.get(TENANT, id)).groups[0]!.devices).toEqual({ failed: 1, succeeded: 1 });
  });

  it('frees a slot at once, whatever became of the device', async () => {
    const store = await fleetOf(5);
    await begin(store, { concurrent: 2, groups: [{ successPercent: 100, errorPercent: 100 }] });
    expect(await offered(store, 5)).toBe(2);
    const busy = (await store.rolloutViews.members(1, 10, '', 'open'))[0]!;
    await new Hand(store, busy.controllerId).report('failure', NOON);
    expect(await offered(store, 5)).toBe(2);
  });

  it('tries a device again, after a while, with an action of its own', async () => {
    const store = await fleetOf(1);
    const id = await begin(store, { retries: 1, retryMinutes: 10 });
    const hand = new Hand(store, 'd0');
    const first = await hand.poll(NOON);
    await hand.report('failure', NOON);
    expect(await hand.poll(NOON)).toBeNull();
    await store.rollouts.tickAll(NOON + 10 * MINUTE);
    const second = await hand.poll(NOON + 10 * MINUTE);
    expect(second!.id).not.toBe(first!.id);
    await hand.report('failure', NOON + 11 * MINUTE);
    expect(await store.rolloutViews.get(TENANT, id)).toMatchObject({
      state: 'halted',
      groups: [{ devices: { failed: 1 } }],
    });
  });

  it('lets devices in by its rate', async () => {
    const store = await fleetOf(20);
    await begin(store, { rate: { devicesPerHour: 120, growth: 1, every: 1000 } });
    expect(await offered(store, 20)).toBe(1);
    await store.rollouts.tickAll(NOON + 2 * MINUTE);
    expect(await offered(store, 20)).toBe(5);
  });

  it('leaves out what is over a budget of bytes, and goes on without it', async () => {
    const store = await fleetOf(5);
    // A device that does not say what it runs takes the full payload.
    await addDevice(store, 'd0', { version: 'unknown' });
    const id = await begin(store, { deviceBytes: 500, waveBytes: 250 });
    const { groups } = await store.rolloutViews.get(TENANT, id);
    expect(groups[0]).toMatchObject({ bytes: 200, devices: { open: 2, left_out: 3 } });
    await reportAll(store, 5, 'success');
    expect((await store.rolloutViews.get(TENANT, id)).state).toBe('finished');
  });

  it('leaves out a device that is dear by itself, whatever its group may spend', async () => {
    const store = await fleetOf(2);
    await addDevice(store, 'd0', { version: 'unknown' });
    const id = await begin(store, { deviceBytes: 500 });
    expect((await store.rolloutViews.get(TENANT, id)).groups[0]!.devices).toEqual({ open: 1, left_out: 1 });
  });

  it('takes no later devices where it is not dynamic', async () => {
    const store = await fleetOf(1);
    await begin(store, {});
    await addDevice(store, 'new');
    expect(await new Hand(store, 'new').poll(NOON)).toBeNull();
  });

  it('gives nothing to a device that runs the release already', async () => {
    const store = await fleetOf(2);
    await addDevice(store, 'd1', { version: '2.0' });
    const id = await begin(store, {});
    expect(await new Hand(store, 'd1').poll(NOON)).toBeNull();
    expect((await store.rolloutViews.get(TENANT, id)).groups[0]!.devices).toEqual({ open: 1, succeeded: 1 });
  });

  it('offers the release to a new device on its first poll, where it is dynamic and its filter says so', async () => {
    const store = await fleetOf(1);
    await begin(store, { dynamic: true, filter: 'controllerId!=lab*' });
    await begin(store, { filter: 'version==9' }, 3, 'static');
    await addDevice(store, 'new');
    await addDevice(store, 'lab1');
    expect(await new Hand(store, 'new').poll(NOON)).toMatchObject({ state: 'pending' });
    expect(await new Hand(store, 'lab1').poll(NOON)).toBeNull();
    await addDevice(store, 'other', { hardware: 'v2' });
    expect(await new Hand(store, 'other').poll(NOON)).toBeNull();
  });

  it('waits for approval, of itself and of a group', async () => {
    const store = await fleetOf(3);
    const groups = [GROUPS[0]!, { ...GROUPS[1]!, approve: true }];
    const id = await store.rollouts.create(
      { tenant: TENANT, name: 'r', releaseId: 2, plan: planOf({ approve: true, groups }) },
      'ann',
      NOON,
    );
    await expect(store.rollouts.command(TENANT, id, 'start', WHO, NOON)).rejects.toThrow('approve, stop');
    await store.rollouts.command(TENANT, id, 'approve', WHO, NOON);
    await store.rollouts.command(TENANT, id, 'start', WHO, NOON);
    await reportAll(store, 3, 'success');
    expect(await offered(store, 3)).toBe(0);
    await store.rollouts.command(TENANT, id, 'approve', WHO, NOON);
    expect(await offered(store, 3)).toBe(1);
    await expect(store.rollouts.command(TENANT, id, 'approve', WHO, NOON)).rejects.toMatchObject({
      code: 'state_conflict',
    });
  });

  it('lets no more devices in while it is paused', async () => {
    const store = await fleetOf(4);
    const id = await begin(store, { concurrent: 1 });
    await store.rollouts.command(TENANT, id, 'pause', WHO, NOON);
    await reportAll(store, 4, 'success');
    expect(await offered(store, 4)).toBe(0);
    await store.rollouts.command(TENANT, id, 'resume', WHO, NOON);
    expect(await offered(store, 4)).toBe(1);
  });

  it('takes devices back to an earlier release only where they would take it', async () => {
    const store = await fleetOf(3);
    const id = await begin(store, { groups: GROUPS }, 2);
    await reportAll(store, 3, 'success');
    const back = { tenant: TENANT, name: 'back', plan: planOf(), after: id };
    await expect(store.rollouts.create({ ...back, releaseId: 1 }, 'ann', NOON)).rejects.toThrow(
      'rollback index is lower',
    );
    const again = await store.rollouts.create({ ...back, releaseId: 3 }, 'ann', NOON);
    const members = await store.rolloutViews.members(again, 10);
    const taken = (await store.rolloutViews.members(id, 10)).filter(({ attempt }) => attempt > 0);
    expect(members.map(({ controllerId }) => controllerId)).toEqual(taken.map(({ controllerId }) => controllerId));
  });

  it('is of one tenant, and has a name of its own', async () => {
    const store = await fleetOf(1);
    const id = await begin(store, {});
    await expect(store.rollouts.command('other', id, 'stop', WHO, NOON)).rejects.toMatchObject({
      code: 'entity_unknown',
    });
    await expect(store.rolloutViews.get('other', id)).rejects.toMatchObject({ code: 'entity_unknown' });
    await expect(begin(store, {})).rejects.toThrow("the name 'r' is that of rollout");
    await expect(store.deployments.cancel(TENANT, 1, NOON)).rejects.toThrow('stop that');
  });

  it('withdraws a device that is given another release meanwhile', async () => {
    const store = await fleetOf(2);
    const id = await begin(store, { groups: [{ successPercent: 50, errorPercent: 50 }] });
    await store.deployments.create({ tenant: TENANT, releaseId: 3, devices: ['d0'] }, NOON);
    await store.rollouts.tickAll(NOON);
    expect((await store.rolloutViews.get(TENANT, id)).groups[0]!.devices).toEqual({ open: 1, withdrawn: 1 });
  });
});
