/**
 * Several servers on one PostgreSQL: what one changes the others hear of, an idle poll asks no database, nothing is
 * offered that another server has withdrawn, and without the database nothing is answered from memory.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createServer, Store, type EngraftServer } from '../../../../src/server/index.ts';
import { hasPostgres, Postgres } from '../../../support/postgres.ts';
import { clientOf, ORIGIN, releases, TOKEN } from '../../../support/server.ts';

let pg: Postgres;
beforeAll(() => {
  if (hasPostgres) pg = Postgres.start();
});
afterAll(() => pg?.remove());

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function opened(url: string): Promise<Store> {
  const store = await Store.open(url);
  closing.push(() => store.close().catch(() => undefined));
  return store;
}

async function pair() {
  const [{ dir }, url] = [await releases(), await pg.database()];
  const serve = async (): Promise<EngraftServer> => {
    const server = await createServer({ repo: dir, store: url, auth: { managementToken: TOKEN } });
    closing.push(() => server.close(0).catch(() => undefined));
    return server;
  };
  return { url, a: await serve(), b: await serve() };
}

const ask = async (server: EngraftServer, path: string, init?: RequestInit) =>
  server.app.request(`${ORIGIN}/default/controller/v1/${path}`, init);

async function links(server: EngraftServer, id: string): Promise<Record<string, { href: string }>> {
  const answer = await ask(server, id);
  if (answer.status !== 200) throw new Error(`a poll was answered with ${answer.status}`);
  return ((await answer.json()) as { _links?: Record<string, { href: string }> })._links ?? {};
}

const tell = (server: EngraftServer, id: string) =>
  ask(server, `${id}/configData`, {
    method: 'PUT',
    body: JSON.stringify({ data: { product: 'cam', hardware: 'v1' } }),
  });

const report = (server: EngraftServer, id: string, action: string, finished: string) =>
  ask(server, `${id}/deploymentBase/${action}/feedback`, {
    method: 'POST',
    body: JSON.stringify({ id: action, status: { execution: 'closed', result: { finished } } }),
  });

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; !(await holds()); i++) {
    if (i > 1500) throw new Error('waited in vain');
    await sleep(20);
  }
}

const actionOf = (href: string): string => /(\d+)$/.exec(href)![1]!;

describe.skipIf(!hasPostgres)('servers on one database (skipped without the package postgresql)', () => {
  test('may start all at once on an empty one', async () => {
    const url = await pg.database();
    const stores = await Promise.all([1, 2, 3, 4].map(() => opened(url)));
    for (const [i, store] of stores.entries()) {
      await store.devices.register({ tenant: 't', controllerId: `d${i}` }, i, null);
    }
    expect((await stores[0]!.devices.list('t', 10)).map(({ controllerId }) => controllerId)).toEqual(
      ['d0', 'd1', 'd2', 'd3'], // prettier-ignore
    );
  });

  test('name the database without its password when it cannot be had', async () => {
    const opening = Store.open('postgres://someone:secret@127.0.0.1:1/none');
    await expect(opening).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringMatching(/^the database postgres:\/\/127\.0\.0\.1:1\/none: (?!.*secret)/),
    });
  });

  test('sort names byte by byte, and take whole numbers that four bytes do not hold, and zero characters', async () => {
    const store = await opened(await pg.database());
    for (const controllerId of ['b', 'A', 'a', 'B', '_', '~']) {
      await store.devices.register({ tenant: 't', controllerId }, Date.now(), null);
    }
    const names: string[] = [];
    for (let after = ''; ;) {
      const [next] = await store.devices.list('t', 1, after);
      if (next === undefined) break;
      names.push((after = next.controllerId));
    }
    expect(names).toEqual(['A', 'B', '_', 'a', 'b', '~']);
    const name = { tenant: 't', controllerId: 'a' };
    await expect(store.actions.get(name, 99_999_999_999)).rejects.toMatchObject({ code: 'entity_unknown' });
    await store.devices.setAttributes(name, 'merge', { product: 'x\0y' });
    expect((await store.devices.get(name)).product).toBe('x\uFFFDy');
  });

  test('answer idle polls without asking it', async () => {
    const { url, a } = await pair();
    await links(a, 'd1');
    await tell(a, 'd1');
    await until(async () => Object.keys(await links(a, 'd1')).length === 0);
    const transactions = async (): Promise<number> => {
      await sleep(2500); // statistics come late
      const name = url.split('?')[0]!.split('/').pop();
      const text = `select xact_commit + xact_rollback as n from pg_stat_database where datname = '${name}'`;
      return Number((await pg.query(pg.url('postgres'), text))[0]!['n']);
    };
    const before = await transactions();
    for (let i = 0; i < 2000; i++) await links(a, 'd1');
    // The beats of two listeners, in some five seconds.
    expect((await transactions()) - before).toBeLessThan(100);
  });

  test('hear of what another one changes', async () => {
    const { a, b } = await pair();
    for (const server of [a, b]) await links(server, 'd1');
    await tell(a, 'd1');
    await until(async () => Object.keys(await links(b, 'd1')).length === 0);
    const { id } = await clientOf(a).createDeployment({ releaseId: 1, devices: 'all' });
    await until(async () => 'deploymentBase' in (await links(b, 'd1')));
    await clientOf(b).cancelDeployment(id);
    await until(async () => Object.keys(await links(a, 'd1')).length === 0);
  });

  test('offer nothing once one of them has answered that it is cancelled', async () => {
    const { a, b } = await pair();
    await links(b, 'd1');
    await tell(b, 'd1');
    for (let round = 0; round < 40; round++) {
      const { id } = await clientOf(a).createDeployment({ releaseId: 1, devices: ['d1'] });
      await until(async () => 'deploymentBase' in (await links(b, 'd1')));
      const { deploymentBase } = await links(b, 'd1');
      // It is in the memory of both now, and both are asked at once.
      const polls: Promise<unknown>[] = [];
      const cancelling = clientOf(a).cancelDeployment(id);
      for (let i = 0; i < 3; i++) polls.push(links(b, 'd1'));
      await cancelling;
      expect(await links(b, 'd1')).not.toHaveProperty('deploymentBase');
      expect((await ask(b, `d1/deploymentBase/${actionOf(deploymentBase!.href)}`)).status).toBe(404);
      await Promise.all(polls);
    }
  });

  test('take the last two reports of a deployment at once, and it is finished', async () => {
    const { a, b } = await pair();
    for (let round = 0; round < 10; round++) {
      const devices = ['x', 'y'].map((name) => `${name}${round}`);
      const { id } = await clientOf(a).createDeployment({ releaseId: 1, devices, register: true });
      const ids = await Promise.all(
        devices.map(async (name) => actionOf((await links(a, name))['deploymentBase']!.href)),
      );
      const answers = await Promise.all([
        report(a, devices[0]!, ids[0]!, 'success'),
        report(b, devices[1]!, ids[1]!, 'success'),
        report(b, devices[0]!, ids[0]!, 'success'),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(await clientOf(b).deployment(id)).toMatchObject({ state: 'finished', actions: { finished: 2 } });
    }
  });

  test('never put an earlier sight of a device in the place of a later one', async () => {
    const url = await pg.database();
    const [a, b] = [await opened(url), await opened(url)];
    const name = { tenant: 't', controllerId: 'd' };
    await a.devices.register(name, 1, null);
    a.polls.seen(name, 100, 'early');
    b.polls.seen(name, 200, 'late');
    await b.polls.flush();
    await a.polls.flush();
    expect(await b.devices.get(name)).toMatchObject({ lastSeen: 200, lastAddress: 'late' });
  });

  test('answer nothing from memory while the database is away, and go on when it is back', async () => {
    const { a } = await pair();
    await links(a, 'd1');
    await tell(a, 'd1');
    await links(a, 'd1');
    pg.stop();
    try {
      await sleep(100);
      expect((await ask(a, 'd1')).status).toBe(503);
      expect((await a.app.request(`${ORIGIN}/readyz`)).status).toBe(503);
    } finally {
      pg.resume();
    }
    await until(async () => (await ask(a, 'd1')).status === 200);
    await until(async () => (await a.app.request(`${ORIGIN}/readyz`)).status === 200);
  });
});
