import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { createDeployment, type EngraftServer } from '../../../src/server/index.ts';
import { pollingTime } from '../../../src/server/ddi-model.ts';
import { clientOf, ORIGIN, releases, startServer, storeFor, TOKEN } from '../../support/server.ts';

type Json = Record<string, any>;

/** A device that speaks DDI to an application in this process. */
function device(server: EngraftServer, controllerId = 'dev-1', headers: Record<string, string> = {}) {
  const base = `/default/controller/v1/${controllerId}`;
  const ask = async (path: string, method = 'GET', body?: unknown): Promise<{ status: number; json: Json }> => {
    const init = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const answer = await server.app.request(`${ORIGIN}${path.replace(ORIGIN, '')}`, { method, headers, ...init });
    const text = await answer.text();
    return { status: answer.status, json: (text === '' ? {} : JSON.parse(text)) as Json };
  };
  const poll = async (): Promise<Record<string, string>> => {
    const { json } = await ask(base);
    return Object.fromEntries(Object.entries((json['_links'] ?? {}) as Json).map(([name, { href }]) => [name, href]));
  };
  const report = (kind: string, id: number | string, execution: string, finished = 'none', code?: number, time = '') =>
    ask(`${base}/${kind}/${id}/feedback`, 'POST', {
      ...{ id: String(id), time, status: { execution, result: { finished }, code, details: [`${execution}!`] } },
    });
  return { base, ask, poll, report };
}

const idOf = (href: string): number => Number(/(\d+)$/.exec(href)![1]);

describe('a device', () => {
  test('walks through a whole deployment', async () => {
    const { dir } = await releases();
    const server = await startServer(dir, { pollSeconds: 90 });
    const client = clientOf(server);
    const { ask, base, poll, report } = device(server);
    const first = await ask(base);
    expect(first.json).toEqual({
      config: { polling: { sleep: '00:01:30' } },
      _links: { configData: { href: `${ORIGIN}${base}/configData` } },
    });
    const data = { product: 'cam', hardware: 'v1' };
    expect((await ask(`${base}/configData`, 'PUT', { mode: 'merge', data })).status).toBe(200);
    expect(await poll()).toEqual({});

    const [release] = await client.releases();
    const deployment = await client.createDeployment({ releaseId: release!.id, devices: ['dev-1'] });
    expect(deployment.actions).toEqual({ pending: 1 });
    const { deploymentBase } = await poll();
    const { json } = await ask(deploymentBase!);
    const id = idOf(deploymentBase!);
    const { artifact } = release!;
    const href = `${ORIGIN}/blobs/sha256/${artifact.sha256}`;
    expect(json).toEqual({
      id: String(id),
      deployment: {
        download: 'forced',
        update: 'forced',
        chunks: [
          {
            ...{ part: 'os', version: '1.0', name: 'cam' },
            artifacts: [
              {
                filename: 'cam-1.0-v1-rootfs.img',
                hashes: { sha1: artifact.sha1, md5: artifact.md5, sha256: artifact.sha256 },
                size: 150_000,
                _links: { 'download-http': { href }, download: { href } },
              },
            ],
            metadata: [
              { key: 'engraft.product', value: 'cam' },
              { key: 'engraft.version', value: '1.0' },
              { key: 'engraft.hardware', value: 'v1' },
              { key: 'engraft.slotClass', value: 'rootfs' },
            ],
          },
        ],
      },
    });
    expect((await server.app.request(href, { method: 'HEAD' })).status).toBe(200);

    for (const execution of ['download', 'downloaded', 'proceeding', 'scheduled', 'resumed', 'rejected']) {
      expect((await report('deploymentBase', id, execution, 'none', 0)).status).toBe(200);
      expect((await client.deployment(deployment.id)).actions).toEqual({ running: 1 });
    }
    expect((await report('deploymentBase', id, 'closed', 'success', 0)).status).toBe(200);
    const links = await poll();
    expect(Object.keys(links).sort()).toEqual(['configData', 'installedBase']);
    expect((await ask(links['installedBase']!)).json['deployment']).toEqual(json['deployment']);
    expect((await ask(deploymentBase!)).status).toBe(404);

    const { actions, attributes } = await client.device('dev-1');
    expect(attributes).toEqual(data);
    expect(actions).toMatchObject([{ id, state: 'finished', code: 0 }]);
    expect(actions[0]!.feedback).toHaveLength(7);
    expect(actions[0]!.feedback.at(-1)).toMatchObject({
      execution: 'closed',
      finished: 'success',
      details: ['closed!'],
    });
  });

  test('reports a failure with its number', async () => {
    const { dir } = await releases();
    const server = await startServer(dir);
    const client = clientOf(server);
    const { poll, report } = device(server);
    await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const id = idOf((await poll())['deploymentBase']!);
    await report('deploymentBase', id, 'closed', 'failure', 40);
    expect((await client.device('dev-1')).actions).toMatchObject([{ state: 'failed', code: 40 }]);
    expect(await poll()).toEqual({ configData: expect.any(String) });
  });

  test('may repeat a report, but not contradict one that closed the action', async () => {
    const { dir } = await releases();
    const server = await startServer(dir);
    const client = clientOf(server);
    const { poll, report } = device(server);
    await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const id = idOf((await poll())['deploymentBase']!);
    for (let i = 0; i < 3; i++) {
      expect((await report('deploymentBase', id, 'proceeding', 'none', 0, 't1')).status).toBe(200);
    }
    expect((await report('deploymentBase', id, 'proceeding', 'none', 0, 't2')).status).toBe(200);
    for (let i = 0; i < 3; i++) {
      expect((await report('deploymentBase', id, 'closed', 'success', 0, 't3')).status).toBe(200);
    }
    const late = await report('deploymentBase', id, 'closed', 'failure', 30, 't4');
    expect([late.status, late.json['code']]).toEqual([410, 'state_conflict']);
    const [action] = (await client.device('dev-1')).actions;
    expect([action!.state, action!.feedback.length]).toEqual(['finished', 3]);
  });

  test('cancels when asked, or refuses, and sees the next action only then', async () => {
    const { dir } = await releases(2);
    const server = await startServer(dir);
    const client = clientOf(server);
    const { ask, poll, report } = device(server);
    const first = await client.createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const id = idOf((await poll())['deploymentBase']!);
    await ask((await poll())['deploymentBase']!);
    expect((await report('cancelAction', id, 'closed', 'success')).status).toBe(409);
    expect((await client.cancelDeployment(first.id)).actions).toEqual({ cancelling: 1 });
    const second = await client.createDeployment({ releaseId: 2, devices: ['dev-1'] });
    const { cancelAction } = await poll();
    expect((await ask(cancelAction!)).json).toEqual({ id: String(id), cancelAction: { stopId: String(id) } });
    await report('cancelAction', id, 'rejected', 'failure', 0, 'too late');
    expect(idOf((await poll())['deploymentBase']!)).toBe(id);
    await client.cancelDeployment(first.id);
    await report('cancelAction', id, 'closed', 'success', 10);
    expect((await client.deployment(first.id)).actions).toEqual({ cancelled: 1 });
    const next = idOf((await poll())['deploymentBase']!);
    expect(next).not.toBe(id);
    expect((await client.deployment(second.id)).actions).toEqual({ pending: 1 });
    // What the device never saw ends at once.
    expect((await client.cancelDeployment(second.id)).actions).toEqual({ cancelled: 1 });
    expect(await poll()).toEqual({ configData: expect.any(String) });
    expect((await report('cancelAction', next, 'closed', 'success')).status).toBe(410);
  });

  test('that reports in later gets the newest deployment to all of its kind, and only that', async () => {
    const { dir } = await releases(2);
    const server = await startServer(dir);
    const client = clientOf(server);
    await client.createDeployment({ releaseId: 1, devices: 'all' });
    await client.createDeployment({ releaseId: 2, devices: 'all' });
    expect((await client.deployments()).map(({ state }) => state)).toEqual(['active', 'superseded']);
    const late = device(server, 'late');
    await late.poll();
    await late.ask(`${late.base}/configData`, 'PUT', { data: { 'engraft.product': 'cam', 'engraft.hardware': 'v1' } });
    const { deploymentBase } = await late.poll();
    expect((await late.ask(deploymentBase!)).json['deployment'].chunks[0].version).toBe('2.0');
    const other = device(server, 'other');
    await other.poll();
    await other.ask(`${other.base}/configData`, 'PUT', { data: { product: 'cam', hardware: 'v2' } });
    expect(await other.poll()).toEqual({});
  });
});

describe('a server', () => {
  test('keeps its state over a restart, and takes over what was published and deployed beside it', async () => {
    const { dir, release } = await releases();
    const first = await startServer(dir);
    await clientOf(first).createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const before = await device(first).poll();
    await device(first).report('deploymentBase', idOf(before['deploymentBase']!), 'proceeding', 'none', 0, 'a');
    await first.close();
    const second = await startServer(dir);
    expect(await device(second).poll()).toEqual(before);
    expect((await clientOf(second).device('dev-1')).actions[0]!.feedback).toHaveLength(1);

    const made = await release(2);
    const key = { product: 'cam', version: '2.0', hardware: 'v1', slotClass: 'rootfs' };
    expect(made.release).toMatchObject(key);
    const store = await storeFor(join(dir, 'server.db'));
    const id = await createDeployment({ repo: dir, store, tenant: 'default', release: key, devices: ['dev-2'] });
    const { deploymentBase } = await device(second, 'dev-2').poll();
    expect(deploymentBase).toBeDefined();
    expect(await clientOf(second).deployment(id)).toMatchObject({ releaseId: 2, actions: { pending: 1 } });
  });

  test('refuses names, ids and bodies that make no sense', async () => {
    const { dir } = await releases();
    const server = await startServer(dir);
    const { ask, base, poll, report } = device(server);
    expect((await ask('/ten%20ant/controller/v1/x')).status).toBe(400);
    expect((await ask('/default/controller/v1/a%2Fb')).status).toBe(400);
    expect((await ask(`/default/controller/v1/${'x'.repeat(129)}`)).status).toBe(400);
    expect((await ask(`${base}/configData`, 'PUT', { data: { a: 'b' } })).status).toBe(404); // never polled
    await poll();
    for (const id of ['999', '0', 'x', '9'.repeat(30), '-1']) {
      for (const kind of ['deploymentBase', 'cancelAction', 'installedBase']) {
        expect((await ask(`${base}/${kind}/${id}`)).status).toBe(404);
      }
      expect((await report('deploymentBase', id, 'closed', 'success')).status).toBe(404);
    }
    await clientOf(server).createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const id = idOf((await poll())['deploymentBase']!);
    expect((await device(server, 'thief').ask(`${device(server, 'thief').base}/deploymentBase/${id}`)).status).toBe(
      404,
    );
    const wrong = [
      '',
      '{',
      '[]',
      '7',
      { status: {} },
      { status: { execution: 'dancing' } },
      { status: { execution: 'closed', code: 1.5 } },
    ];
    for (const body of wrong) {
      expect((await ask(`${base}/deploymentBase/${id}/feedback`, 'POST', body)).status).toBe(400);
    }
    const huge = { status: { execution: 'closed', details: ['x'.repeat(LIMITS.ddi_body_bytes_max)] } };
    const answer = await server.app.request(`${ORIGIN}${base}/deploymentBase/${id}/feedback`, {
      ...{ method: 'POST', body: JSON.stringify(huge), headers: { 'Content-Length': String(200_000) } },
    });
    expect(answer.status).toBe(413);
    expect(await poll()).toHaveProperty('deploymentBase');
  });

  test('cuts what is too long rather than lose a report', async () => {
    const { dir } = await releases();
    const server = await startServer(dir);
    const { ask, base, poll } = device(server);
    await clientOf(server).createDeployment({ releaseId: 1, devices: ['dev-1'], register: true });
    const id = idOf((await poll())['deploymentBase']!);
    const details = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000, '.'));
    const long = { status: { execution: 'proceeding', result: { finished: 'none' }, details: [...details, 'x'] } };
    expect((await ask(`${base}/deploymentBase/${id}/feedback`, 'POST', long)).status).toBe(200);
    const [action] = (await clientOf(server).device('dev-1')).actions;
    expect(action!.feedback[0]!.details).toHaveLength(LIMITS.feedback_details_max);
  });

  test('asks for tokens when it is set to, and a device that has one must always show it', async () => {
    const { dir } = await releases();
    const server = await startServer(dir, {
      auth: { managementToken: TOKEN, gatewayToken: 'gate', deviceTokens: true },
    });
    const client = clientOf(server);
    const status = async (id: string, authorization?: string) =>
      (await device(server, id, authorization === undefined ? {} : { authorization }).ask(device(server, id).base))
        .status;
    expect(await status('dev-1')).toBe(401);
    expect(await status('dev-1', 'GatewayToken gate')).toBe(200);
    expect(await status('dev-1', 'GatewayToken gat')).toBe(401);
    const registered = await client.registerDevice({ controllerId: 'dev-2' });
    expect(await status('dev-2', `TargetToken ${registered.token}`)).toBe(200);
    expect(await status('dev-1', `TargetToken ${registered.token}`)).toBe(401);
    const lax = await startServer(dir, { store: join(dir, 'other.db') });
    await clientOf(lax).registerDevice({ controllerId: 'dev-3', token: 'a-token-of-its-own' });
    const ask = (headers?: Record<string, string>) => device(lax, 'dev-3', headers).ask(device(lax, 'dev-3').base);
    expect((await ask()).status).toBe(401);
    expect((await ask({ authorization: 'TargetToken a-token-of-its-own' })).status).toBe(200);
  });

  test('writes polling intervals as hawkBit does', () => {
    expect([1, 60, 300, 86_399, 1e9, 0].map(pollingTime)).toEqual([
      ...['00:00:01', '00:01:00', '00:05:00', '23:59:59', '23:59:59', '00:00:01'],
    ]);
  });
});
