/**
 * The agent through whole updates on a simulated device.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { device, imagePair, makeLab, sameBytes, sha256Hex, type Lab } from '../support/device/agent.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

describe('an update', () => {
  test('goes from version 1 in slot A to version 2 in slot B, confirmed only after it booted', async () => {
    const it = await device(lab);
    it.deployments.assign('2.0');
    expect(await it.once()).toMatchObject({ status: 0, code: 'reboot_pending' });
    expect(it.deployments.closed).toEqual([]);
    expect(sha256Hex(it.slot('b'))).toBe(sha256Hex(lab.target));
    expect(await it.boot()).toBe('B');
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok', state: 'IDLE' });
    expect(it.deployments.closed).toMatchObject([{ actionId: 'action-1', outcome: { status: 0, code: 'ok' } }]);
    expect(sameBytes(it.slot('a'), lab.source)).toBe(true);
    expect(it.states()).toEqual([
      'CHECK',
      'PLAN',
      'PREPARE',
      'APPLY',
      'VERIFY',
      'ARM',
      'REBOOT',
      'TRIAL',
      'COMMIT',
      'REPORT',
      'IDLE',
    ]);
    const status = await it.agent().status();
    expect(status).toMatchObject({ status: 0, running: 'B', rebootPending: false });
    expect(status.counters?.['rollback.cam.rootfs']).toBe(2);
    expect(status.slots['B']).toMatchObject({ version: '2.0', sha256: sha256Hex(lab.target), triesLeft: 3 });
    expect(await it.once()).toMatchObject({ status: 0, code: 'no_update' });
  });

  test('reads no byte of the target slot, and fetches exactly the payload', async () => {
    const read = new Map<string, number>();
    const it = await device(lab, {
      watch: ({ name, path, bytes }) => {
        if (name === 'read') read.set(path, (read.get(path) ?? 0) + bytes!);
      },
    });
    it.deployments.assign('2.0');
    await it.untilDone();
    expect(read.get('/slots/b')).toBeUndefined();
    const { last } = it.journal();
    expect(last!.plan!.kind).toBe('delta');
    expect(it.network.bytesOf('/blobs/')).toBe(last!.plan!.payload.bytes);
    expect(last!.wireBytes).toBe(last!.plan!.payload.bytes);
    expect(last!.refetchedBytes).toBe(0);
  });

  test('reads each source byte at most as often as covers name it', async () => {
    const reads = new Uint8Array(lab.source.length);
    const it = await device(lab, {
      watch: ({ name, path, offset, bytes }) => {
        if (name === 'read' && path === '/slots/a') for (let i = 0; i < bytes!; i++) reads[offset! + i]!++;
      },
    });
    await it.knowsSource();
    it.deployments.assign('2.0');
    await it.untilDone();
    expect(it.journal().last!.plan!.kind).toBe('delta');
    // The one cover of this delta names each byte of the source once.
    expect(reads.reduce((most, count) => Math.max(most, count), 0)).toBe(1);
  });

  test('back and forth: B is updated into A again', async () => {
    const it = await device(lab);
    it.deployments.assign('2.0');
    await it.untilDone();
    const third = imagePair(280_000, 60_000).target;
    await lab.publisher.release(3, { image: third, rollbackIndex: 3 });
    it.deployments.assign('3.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(await it.agent().status()).toMatchObject({ running: 'A' });
    expect(sameBytes(it.slot('a'), third)).toBe(true);
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    expect(it.journal().last!.plan!.kind).toBe('delta');
  });

  test('of a device without a second slot goes through a staged file', async () => {
    const it = await device(lab, { fileTarget: true });
    it.deployments.assign('2.0');
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('a'), lab.target)).toBe(true);
    expect(await it.disk.list('/slots')).toEqual(['a']);
    expect((await it.agent().status()).running).toBe('B');
  });

  test('of a file target whose check fails puts the file back: 40', async () => {
    const it = await device(lab, { fileTarget: true });
    it.run = async () => ({ exitCode: 1, timedOut: false, output: 'no', stdout: '' });
    it.deployments.assign('2.0');
    expect(await it.once()).toMatchObject({ status: 40, code: 'health_failed' });
    expect(sameBytes(it.slot('a'), lab.source)).toBe(true);
    expect(await it.disk.list('/slots')).toEqual(['a']);
  });

  test('without a delta for what the slot holds takes the full payload', async () => {
    const it = await device(lab);
    it.disk.place(
      '/slots/a',
      lab.source.map((byte) => byte ^ 1),
    );
    it.deployments.assign('2.0');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.journal().last!.plan!.kind).toBe('full');
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });
});
