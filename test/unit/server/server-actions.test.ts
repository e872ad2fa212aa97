/**
 * How actions and deployments end: by reports of our agent and of foreign clients, by time-outs, by reports that are of
 * another database; and which devices a deployment may name.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDevices, createDeployment, type EngraftServer, type ServerOptions } from '../../../src/server/index.ts';
import { ManagementClient } from '../../../src/client/index.ts';
import { clientOf, ORIGIN, releases, startServer, storeFor, TOKEN } from '../../support/server.ts';

const HOUR = 3_600_000;

const start = (repo: string, options: Partial<ServerOptions> = {}): Promise<EngraftServer> =>
  startServer(repo, { store: ':memory:', ...options });

function deviceOf(server: EngraftServer, id = 'dev-1') {
  const base = `${ORIGIN}/default/controller/v1/${id}`;
  const send = async (method: string, path: string, body?: object): Promise<number> => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    return (await server.app.request(`${base}${path}`, { method, ...init })).status;
  };
  const links = async (): Promise<Record<string, { href: string }>> => {
    const answer = await server.app.request(base);
    return ((await answer.json()) as { _links?: Record<string, { href: string }> })._links ?? {};
  };
  return {
    send,
    links,
    attributes: (data: Record<string, string>) => send('PUT', '/configData', { mode: 'merge', data }),
    /** The id of the action that is offered. */
    offered: async () => Number(/(\d+)$/.exec((await links())['deploymentBase']?.href ?? '')?.[1] ?? 0),
    report: (id: number, status: object, engraft?: object) =>
      send('POST', `/deploymentBase/${id}/feedback`, { id: String(id), status, ...(engraft && { engraft }) }),
  };
}

const closed = (finished: string, more: object = {}) => ({ execution: 'closed', result: { finished }, ...more });

describe('a deployment', () => {
  test('to named devices is finished when the last of them has ended, however it ended', async () => {
    const server = await start((await releases()).dir);
    const client = clientOf(server);
    const { id } = await client.createDeployment({ releaseId: 1, devices: ['a', 'b', 'c'], register: true });
    const state = async () => (await client.deployment(id)).state;
    const ends = { a: closed('success'), b: closed('failure'), c: { execution: 'canceled' } };
    for (const [name, end] of Object.entries(ends)) {
      expect(await state()).toBe('active');
      const device = deviceOf(server, name);
      expect(await device.report(await device.offered(), end)).toBe(200);
    }
    expect(await client.deployment(id)).toMatchObject({
      ...{ state: 'finished', actions: { finished: 1, failed: 1, cancelled: 1 } },
    });
    await expect(client.cancelDeployment(id)).rejects.toMatchObject({ code: 'state_conflict' });
  });

  test('to all goes on with the next device of its kind, and ends again', async () => {
    const server = await start((await releases()).dir);
    const client = clientOf(server);
    const { id } = await client.createDeployment({ releaseId: 1, devices: 'all' });
    const state = async () => (await client.deployment(id)).state;
    for (const name of ['a', 'b']) {
      const device = deviceOf(server, name);
      await device.links();
      await device.attributes({ product: 'cam', hardware: 'v1' });
      const action = await device.offered();
      expect(await state()).toBe('active');
      expect(await device.report(action, closed('success'))).toBe(200);
      expect(await state()).toBe('finished');
    }
    expect((await client.cancelDeployment(id)).state).toBe('cancelled');
    const late = deviceOf(server, 'late');
    await late.links();
    await late.attributes({ product: 'cam', hardware: 'v1' });
    expect(await late.offered()).toBe(0);
  });

  test('is finished when a newer one takes away what nobody had begun', async () => {
    const server = await start((await releases(2)).dir);
    const client = clientOf(server);
    const first = await client.createDeployment({ releaseId: 1, devices: ['a'], register: true });
    await client.createDeployment({ releaseId: 2, devices: ['a'] });
    expect(await client.deployment(first.id)).toMatchObject({ state: 'finished', actions: { cancelled: 1 } });
  });

  test('names no device that nobody knows, unless asked to, and none of another kind', async () => {
    const made = await releases();
    await made.release(1, { hardware: 'v2' });
    const server = await start(made.dir);
    const client = clientOf(server);
    const known = deviceOf(server, 'known');
    await known.links();
    await known.attributes({ product: 'cam', hardware: 'v1' });
    const names = ['known', 'ghost', 'gohst'];
    await expect(client.createDeployment({ releaseId: 1, devices: names })).rejects.toMatchObject({
      ...{ code: 'entity_unknown', message: expect.stringContaining('ghost, gohst') },
    });
    const [other] = await client.releases({ hardware: 'v2' });
    await expect(client.createDeployment({ releaseId: other!.id, devices: ['known'] })).rejects.toMatchObject({
      ...{ code: 'not_compatible', message: expect.stringContaining("hardware 'v1'") },
    });
    expect(await client.deployments()).toEqual([]);
    expect((await client.devices()).map(({ controllerId }) => controllerId)).toEqual(['known']);
    const made2 = await client.createDeployment({ releaseId: 1, devices: names, register: true });
    expect(made2.actions).toEqual({ pending: 3 });
  });
});

test('a tenant in capitals is the same tenant for its devices, the management API and a program', async () => {
  const made = await releases(2);
  const store = await storeFor(join(made.dir, 'tenants.db'));
  const server = await start(made.dir, { store });
  const fetching = ((input: string, init: RequestInit) => server.app.request(input, init)) as typeof fetch;
  const client = new ManagementClient({ url: 'http://ota.example', token: TOKEN, tenant: 'ACME', fetch: fetching });
  const links = async (): Promise<string> =>
    (await server.app.request('http://ota.example/Acme/controller/v1/dev-1')).text();
  await links();
  expect(await client.devices()).toMatchObject([{ controllerId: 'dev-1', tenant: 'acme' }]);
  const { id } = await client.createDeployment({ releaseId: 1, devices: ['dev-1'] });
  expect(await client.deployment(id)).toMatchObject({ tenant: 'acme', actions: { pending: 1 } });
  expect(await links()).toContain('deploymentBase');
  const line = { product: 'cam', hardware: 'v1' };
  const where = { repo: made.dir, store, tenant: 'ACME', register: false, devices: ['dev-1'] };
  await checkDevices({ ...where, line });
  const release = { ...line, version: '2.0', slotClass: 'rootfs' };
  const newer = await createDeployment({ ...where, release });
  expect(await client.deployment(newer)).toMatchObject({ actions: { pending: 1 } });
  await expect(createDeployment({ ...where, tenant: 'no such/tenant', release })).rejects.toMatchObject({
    code: 'usage_invalid',
  });
});

describe('the outcome of an action', () => {
  test.each([
    ['success', {}, 'finished', 0],
    ['success', { code: 0 }, 'finished', 0],
    ['success', { code: 200 }, 'finished', 0],
    ['failure', {}, 'failed', 30],
    ['failure', { code: null }, 'failed', 30],
    ['failure', { code: 0 }, 'failed', 30],
    ['failure', { code: 500 }, 'failed', 30],
    ['failure', { code: 10 }, 'failed', 10],
    ['failure', { code: 20 }, 'failed', 20],
    ['failure', { code: 40 }, 'failed', 40],
    ['none', {}, 'finished', 0],
  ])('closed with %s and %j is %s, %i', async (finished, more, state, outcome) => {
    const server = await start((await releases()).dir);
    const client = clientOf(server);
    await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const device = deviceOf(server);
    expect(await device.report(await device.offered(), closed(finished, more))).toBe(200);
    expect((await client.device('dev-1')).actions).toMatchObject([{ state, outcome }]);
  });

  test('has the sub-code of an agent, and what ran before', async () => {
    const server = await start((await releases(2)).dir);
    const client = clientOf(server);
    const device = deviceOf(server);
    await device.links();
    await device.attributes({ 'engraft.product': 'cam', 'engraft.hardware': 'v1', 'engraft.version': '1.0' });
    await client.createDeployment({ releaseId: 2, devices: ['dev-1'] });
    const id = await device.offered();
    expect(await device.send('GET', `/deploymentBase/${id}`)).toBe(200);
    const engraft = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
    const why = { ...engraft, code: 'health_failed', subStatus: 8040 };
    expect(await device.report(id, closed('failure', { code: 40 }), why)).toBe(200);
    expect((await client.device('dev-1')).actions).toMatchObject([
      { id, outcome: 40, reason: 'health_failed', subStatus: 8040, sourceVersion: '1.0' },
    ]);
    expect((await client.device('dev-1')).version).toBe('1.0');
  });
});

describe('an action id', () => {
  test('of a new database is none that an earlier one gave out, and fits into 32 bits', async () => {
    const { dir } = await releases();
    const before = Math.floor((Date.now() - Date.UTC(2020, 0, 1)) / 1000);
    const idIn = async (store: string): Promise<number> => {
      const server = await start(dir, { store: join(dir, store) });
      await clientOf(server).createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
      return deviceOf(server).offered();
    };
    const id = await idIn('one.db');
    expect(id).toBeGreaterThanOrEqual(before);
    expect(id).toBeLessThan(2 ** 31);
    expect(await idIn('two.db')).toBeGreaterThanOrEqual(id);
  });

  test.each([
    ['version', '1.0', '2.0'],
    ['product', 'cam', 'dishwasher'],
    ['hardware', 'v1', 'v2'],
  ])('with the %s of another release closes nothing', async (key, right, wrong) => {
    const server = await start((await releases()).dir);
    const client = clientOf(server);
    await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const device = deviceOf(server);
    const id = await device.offered();
    expect(await device.report(id, closed('success'), { [key]: wrong })).toBe(409);
    expect((await client.device('dev-1')).actions).toMatchObject([{ state: 'pending', feedback: [] }]);
    expect(await device.offered()).toBe(id);
    expect(await device.report(id, closed('success'), { [key]: right })).toBe(200);
    expect(await device.report(id, closed('failure'), { [key]: wrong })).toBe(409);
    expect((await client.device('dev-1')).actions).toMatchObject([{ state: 'finished' }]);
  });
});

describe('a device that does not answer', () => {
  /** A server whose clock, for the wall and for running, is ours. */
  async function timed(dir: string) {
    let nowMs = Date.UTC(2026, 10, 29);
    const server = await start(dir, { now: () => nowMs, actionTimeoutHours: 48 });
    const pass = async (hours: number): Promise<void> => {
      nowMs += hours * HOUR;
      await server.tend();
    };
    return { server, pass, client: clientOf(server), device: deviceOf(server) };
  }

  test('is given up after the time-out; what it never fetched waits for it', async () => {
    const { pass, client, device } = await timed((await releases(2)).dir);
    const { id } = await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    await pass(1000);
    const action = await device.offered();
    expect(action).not.toBe(0);
    expect(await device.send('GET', `/deploymentBase/${action}`)).toBe(200);
    await pass(47);
    expect(await device.report(action, { execution: 'proceeding' })).toBe(200);
    await pass(47);
    expect(await device.offered()).toBe(action);
    await pass(2);
    expect(await client.deployment(id)).toMatchObject({ state: 'finished', actions: { timed_out: 1 } });
    expect(await device.offered()).toBe(0);
    expect(await device.send('GET', `/deploymentBase/${action}`)).toBe(404);
    expect(await device.report(action, { execution: 'downloaded' })).toBe(410);
    expect((await client.device('dev-1')).actions).toMatchObject([{ state: 'timed_out', outcome: null }]);
  });

  test('may still say how it ended', async () => {
    const { pass, client, device } = await timed((await releases()).dir);
    await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const action = await device.offered();
    expect(await device.report(action, { execution: 'proceeding' })).toBe(200);
    await pass(49);
    expect(await device.report(action, closed('success', { code: 0 }))).toBe(200);
    expect(await client.device('dev-1')).toMatchObject({
      version: '1.0',
      actions: [{ state: 'finished', outcome: 0 }],
    });
    expect(await device.report(action, closed('failure'))).toBe(410);
  });

  test('nor answers a cancellation does not stand in the way of the next action', async () => {
    const { pass, client, device } = await timed((await releases(2)).dir);
    await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const first = await device.offered();
    await device.send('GET', `/deploymentBase/${first}`);
    await client.createDeployment({ releaseId: 2, devices: ['dev-1'] });
    expect(Object.keys(await device.links())).toContain('cancelAction');
    await pass(49);
    expect(await device.offered()).toBeGreaterThan(first);
  });
});
