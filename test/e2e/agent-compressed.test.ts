/**
 * Slots with compressed images in them: payloads of the real engine that look inside, from publish to commit.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CODEC, formatName, formatOf } from '../../native-free/index.ts';
import type { EngraftServer } from '../../src/server/index.ts';
import { AGENT_PROGRAM, programDevice } from '../support/device/agent-program.ts';
import { assignedDevice, sameBytes, type Lab } from '../support/device/agent.ts';
import { slotPair, squashfsPair, unitsLab, withEngine } from '../support/device/squashfs-slot.ts';

describe('the squashfs pair of the repository', () => {
  const { source, target } = squashfsPair();
  let lab: Lab;
  beforeAll(async () => {
    lab = await unitsLab({ source, target });
  });

  test('has a delta that looks inside, far smaller than one that does not, and than the full payload', async () => {
    const [within, plain, full] = await withEngine(async (engine) => [
      await engine.delta(source, target),
      await engine.delta(source, target, { unpack: false }),
      await engine.full(target),
    ]);
    expect(formatOf(within!.payload)).toMatchObject({ codec: CODEC.units });
    expect(formatOf(plain!.payload)).toMatchObject({ codec: CODEC.mixing });
    expect(within!.payload.length).toBeLessThan(plain!.payload.length / 4);
    expect(within!.payload.length).toBeLessThan(full!.payload.length / 4);
  });

  test('is an update that reads nothing back and fetches exactly the payload', async () => {
    const read = new Map<string, number>();
    const it = await assignedDevice(lab, {
      watch: ({ name, path, bytes }) => {
        if (name === 'read') read.set(path, (read.get(path) ?? 0) + bytes!);
      },
    });
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('b'), target)).toBe(true);
    expect(read.get('/slots/b')).toBeUndefined();
    expect(read.get('/slots/a')).toBeGreaterThan(0);
    const { last } = it.journal();
    expect(formatName(last!.plan!.format!)).toBe('5-units');
    expect(it.network.bytesOf('/blobs/')).toBe(last!.plan!.payload.bytes);
    expect(last).toMatchObject({ refetchedBytes: 0, repairedSegments: 0, fellBack: null });
  });

  test.each([
    ['in a block of the program', 5000],
    ['in its last block', source.length - 6000],
  ])('of which the running slot has a wrong byte %s gets it from the full payload', async (_where, offset) => {
    const it = await assignedDevice(lab);
    const slot = source.slice();
    slot[offset]! ^= 0x10;
    it.disk.place('/slots/a', slot);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(it.states()).toContain('REPAIR');
    const { last, slots } = it.journal();
    // The image is one segment, and so it is in the full payload: to repair it is to take all of it.
    expect(last).toMatchObject({ plan: { kind: 'delta' }, repairedSegments: 1 });
    expect(it.network.bytesOf(last!.repair!.payload.sha256)).toBe(last!.repair!.payload.bytes);
    expect(last!.fellBack).toMatch(/the segment at target byte 0\b/);
    expect(slots['A']).toBeNull();
    expect(sameBytes(it.slot('b'), target)).toBe(true);
    expect(await it.agent().status()).toMatchObject({ status: 0, running: 'B' });
  });
});

describe.skipIf(!existsSync(AGENT_PROGRAM))('engraft-agent, over HTTP', () => {
  const servers: EngraftServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close(0);
  });

  test('updates such a slot, killed between two segments and resumed', async () => {
    const pair = slotPair();
    const limits = 'backoff_first_ms = 10\nbackoff_most_ms = 50\n';
    const link = { rateLimitBitsPerSecond: 400_000 };
    const it = await withEngine((engine) => programDevice(limits, link, '[["true"]]', { pair, engine }));
    servers.push(it.server);
    await it.deploy('2.0');
    const run = ['run', '--config', it.config, '--once', '--json'];
    const child = spawn(process.execPath, ['engraft-agent.mjs', ...run], { cwd: join(it.home, '..') });
    let killed = false;
    const watch = setInterval(() => {
      const text = readFileSync(join(it.home, 'data', 'journal'), 'utf8');
      const { attempt } = JSON.parse(text.slice(text.indexOf('\n'))) as { attempt: { segmentsDone: number } | null };
      if (!killed && (attempt?.segmentsDone ?? 0) >= 1) killed = child.kill('SIGKILL');
    }, 5);
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    clearInterval(watch);
    expect(signal).toBe('SIGKILL');
    expect(sameBytes(it.slot('b'), pair.target)).toBe(false);
    const status = ['status', '--config', it.config, '--json'];
    expect((await it.agent(status)).json).toMatchObject({ state: 'APPLY', running: 'A' });
    const ended = await it.agent(run);
    expect(ended, ended.stderr).toMatchObject({ code: 0, json: { code: 'reboot_pending' } });
    expect(sameBytes(it.slot('b'), pair.target)).toBe(true);
    expect(await it.loader.boot()).toBe('B');
    expect(await it.agent(run)).toMatchObject({ code: 0, json: { status: 0, code: 'ok' } });
    const { json } = await it.agent(status);
    expect(json).toMatchObject({ status: 0, state: 'IDLE', running: 'B', slots: { B: { version: '2.0' } } });
    expect(json['last'].plan).toMatchObject({ kind: 'delta', format: { codec: CODEC.units } });
    expect(sameBytes(it.slot('a'), pair.source)).toBe(true);
  }, 120_000);
});
