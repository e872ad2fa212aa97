/**
 * The program `engraft-agent` on a data partition that is really full, and really read-only: a small tmpfs. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { AGENT_PROGRAM, programDevice, type AgentEnded } from '../support/device/agent-program.ts';
import { sameBytes } from '../support/device/agent.ts';
import { temporaryFolder } from '../support/release.ts';

const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;

/** Why this cannot be tried here, or null. */
function obstacle(): string | null {
  if (!existsSync(AGENT_PROGRAM)) return 'the program is not built';
  if (process.getuid?.() !== 0) return 'only root may mount a file system';
  const folder = temporaryFolder();
  if (!mount('-t', 'tmpfs', '-o', 'size=64k', 'none', folder)) return 'this system does not let root mount a tmpfs';
  spawnSync('umount', [folder]);
  return null;
}
const why = obstacle();

const cleaning: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).reverse()) await clean();
});

async function bench() {
  const device = await programDevice('backoff_first_ms = 5\nbackoff_most_ms = 20\nspare_bytes = 0\n');
  const { home, config } = device;
  cleaning.push(() => device.server.close(0));
  const data = join(home, 'data');
  const kept = join(home, 'kept');
  cpSync(data, kept, { recursive: true });
  mkdirSync(data, { recursive: true });
  expect(mount('-t', 'tmpfs', '-o', 'size=4m', 'none', data)).toBe(true);
  cleaning.push(() => spawnSync('umount', [data]));
  cpSync(kept, data, { recursive: true });
  const run = (): Promise<AgentEnded> => device.agent(['run', '--config', config, '--once', '--json']);
  const fill = (): void => void spawnSync('dd', ['if=/dev/zero', `of=${join(data, 'filler')}`, 'bs=4096']);
  const bootState = (): string => readFileSync(join(home, 'boot-state'), 'utf8');
  return { ...device, data, run, fill, bootState };
}

describe.skipIf(why !== null)(
  `engraft-agent on a real data partition${why === null ? '' : ` (skipped: ${why})`}`,
  () => {
    test('that is full, then read-only: confirmed at every boot, and the device stays where it is', async () => {
      const it = await bench();
      expect((await it.run()).json).toMatchObject({ code: 'no_update' });
      it.fill();
      for (const state of ['full', 'read-only']) {
        if (state === 'read-only') expect(mount('-o', 'remount,ro', it.data)).toBe(true);
        for (let boots = 0; boots < 4; boots++) {
          expect(await it.loader.boot()).toBe('A');
          const ended = await it.run();
          expect(ended, ended.stderr).toMatchObject({ code: 0, json: { code: 'no_update' } });
          expect(it.bootState()).toMatch(/BOOT_A_LEFT=3/);
        }
      }
    });

    test('that is full when an update comes: disk_full with its path, and the update when there is room', async () => {
      const it = await bench();
      it.fill();
      await it.deploy('2.0');
      const ended = await it.run();
      expect(ended, ended.stderr).toMatchObject({ code: 30, json: { error: { code: 'disk_full' } } });
      expect(String((ended.json['error'] as { message: string }).message)).toContain(it.data);
      rmSync(join(it.data, 'filler'));
      const done = await it.run();
      expect(done, done.stderr).toMatchObject({ code: 0, json: { code: 'reboot_pending' } });
      expect(await it.loader.boot()).toBe('B');
      expect(await it.run()).toMatchObject({ code: 0, json: { status: 0, code: 'ok' } });
      expect(sameBytes(new Uint8Array(readFileSync(join(it.home, 'slot-b.img'))), it.target)).toBe(true);
    });
  },
);
