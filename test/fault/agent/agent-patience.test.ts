/**
 * Faults of the device's own storage that pass: tried again, counted, and only then the outcome. And what the agent does
 * when its journal cannot be written at all.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { errnoError, faultyWatcher, type FileCall } from '../../../src/testing/index.ts';
import {
  assignedDevice,
  makeLab,
  sameBytes,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

const assigned = (options?: DeviceOptions): Promise<SimulatedDevice> => assignedDevice(lab, options);

/** Calls that a read-only data partition refuses. */
const changesData = ({ name, path, mode }: FileCall): boolean =>
  path.startsWith('/data/') && (['write', 'rename', 'truncate'].includes(name) || (name === 'open' && mode !== 'read'));

/** Places of an update at which a call fails. */
const PLACES = 5;

describe('a fault that passes', () => {
  test.each(['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'EDQUOT', 'EUCLEAN'] as const)(
    '%s at any call: the update succeeds',
    async (code) => {
      const counting = faultyWatcher({ at: Infinity, code });
      const calm = await assigned({ watch: counting });
      await calm.untilDone();
      const calls = counting.count();
      expect(calls).toBeGreaterThan(100);
      // The campaign fails every call; these are spread over the whole update.
      for (let i = 1; i <= PLACES; i++) {
        const at = Math.floor((i * calls) / (PLACES + 1));
        const it = await assigned({ watch: faultyWatcher({ at, code }) });
        expect(await it.untilDone(), `${code} at call ${at}`).toMatchObject({ status: 0, code: 'ok' });
        expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
        expect(it.deployments.closed).toMatchObject([{ outcome: { status: 0 } }]);
      }
    },
    240_000,
  );

  test('takes longer than one run: it is counted across restarts, and ends with 30 when it has not passed', async () => {
    const controller = new AbortController();
    let writes = 0;
    const it = await assigned({
      toml: { limits: 'fault_retries_max = 3' },
      watch: ({ name, path }) => {
        if (path !== '/slots/b' || name !== 'write') return;
        writes++;
        if (writes === 2) controller.abort();
        throw errnoError('EIO', 'a bad block');
      },
    });
    await expect(it.once(controller.signal)).rejects.toMatchObject({ code: 'aborted' });
    expect(writes).toBe(2);
    expect(it.journal()).toMatchObject({ state: 'APPLY', attempt: { faults: expect.any(Number) as number } });
    expect(await it.once()).toMatchObject({ status: 30, code: 'slot_unwritable' });
    expect(writes).toBe(4);
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 30 } }]);
  });

  test('waits longer each time', async () => {
    const it = await assigned({
      watch: ({ name, path }) => {
        if (path === '/slots/b' && name === 'write') throw errnoError('ENOSPC', 'full');
      },
    });
    expect(await it.once()).toMatchObject({ status: 30, code: 'disk_full' });
    const waits = it.clock.sleeps.filter((ms) => ms >= 100);
    expect(waits).toHaveLength(it.config.limits.faultRetriesMax);
    for (const [i, ms] of waits.entries()) expect(ms).toBeLessThanOrEqual(1000 * 2 ** i);
    expect(Math.max(...waits)).toBeGreaterThan(10_000);
  });

  test('that there was no process for a health check says nothing of the slot', async () => {
    const it = await assigned();
    let tries = 0;
    it.run = async () =>
      ++tries === 1
        ? { exitCode: null, timedOut: false, output: 'spawn check EMFILE', stdout: '', errno: 'EMFILE' }
        : { exitCode: 0, timedOut: false, output: '', stdout: '' };
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(tries).toBeGreaterThan(1);
  });
});

describe('a journal that cannot be written', () => {
  test('is no outcome: the run fails with the path, nothing is reported, and goes on when it can be', async () => {
    let isFull = true;
    const it = await assigned({
      watch: (call) => {
        if (isFull && call.path.startsWith('/data/journal') && changesData(call)) throw errnoError('ENOSPC', 'full');
      },
    });
    await expect(it.once()).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.stringContaining('/data/journal') as string,
    });
    expect(it.deployments.closed).toEqual([]);
    isFull = false;
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  });

  test.each([
    ['healthy as it says it is', 0, 'EROFS'],
    ['sick', 1, 'EROFS'],
    ['healthy, with a quota that is used up', 0, 'EDQUOT'],
    ['sick, with a quota that is used up', 1, 'EDQUOT'],
    ['sick, where the data folder has become a file', 1, 'ENOTDIR'],
  ])('while a release is on trial that is %s: back to the earlier slot', async (_what, exitCode, errno) => {
    let isSealed = false;
    const it = await assigned({
      watch: (call) => {
        if (isSealed && changesData(call)) throw errnoError(errno, 'sealed');
      },
    });
    await it.once();
    expect(await it.boot()).toBe('B');
    it.run = async () => ({ exitCode, timedOut: false, output: '', stdout: '' });
    isSealed = true;
    await it.once();
    expect(await it.boot()).toBe('A');
    expect(it.bootState()).toMatch(/BOOT_ORDER=A/);
    isSealed = false;
    it.run = async () => ({ exitCode: 0, timedOut: false, output: '', stdout: '' });
    const result = await it.untilDone();
    expect(result.status).toBe(40);
    expect(await it.boot()).toBe('A');
  });

  test('for longer than a service is patient: it begins anew, and the update goes on', async () => {
    let left = 30;
    const it = await assigned({
      watch: (call) => {
        if (call.path.startsWith('/data/journal') && changesData(call) && left-- > 0)
          throw errnoError('ENOSPC', 'full');
      },
    });
    const result = await it.agent().run();
    expect(left).toBeLessThanOrEqual(0);
    expect(result).toMatchObject({ status: 0, code: 'reboot_pending' });
    expect(await it.boot()).toBe('B');
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
  });
});

test.each(['ENOSPC', 'EROFS', 'EDQUOT', 'EBADMSG'] as const)(
  'a committed device whose data partition answers %s stays in its slot',
  async (errno) => {
    let isSealed = false;
    const it = await assigned({
      watch: (call) => {
        if (isSealed && changesData(call)) throw errnoError(errno, 'sealed');
      },
    });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    isSealed = true;
    for (let boots = 0; boots < 5; boots++) {
      expect(await it.boot()).toBe('B');
      expect(await it.once()).toMatchObject({ status: 0, code: 'no_update' });
      expect(it.bootState()).toMatch(/BOOT_B_LEFT=3/);
    }
  },
);
