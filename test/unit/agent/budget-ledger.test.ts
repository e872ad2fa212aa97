/**
 * The ledger of bytes: nothing that crossed the link is forgotten by a kill, and no clock gives a month away.
 */
import { describe, expect, test } from 'vitest';
import { ByteLedger, monthOf, type LedgerOptions } from '../../../src/agent/records/ledger.ts';
import { chargedNetwork } from '../../../src/agent/payloads/budget.ts';
import { readBody } from '../../../src/platform/network.ts';
import { errnoError, FakeClock, MemoryFileSystem, MemoryNetwork, poweredFileSystem, Power, watchFileSystem } from '../../../src/testing/index.ts'; // prettier-ignore
import { sha256Node } from '../../support/images.ts';

const NOVEMBER = Date.UTC(2026, 10, 15);
const MIB = 2 ** 20;

function world(options: Partial<LedgerOptions> = {}, nowMs = NOVEMBER) {
  const disk = new MemoryFileSystem();
  const clock = new FakeClock({ nowMs });
  /** A new process over what is on the disk. */
  const start = (more: Partial<LedgerOptions> = {}): ByteLedger =>
    new ByteLedger({ fs: disk, hash: sha256Node, clock, path: '/ledger', ...options, ...more });
  const setTime = (atMs: number): void => clock.advance(atMs - clock.now());
  return { disk, clock, start, setTime };
}

describe('the count of an attempt', () => {
  test('is never lower after a kill than what was taken, and at most the stated slack higher', async () => {
    for (const budget of [undefined, 300_000, 20_000_000]) {
      const it = world({ attemptBytesMax: budget });
      let taken = 0;
      for (let kill = 0; kill < 40; kill++) {
        const ledger = it.start();
        const before = await ledger.attemptBytes('a');
        let total = before;
        for (let piece = 0; piece < (kill * 7) % 11; piece++) {
          const bytes = 1 + ((kill * 4001 + piece * 977) % 16_000);
          taken += bytes;
          total = await ledger.chargeAttempt('a', bytes, total + bytes);
        }
        // Killed here: no settle.
        const after = await it.start().attemptBytes('a');
        expect(after).toBeGreaterThanOrEqual(taken);
        expect(after).toBeLessThanOrEqual(total + ledger.slackBytes);
      }
    }
  });

  test('is exact after a clean end', async () => {
    const it = world();
    const ledger = it.start();
    await ledger.chargeAttempt('a', 1234, 1234);
    await ledger.settle();
    expect(await it.start().attemptBytes('a')).toBe(1234);
  });

  test('of another attempt begins anew', async () => {
    const it = world();
    const ledger = it.start();
    await ledger.chargeAttempt('a', 5000, 5000);
    expect(await ledger.chargeAttempt('b', 10, 10)).toBe(10);
    expect(await ledger.attemptBytes('a')).toBe(0);
  });

  test('costs a write for a block of bytes, not for a piece', async () => {
    let renames = 0;
    const it = world();
    const fs = watchFileSystem(it.disk, ({ name }) => void (name === 'rename' && renames++));
    const ledger = it.start({ fs });
    for (let total = 1400; total <= 10 * MIB; total += 1400) await ledger.chargeAttempt('a', 1400, total);
    expect(renames).toBeGreaterThan(10);
    expect(renames).toBeLessThanOrEqual(10 * 4 + 2);
  });

  test('a power cut in any of its writes leaves a readable record that is not too low', async () => {
    for (let cut = 1; cut < 40; cut++) {
      const it = world({ monthBytesMax: MIB });
      const power = new Power();
      const ledger = it.start({ fs: poweredFileSystem(it.disk, power) });
      power.cutAt(cut);
      let taken = 0;
      try {
        for (; taken < 200_000; taken += 5000) {
          await ledger.charge(5000);
          await ledger.chargeAttempt('a', 5000, taken + 5000);
        }
      } catch {
        // The power went.
      }
      it.disk.crash(cut % 2 === 0 ? 'kept' : 'lost');
      const again = it.start();
      await again.load();
      expect(again.damage).toBeNull();
      expect(await again.attemptBytes('a')).toBeGreaterThanOrEqual(taken);
    }
  });
});

describe('the month', () => {
  const full = { code: 'over_budget', detail: expect.objectContaining({ period: 'month' }) as unknown };

  test('refuses a payload that is over what is left, and one byte less not', async () => {
    const ledger = world({ monthBytesMax: MIB }).start();
    await ledger.charge(MIB - 1000);
    await ledger.confirmMonth(1000);
    await expect(ledger.confirmMonth(1001)).rejects.toMatchObject({
      ...full,
      detail: { resetsAtMs: Date.UTC(2026, 11, 1), spentBytes: MIB - 1000, budgetBytes: MIB },
    });
  });

  test('stops a download that uses it up, and lets reports through', async () => {
    const ledger = world({ monthBytesMax: 10_000 }).start();
    await ledger.confirmMonth(9000);
    await ledger.charge(9000);
    await ledger.chargeAttempt('a', 9000, 9000);
    await ledger.charge(2000);
    await expect(ledger.chargeAttempt('a', 1, 9001)).rejects.toMatchObject(full);
    await ledger.charge(2000);
    expect(await ledger.monthBytes()).toBe(13_000);
  });

  test('begins anew on the 1st, UTC, with what flowed since', async () => {
    const it = world({ monthBytesMax: MIB });
    const ledger = it.start();
    await ledger.confirmMonth(0);
    await ledger.charge(MIB);
    it.setTime(Date.UTC(2026, 11, 1) - 1);
    await expect(ledger.confirmMonth(1)).rejects.toMatchObject(full);
    it.setTime(Date.UTC(2026, 11, 1));
    await ledger.charge(300);
    await ledger.confirmMonth(MIB - 300);
    await expect(ledger.confirmMonth(MIB - 299)).rejects.toMatchObject(full);
  });

  test('is not given anew by a clock that falls back to 1970 and comes back, in one process or several', async () => {
    const it = world({ monthBytesMax: MIB });
    let ledger = it.start();
    await ledger.confirmMonth(0);
    await ledger.charge(MIB);
    for (const atMs of [0, Date.UTC(1970, 5, 1), Date.UTC(2026, 9, 31), NOVEMBER]) {
      it.setTime(atMs);
      await expect(ledger.confirmMonth(1)).rejects.toMatchObject(full);
      ledger = it.start();
      await expect(ledger.confirmMonth(1)).rejects.toMatchObject(full);
      await ledger.charge(1);
    }
  });

  test('is not given anew by a clock in the future while nobody confirms it, and the real month then still counts', async () => {
    const it = world({ monthBytesMax: MIB });
    const ledger = it.start();
    await ledger.confirmMonth(0);
    await ledger.charge(MIB - 500);
    it.setTime(Date.UTC(2099, 0, 1));
    await ledger.charge(600);
    await expect(ledger.chargeAttempt('a', 1, 1)).rejects.toMatchObject(full);
    it.setTime(Date.UTC(2026, 11, 2));
    await ledger.confirmMonth(MIB);
    expect(await ledger.monthBytes()).toBe(0);
  });

  test('of a device that was first started in 1970 begins with the first confirmation', async () => {
    const it = world({ monthBytesMax: MIB }, 1000);
    const ledger = it.start();
    await ledger.charge(1000);
    await ledger.confirmMonth(0);
    it.setTime(NOVEMBER);
    await ledger.charge(2000);
    await ledger.confirmMonth(MIB - 2000);
    expect(await ledger.monthBytes()).toBe(2000);
  });

  test('is used up when its record is damaged: breaking storage gives no budget', async () => {
    const it = world({ monthBytesMax: MIB });
    const ledger = it.start();
    await ledger.charge(10);
    const bytes = it.disk.peek('/ledger')!.slice();
    bytes[bytes.length - 5]! ^= 1;
    it.disk.place('/ledger', bytes);
    const again = it.start();
    await expect(again.confirmMonth(1)).rejects.toMatchObject(full);
    expect(again.damage).toMatchObject({ code: 'record_malformed' });
    it.setTime(Date.UTC(2026, 11, 1));
    await again.confirmMonth(MIB);
  });

  test('that is used up for a damaged record is the one that is confirmed next, however far ahead the clock was', async () => {
    const it = world({ monthBytesMax: MIB });
    it.disk.place('/ledger', new TextEncoder().encode('junk'));
    it.setTime(Date.UTC(2099, 0, 1));
    const ledger = it.start();
    await ledger.load();
    await ledger.charge(10);
    await ledger.settle();
    it.setTime(NOVEMBER);
    const later = it.start();
    await expect(later.confirmMonth(1)).rejects.toMatchObject(full);
    await later.settle();
    it.setTime(Date.UTC(2026, 11, 1));
    await it.start().confirmMonth(1000);
  });

  test('is not counted and costs no write where there is no budget for it', async () => {
    const it = world();
    const ledger = it.start();
    await ledger.charge(MIB);
    await ledger.confirmMonth(MIB);
    expect(await ledger.monthBytes()).toBeNull();
    await ledger.settle();
    expect(it.disk.peek('/ledger')).toBeNull();
  });

  test('counts polls, metadata and reports too: every body, and an allowance for what is around it', async () => {
    const ledger = world({ monthBytesMax: MIB }).start();
    const network = chargedNetwork(new MemoryNetwork({ handler: () => ({ status: 200, body: 'x'.repeat(5000) }) }), ledger); // prettier-ignore
    const response = await network.request({ method: 'POST', url: 'http://x/', body: 'y'.repeat(300) });
    await readBody(response, 10_000, 'http://x/');
    expect(await ledger.monthBytes()).toBe(1024 + 300 + 5000);
  });
});

describe('a storage that takes no ledger', () => {
  const broken = (): Partial<LedgerOptions> => {
    const fs = watchFileSystem(new MemoryFileSystem(), ({ name }) => {
      if (name === 'write') throw errnoError('ENOSPC', 'no room');
    });
    return { fs };
  };

  test('stops a download that has a budget: what cannot be counted is not taken', async () => {
    const ledger = world({ ...broken(), attemptBytesMax: MIB }).start();
    await expect(ledger.chargeAttempt('a', 1, 1)).rejects.toMatchObject({ code: 'disk_full' });
  });

  test('does not stop one without a budget, and never polls and reports', async () => {
    const free = world(broken()).start();
    expect(await free.chargeAttempt('a', 7, 7)).toBe(7);
    const ledger = world({ ...broken(), monthBytesMax: MIB }).start();
    await ledger.charge(100);
    expect(await ledger.monthBytes()).toBe(100);
  });
});

test('months are those of UTC', () => {
  expect(monthOf(Date.UTC(2026, 11, 31, 23, 59, 59, 999)) + 1).toBe(monthOf(Date.UTC(2027, 0, 1)));
});
