/**
 * The TPM keystore against swtpm, a whole TPM 2.0 in software, through the real tpm2-tools.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/agent/index.ts';
import { Tpm2 } from '../../src/agent/keystore/tpm2.ts';
import { sha256Node as hash } from '../support/images.ts';
import { keystoreSuite, type Bench } from '../support/device/keystore-suite.ts';
import { rootOf, signersFor } from '../support/roots.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const missing = ['swtpm', 'tpm2_nvread'].filter((program) => !has(program));
const why = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', ')})`;

/** A test that fails must not leave a TPM running. */
const running = new Set<SoftTpm>();

class SoftTpm implements Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'engraft-tpm-'));
  readonly tcti = `swtpm:path=${join(this.folder, 'socket')}`;
  #process: ChildProcess | null = null;

  async start(): Promise<this> {
    running.add(this);
    const socket = join(this.folder, 'socket');
    rmSync(socket, { force: true });
    this.#process = spawn(
      'swtpm',
      [
        ...['socket', '--tpm2', '--tpmstate', `dir=${this.folder}`, '--flags', 'not-need-init,startup-clear'],
        ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
      ],
      { stdio: 'ignore' },
    );
    for (let i = 0; i < 200 && !existsSync(socket); i++) await sleep(25);
    return this;
  }

  hardware(more: { nvBase?: number; counterNames?: string[]; ownerAuth?: string } = {}): Tpm2 {
    const { nvBase = 0x1800100, counterNames = ['rollback.cam.rootfs'], ownerAuth } = more;
    return new Tpm2({ run: runCommand, hash, nvBase, counterNames, ownerAuth, tcti: this.tcti, deadlineMs: 20_000 });
  }

  tool(...argv: string[]) {
    return spawnSync(argv[0]!, argv.slice(1), { encoding: 'utf8', env: { ...process.env, TPM2TOOLS_TCTI: this.tcti } });
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async powerCycle(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async close(): Promise<void> {
    running.delete(this);
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const PIN = 'a'.repeat(64);

describe.skipIf(missing.length > 0)(`a TPM 2.0${why}`, () => {
  afterEach(async () => {
    for (const tpm of running) await tpm.close();
  });

  keystoreSuite(() => new SoftTpm().start());

  test('locks the pin: not even its own index can be written again', async () => {
    const tpm = await new SoftTpm().start();
    await tpm.hardware().provision(PIN, {});
    const written = tpm.tool('tpm2_nvwrite', '0x1800100', '-C', '0x1800100', '-i', '/etc/hostname');
    expect(written.status).not.toBe(0);
    expect(written.stderr).toMatch(/lock/i);
    await tpm.powerCycle();
    expect(tpm.tool('tpm2_nvwrite', '0x1800100', '-C', 'o', '-i', '/etc/hostname').status).not.toBe(0);
    expect(await tpm.hardware().pin()).toBe(PIN);
    await tpm.close();
  });

  test('never lets a counter begin lower, even if the owner deletes it and makes it anew', async () => {
    const tpm = await new SoftTpm().start();
    await tpm.hardware().provision(PIN, {});
    await tpm.hardware().commit('b'.repeat(64), { 'rollback.cam.rootfs': 9 });
    expect(await tpm.hardware().counters()).toEqual({ 'rollback.cam.rootfs': 9 });
    const index = '0x1800102';
    expect(tpm.tool('tpm2_nvundefine', index, '-C', 'o').status).toBe(0);
    const attributes = 'ownerread|ownerwrite|authread|authwrite|no_da|nt=counter';
    expect(tpm.tool('tpm2_nvdefine', index, '-C', 'o', '-s', '8', '-a', attributes).status).toBe(0);
    expect(tpm.tool('tpm2_nvincrement', index, '-C', index).status).toBe(0);
    expect((await tpm.hardware().counters())['rollback.cam.rootfs']).toBeGreaterThanOrEqual(9);
    await tpm.close();
  });

  test('is provisioned again when that was cut off at any of its calls', async () => {
    for (let cut = 1; ; cut++) {
      const tpm = await new SoftTpm().start();
      let calls = 0;
      const cutting = new Tpm2({
        ...{ hash, nvBase: 0x1800100, counterNames: ['rollback.cam.rootfs'], tcti: tpm.tcti, deadlineMs: 20_000 },
        run: (request) => {
          if (++calls >= cut) throw new Error('power cut');
          return runCommand(request);
        },
      });
      const done = await cutting.provision(PIN, { 'rollback.cam.rootfs': 3 }).then(
        () => true,
        () => false,
      );
      if ((await tpm.hardware().pin()) === null) await tpm.hardware().provision(PIN, { 'rollback.cam.rootfs': 3 });
      expect(await tpm.hardware().pin(), `cut ${cut}`).toBe(PIN);
      expect(await tpm.hardware().counters(), `cut ${cut}`).toEqual({ 'rollback.cam.rootfs': 3 });
      await tpm.close();
      if (done) break;
      expect(cut).toBeLessThan(40);
    }
  });

  test('refuses a step of more than 4096, and counters that it was not provisioned for', async () => {
    const tpm = await new SoftTpm().start();
    await tpm.hardware().provision(PIN, {});
    await tpm.hardware().commit('b'.repeat(64), { 'rollback.cam.rootfs': 1 });
    await expect(tpm.hardware().commit('c'.repeat(64), { 'rollback.cam.rootfs': 5000 })).rejects.toThrow(/4096 steps/);
    // The record that asked for it does not count: what was before goes on.
    expect(await tpm.hardware().anchor()).toBe('b'.repeat(64));
    expect(await tpm.hardware().counters()).toEqual({ 'rollback.cam.rootfs': 1 });
    const more = tpm.hardware({ counterNames: ['rollback.cam.rootfs', 'rollback.cam.boot'] });
    await expect(more.counters()).rejects.toMatchObject({ code: 'keystore_failed' });
    await expect(more.counters()).rejects.toThrow(/provisioned without the counter rollback.cam.boot/);
    await tpm.close();
  });

  test('knows its counters by name, in whatever order the configuration has them', async () => {
    const tpm = await new SoftTpm().start();
    const names = Array.from({ length: 8 }, (_, i) => `rollback.cam.class-${i}`);
    const wanted = Object.fromEntries(names.map((name, i) => [name, i]));
    await tpm.hardware({ counterNames: names }).provision(PIN, {});
    await tpm.hardware({ counterNames: names }).commit('b'.repeat(64), wanted);
    const turned = tpm.hardware({ counterNames: [...names].reverse() });
    expect(await turned.counters()).toEqual(wanted);
    await turned.commit('c'.repeat(64), { 'rollback.cam.class-0': 3 });
    const only = tpm.hardware({ counterNames: names.slice(0, 2) });
    expect(await only.counters()).toEqual({ 'rollback.cam.class-0': 3, 'rollback.cam.class-1': 1 });
    await tpm.close();
  });

  // What docs/keystores.md says about authorizations: the pin is as safe as the three that can delete it.
  test('keeps its pin when owner and lockout have an authorization and the firmware has closed the platform', async () => {
    const tpm = await new SoftTpm().start();
    await tpm.hardware().provision(PIN, {});
    const done = (...argv: string[]): boolean => tpm.tool(...argv).status === 0;
    expect(done('tpm2_changeauth', '-c', 'o', 'factory')).toBe(true);
    expect(done('tpm2_changeauth', '-c', 'l', 'factory')).toBe(true);
    expect(done('tpm2_hierarchycontrol', '-C', 'p', 'phEnable', 'clear')).toBe(true);
    expect(done('tpm2_nvundefine', '0x1800100', '-C', 'o')).toBe(false);
    expect(done('tpm2_nvundefine', '0x1800100', '-C', 'p')).toBe(false);
    expect(done('tpm2_clear', '-c', 'l')).toBe(false);
    expect(done('tpm2_clear', '-c', 'p')).toBe(false);
    // The daily work needs none of them.
    await tpm.hardware().commit('b'.repeat(64), { 'rollback.cam.rootfs': 1 });
    expect(await tpm.hardware().pin()).toBe(PIN);
    await tpm.close();
  });

  test('needs the owner, when it has an authorization, for provisioning alone, and keeps it out of messages', async () => {
    const tpm = await new SoftTpm().start();
    expect(tpm.tool('tpm2_changeauth', '-c', 'o', 'factory').status).toBe(0);
    await expect(tpm.hardware().provision(PIN, {})).rejects.toMatchObject({ code: 'keystore_failed' });
    const wrong = await tpm
      .hardware({ ownerAuth: 'not-this-one' })
      .provision(PIN, {})
      .catch((error: unknown) => String(error));
    expect(wrong).toMatch(/tpm2_nvdefine/);
    expect(wrong).not.toMatch(/not-this-one/);
    writeFileSync(join(tpm.folder, 'owner'), 'factory');
    await tpm.hardware({ ownerAuth: `file:${join(tpm.folder, 'owner')}` }).provision(PIN, {});
    await tpm.hardware().commit('b'.repeat(64), { 'rollback.cam.rootfs': 2 });
    expect(await tpm.hardware().counters()).toEqual({ 'rollback.cam.rootfs': 2 });
    await tpm.close();
  });

  test('is set up, shown and recovered by the program', async () => {
    const tpm = await new SoftTpm().start();
    const { folder } = tpm;
    const root = await rootOf(1, await signersFor());
    writeFileSync(join(folder, 'root.json'), root);
    for (const slot of ['a', 'b']) writeFileSync(join(folder, slot), '');
    const toml = `[device]\ncontroller_id = "d"\nproduct = "cam"\nhardware = "v1"\n[server]\nurl = "http://127.0.0.1:1"
[data]\nfolder = "data"\n[trust]\nroot = "root.json"\n[slots]\nA = "a"\nB = "b"
[keystore]\nbackend = "tpm2"\ntcti = "${tpm.tcti}"\n`;
    writeFileSync(join(folder, 'agent.toml'), toml);
    const program = (action: string, ...more: string[]) => {
      const argv = ['dist/engraft-agent.mjs', 'keystore', action, ...more, '--json', '-c', join(folder, 'agent.toml')];
      return spawnSync(process.execPath, argv, { encoding: 'utf8', cwd: new URL('../..', import.meta.url) });
    };
    const before = program('show');
    expect(before.status).toBe(30);
    expect(before.stdout + before.stderr).toMatch(/keystore provision/);
    expect(JSON.parse(program('provision').stdout)).toMatchObject({ result: 'done' });
    expect(JSON.parse(program('provision').stdout)).toMatchObject({ result: 'was done' });
    await tpm.hardware().commit((await tpm.hardware().anchor())!, { 'rollback.cam.rootfs': 6 });
    const pin = await tpm.hardware().pin();
    expect(JSON.parse(program('show').stdout)).toEqual({
      ...{ backend: 'tpm2', pin, counters: { 'rollback.cam.rootfs': 6 } },
      hardwareCounters: { 'rollback.cam.rootfs': 6 },
    });
    rmSync(join(folder, 'data'), { recursive: true });
    expect(program('show').status).toBe(30);
    expect(program('provision').status).toBe(30);
    // A later release brought a later root file; the pinned one has to be given.
    const later = await rootOf(2, await signersFor());
    writeFileSync(join(folder, 'root.json'), later);
    expect(program('recover').status).toBe(30);
    writeFileSync(join(folder, 'first.json'), root);
    expect(program('recover', '--root', join(folder, 'root.json')).status).toBe(30);
    expect(program('recover', '--root', join(folder, 'first.json')).status).toBe(0);
    expect(program('provision', '--root', join(folder, 'first.json')).status).toBe(2);
    expect(JSON.parse(program('show').stdout)).toMatchObject({ counters: { 'rollback.cam.rootfs': 6 } });
    await tpm.close();
  });

  test('that is absent, and tools that are, are named', async () => {
    const tpm = await new SoftTpm().start();
    await tpm.stop();
    await expect(tpm.hardware().pin()).rejects.toMatchObject({ code: 'keystore_failed', outcome: 30 });
    const bare = new Tpm2({
      ...{ hash, nvBase: 0x1800100, counterNames: [], tcti: null, deadlineMs: 1000 },
      run: (request) => runCommand({ ...request, argv: ['/nonexistent/tpm2_getcap'] }),
    });
    await expect(bare.pin()).rejects.toThrow(/ENOENT/);
    await tpm.close();
  });
});
