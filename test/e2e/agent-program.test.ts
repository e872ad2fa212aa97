/**
 * The one-file program `engraft-agent`, alone in another folder, against the real server over real HTTP.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LIMITS } from '../../native-free/limits.ts';
import type { EngraftServer, ServerOptions } from '../../src/server/index.ts';
import { AGENT_PROGRAM, programDevice } from '../support/device/agent-program.ts';
import { sameBytes } from '../support/device/agent.ts';

const servers: EngraftServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

async function bench(options: Partial<ServerOptions> = {}, health?: string) {
  const it = await programDevice('backoff_first_ms = 10\nbackoff_most_ms = 50\n', options, health);
  servers.push(it.server);
  return { ...it, folder: it.home };
}

describe.skipIf(!existsSync(AGENT_PROGRAM))('engraft-agent', () => {
  test('updates a device through a real server, killed in the middle and resumed', async () => {
    const it = await bench({ rateLimitBitsPerSecond: 800_000 });
    const run = ['run', '--config', join(it.folder, 'agent.toml'), '--once', '--json'];
    expect((await it.agent(run)).json).toMatchObject({ status: 0, code: 'no_update' });
    await it.deploy('2.0');
    const segments = (): number => {
      const text = readFileSync(join(it.folder, 'data', 'journal'), 'utf8');
      return (JSON.parse(text.slice(text.indexOf('\n'))) as { attempt: { segmentsDone: number } | null }).attempt?.segmentsDone ?? 0; // prettier-ignore
    };
    let killed = false;
    const child = spawn(process.execPath, ['engraft-agent.mjs', ...run], { cwd: join(it.folder, '..') });
    const watch = setInterval(() => {
      if (!killed && segments() >= 2) killed = child.kill('SIGKILL');
    }, 5);
    await once(child, 'close');
    clearInterval(watch);
    expect(killed).toBe(true);
    const ended = await it.agent(run);
    expect(ended, ended.stderr).toMatchObject({ code: 0, json: { code: 'reboot_pending' } });
    expect(sameBytes(it.slot('b'), it.target)).toBe(true);
    expect(await it.loader.boot()).toBe('B');
    expect(await it.agent(run)).toMatchObject({ code: 0, json: { status: 0, code: 'ok' } });
    const { json } = await it.agent(['status', '--config', join(it.folder, 'agent.toml'), '--json']);
    expect(json).toMatchObject({ status: 0, state: 'IDLE', running: 'B', slots: { B: { version: '2.0' } } });
    const payloadBytes = Number(json['last'].plan.payload.bytes);
    // Counted at the server: the chunk in flight, and what was on its way to a dead process.
    expect(it.server.stats.blobBytes).toBeGreaterThanOrEqual(payloadBytes);
    expect(it.server.stats.blobBytes).toBeLessThanOrEqual(payloadBytes + 2 * LIMITS.chunk_bytes);
    expect(sameBytes(it.slot('a'), it.source)).toBe(true);
    expect(existsSync(join(it.folder, 'data', 'agent.lock'))).toBe(false);
  });

  test('whose health check fails goes back and exits with 40', async () => {
    const it = await bench({}, '[["sh", "-c", "echo broken; exit 7"]]');
    const run = ['run', '--config', join(it.folder, 'agent.toml'), '--once', '--json'];
    await it.deploy('2.0');
    expect(await it.agent(run)).toMatchObject({ code: 0, json: { code: 'reboot_pending' } });
    expect(await it.loader.boot()).toBe('B');
    expect(await it.agent(run)).toMatchObject({ code: 40, json: { status: 40, code: 'rollback_pending' } });
    expect(await it.loader.boot()).toBe('A');
    const ended = await it.agent(run);
    expect(ended).toMatchObject({ code: 40, json: { status: 40, code: 'health_failed' } });
    expect(ended.json['message']).toMatch(/broken/);
    expect((await it.agent(['status', '--config', join(it.folder, 'agent.toml'), '--json'])).json).toMatchObject({
      status: 40,
      running: 'A',
    });
  });

  test('updates rootfs and boot together', async () => {
    const it = await bench();
    const config = join(it.folder, 'agent.toml');
    const boots = [1, 2].map((version) => it.source.slice(0, 80_000).fill(version, 1000, 1200));
    await it.publisher.release(1, { slotClass: 'boot', image: boots[0]!, rollbackIndex: 1 });
    await it.publisher.release(2, { slotClass: 'boot', image: boots[1]!, rollbackIndex: 2 });
    const text = readFileSync(config, 'utf8');
    const classes = ['a', 'b'].map(
      (slot) => `[slots.${slot.toUpperCase()}]\nrootfs = "slot-${slot}.img"\nboot = "slot-boot-${slot}.img"\n`,
    );
    writeFileSync(config, text.replace(/\[slots\]\nA = .*\nB = .*\n/, classes.join('')));
    writeFileSync(join(it.folder, 'slot-boot-a.img'), boots[0]!);
    writeFileSync(join(it.folder, 'slot-boot-b.img'), '');
    await it.deploy('2.0');
    const run = ['run', '--config', config, '--once', '--json'];
    expect((await it.agent(run)).json).toMatchObject({ code: 'reboot_pending' });
    expect(await it.loader.boot()).toBe('B');
    expect((await it.agent(run)).json).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('b'), it.target)).toBe(true);
    expect(sameBytes(it.slot('boot-b'), boots[1]!)).toBe(true);
    const { json } = await it.agent(['status', '--config', config, '--json']);
    expect(json['counters']).toMatchObject({ 'rollback.cam.rootfs': 2, 'rollback.cam.boot': 2 });
    expect(json['classes']).toMatchObject({
      rootfs: { A: { version: '1.0' }, B: { version: '2.0', pending: null } },
      boot: { B: { version: '2.0', pending: null } },
    });
    const table = spawnSync(process.execPath, ['engraft-agent.mjs', 'status', '--config', config], {
      cwd: join(it.folder, '..'),
      encoding: 'utf8',
    }).stdout;
    expect(table).toMatch(/slot +class +version +sha256 +tries left +pending/);
    for (const slotClass of ['rootfs', 'boot']) expect(table).toMatch(new RegExp(`^B +${slotClass} +2\\.0 `, 'm'));
    // The boot image of slot A was not known to the journal: it was found by its digest.
    expect(json['last'].verified).toMatchObject([{ slotClass: 'boot', kind: 'delta' }]);
  });

  test('as a service stops cleanly at SIGTERM, and there is only one of it', async () => {
    const it = await bench();
    const config = join(it.folder, 'agent.toml');
    const service = spawn(process.execPath, ['engraft-agent.mjs', 'run', '--config', config], {
      cwd: join(it.folder, '..'),
    });
    await once(service.stderr, 'data');
    const second = await it.agent(['run', '--config', config, '--once', '--json']);
    expect(second).toMatchObject({ code: 30, json: { error: { code: 'agent_running' } } });
    const closed = once(service, 'close');
    service.kill('SIGTERM');
    expect(await closed).toEqual([0, null]);
  });

  test('warns at its start where nothing tests a release, and runs all the same', async () => {
    const it = await bench({}, '[]');
    const config = join(it.folder, 'agent.toml');
    const run = ['run', '--config', config, '--once'];
    const untested = await it.agent([...run, '--json']);
    expect(untested).toMatchObject({ code: 0, json: { code: 'no_update' } });
    expect(untested.stderr).toContain('health.commands is empty');
    const [first] = (await it.agent([...run, '--json', '--log', 'json'])).stderr.split('\n');
    expect(JSON.parse(first!)).toMatchObject({ level: 'warn', message: expect.stringContaining('health.commands') });
    writeFileSync(config, (await readFile(config, 'utf8')).replace('commands = []', 'commands = [["true"]]'));
    expect((await it.agent([...run, '--json'])).stderr).not.toContain('health.commands');
  });

  test('names the wrong key of its configuration', async () => {
    const it = await bench();
    const config = join(it.folder, 'agent.toml');
    writeFileSync(config, (await readFile(config, 'utf8')).replace('product =', 'produkt ='));
    const ended = await it.agent(['run', '--config', config, '--once', '--json']);
    expect(ended).toMatchObject({
      code: 30,
      json: { error: { code: 'config_invalid', detail: { key: 'device.product' } } },
    });
  });
});
