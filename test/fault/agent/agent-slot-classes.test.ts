/**
 * Several slot classes in one update: rootfs and boot are written one after the other and armed by one flip, so that
 * no device ever runs the rootfs of one release with the boot image of another.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { isPowerCut } from '../../../src/testing/index.ts';
import { journalOf } from '../../../src/agent/index.ts';
import {
  device,
  imagePair,
  isBlob,
  makeLab,
  sameBytes,
  sha256Hex,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';
import { imageBytes, sha256Node } from '../../support/images.ts';

const SLOTS = `[slots.A]
rootfs = "/slots/a"
boot = "/slots/boot-a"
[slots.B]
rootfs = "/slots/b"
boot = "/slots/boot-b"`;

const bootImage = (version: number): Uint8Array => {
  const image = imageBytes(90_000, 41);
  for (let i = 0; i < 300; i++) image[i * 211 + version] = version;
  return image;
};

/** Version 2.0 changes rootfs and boot. In `kept` the boot image stays. */
let lab: Lab;
let kept: Lab;
beforeAll(async () => {
  [lab, kept] = await Promise.all([makeLab(imagePair(140_000, 60_000)), makeLab(imagePair(140_000, 60_000))]);
  for (const [of, second] of [
    [lab, 2],
    [kept, 1],
  ] as const) {
    await of.publisher.release(1, { slotClass: 'boot', image: bootImage(1), rollbackIndex: 1 });
    await of.publisher.release(2, { slotClass: 'boot', image: bootImage(second), rollbackIndex: 5 });
  }
});

async function assigned(of: Lab, options: DeviceOptions = {}): Promise<SimulatedDevice> {
  const it = await device(of, { slots: SLOTS, ...options });
  it.disk.place('/slots/boot-a', bootImage(1));
  it.disk.place('/slots/boot-b', new Uint8Array(0));
  const journal = journalOf(it.config, { fs: it.disk, hash: sha256Node });
  await journal.load();
  journal.body.confirmed = { slot: 'A', counters: {} };
  journal.body.slots = {
    A: { bytes: of.source.length, sha256: sha256Hex(of.source), version: '1.0' },
    'A/boot': { bytes: 90_000, sha256: sha256Hex(bootImage(1)), version: '1.0' },
  };
  await journal.save();
  it.deployments.assign('2.0');
  return it;
}

const boot = (it: SimulatedDevice, slot: 'a' | 'b'): Uint8Array => it.disk.peek(`/slots/boot-${slot}`)!;

describe('the status of a device with two slot classes', () => {
  test('names what each class of each slot holds, and what an update brings, step by step', async () => {
    const [rootfs, bootfs] = [sha256Hex(lab.target), sha256Hex(bootImage(2))];
    const it = await assigned(lab);
    // Told to the server as each class begins.
    const seen: { rootfs: unknown; boot: unknown }[] = [];
    it.deployments.proceeding = async () => {
      const { classes } = await it.agent().status();
      seen.push({ rootfs: classes['rootfs']!['B'], boot: classes['boot']!['B'] });
    };
    const held = { rootfs: sha256Hex(lab.source), boot: sha256Hex(bootImage(1)) };
    const before = await it.agent().status();
    expect(before.classes).toEqual({
      rootfs: {
        A: { version: '1.0', sha256: held.rootfs, pending: null },
        B: { version: null, sha256: null, pending: null },
      },
      boot: {
        A: { version: '1.0', sha256: held.boot, pending: null },
        B: { version: null, sha256: null, pending: null },
      },
    });
    // The device's own class, as before there were others.
    expect(before.slots['A']).toMatchObject({ version: '1.0', sha256: held.rootfs, triesLeft: 2 });
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    const nothing = { version: null, sha256: null };
    const image = (sha256: string, step: string): object => ({
      ...nothing,
      pending: { version: '2.0', sha256, step },
    });
    expect(seen.slice(0, 2)).toEqual([
      { rootfs: image(rootfs, 'waiting'), boot: image(bootfs, 'writing') },
      {
        rootfs: image(rootfs, 'writing'),
        boot: { ...image(bootfs, 'verified'), version: '2.0', sha256: bootfs },
      },
    ]);
    expect((await it.agent().status()).classes['rootfs']!['B']).toMatchObject({ pending: { step: 'verified' } });
    await it.boot();
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    const after = await it.agent().status();
    expect(after.classes['rootfs']!['B']).toEqual({ version: '2.0', sha256: rootfs, pending: null });
    expect(after.classes['boot']!['B']).toEqual({ version: '2.0', sha256: bootfs, pending: null });
  });
});

describe('an update of two slot classes', () => {
  test('writes both by delta and arms them with one flip', async () => {
    const it = await assigned(lab);
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=B A/);
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    expect(sameBytes(boot(it, 'b'), bootImage(2))).toBe(true);
    expect(await it.boot()).toBe('B');
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('a'), lab.source)).toBe(true);
    expect(sameBytes(boot(it, 'a'), bootImage(1))).toBe(true);
    const { last, slots } = it.journal();
    expect([...last!.verified, last!.plan!]).toMatchObject([
      { slotClass: 'boot', kind: 'delta' },
      { slotClass: 'rootfs', kind: 'delta' },
    ]);
    expect(slots['B/boot']).toMatchObject({ version: '2.0' });
    const { counters } = await it.agent().status();
    expect(counters).toMatchObject({ 'rollback.cam.rootfs': 2, 'rollback.cam.boot': 5 });
  });

  test('copies the class that did not change, without a byte of it from the link', async () => {
    const it = await assigned(kept);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), kept.target)).toBe(true);
    expect(sameBytes(boot(it, 'b'), bootImage(1))).toBe(true);
    const { last } = it.journal();
    expect(last!.verified).toMatchObject([{ slotClass: 'boot', kind: 'copy' }]);
    expect(it.network.bytesOf('/blobs/')).toBe(last!.plan!.payload.bytes);
  });

  test('fetches a class that was to be copied when the running slot turns out to hold something else', async () => {
    const it = await assigned(kept);
    const drifted = bootImage(1);
    drifted[5_000]! ^= 1;
    it.disk.place('/slots/boot-a', drifted);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(boot(it, 'b'), bootImage(1))).toBe(true);
    expect(it.journal().last!.verified).toMatchObject([{ slotClass: 'boot', kind: 'full' }]);
  });

  test('is not begun when the release lacks a class: nothing is downloaded', async () => {
    const alone = await makeLab(imagePair(140_000, 60_000));
    const it = await assigned(alone);
    expect(await it.untilDone()).toMatchObject({ status: 20, code: 'target_unknown' });
    expect(it.network.requests.filter(isBlob)).toEqual([]);
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
  });

  test('rolls both back when the trial fails, and installs them again without a byte from the link', async () => {
    let healthy = false;
    const it = await assigned(lab, {
      run: async () => ({ exitCode: healthy ? 0 : 1, timedOut: false, output: '', stdout: '' }),
    });
    expect(await it.untilDone()).toMatchObject({ status: 40, code: 'health_failed' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
    expect((await it.agent().status()).counters).not.toHaveProperty('rollback.cam.boot');
    const spent = it.network.bytesOf('/blobs/');
    healthy = true;
    it.deployments.assign('2.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.network.bytesOf('/blobs/')).toBe(spent);
    expect(it.bootState()).toMatch(/BOOT_ORDER=B A/);
  });

  test('does not believe the journal about a slot that was written to since', async () => {
    let healthy = false;
    const it = await assigned(lab, {
      run: async () => ({ exitCode: healthy ? 0 : 1, timedOut: false, output: '', stdout: '' }),
    });
    await it.untilDone();
    healthy = true;
    const spoilt = bootImage(2);
    spoilt[77]! ^= 1;
    it.disk.place('/slots/boot-b', spoilt);
    it.deployments.assign('2.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(boot(it, 'b'), bootImage(2))).toBe(true);
  });

  test('never boots a mixture, whatever operation the power is cut in', async () => {
    const whole = await assigned(kept);
    whole.power.restore();
    await whole.untilDone();
    const operations = whole.power.operations;
    for (let cut = 1; cut <= operations; cut += 13) {
      const it = await assigned(kept);
      it.power.cutAt(cut);
      const failure = await it.untilDone().catch((error: unknown) => error);
      const at = `cut ${cut} of ${operations} in ${it.power.log.at(-1)}`;
      expect(isPowerCut(failure) || it.power.isOff, at).toBe(true);
      it.power.restore();
      it.disk.crash(cut % 2 === 0 ? 'lost' : 'kept');
      const slot = await it.boot();
      const runs = { A: [kept.source, bootImage(1)], B: [kept.target, bootImage(1)] }[slot ?? ''];
      expect(runs, at).toBeDefined();
      expect(sameBytes(it.slot(slot === 'A' ? 'a' : 'b'), runs![0]!), at).toBe(true);
      expect(sameBytes(boot(it, slot === 'A' ? 'a' : 'b'), runs![1]!), at).toBe(true);
      await it.untilDone();
      expect(it.journal().last!.outcome!.status, at).toBe(0);
      expect(sameBytes(it.slot('b'), kept.target), at).toBe(true);
      expect(sameBytes(boot(it, 'b'), bootImage(1)), at).toBe(true);
    }
  });
});
