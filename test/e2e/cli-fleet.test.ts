/**
 * An operator's questions to a running server, through the programs: what runs where, which device gets which payload,
 * stopping a deployment; and what `serve` and `publish` refuse or say before it hurts.
 */
import { chmodSync, chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start, until, type Running } from '../support/program.ts';
import { imageOf, publisher, temporaryFolder, type Publisher } from '../support/release.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/program/engraft.js', import.meta.url));
const TOKEN = { ENGRAFT_MANAGEMENT_TOKEN: 'tok' };

let made: Publisher;
let server: Running;
let url = '';
beforeAll(async () => {
  made = await publisher();
  for (const version of [1, 2]) await made.release(version);
  server = start(['serve', '--repo', made.dir, '--port', '0', '--json', '--host', '127.0.0.1'], TOKEN);
  let text = '';
  server.child.stdout!.on('data', (piece: string) => (text += piece));
  await until(() => text.includes('}') || server.child.exitCode !== null, 'the URL');
  url = (JSON.parse(text) as { url: string }).url;
});
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
});

function publish(version: number, ...more: string[]) {
  const image = join(temporaryFolder(), 'image');
  writeFileSync(image, imageOf(version));
  return start([
    ...['publish', image, '--repo', made.dir, '--keys', made.keys, '--product', 'cam', '--hardware', 'v1'],
    ...['--release-version', `${version}.0`, '--workers', '1', '--from', '2', ...more],
  ]).ended;
}

const ask = (...args: string[]) => start([...args, '--server', url], TOKEN).ended;

async function device(id: string, version: string): Promise<void> {
  const base = `${url}/default/controller/v1/${id}`;
  await fetch(base);
  const data = { 'engraft.product': 'cam', 'engraft.hardware': 'v1', 'engraft.version': version };
  await fetch(`${base}/configData`, { method: 'PUT', body: JSON.stringify({ mode: 'merge', data }) });
}

describe('what runs where', () => {
  test('is listed, filtered and in pages, as a table and as JSON', async () => {
    for (const [id, version] of [
      ['a', '1.0'],
      ['b', '1.0'],
      ['c', '0.9'],
    ] as const)
      await device(id, version);
    const table = await ask('device', 'list');
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^device +product +hardware +runs/);
    expect(table.stdout).toMatch(/^c +cam +v1 +0\.9 +- +\d{4}-\d\d-\d\d \d\d:\d\d +127\.0\.0\.1$/m);
    const page = await ask('device', 'list', '--runs', '1.0', '--limit', '1', '--json');
    const { devices } = JSON.parse(page.stdout) as { devices: object[] };
    expect(devices).toMatchObject([{ controllerId: 'a', version: '1.0' }]);
    expect(page.stderr).toContain('--after a');
    expect((await ask('device', 'list', '--after', 'c')).stdout).toBe('no devices\n');
    const one = await ask('device', 'show', 'a');
    expect(one.stdout).toMatch(/attribute engraft\.version +1\.0/);
    expect(await ask('device', 'show', 'nobody')).toMatchObject({
      ...{ code: 30, stderr: expect.stringContaining('there is no device nobody') },
    });
  });

  test('and which device gets which payload', async () => {
    const ghost = await publish(3, '--deploy-to', 'a,ghost');
    expect(ghost).toMatchObject({ code: 30, stderr: expect.stringContaining('ghost; nothing was published') });
    expect((await fetch(`${url}/api/v1/releases?version=3.0`, bearer)).status).toBe(200);
    expect(await (await fetch(`${url}/api/v1/releases?version=3.0`, bearer)).json()).toEqual({ releases: [] });
    expect(await publish(3, '--deploy-to', 'a,c,ghost', '--register')).toMatchObject({ code: 0 });

    const list = await ask('deployment', 'list', '--state', 'active');
    expect(list.stdout).toMatch(/^ *1 +cam 3\.0 +v1 +rootfs +named +active .*3 pending$/m);
    const show = await ask('deployment', 'show', '1');
    expect(show.stdout).toMatch(/^a +1\.0 +pending +delta from 1\.0, /m);
    expect(show.stdout).toMatch(/^c +0\.9 +pending +full, /m);
    expect(show.stdout).toMatch(/^ghost +- +pending +full, .* never$/m);
    const base = `${url}/default/controller/v1/a`;
    const { _links } = (await (await fetch(base)).json()) as { _links: { deploymentBase: { href: string } } };
    const status = { execution: 'closed', result: { finished: 'failure' }, code: 40 };
    const engraft = { product: 'cam', version: '3.0', hardware: 'v1', code: 'health_failed', subStatus: 8040 };
    await fetch(`${_links.deploymentBase.href}/feedback`, {
      method: 'POST',
      body: JSON.stringify({ status, engraft }),
    });
    expect((await ask('deployment', 'show', '1')).stdout).toMatch(/^a .*failed .*40 health_failed \(8040\)/m);
    expect((await ask('deployment', 'cancel', '1')).stdout).toMatch(/cancelled .*(1 failed|2 cancelled)/);
    const after = JSON.parse((await ask('deployment', 'show', '1', '--json')).stdout) as object;
    expect(after).toMatchObject({ state: 'cancelled', devices: [{ controllerId: 'a', outcome: 40 }, {}, {}] });
  });

  test('or that nobody gets any, though the release is out', async () => {
    const ended = await publish(4, '--deploy-to', 'all', '--store', temporaryFolder());
    expect(ended).toMatchObject({
      code: 30,
      stderr: expect.stringContaining('cam 4.0 is published, but it is not deployed'),
    });
    const { releases } = (await (await fetch(`${url}/api/v1/releases?version=4.0`, bearer)).json()) as {
      releases: object[];
    };
    expect(releases).toHaveLength(1);
  });

  test('is told to nobody without the token', async () => {
    const without = await start(['device', 'list', '--server', url], { ENGRAFT_MANAGEMENT_TOKEN: '' }).ended;
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('ENGRAFT_MANAGEMENT_TOKEN') });
    const wrong = await ask('device', 'list', '--token', 'guess', '--json');
    expect(JSON.parse(wrong.stdout)).toMatchObject({ error: { code: 'not_authorized' } });
  });
});

const bearer = { headers: { Authorization: 'Bearer tok' } };

describe('serve', () => {
  test('makes no repository out of a mistyped path', async () => {
    const missing = join(temporaryFolder(), 'rpeo');
    const ended = await start(['serve', '--repo', missing, '--port', '0']).ended;
    expect(ended).toMatchObject({ code: 30, stderr: expect.stringContaining(`${missing} is no repository`) });
    expect(existsSync(missing)).toBe(false);
  });

  test('says that anyone may be any device, where others can reach it', async () => {
    const of = async (host: string, ...more: string[]): Promise<string> => {
      const running = start(['serve', '--repo', made.dir, '--port', '0', '--host', host, ...more], TOKEN);
      let text = '';
      running.child.stdout!.on('data', (piece: string) => (text += piece));
      await until(() => text.includes('listening') || running.child.exitCode !== null, 'the URL');
      running.child.kill('SIGTERM');
      return (await running.ended).stderr;
    };
    expect(await of('0.0.0.0')).toContain('warning: whoever reaches 0.0.0.0');
    expect(await of('0.0.0.0', '--device-tokens')).not.toContain('warning');
    expect(await of('127.0.0.1')).not.toContain('warning');
  });

  // Only root may become somebody who may not write; others are stopped by the mode of the file alone.
  test('refuses a database that it may only read', async () => {
    const other = await publisher();
    await other.release(1);
    await (await import('../../src/server/index.ts')).Store.open(join(other.dir, 'server.db')).then((s) => s.close());
    const database = join(other.dir, 'server.db');
    chmodSync(database, 0o444);
    const root = process.getuid?.() === 0;
    // The folders on the way are the tester's own.
    if (root) for (const folder of [join(other.dir, '..'), other.dir]) chmodSync(folder, 0o777);
    if (root) chownSync(database, 0, 0);
    const child = spawn(process.execPath, [PROGRAM, 'serve', '--repo', other.dir, '--port', '0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(root && { uid: 65534, gid: 65534 }),
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (stderr += piece));
    const [code] = (await once(child, 'close')) as [number];
    expect(stderr).toContain('server.db');
    expect(stderr).toContain('store_failed');
    expect(code).toBe(30);
  });
});
