/**
 * The agent as a service: the one-file program under a service manager that is not ours (a notify socket in Python),
 * its log, its history, and what happens when it hangs.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createDeployment, createServer, type EngraftServer } from '../../src/server/index.ts';
import { FakeBootLoader } from '../../src/testing/index.ts';
import { nodeFileSystem } from '../../src/platform/node-filesystem.ts';
import { imagePair } from '../support/device/agent.ts';
import { publisher, temporaryFolder } from '../support/release.ts';
import { notifyReceiver, receiverMissing, type NotifyReceiver } from '../unit/life/agent-life-receiver.ts';

/** Another build can be tested with ENGRAFT_AGENT_FILE. */
const built =
  process.env['ENGRAFT_AGENT_FILE'] ?? fileURLToPath(new URL('../../dist/engraft-agent.mjs', import.meta.url));
const units = fileURLToPath(new URL('../../packaging/systemd/', import.meta.url));

const servers: EngraftServer[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) await server.close(0);
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The lines of the log so far. */
  log(): Record<string, any>[];
}

interface Bench {
  readonly folder: string;
  readonly config: string;
  readonly loader: FakeBootLoader;
  start(args: string[], env?: Record<string, string>): Started;
  deploy(version: string): Promise<void>;
  /** More TOML behind the given text of the configuration. */
  configure(change: (text: string) => string): void;
}

async function bench(): Promise<Bench> {
  const { source, target } = imagePair();
  const made = await publisher();
  await made.release(1, { image: source, rollbackIndex: 1 });
  await made.release(2, { image: target, rollbackIndex: 2 });
  const server = await createServer({ repo: made.dir });
  servers.push(server);
  const url = await server.listen(0);
  const work = temporaryFolder();
  copyFileSync(built, join(work, 'engraft-agent.mjs'));
  writeFileSync(join(work, 'image'), source);
  const start = (args: string[], env: Record<string, string> = {}): Started => startAgent(work, args, env);
  const folder = join(work, 'device');
  const root = join(made.dir, 'metadata', '1.root.json');
  const ended = await start(
    ['init', folder, '--image', 'image', '--image-version', '1.0', '--root', root, '--server', url]
      .concat(['--id', 'dev-1', '--product', 'cam', '--hardware', 'v1']), // prettier-ignore
  ).ended;
  expect(ended.code, ended.stderr).toBe(0);
  const config = join(folder, 'agent.toml');
  const boot = { stateFile: join(folder, 'boot-state'), choiceFile: join(folder, 'boot-choice') };
  return {
    ...{ folder, config, start, loader: new FakeBootLoader({ fs: nodeFileSystem, ...boot }) },
    configure: (change) => writeFileSync(config, change(readFileSync(config, 'utf8'))),
    deploy: async (version) => {
      const release = { product: 'cam', version, hardware: 'v1', slotClass: 'rootfs' };
      await createDeployment({ repo: made.dir, tenant: 'default', release, devices: ['dev-1'] });
    },
  };
}

function startAgent(cwd: string, args: string[], env: Record<string, string>): Started {
  const child = spawn(process.execPath, ['engraft-agent.mjs', ...args], { cwd, env: { ...process.env, ...env } });
  children.push(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const log = () => stderr.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, any>); // prettier-ignore
  return { child, ended, log };
}

/** As a service manager would start it. */
const serviceEnv = (receiver: NotifyReceiver, watchdogMs: number): Record<string, string> => ({
  NOTIFY_SOCKET: receiver.socket,
  WATCHDOG_USEC: String(watchdogMs * 1000),
});

describe.skipIf(!existsSync(built))('engraft-agent', () => {
  test('logs one JSON object per line, and remembers how updates ended', async () => {
    const it = await bench();
    const run = ['run', '--config', it.config, '--once', '--log', 'json'];
    await it.deploy('2.0');
    const first = it.start(run);
    expect(await first.ended).toMatchObject({ code: 0, stdout: '' });
    expect(first.log().map(({ event }) => event as string)).toContain('progress');
    for (const line of first.log()) {
      expect(line).toMatchObject({ level: expect.any(String) as unknown, event: expect.any(String) as unknown });
      expect(Math.abs(Date.parse(line['time'] as string) - Date.now())).toBeLessThan(120_000);
    }
    expect(first.log().at(-1)).toMatchObject({ event: 'result', code: 'reboot_pending', state: 'REBOOT' });
    expect(await it.loader.boot()).toBe('B');
    const second = it.start(run);
    expect(await second.ended).toMatchObject({ code: 0 });
    expect(second.log().at(-1)).toMatchObject({ level: 'info', event: 'result', status: 0, code: 'ok' });
    const shown = await it.start(['history', '--config', it.config]).ended;
    expect(shown.stdout).toMatch(/1\.0 -> 2\.0 +0 +ok +delta/);
    const { stdout } = await it.start(['history', '--config', it.config, '--json']).ended;
    expect(JSON.parse(stdout)).toMatchObject({ attempts: [{ version: '2.0', from: '1.0', status: 0, slot: 'B' }] });
  });

  test('fails with a line of JSON as well, and the same exit code', async () => {
    const it = await bench();
    it.configure((text) => text.replace(/url = .*/, 'url = "http://127.0.0.1:9"'));
    const failing = it.start(['run', '--config', it.config, '--once', '--log', 'json']);
    expect(await failing.ended).toMatchObject({ code: 10, stdout: '' });
    expect(failing.log().at(-1)).toMatchObject({
      level: 'error',
      event: 'failed',
      code: 'link_failed',
      retryable: true,
    });
    const wrong = await it.start(['run', '--config', it.config, '--log', 'xml']).ended;
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/--log must be text or json/) as unknown });
  });

  test('checks its configuration, shows it without the token, and names what is wrong', async () => {
    const it = await bench();
    it.configure((text) => text.replace('[data]', 'target_token = "s3cret"\n[data]'));
    const good = await it.start(['check-config', '--config', it.config]).ended;
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(/^limits\.attempts_max +5$/m);
    expect(good.stdout).not.toMatch(/s3cret/);
    expect(good.stdout).toMatch(/^server\.target_token +"\(set\)"$/m);
    const json = await it.start(['check-config', '--config', it.config, '--json']).ended;
    expect(JSON.parse(json.stdout)).toMatchObject({
      device: { controller_id: 'dev-1' },
      server: { target_token: '(set)' },
    });
    it.configure((text) => text.replace('deadline_seconds = 300', 'deadline_seconds = "5 min"'));
    const bad = await it.start(['check-config', '--config', it.config]).ended;
    expect(bad).toMatchObject({ code: 30, stderr: expect.stringMatching(/health\.deadline_seconds/) as unknown });
  });
});

describe.skipIf(!existsSync(built) || receiverMissing !== null)(
  `engraft-agent under a service manager ${receiverMissing ?? ''}`,
  () => {
    test('says that it is ready, what it does, that it lives, and that it stops', async () => {
      const it = await bench();
      const receiver = await notifyReceiver(children);
      const env = serviceEnv(receiver, 600);
      const service = it.start(['run', '--config', it.config, '--log', 'json'], env);
      await expect.poll(() => receiver.count('WATCHDOG=1'), { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
      expect(receiver.messages[0]).toBe('READY=1');
      expect(receiver.count('STATUS=CHECK')).toBeGreaterThanOrEqual(1);
      service.child.kill('SIGTERM');
      expect(await service.ended).toMatchObject({ code: 0 });
      expect(receiver.messages.at(-1)).toBe('STOPPING=1');
      expect(service.log().at(-1)).toMatchObject({ event: 'stopped' });
    });

    test('is not ready with a wrong configuration, or beside another agent', async () => {
      const it = await bench();
      const receiver = await notifyReceiver(children);
      const first = it.start(['run', '--config', it.config, '--log', 'json']);
      await expect.poll(() => first.log().length, { timeout: 30_000 }).toBeGreaterThan(0);
      const second = it.start(['run', '--config', it.config, '--log', 'json'], serviceEnv(receiver, 300));
      expect(await second.ended).toMatchObject({ code: 30 });
      first.child.kill('SIGTERM');
      await first.ended;
      it.configure((text) => text.replace('product =', 'produkt ='));
      const third = it.start(['run', '--config', it.config, '--log', 'json'], serviceEnv(receiver, 300));
      expect(await third.ended).toMatchObject({ code: 30 });
      expect(receiver.count('READY=1')).toBe(0);
      expect(receiver.count('WATCHDOG=1')).toBe(0);
    });

    test('that hangs in the storage stops feeding the watchdog, though its event loop turns', async () => {
      const it = await bench();
      it.configure((text) => text.replace('[health]', '[health]\nstuck_seconds = 1'));
      // A disk that never answers, which nobody can have to order: opening the boot state never ends.
      const never = join(it.folder, 'never.mjs');
      writeFileSync(
        never,
        `import fs from 'node:fs/promises';
         import { syncBuiltinESMExports } from 'node:module';
         const { open } = fs;
         fs.open = (path, ...rest) => (String(path).endsWith('/boot-state') ? new Promise(() => {}) : open(path, ...rest));
         syncBuiltinESMExports();`,
      );
      const receiver = await notifyReceiver(children);
      const env = { ...serviceEnv(receiver, 300), NODE_OPTIONS: `--import=${never}` };
      const service = it.start(['run', '--config', it.config, '--log', 'json'], env);
      await expect.poll(() => receiver.count('READY=1'), { timeout: 30_000 }).toBe(1);
      await expect
        .poll(() => service.log().some(({ event, message }) => event === 'service' && /no progress/.test(message)), {
          timeout: 30_000,
        })
        .toBe(true);
      await delay(500);
      const late = receiver.count('WATCHDOG=1');
      await delay(1500);
      expect(receiver.count('WATCHDOG=1')).toBe(late);
      // What systemd does then; the next start takes the lock over and finds everything as it was.
      service.child.kill('SIGKILL');
      await service.ended;
      expect(await it.start(['run', '--config', it.config, '--once']).ended).toMatchObject({ code: 0 });
    });

    test('does not let its hooks speak to the service manager', async () => {
      const it = await bench();
      const out = join(it.folder, 'env');
      it.configure((text) => `${text}\n[hooks]\nbefore_download = [["sh", "-c", "env >${out}"]]\n`);
      await it.deploy('2.0');
      const receiver = await notifyReceiver(children);
      const run = it.start(['run', '--config', it.config, '--once', '--log', 'json'], serviceEnv(receiver, 60_000));
      expect(await run.ended).toMatchObject({ code: 0 });
      expect(readFileSync(out, 'utf8')).toMatch(/ENGRAFT_HOOK=before_download/);
      expect(readFileSync(out, 'utf8')).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_USEC/);
    });
  },
);

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
describe.skipIf(!analyze)(`the units ${analyze ? '' : '(skipped: no systemd-analyze)'}`, () => {
  const names = [
    'engraft-agent.service',
    'engraft-agent-once.service',
    'engraft-agent-once.timer',
    'engraft-agent-confirm.service',
  ];

  test('have no mistake that systemd can see', () => {
    // Its one complaint may be that the program is not installed here.
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...names.map((name) => units + name)], {
      encoding: 'utf8',
    });
    const complaints = stderr
      .split('\n')
      .filter((line) => line !== '' && !/engraft-agent is not executable/.test(line));
    expect(complaints).toEqual([]);
  });

  test('keep what the agent needs', () => {
    const text = readFileSync(join(units, 'engraft-agent.service'), 'utf8');
    expect(text).toMatch(/^After=.*network-online\.target/m);
    expect(text).not.toMatch(/^Requires=/m);
    // Both would close the devices of the slots.
    expect(text).not.toMatch(/^(PrivateDevices|ProtectClock|MemoryDenyWriteExecute)=/m);
    expect(text).toMatch(/^Type=notify$/m);
    expect(text).toMatch(/^NotifyAccess=all$/m);
  });
});
