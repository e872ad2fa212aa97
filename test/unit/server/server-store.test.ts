/**
 * What polls cost, and what becomes of a database that cannot be written to: idle polls ask and write nothing, changes
 * made here or in another process are seen at once, a database that may only be read is refused, a connection that went
 * bad does not stay bad.
 */
import { copyFileSync, existsSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import Libsql from 'libsql';
import { afterEach, describe, expect, test } from 'vitest';
import { createServer, Store, type EngraftServer } from '../../../src/server/index.ts';
import { publisher, temporaryFolder } from '../../support/release.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type OpenRaw = NonNullable<Parameters<typeof Store.open>[1]>;

/** A server on a store in a file, that is opened by `openRaw`. */
async function start(openRaw?: OpenRaw) {
  const made = await publisher();
  await made.release(1);
  const path = join(made.dir, 'server.db');
  const store = await Store.open(path, openRaw);
  const server = await createServer({ repo: made.dir, store, auth: { managementToken: 'tok' } });
  closing.push(async () => {
    await server.close(0);
    await store.close();
  });
  return { server, store, path };
}

const BASE = 'http://x/default/controller/v1';

async function poll(server: EngraftServer, id = 'dev-1'): Promise<{ status: number; links: string[] }> {
  // From a socket it would come in a turn of the event loop of its own.
  await turn();
  const answer = await server.app.request(`${BASE}/${id}`);
  const json = (await answer.json()) as { _links?: object };
  return { status: answer.status, links: Object.keys(json._links ?? {}) };
}

const tell = (server: EngraftServer, data: Record<string, string>) =>
  server.app.request(`${BASE}/dev-1/configData`, { method: 'PUT', body: JSON.stringify({ data }) });

describe('an idle poll', () => {
  test('prepares no statement, and leaves the files of the database as they are', async () => {
    const statements: string[] = [];
    const { server, path } = await start((file) => {
      const raw = new Libsql(file, { timeout: 5000 });
      const { prepare, exec } = raw;
      raw.prepare = (sql: string) => (statements.push(sql), prepare.call(raw, sql)) as never;
      raw.exec = (sql: string) => (statements.push(sql), exec.call(raw, sql)) as never;
      return raw;
    });
    await poll(server);
    await tell(server, { product: 'cam', hardware: 'v1' });
    await poll(server);
    await poll(server);
    expect(statements.length).toBeGreaterThan(10);
    statements.length = 0;
    const sizes = () => [path, `${path}-wal`].map((file) => [statSync(file).size, statSync(file).mtimeMs]);
    const before = sizes();
    for (let i = 0; i < 200; i++) expect(await poll(server)).toEqual({ status: 200, links: [] });
    expect(statements).toEqual([]);
    expect(sizes()).toEqual(before);
  });

  test('sees what changed here, and what another process wrote, at once', async () => {
    const { server, path } = await start();
    await poll(server);
    await tell(server, { product: 'cam', hardware: 'v1' });
    for (let i = 0; i < 3; i++) expect((await poll(server)).links).toEqual([]);
    const other = await Store.open(path);
    closing.push(() => other.close());
    const name = { tenant: 'default', releaseId: 1, devices: ['dev-1'] };
    const id = await other.deployments.create(name, 1);
    expect((await poll(server)).links).toEqual(['deploymentBase']);
    await other.deployments.cancel('default', id, 2);
    expect((await poll(server)).links).toEqual([]);
    await server.store.deployments.create({ ...name, devices: 'all' }, 3);
    expect((await poll(server)).links).toEqual(['deploymentBase']);
    await tell(server, { product: 'cam' });
    await server.store.devices.register({ tenant: 'default', controllerId: 'dev-1' }, 4, 'a digest');
    expect((await poll(server)).status).toBe(401);
  });

  test('is shown as the last at once, and written in batches and at the end', async () => {
    const { server, store, path } = await start();
    for (const id of ['a', 'b']) await poll(server, id);
    const other = await Store.open(path);
    closing.push(() => other.close());
    const seen = async (from: Store) => (await from.devices.list('default', 10)).map(({ lastSeen }) => lastSeen!);
    const first = await seen(other);
    await sleep(5);
    for (const id of ['a', 'b']) await poll(server, id);
    const shown = await seen(store);
    expect(shown.every((at, i) => at > first[i]!)).toBe(true);
    expect(await seen(other)).toEqual(first);
    await server.tend();
    expect(await seen(other)).toEqual(shown);
    await sleep(5);
    await poll(server, 'a');
    const last = await seen(store);
    await store.close();
    expect(await seen(other)).toEqual(last);
    expect(last[0]).toBeGreaterThan(shown[0]!);
    closing.length = 1;
  });
});

/** As SQLite opens a file that it may not write, or has no descriptor left for: for reading, without a word. */
function readOnly(path: string): Libsql.Database {
  const raw = new Libsql(path, { timeout: 5000 });
  raw.exec('PRAGMA query_only = ON');
  return raw;
}

describe('a database that may only be read', () => {
  test('is refused', async () => {
    const path = join(temporaryFolder(), 'server.db');
    let opened = 0;
    const opening = Store.open(path, (file) => (opened++, readOnly(file)));
    await expect(opening).rejects.toMatchObject({
      ...{ code: 'store_failed', message: expect.stringContaining(`${path} may only be read`) },
    });
    expect(opened).toBeGreaterThan(1);
  });

  test('for a moment, is tried again', async () => {
    let opened = 0;
    const { server } = await start((file) => (opened++ < 2 ? readOnly(file) : new Libsql(file, { timeout: 5000 })));
    expect((await poll(server)).status).toBe(200);
    expect(opened).toBe(3);
  });

  test('while the server runs, is said, and left behind when it is over', async () => {
    const raws: Libsql.Database[] = [];
    const { server } = await start((file) => {
      const raw = new Libsql(file, { timeout: 5000 });
      raws.push(raw);
      return raw;
    });
    await poll(server);
    const ready = async () => (await server.app.request('http://x/readyz')).status;
    expect(await ready()).toBe(200);
    raws[0]!.exec('PRAGMA query_only = ON');
    const refused = await tell(server, { product: 'cam' });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.json()).toMatchObject({ code: 'store_failed', detail: 'the server log has the details' });
    expect((await tell(server, { product: 'cam' })).status).toBe(200);
    expect([raws.length, await ready()]).toEqual([2, 200]);
  });
});

test('a store that was closed is whole in its one file, for whoever copies that', async () => {
  const path = join(temporaryFolder(), 'server.db');
  const store = await Store.open(path);
  await store.devices.register({ tenant: 'default', controllerId: 'dev-1' }, 1, null);
  await store.close();
  copyFileSync(path, `${path}.copy`);
  const copy = await Store.open(`${path}.copy`);
  expect(await copy.devices.list('default', 9)).toMatchObject([{ controllerId: 'dev-1' }]);
  await copy.close();
});

describe('a database file that is taken away under a running server', () => {
  test('is said at once, instead of going on with what nobody else sees', async () => {
    const { server, path } = await start();
    await poll(server);
    renameSync(path, `${path}.away`);
    expect((await server.app.request('http://x/readyz')).status).toBe(503);
    expect((await poll(server)).status).toBe(503);
    expect((await tell(server, { product: 'cam' })).status).toBe(503);
    expect(existsSync(path)).toBe(false);
    renameSync(`${path}.away`, path);
    expect((await poll(server)).status).toBe(200);
  });

  test('and replaced by another one: that is the one from then on, with all releases', async () => {
    const { server, path } = await start();
    await poll(server);
    const other = await Store.open(`${path}.other`);
    await other.devices.register({ tenant: 'default', controllerId: 'restored' }, 1, null);
    await other.close();
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
    renameSync(`${path}.other`, path);
    expect((await poll(server, 'dev-2')).status).toBe(200);
    const headers = { Authorization: 'Bearer tok' };
    const answer = await server.app.request('http://x/api/v1/devices', { headers });
    expect(JSON.stringify(await answer.json())).toMatch(/"dev-2".*"restored"/);
    const releases = await server.app.request('http://x/api/v1/releases', { headers });
    expect(((await releases.json()) as { releases: unknown[] }).releases).toHaveLength(1);
  });
});

test('metadata that the disk cannot give is 503, to be asked for again', async () => {
  const { server, path } = await start();
  const timestamp = join(dirname(path), 'metadata', 'timestamp.json');
  rmSync(timestamp);
  // Reading its first bytes is an EIO.
  symlinkSync('/proc/self/mem', timestamp);
  const answer = await server.app.request('http://x/tuf/timestamp.json');
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await answer.json()).toMatchObject({ code: 'storage_failed' });
});
