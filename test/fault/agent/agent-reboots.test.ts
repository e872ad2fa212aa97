/**
 * A device that reboots more often than a slot has tries, at the worst times: the boot loader counts every boot, and the
 * slot that works must never run out of tries.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { isPowerCut } from '../../../src/testing/index.ts';
import {
  assignedDevice,
  device,
  imagePair,
  makeLab,
  sameBytes,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';

const REBOOTS = 12;

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab(imagePair(140_000, 70_000));
});

const assigned = (): Promise<SimulatedDevice> => assignedDevice(lab);

describe('a device that reboots many times', () => {
  test('without an attempt keeps its slot', async () => {
    const it = await device(lab);
    for (let i = 0; i < REBOOTS; i++) {
      expect(await it.boot()).toBe('A');
      expect(await it.once()).toMatchObject({ code: 'no_update' });
    }
  });

  test('during the download keeps its slot, and ends the update when the power stays', async () => {
    let cuts = 0;
    const it: SimulatedDevice = await device(lab, {
      watch: ({ name, path }) => {
        if (name !== 'sync' || path !== '/slots/b' || cuts === REBOOTS) return;
        cuts++;
        it.power.cutAt(1);
      },
    });
    await it.knowsSource();
    it.deployments.assign('2.0');
    for (let i = 0; i < REBOOTS; i++) {
      expect(isPowerCut(await it.once().catch((error: unknown) => error))).toBe(true);
      it.power.restore();
      it.disk.crash('lost');
      expect(await it.boot()).toBe('A');
    }
    expect(it.states()).toContain('APPLY');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('while nobody takes its report keeps the slot that it committed', async () => {
    const it = await assigned();
    it.deployments.refuseReports = Infinity;
    await it.once();
    expect(await it.boot()).toBe('B');
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok' });
    for (let i = 0; i < REBOOTS; i++) {
      expect(await it.boot()).toBe('B');
      expect(await it.once()).toMatchObject({ status: 0 });
      expect(it.deployments.closed).toEqual([]);
    }
    it.deployments.refuseReports = 0;
    it.clock.advance(3_600_000);
    expect(await it.once()).toMatchObject({ status: 0, state: 'IDLE' });
    expect(it.deployments.closed).toHaveLength(1);
  });

  test('between arming and the trial falls back when the new slot never gets to its agent', async () => {
    const it = await assigned();
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    for (let i = 0; i < 3; i++) expect(await it.boot()).toBe('B');
    for (let i = 0; i < REBOOTS; i++) {
      expect(await it.boot()).toBe('A');
      await it.once();
    }
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 40, code: 'trial_expired' } }]);
  });

  test('into a boot loader that ignores the flip gives up: 40, and the way back is clean', async () => {
    const it = await assigned();
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    let reboots = 0;
    for (let rests = false; !rests; reboots++) {
      expect(reboots).toBeLessThan(REBOOTS);
      it.disk.place('/boot/choice', new TextEncoder().encode(`slot=A\nboot_id=stubborn-${reboots}\n`));
      rests = (await it.once()).code !== 'reboot_pending';
    }
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 40, code: 'boot_wrong_slot' } }]);
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\nBOOT_A_LEFT=3\nBOOT_B_LEFT=0/);
  });

  test('after it lost its journal keeps a healthy slot', async () => {
    const it = await device(lab);
    it.disk.place('/data/journal', new Uint8Array([1, 2, 3]));
    for (let i = 0; i < REBOOTS; i++) {
      expect(await it.boot()).toBe('A');
      await it.once();
    }
  });

  test('after it lost its journal in a trial gives up a slot that is not healthy', async () => {
    const it = await assigned();
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    expect(await it.boot()).toBe('B');
    it.disk.place('/data/journal', new Uint8Array([1, 2, 3]));
    it.run = async () => ({ exitCode: 1, timedOut: false, output: 'no modem', stdout: '' });
    it.deployments.assigned = null;
    expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
    expect(await it.boot()).toBe('A');
  });
});
