import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManagementClient } from '../../../src/client/index.ts';
import { createServer, Store, type EngraftServer } from '../../../src/server/index.ts';
import { publisher, temporaryFolder, type Publisher } from '../../support/release.ts';
import { storeFor } from '../../support/server.ts';

let made: Publisher;
let server: EngraftServer;
let url = '';
let client: ManagementClient;
beforeAll(async () => {
  made = await publisher();
  for (const version of [1, 2]) await made.release(version);
  await made.release(1, { hardware: 'v2' });
  const store = await storeFor(join(made.dir, 'server.db'));
  server = await createServer({ repo: made.dir, store, auth: { managementToken: 'secret' }, version: '9.8.7' });
  url = await server.listen(0);
  client = new ManagementClient({ url: `${url}/`, token: 'secret' });
});
afterAll(() => server.close(0));

describe('the management API', () => {
  test('lists products and releases, newest first, filtered and in pages', async () => {
    expect(await client.products()).toEqual([
      { product: 'cam', hardware: 'v1', slotClass: 'rootfs', releases: 2, latest: '2.0' },
      { product: 'cam', hardware: 'v2', slotClass: 'rootfs', releases: 1, latest: '1.0' },
    ]);
    const all = await client.releases();
    expect(all.map(({ version, hardware }) => `${version} ${hardware}`)).toEqual(['1.0 v2', '2.0 v1', '1.0 v1']);
    expect(await client.releases({ hardware: 'v1', version: '2.0' })).toEqual([all[1]]);
    expect(await client.releases({ limit: 1, before: all[1]!.id })).toEqual([all[2]]);
    expect(await client.release(all[1]!.id)).toEqual(all[1]);
    expect(all[1]!.payloads.map(({ kind }) => kind)).toEqual(['full', 'delta']);
  });

  test('lists devices in pages', async () => {
    for (const id of ['c', 'a', 'b']) await client.registerDevice({ controllerId: id });
    expect((await client.devices({ limit: 2 })).map(({ controllerId }) => controllerId)).toEqual(['a', 'b']);
    const [last] = await client.devices({ after: 'b' });
    expect(last).toMatchObject({ controllerId: 'c', hasToken: true, lastSeen: null });
    expect(JSON.stringify(last)).not.toMatch(/sha256|"token"/);
    const elsewhere = new ManagementClient({ url, token: 'secret', tenant: 'other' });
    expect(await elsewhere.devices()).toEqual([]);
  });

  test('answers errors as problems with our codes', async () => {
    await expect(client.device('nobody')).rejects.toMatchObject({ code: 'entity_unknown' });
    await expect(client.deployment(99)).rejects.toMatchObject({ code: 'entity_unknown' });
    await expect(client.createDeployment({ releaseId: 99, devices: 'all' })).rejects.toMatchObject({
      ...{ code: 'entity_unknown', message: expect.stringContaining('release 99') },
    });
    await expect(client.createDeployment({ releaseId: 1, devices: [] })).rejects.toMatchObject({
      code: 'usage_invalid',
    });
    await expect(client.createDeployment({ releaseId: 1, devices: ['a/b'] })).rejects.toMatchObject({
      code: 'usage_invalid',
    });
    await expect(client.releases({ limit: 100_000 })).rejects.toMatchObject({ code: 'usage_invalid' });
    const answer = await fetch(`${url}/api/v1/deployments`, {
      ...{ method: 'POST', body: '{', headers: { Authorization: 'Bearer secret', 'Content-Type': 'application/json' } },
    });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    expect(await answer.json()).toMatchObject({ status: 400, code: 'usage_invalid', number: 1000 });
  });

  test('is closed without the right token, and altogether when the server has none', async () => {
    for (const token of ['', 'Secret', 'secret2']) {
      await expect(new ManagementClient({ url, token }).devices()).rejects.toMatchObject({ code: 'not_authorized' });
    }
    const closed = await createServer({ repo: made.dir, store: ':memory:' });
    const answer = await closed.app.request('http://x/api/v1/devices', {
      headers: { Authorization: 'Bearer undefined' },
    });
    expect(answer.status).toBe(401);
    await closed.close();
  });

  test('describes itself', async () => {
    const document = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as {
      info: object;
      paths: Record<string, object>;
      components: { schemas: object };
    };
    expect(document.info).toEqual({ title: 'engraft', version: '9.8.7' });
    expect(Object.keys(document.paths).sort()).toEqual([
      ...['/decoders', '/deployments', '/deployments/{id}', '/deployments/{id}/actions', '/deployments/{id}/cancel'],
      ...['/devices', '/devices/{controllerId}', '/jobs', '/jobs/{id}', '/jobs/{id}/cancel', '/products'],
      ...['/publications/{id}', '/releases', '/releases/{id}', '/releases/{id}/plan', '/releases/{id}/price'],
      ...['/rollouts', '/rollouts/{id}', '/rollouts/{id}/audit', '/rollouts/{id}/devices', '/rollouts/{id}/{command}'],
      ...['/uploads', '/uploads/{id}'],
    ]);
    expect(Object.keys(document.components.schemas)).toContain('Problem');
  });

  test('the client says when nobody answers, or somebody else does', async () => {
    const nobody = new ManagementClient({ url: 'http://127.0.0.1:2', token: 'x' });
    const refused = { code: 'link_failed', message: expect.stringMatching(/no answer \(.*ECONNREFUSED/) as unknown };
    await expect(nobody.products()).rejects.toMatchObject(refused);
    const portal = (async () => new Response('<html>')) as typeof fetch;
    const lured = new ManagementClient({ url, token: 'x', fetch: portal });
    await expect(lured.products()).rejects.toMatchObject({ code: 'content_wrong' });
  });
});

describe('the store', () => {
  test('says which file it cannot open', async () => {
    const path = join(temporaryFolder(), 'broken.db');
    writeFileSync(path, 'this is no database, however long it may be '.repeat(50));
    await expect(Store.open(path)).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining(path),
    });
    await expect(Store.open('/proc/none/x.db')).rejects.toMatchObject({ code: 'store_failed' });
  });

  test('can be opened by several at once, also while it is new', async () => {
    const path = join(temporaryFolder(), 'server.db');
    const stores = await Promise.all([1, 2, 3].map(() => Store.open(path)));
    const writes = stores.flatMap((store, i) =>
      Array.from({ length: 10 }, (_, j) => store.devices.meet({ tenant: 't', controllerId: `d${i}-${j}` }, 1, null)),
    );
    await Promise.all(writes);
    expect(await stores[0]!.devices.list('t', 100)).toHaveLength(30);
    for (const store of stores) await store.close();
  });

  test('goes on with what is known when the repository breaks under the server', async () => {
    const other = await publisher();
    await other.release(1);
    const broken = await createServer({ repo: other.dir, auth: { managementToken: 'x' } });
    writeFileSync(join(other.dir, 'metadata', 'timestamp.json'), 'rubbish');
    const answer = await broken.app.request('http://x/api/v1/releases', { headers: { Authorization: 'Bearer x' } });
    expect([answer.status, ((await answer.json()) as { releases: unknown[] }).releases.length]).toEqual([200, 1]);
    await broken.close();
  });
});
