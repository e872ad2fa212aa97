/**
 * Hooks around an attempt: who may hold it back, who is told, and what a bad hook can do (nothing).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { runCommand, type CommandRequest, type CommandResult } from '../../../src/agent/index.ts';
import { askHooks } from '../../../src/agent/life/hooks.ts';
import { checkHealth } from '../../../src/agent/life/health.ts';
import { FakeClock } from '../../../src/testing/index.ts';
import { device, makeLab, sameBytes, type Lab, type SimulatedDevice } from '../../support/device/agent.ts';
import { temporaryFolder } from '../../support/release.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

const result = (exitCode: number | null, output = '', timedOut = false): CommandResult => ({
  ...{ exitCode, timedOut, output, stdout: output },
});

const HOOKS = ['before_arm', 'before_reboot', 'after_commit', 'after_rollback', 'after_failure'];

/** A device with every hook; `answer` decides by hook name. */
async function hooked(
  answer: (name: string, request: CommandRequest) => CommandResult,
  reboot = '',
): Promise<SimulatedDevice> {
  return device(lab, {
    toml: {
      hooks: HOOKS.map((name) => `${name} = [["hook"]]`).join('\n'),
      boot: reboot,
      limits: 'backoff_first_ms = 1000',
    },
    run: async (request) => answer(request.env?.['ENGRAFT_HOOK'] ?? '', request),
  });
}

describe('a hook before a step', () => {
  test('before the download finds what the attempt is about, and what it will cost', async () => {
    const found: Readonly<Record<string, string>>[] = [];
    const it = await device(lab, {
      toml: { hooks: 'before_download = [["hook"]]' },
      run: async ({ env = {} }) => (env['ENGRAFT_HOOK'] === undefined || found.push(env), result(0)),
    });
    it.deployments.assign('2.0', '12');
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    const { payload } = it.journal().attempt!.plan!;
    expect(found).toMatchObject([
      {
        ...{ ENGRAFT_HOOK: 'before_download', ENGRAFT_STATE: 'PLAN', ENGRAFT_ACTION: '12', ENGRAFT_VERSION: '2.0' },
        ...{ ENGRAFT_SLOT: 'B', ENGRAFT_SOURCE_SLOT: 'A', ENGRAFT_PAYLOAD_BYTES: String(payload.bytes) },
      },
    ]);
  });

  test('before the other slot is given up keeps it as it is, however often it says not now', async () => {
    let consent = false;
    const it = await device(lab, {
      toml: { hooks: 'before_apply = [["hook"]]' },
      run: async ({ env }) => result(env?.['ENGRAFT_HOOK'] === 'before_apply' && !consent ? 75 : 0),
    });
    it.deployments.assign('2.0');
    const before = it.slot('b').slice();
    for (let i = 0; i < 30; i++) await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused' });
    expect(it.journal()).toMatchObject({ state: 'PREPARE', attempt: { resumes: 0, outcome: null } });
    expect(sameBytes(it.slot('b'), before)).toBe(true);
    expect(it.bootState()).toMatch(/BOOT_B_LEFT=0/);
    expect(it.deployments.closed).toEqual([]);
    consent = true;
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  });

  test('hours that are over in the middle of the download are waited for, however often the agent is started', async () => {
    const it = await device(lab, { toml: { limits: 'allowed_hours = "22:00-23:00"' } });
    const today = new Date(it.clock.now()).toISOString().slice(0, 10);
    it.clock.advance(Date.parse(`${today}T22:30:00Z`) - it.clock.now());
    it.deployments.assign('2.0');
    const request = it.network.request.bind(it.network);
    it.network.request = (asked) => {
      // The header comes, then the hour is over.
      if (asked.url.includes('/blobs/') && it.journal().state === 'APPLY') it.clock.advance(3_600_000);
      return request(asked);
    };
    await it.once().catch(() => undefined);
    it.network.request = request;
    for (let i = 0; i < 30; i++) await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
    expect(it.journal()).toMatchObject({ state: 'APPLY', attempt: { resumes: 0, outcome: null } });
    it.clock.advance(23 * 3_600_000);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  });

  test('that says not now keeps the attempt in ARM: nothing is armed, downloaded again or lost', async () => {
    let consent = false;
    const it = await hooked((name) => (name === 'before_arm' && !consent ? result(75, 'ask me at night') : result(0)));
    it.deployments.assign('2.0');
    await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused', outcome: 10, retryable: true });
    expect(it.journal()).toMatchObject({ state: 'ARM', attempt: { armedBootId: null, resumes: 0 } });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
    expect(it.deployments.news.at(-1)!.message).toMatch(
      /waiting: hook before_arm 'hook' says not now: ask me at night/,
    );
    expect(it.deployments.closed).toEqual([]);
    const requests = it.network.requests.length;
    // Many starts, as from a timer, are no crash loop.
    for (let i = 0; i < 30; i++) await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused' });
    expect(it.network.requests.length).toBe(requests);
    consent = true;
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(it.network.requests.filter(({ url }) => url.includes('/blobs/')).length).toBe(
      it.network.requests.slice(0, requests).filter(({ url }) => url.includes('/blobs/')).length,
    );
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('is asked again by a service until it agrees; the server can cancel meanwhile', async () => {
    let asked = 0;
    const names = new Set<string>();
    const it = await hooked((name) => {
      names.add(name);
      if (name !== 'before_arm') return result(0);
      if (++asked === 4) it.deployments.cancelId = 'stop-1';
      return result(75);
    });
    it.deployments.assign('2.0');
    const stop = new AbortController();
    const closed = it.deployments.answerCancel.bind(it.deployments);
    it.deployments.answerCancel = async (id, accepted) => {
      await closed(id, accepted);
      stop.abort();
    };
    await expect(it.agent().run({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
    expect(asked).toBe(4);
    expect(it.deployments.news.filter(({ message }) => message.startsWith('waiting'))).toHaveLength(1);
    // Nothing was armed, so nothing was rolled back.
    expect(names).toContain('after_failure');
    expect(names).not.toContain('after_rollback');
    expect(it.deployments.cancelAnswers).toEqual([true]);
    expect(it.journal()).toMatchObject({ state: 'IDLE', last: { outcome: { code: 'cancelled', status: 10 } } });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
  });

  test('before a reboot holds the armed device, and is not asked where nobody here makes the reboot', async () => {
    let may = false;
    const asked: string[] = [];
    const answer = (name: string): CommandResult => {
      asked.push(name);
      return name === 'before_reboot' && !may ? result(75) : result(0);
    };
    const it = await hooked(answer, 'reboot_command = ["reboot"]');
    it.deployments.assign('2.0');
    await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused' });
    expect(it.journal().state).toBe('REBOOT');
    expect(it.bootState()).toMatch(/BOOT_ORDER=B A/);
    may = true;
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    const other = await hooked(answer);
    asked.length = 0;
    other.deployments.assign('2.0');
    expect(await other.untilDone()).toMatchObject({ status: 0 });
    expect(asked).not.toContain('before_reboot');
  });

  test('is asked within the maintenance window only, and the window is waited for in ARM and in REBOOT', async () => {
    const it = await device(lab, {
      toml: {
        hooks: 'before_reboot = [["hook"]]\n[reboot]\nwindow = "02:00-05:00, 22:00-23:00"',
        boot: 'reboot_command = ["reboot"]',
      },
      run: async ({ env }) => result(env?.['ENGRAFT_HOOK'] === 'before_reboot' && busy ? 75 : 0),
    });
    let busy = true;
    const today = new Date(it.clock.now()).toISOString().slice(0, 10);
    const at = (time: string): void => it.clock.advance(Date.parse(`${today}T${time}Z`) - it.clock.now());
    at('12:00:00');
    it.deployments.assign('2.0');
    await expect(it.once()).rejects.toMatchObject({
      ...{ code: 'outside_hours', outcome: 10, detail: { opensAtMs: Date.parse(`${today}T22:00:00Z`) } },
    });
    expect(it.journal()).toMatchObject({ state: 'ARM', attempt: { armedBootId: null } });
    expect(it.deployments.news.at(-1)!.message).toBe('waiting: the reboot waits 600 min for its hours');
    at('22:59:30');
    await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused' });
    expect(it.journal().state).toBe('REBOOT');
    busy = false;
    at('23:30:00');
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
    it.clock.advance(4 * 3_600_000);
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    expect(await it.boot()).toBe('B');
    // A trial and its end wait for no window.
    it.clock.advance(12 * 3_600_000);
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok' });
  });

  test('that fails in any other way holds back as well, and says how', async () => {
    const ask = (command: string[], deadlineMs = 20_000): Promise<void> =>
      askHooks({ name: 'before_arm', commands: [['true'], command], deadlineMs, run: runCommand, env: {} });
    await expect(ask(['sh', '-c', 'echo no reason; exit 3'])).rejects.toMatchObject({
      ...{ code: 'hook_refused', detail: { exitCode: 3, timedOut: false } },
      message: expect.stringMatching(/ended with 3: no reason/) as unknown,
    });
    await expect(ask(['/no/such/hook'])).rejects.toMatchObject({ message: expect.stringMatching(/ENOENT/) as unknown });
    await expect(ask(['true'])).resolves.toBeUndefined();
  });

  test('that hangs is killed at its deadline with all its children', async () => {
    const folder = temporaryFolder();
    const pidFile = join(folder, 'pid');
    const script = `sh -c 'echo $$ >${pidFile}; sleep 300' & sleep 300`;
    const options = { name: 'before_arm' as const, deadlineMs: 500, run: runCommand, env: {} };
    await expect(askHooks({ ...options, commands: [['sh', '-c', script]] })).rejects.toMatchObject({
      ...{ code: 'hook_refused', detail: { timedOut: true } },
      message: expect.stringMatching(/did not end within 0.5 s/) as unknown,
    });
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(pid).toBeGreaterThan(1);
    await expect.poll(() => isRunning(pid), { timeout: 5000 }).toBe(false);
  });

  test('that floods its output costs neither memory nor the message', async () => {
    const flood = 'head -c 100000000 /dev/zero | tr "\\0" x; echo; echo the end; exit 75';
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    const asked = askHooks({
      name: 'before_download',
      commands: [['sh', '-c', flood]],
      deadlineMs: 50_000,
      run: runCommand,
      env: {},
    });
    await expect(asked).rejects.toMatchObject({ message: expect.stringMatching(/x\nthe end$/) as unknown });
    const message = await asked.catch((error: Error) => error.message);
    expect(message!.length).toBeLessThan(700);
    expect(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before).toBeLessThan(64 * 2 ** 20);
  });
});

/** Neither gone nor a zombie that nobody has collected. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}

describe('a hook after a step', () => {
  test('is told what happened, once, and in which order', async () => {
    const calls: Record<string, string>[] = [];
    const it = await hooked((name, { env }) => {
      if (name !== '') calls.push({ ...env });
      return result(0);
    });
    await it.knowsSource();
    it.deployments.assign('2.0', 'action-7');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(calls.map((env) => env['ENGRAFT_HOOK'])).toEqual(['before_arm', 'after_commit']);
    expect(calls[0]).toMatchObject({ ENGRAFT_STATE: 'ARM', ENGRAFT_VERSION: '2.0', ENGRAFT_FROM_VERSION: '1.0' });
    expect(calls[0]!['ENGRAFT_STATUS']).toBeUndefined();
    expect(calls[1]).toMatchObject({
      ...{ ENGRAFT_STATE: 'COMMIT', ENGRAFT_ACTION: 'action-7', ENGRAFT_PRODUCT: 'cam', ENGRAFT_SLOT: 'B' },
      ...{ ENGRAFT_SOURCE_SLOT: 'A', ENGRAFT_STATUS: '0', ENGRAFT_CODE: 'ok' },
    });
    expect(Number(calls[1]!['ENGRAFT_PAYLOAD_BYTES'])).toBe(it.journal().last!.plan!.payload.bytes);
  });

  test('cannot change the outcome: a failure is noted as hook_failed', async () => {
    const it = await hooked((name) => (name.startsWith('after_') ? result(1, 'kaputt') : result(0)));
    it.deployments.assign('2.0');
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    const notes = it.events.flatMap((event) => (event.type === 'note' ? [event] : []));
    expect(notes).toContainEqual(
      expect.objectContaining({ error: expect.objectContaining({ code: 'hook_failed' }) as unknown }),
    );
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 0 } }]);
  });

  test('hears of a rollback and of the failure; a failure before the flip is no rollback', async () => {
    const names: string[] = [];
    const it = await hooked((name) => {
      names.push(name);
      return name === '' ? result(7, 'sick') : result(0);
    });
    it.deployments.assign('2.0');
    expect(await it.untilDone()).toMatchObject({ status: 40 });
    expect(names.filter((name) => name.startsWith('after_'))).toEqual(['after_rollback', 'after_failure']);
    const other = await device(lab, {
      toml: { hooks: 'after_rollback = [["hook"]]\nafter_failure = [["hook"]]' },
      run: async ({ argv, env }) => {
        if (argv[0] === 'hook') names.push(env?.['ENGRAFT_CODE'] ?? '');
        return result(0);
      },
    });
    names.length = 0;
    other.deployments.assign('9.9');
    expect(await other.once()).toMatchObject({ status: 20 });
    expect(names).toEqual(['target_unknown']);
  });

  test('is not told of the same failure at every start while the server does not take the report', async () => {
    let told = 0;
    const it = await hooked((name) => {
      if (name === 'after_failure') told++;
      return result(0);
    });
    it.deployments.assign('9.9');
    it.deployments.refuseReports = 7;
    expect(await it.once()).toMatchObject({ code: 'target_unknown' });
    for (let i = 0; i < 5; i++) expect(await it.once()).toMatchObject({ code: 'no_update' });
    expect(it.deployments.closed).toHaveLength(1);
    expect(told).toBe(1);
  });
});

describe('the health check', () => {
  const options = { deadlineMs: 10_000, env: {} };

  test('has one deadline for all commands together', async () => {
    const clock = new FakeClock({ nowMs: 5000 });
    const given: number[] = [];
    const run = async ({ deadlineMs }: CommandRequest): Promise<CommandResult> => {
      given.push(deadlineMs);
      clock.advance(4000);
      return result(0);
    };
    await checkHealth({ ...options, commands: [['a'], ['b'], ['c']], run, clock });
    expect(given).toEqual([10_000, 6000, 2000]);
  });

  test('does not fail a slot because its clock was set from 1970 to today', async () => {
    const clock = new FakeClock({ nowMs: 5000 });
    const given: number[] = [];
    const run = async ({ deadlineMs }: CommandRequest): Promise<CommandResult> => {
      given.push(deadlineMs);
      clock.setBy(given.length === 1 ? 1.8e12 : -3_600_000);
      return result(0);
    };
    await checkHealth({ ...options, commands: [['a'], ['b'], ['c']], run, clock });
    expect(given).toEqual([10_000, 10_000, 10_000]);
  });
});

const script = (name: string): string => fileURLToPath(new URL(`../../../packaging/hooks/${name}`, import.meta.url));

function runScript(name: string, args: string[], env: Record<string, string>): { code: number | null; said: string } {
  const ended = spawnSync('sh', [script(name), ...args], { env: { ...process.env, ...env }, encoding: 'utf8' });
  return { code: ended.status, said: ended.stdout + ended.stderr };
}

describe('the example hooks', () => {
  test('are programs', () => {
    for (const name of ['battery.sh', 'metered.sh', 'consent.sh', 'tell.sh']) {
      execFileSync('sh', ['-n', script(name)]);
      execFileSync('test', ['-x', script(name)]);
    }
  });

  const supplies = (devices: Record<string, Record<string, string>>): Record<string, string> => {
    const folder = temporaryFolder();
    for (const [name, files] of Object.entries(devices)) {
      mkdirSync(join(folder, name));
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
    }
    return { ENGRAFT_POWER_SUPPLY: folder };
  };

  test.each([
    ['a low battery', { BAT0: { type: 'Battery', capacity: '12' } }, 75],
    ['a full battery', { BAT0: { type: 'Battery', capacity: '80' } }, 0],
    ['exactly enough', { BAT0: { type: 'Battery', capacity: '30' } }, 0],
    [
      'a low battery on a charger',
      { BAT0: { type: 'Battery', capacity: '12' }, AC: { type: 'Mains', online: '1' } },
      0,
    ],
    [
      'a low battery beside a dead charger',
      { AC: { type: 'Mains', online: '0' }, BAT0: { type: 'Battery', capacity: '12' } },
      75,
    ],
    [
      'the lower of two batteries',
      { BAT0: { type: 'Battery', capacity: '90' }, BAT1: { type: 'Battery', capacity: '5' } },
      75,
    ],
    ['a mouse that is nearly empty', { hid: { type: 'Battery', scope: 'Device', capacity: '1' } }, 0],
    ['no battery', {}, 0],
  ])('battery.sh: %s', (_what, devices, code) => {
    expect(runScript('battery.sh', ['30'], supplies(devices as Record<string, Record<string, string>>))).toMatchObject({
      code,
    });
  });

  test.each([
    ['a metered modem', 'wwan0:connected\nlo:unmanaged', 'yes', 75],
    ['a modem that seems metered', 'wwan0:connected', 'yes (guessed)', 75],
    ['an unmetered network', 'eth0:connected', 'no (guessed)', 0],
    ['nobody knows', 'eth0:connected', 'unknown', 0],
    ['nothing connected', 'wwan0:disconnected', 'yes', 0],
  ])('metered.sh: %s', (_what, list, metered, code) => {
    const folder = temporaryFolder();
    const nmcli = `#!/bin/sh\ncase $2 in DEVICE,STATE) printf '%s\\n' "$LIST" ;; *) printf '%s\\n' "$METERED" ;; esac\n`;
    writeFileSync(join(folder, 'nmcli'), nmcli);
    chmodSync(join(folder, 'nmcli'), 0o755);
    const env = { PATH: `${folder}:${process.env['PATH']}`, LIST: list, METERED: metered };
    expect(runScript('metered.sh', [], { ...env, ENGRAFT_PAYLOAD_BYTES: '5000' })).toMatchObject({ code });
    expect(runScript('metered.sh', ['5000'], { ...env, ENGRAFT_PAYLOAD_BYTES: '5000' })).toMatchObject({ code: 0 });
  });

  test('consent.sh asks once, and takes an answer for this version only', () => {
    const folder = join(temporaryFolder(), 'consent');
    const ask = (version: string): number | null =>
      runScript('consent.sh', [folder], { ENGRAFT_VERSION: version }).code;
    expect(ask('2.0')).toBe(75);
    expect(readFileSync(join(folder, 'question'), 'utf8')).toBe('2.0\n');
    writeFileSync(join(folder, 'answer'), '1.9\n');
    expect(ask('2.0')).toBe(75);
    writeFileSync(join(folder, 'answer'), '2.0\n');
    expect(ask('2.0')).toBe(0);
    expect(existsSync(join(folder, 'question'))).toBe(false);
    expect(ask('2.1')).toBe(75);
  });
});
