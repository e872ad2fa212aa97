/**
 * The agent when things go wrong: links, content, trust, storage, health, boot loader, cancellation, records.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import { Agent, FileKeystore, type NetworkRequest } from '../../../src/agent/index.ts';
import { loadRecord, storeRecord } from '../../../src/agent/records/record.ts';
import { sha256Node } from '../../support/images.ts';
import { errnoError, faultyWatcher, MemoryNetwork, type MemoryAnswer } from '../../../src/testing/index.ts';
import {
  assignedDevice,
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

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

const assigned = (options?: DeviceOptions): Promise<SimulatedDevice> => assignedDevice(lab, options);

/** Nothing happened to the device but the attempt. */
function unharmed(it: SimulatedDevice): void {
  expect(sameBytes(it.slot('a'), lab.source)).toBe(true);
  expect(it.bootState()).toMatch(/BOOT_ORDER=A(?: B)?\nBOOT_A_LEFT=3/);
}

describe('the link', () => {
  test('drops after every 20,000 bytes: every byte crosses once, and the update succeeds', async () => {
    const it = await assigned({ plan: (request) => (isBlob(request) ? { dropAfterBytes: 20_000 } : {}) });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.network.bytesOf('/blobs/')).toBe(it.journal().last!.plan!.payload.bytes);
    expect(it.states()).toContain('WAIT_NET');
    expect(it.clock.sleeps.length).toBeGreaterThan(5);
  });

  test('is gone for good: 10 after the retry cap, and the next attempt goes on with what is stored', async () => {
    let dead = false;
    const it = await assigned({
      toml: { limits: 'retries_max = 4' },
      plan: (request) => {
        if (!isBlob(request)) return {};
        const fate = dead ? { refuse: true } : it.network.bytesOf('/blobs/') > 0 ? { dropAfterBytes: 100_000 } : {};
        dead ||= fate.dropAfterBytes !== undefined;
        return fate;
      },
    });
    expect(await it.once()).toMatchObject({ status: 10, code: 'retries_exhausted' });
    unharmed(it);
    const { partial, last } = it.journal();
    expect(partial!.segmentsDone).toBeGreaterThan(0);
    const again = new MemoryNetwork({ handler: lab.answer });
    it.network.request = (request) => again.request(request);
    it.deployments.assign('2.0', 'action-2');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    // Only the chunk in flight crossed twice.
    const bytes = it.network.bytesOf('/blobs/') + again.bytesOf('/blobs/');
    expect(bytes).toBeGreaterThan(last!.plan!.payload.bytes);
    expect(bytes).toBeLessThanOrEqual(last!.plan!.payload.bytes + LIMITS.chunk_bytes);
  });

  test('shows a captive portal: nothing of it is taken, and the update goes on when it is gone', async () => {
    let portal = 3;
    const answer = (request: NetworkRequest): MemoryAnswer => {
      if (!isBlob(request) || portal-- <= 0) return lab.answer(request);
      return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>please log in</html>' };
    };
    const it = await assigned({ answer });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    expect(it.events).toContainEqual(
      expect.objectContaining({ type: 'wait', error: expect.objectContaining({ code: 'content_wrong' }) as unknown }),
    );
  });

  test('changes its ETag in the middle: asked again from the same byte', async () => {
    let changes = 0;
    const answer = (request: NetworkRequest): MemoryAnswer => {
      const given = lab.answer(request);
      if (!isBlob(request) || given.headers === undefined) return given;
      return { ...given, headers: { ...given.headers, etag: `"v${changes++ < 2 ? changes : 9}"` } };
    };
    const it = await assigned({ answer, plan: (request) => (isBlob(request) ? { dropAfterBytes: 50_000 } : {}) });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('answers 404 for the payload: 10', async () => {
    const answer = (request: NetworkRequest): MemoryAnswer => (isBlob(request) ? { status: 404 } : lab.answer(request));
    const it = await assigned({ answer, toml: { limits: 'retries_max = 3' } });
    expect(await it.once()).toMatchObject({ status: 10, code: 'retries_exhausted' });
    unharmed(it);
  });

  test('would cost more than the budget: 10 before a byte was fetched', async () => {
    const it = await assigned({ toml: { limits: 'budget_bytes = 1000' } });
    expect(await it.once()).toMatchObject({ status: 10, code: 'over_budget' });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    unharmed(it);
  });
});

describe('a tampered payload', () => {
  /** One byte differs whenever it is sent. */
  const tampering = (at: number, times = Infinity) => {
    let left = times;
    return (request: NetworkRequest): MemoryAnswer => {
      const given = lab.answer(request);
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers?.['range'] ?? '');
      if (!isBlob(request) || range === null || given.status !== 206) return given;
      const [from, to] = [Number(range[1]), Number(range[2])];
      if (at < from || at > to || left-- <= 0) return given;
      const body = (given.body as Uint8Array).slice();
      body[at - from]! ^= 1;
      return { ...given, body };
    };
  };

  test.each([
    ['header', 40, 'header_digest'],
    ['first chunk', 5000, 'chunk_digest'],
    ['last chunk', 140_000, 'chunk_digest'],
  ])('in its %s: 20 after a bounded number of tries, nothing armed', async (_where, at, code) => {
    const it = await assigned({ answer: tampering(at) });
    expect(await it.once()).toMatchObject({ status: 20, code });
    unharmed(it);
    expect(it.bootState()).toMatch(/BOOT_B_LEFT=0/);
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 20, code } }]);
    expect(it.journal().slots['B'] ?? null).toBeNull();
    // The payload once, and what was wrong three times more.
    expect(it.network.bytesOf('/blobs/')).toBeLessThan(it.journal().last!.plan!.payload.bytes + 4 * LIMITS.chunk_bytes);
  });

  test('that is right the second time only costs that chunk again', async () => {
    const it = await assigned({ answer: tampering(70_000, 1) });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    const { last } = it.journal();
    expect(last!.refetchedBytes).toBe(LIMITS.chunk_bytes);
    expect(last!.wireBytes).toBe(last!.plan!.payload.bytes + LIMITS.chunk_bytes);
  });
});

describe('trust', () => {
  test('an expired repository is refused: 20, and the server hears of it', async () => {
    const it = await assigned();
    it.clock.advance(3650 * 86_400_000);
    await expect(it.once()).rejects.toMatchObject({ code: 'metadata_expired', outcome: 20 });
    expect(it.deployments.news).toMatchObject([{ code: 4020 }]);
    unharmed(it);
  });

  test('a repository rolled back behind what was seen is refused, also after the data partition was restored', async () => {
    const own = await makeLab(imagePair(100_000, 10_000));
    const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(own.publisher.dir, 'metadata', name)));
    const early = new Map(['timestamp.json', '2.snapshot.json', '2.targets.json'].map((name) => [name, file(name)]));
    let rolledBack = false;
    const it = await device(own, {
      answer: (request) => {
        const bytes = early.get(new URL(request.url).pathname.slice('/tuf/'.length));
        return rolledBack && bytes !== undefined ? { status: 200, body: bytes } : own.answer(request);
      },
    });
    await own.publisher.release(3, { image: own.source.map((byte) => byte ^ 3), rollbackIndex: 3 });
    it.deployments.assign('3.0');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    rolledBack = true;
    it.deployments.assign('2.0', 'action-2');
    await expect(it.once()).rejects.toMatchObject({ code: 'metadata_rollback', outcome: 20 });
    for (const name of ['timestamp', 'snapshot', 'targets']) await it.disk.unlink(`/data/tuf/${name}.json`);
    await expect(it.once()).rejects.toMatchObject({ code: 'metadata_rollback' });
  });

  test('a release below the committed rollback index is refused: 20', async () => {
    const own = await makeLab(imagePair(100_000, 10_000));
    const it = await device(own);
    it.deployments.assign('2.0');
    await it.untilDone();
    it.deployments.assign('1.0', 'action-2');
    expect(await it.once()).toMatchObject({ status: 20, code: 'release_rollback' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=B A/);
  });

  test('names a rollback index to which the keystore could never count: refused before a byte is fetched', async () => {
    const it = await assigned();
    const file = new FileKeystore({ fs: it.disk, hash: sha256Node, path: '/data/keystore' });
    const keystore = Object.assign(file, { stepMax: 1 });
    const { clock, network, fs, run, deployments } = it;
    const agent = new Agent(it.config, { world: { clock, network, fs, hash: sha256Node, run }, deployments, keystore });
    expect(await agent.run({ once: true })).toMatchObject({ status: 30, code: 'keystore_failed' });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    expect(deployments.closed).toHaveLength(1);
    unharmed(it);
  });

  test('metadata signed by a stranger is refused', async () => {
    const stranger = await makeLab(imagePair(100_000, 10_000));
    const it = await assigned({ answer: (request) => stranger.answer(request) });
    await expect(it.once()).rejects.toMatchObject({ code: 'signature_invalid', outcome: 20 });
    unharmed(it);
  });

  test('a release that is not signed, or for other hardware, is refused', async () => {
    const it = await assigned();
    it.deployments.assign('7.0');
    expect(await it.once()).toMatchObject({ status: 20, code: 'target_unknown' });
    it.deployments.assigned = { actionId: 'x', release: { product: 'cam', version: '2.0', hardware: 'v9', slotClass: 'rootfs' } }; // prettier-ignore
    expect(await it.once()).toMatchObject({ status: 20, code: 'not_compatible' });
    unharmed(it);
  });
});

describe('storage', () => {
  test('too full for the update: 10 before the download', async () => {
    const it = await assigned();
    it.disk.capacityBytes = lab.source.length + 200_000;
    expect(await it.once()).toMatchObject({ status: 10, code: 'no_space' });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    unharmed(it);
  });

  test('a missing slot: 30, before the download', async () => {
    const it = await assigned();
    await it.disk.unlink('/slots/b');
    expect(await it.once()).toMatchObject({ status: 30, code: 'slot_missing' });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    unharmed(it);
  });

  test('a slot with a fixed size that is too small: 30', async () => {
    const it = await assigned({ toml: { slots: 'capacity_bytes = 200000' } });
    expect(await it.once()).toMatchObject({ status: 30, code: 'slot_too_small' });
    unharmed(it);
  });

  test.each([
    ['ENOSPC', 'disk_full'],
    ['EIO', 'slot_unwritable'],
  ] as const)('%s while the slot is written: 30, nothing armed', async (errno, code) => {
    const slotWrites = faultyWatcher({
      matches: ({ name, path }) => path === '/slots/b' && (name === 'write' || name === 'sync'),
      at: 3,
      code: errno,
      forEver: true,
    });
    const it = await assigned({ watch: slotWrites });
    expect(await it.once()).toMatchObject({ status: 30, code });
    expect(slotWrites.count()).toBeGreaterThanOrEqual(3);
    unharmed(it);
  });

  test('that only takes short writes still gets it right', async () => {
    const it = await assigned({ watch: ({ name, bytes }) => (name === 'write' ? Math.ceil(bytes! / 3) : undefined) });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('a boot control that cannot be written: 30, still in the first slot', async () => {
    let broken = true;
    const it = await assigned({
      watch: ({ name, path }) => {
        if (broken && name === 'rename' && path === '/boot/state' && it.states().includes('ARM')) {
          throw errnoError('EROFS', 'read-only');
        }
      },
    });
    expect(await it.once()).toMatchObject({ status: 30, code: 'boot_unwritable' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
    expect(await it.boot()).toBe('A');
    broken = false;
    await it.once();
    unharmed(it);
  });
});

describe('the trial', () => {
  test('fails its health check: back to the first slot, 40', async () => {
    const it = await assigned();
    it.run = async () => ({ exitCode: 3, timedOut: false, output: 'no network', stdout: '' });
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    expect(await it.boot()).toBe('B');
    expect(await it.once()).toMatchObject({ status: 40, code: 'rollback_pending' });
    expect(await it.boot()).toBe('A');
    expect(await it.once()).toMatchObject({ status: 40, code: 'health_failed' });
    expect(it.deployments.closed).toMatchObject([{ outcome: { status: 40 } }]);
    unharmed(it);
    expect((await it.agent().status()).counters?.['rollback.cam.rootfs'] ?? 0).toBe(0);
    expect(await it.boot()).toBe('A');
  });

  test('runs out of time: 40', async () => {
    const it = await assigned();
    it.run = async () => ({ exitCode: null, timedOut: true, output: '', stdout: '' });
    expect(await it.untilDone()).toMatchObject({ status: 40, code: 'health_failed' });
    unharmed(it);
  });

  test('never comes: the boot loader uses up the tries and falls back, 40', async () => {
    const it = await assigned();
    await it.once();
    expect([await it.boot(), await it.boot(), await it.boot(), await it.boot()]).toEqual(['B', 'B', 'B', 'A']);
    expect(await it.once()).toMatchObject({ status: 40, code: 'trial_expired' });
    unharmed(it);
    expect(await it.boot()).toBe('A');
  });

  test('after a flip that was lost is armed again', async () => {
    const it = await assigned();
    await it.once();
    const state = new TextEncoder().encode('BOOT_ORDER=A B\nBOOT_A_LEFT=3\nBOOT_B_LEFT=3\n');
    it.disk.place('/boot/state', state);
    expect(await it.boot()).toBe('A');
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    expect(await it.boot()).toBe('B');
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok' });
  });
});

describe('the server', () => {
  test('cancels during the download: 10, nothing armed, the cancellation is confirmed', async () => {
    const it = await assigned({ plan: (request) => (isBlob(request) ? { dropAfterBytes: 30_000 } : {}) });
    const request = it.network.request.bind(it.network);
    let blobs = 0;
    it.network.request = (asked) => {
      if (isBlob(asked) && ++blobs === 3) it.deployments.cancelId = 'cancel-7';
      return request(asked);
    };
    expect(await it.once()).toMatchObject({ status: 10, code: 'cancelled' });
    expect(it.deployments.cancelAnswers).toEqual([true]);
    expect(it.deployments.closed).toEqual([]);
    unharmed(it);
  });

  test('does not take the report: the update is not repeated, the report is', async () => {
    const it = await assigned();
    await it.once();
    await it.boot();
    it.deployments.refuseReports = 5;
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok', message: expect.stringContaining('not reported yet') as unknown }); // prettier-ignore
    const fetched = it.network.bytesOf('/blobs/');
    for (let i = 0; i < 3; i++) {
      await it.boot();
      expect(await it.once()).toMatchObject({ status: 0, code: 'no_update', state: 'IDLE' });
    }
    expect(it.deployments.closed).toHaveLength(1);
    expect(it.network.bytesOf('/blobs/')).toBe(fetched);
  });

  test('assigns the running release again: confirmed at once, nothing downloaded', async () => {
    const it = await assigned();
    await it.untilDone();
    const fetched = it.network.bytesOf('/blobs/');
    it.deployments.assign('2.0', 'action-2');
    expect(await it.once()).toMatchObject({ status: 0, code: 'ok' });
    expect(it.network.bytesOf('/blobs/')).toBe(fetched);
    expect(it.deployments.closed).toHaveLength(2);
  });

  test('keeps assigning a release that never gets healthy: attempts end', async () => {
    const it = await assigned({ toml: { limits: 'attempts_max = 2' } });
    it.run = async () => ({ exitCode: 1, timedOut: false, output: '', stdout: '' });
    for (const [i, code] of ['health_failed', 'health_failed', 'attempts_exhausted'].entries()) {
      it.deployments.assign('2.0', `action-${i}`);
      expect(await it.untilDone()).toMatchObject({ code });
    }
    unharmed(it);
  });
});

describe('a hook', () => {
  test('that refuses keeps the attempt waiting; it goes on when the hook agrees', async () => {
    const it = await assigned({ toml: { hooks: 'before_download = [["battery"]]' } });
    let full = false;
    it.run = async ({ argv }) => ({
      exitCode: argv[0] === 'battery' && !full ? 1 : 0,
      timedOut: false,
      output: '',
      stdout: '',
    });
    await expect(it.once()).rejects.toMatchObject({ code: 'hook_refused', outcome: 10 });
    expect(it.network.bytesOf('/blobs/')).toBe(0);
    full = true;
    expect(await it.untilDone()).toMatchObject({ status: 0 });
  });
});

describe('a damaged journal', () => {
  test.each([0, 20, 90, -2])('with a flipped bit at %i is kept aside; the update is done again', async (at) => {
    const it = await assigned();
    const cut = new AbortController();
    const request = it.network.request.bind(it.network);
    it.network.request = (asked) => {
      if (isBlob(asked) && it.journal().state === 'APPLY') cut.abort();
      return request(asked);
    };
    await expect(it.once(cut.signal)).rejects.toMatchObject({ code: 'aborted' });
    const bytes = it.disk.peek('/data/journal')!;
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    it.disk.place('/data/journal', bytes);
    it.network.request = request;
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(it.disk.peek('/data/journal.damaged')).toEqual(bytes);
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('in the trial: the slot is tried again before it is confirmed', async () => {
    const it = await assigned();
    await it.once();
    await it.boot();
    it.disk.place('/data/journal', new Uint8Array([1, 2, 3]));
    const checks: string[] = [];
    it.run = async ({ argv }) => {
      checks.push(argv.join(' '));
      return { exitCode: 0, timedOut: false, output: '', stdout: '' };
    };
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(checks).toEqual(['check']);
    expect(await it.agent().status()).toMatchObject({ running: 'B' });
    expect(sha256Hex(it.slot('b'))).toBe(sha256Hex(lab.target));
    expect((await it.agent().status()).counters?.['rollback.cam.rootfs']).toBe(2);
  });
});

describe('a journal of an earlier agent', () => {
  test('is read with what it did not know, in the middle of an update', async () => {
    const it = await assigned();
    expect(await it.once()).toMatchObject({ code: 'reboot_pending' });
    const place = { fs: it.disk, hash: sha256Node, path: '/data/journal', kind: 'journal', version: 1 };
    const body = (await loadRecord(place)) as { attempt: { plan: object } };
    const added = ['verified', 'pending', 'repair', 'repairedSegments', 'slotClass'];
    const without = (from: object): object =>
      Object.fromEntries(Object.entries(from).filter(([key]) => !added.includes(key)));
    const attempt = { ...without(body.attempt), plan: without(body.attempt.plan) };
    await storeRecord(place, { ...body, attempt });
    await it.boot();
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect((await it.agent().status()).counters?.['rollback.cam.rootfs']).toBe(2);
  });
});
