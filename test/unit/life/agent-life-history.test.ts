/**
 * The history of attempts: bounded, durable, and never in the way.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { History, HISTORY_MAX, historyEntry, type HistoryEntry } from '../../../src/agent/records/history.ts';
import { emptyJournal, type Attempt, type FileSystem } from '../../../src/agent/index.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { historyText } from '../../../src/cli/agent-commands/history.ts';
import { errnoError, isPowerCut, MemoryFileSystem } from '../../../src/testing/index.ts';
import { device, makeLab, type Lab, type SimulatedDevice } from '../../support/device/agent.ts';
import { sha256Node as hash } from '../../support/images.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await makeLab();
});

const historyOn = (fs: FileSystem): History => new History({ fs, hash, path: '/data/history' });
const historyOf = (it: SimulatedDevice): Promise<readonly HistoryEntry[]> => historyOn(it.disk).entries();

const attempt = (number: number, message = 'ok'): Attempt => ({
  ...{ actionId: `action-${number}`, startedAtMs: 1000 * number, sourceSlot: 'A', targetSlot: 'B', plan: null },
  release: { product: 'cam', version: `${number}.0`, hardware: 'v1', slotClass: 'rootfs' },
  ...{ verified: [], pending: [], segmentsDone: 0, repair: null, repairedSegments: 0, resumes: 0, wireBytes: 0 },
  ...{ refetchedBytes: 0, fellBack: null, armedBootId: null, cancelId: null, words: null, behind: null, triedAs: null },
  outcome: { status: 10, code: 'link_failed', subStatus: 5000, message },
});
const entry = (number: number, message = 'ok'): HistoryEntry =>
  historyEntry(emptyJournal(), attempt(number, message), 1000 * number + 500);

describe('the history', () => {
  test('tells when, from which version to which, how, and what it cost', async () => {
    const it = await device(lab);
    await it.knowsSource();
    it.deployments.assign('2.0', 'action-1');
    const begunMs = it.clock.now();
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    it.deployments.assign('9.9', 'action-2');
    expect(await it.once()).toMatchObject({ status: 20 });
    const [first, second, ...more] = await historyOf(it);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      ...{ actionId: 'action-1', product: 'cam', from: '1.0', version: '2.0', slot: 'B', status: 0, code: 'ok' },
      ...{ repairedSegments: 0, refetchedBytes: 0, fellBack: null },
    });
    expect(first!.parts).toMatchObject([{ slotClass: 'rootfs', kind: 'delta' }]);
    expect(first!.wireBytes).toBe(first!.parts[0]!.payloadBytes);
    expect(first!.startedAtMs).toBeGreaterThanOrEqual(begunMs);
    expect(first!.finishedAtMs).toBeGreaterThanOrEqual(first!.startedAtMs);
    expect(second).toMatchObject({ actionId: 'action-2', from: '2.0', status: 20, code: 'target_unknown', parts: [] });
  });

  test('has an attempt already while the server does not take the report', async () => {
    const it = await device(lab);
    it.deployments.assign('9.9');
    it.deployments.refuseReports = 4;
    expect(await it.once()).toMatchObject({ code: 'target_unknown', message: expect.stringContaining('not reported yet') as unknown }); // prettier-ignore
    expect(await historyOf(it)).toHaveLength(1);
    expect(await it.once()).toMatchObject({ state: 'IDLE' });
    expect(await historyOf(it)).toHaveLength(1);
  });

  test('has every attempt exactly once, whatever operation of REPORT the power is cut in', async () => {
    for (const unsynced of ['kept', 'lost'] as const) {
      let cuts = 0;
      for (let cut = 1; ; cut++) {
        const it = await device(lab);
        it.deployments.assign('9.9', 'action-1');
        expect(await it.once()).toMatchObject({ code: 'target_unknown' });
        it.deployments.assign('9.8', 'action-2');
        it.power.cutAt(cut);
        const failed = await it.once().then(
          () => null,
          (error: unknown) => error,
        );
        if (failed !== null) expect(isPowerCut(failed) || it.power.isOff, String(failed)).toBe(true);
        else if (!it.power.isOff) break;
        cuts++;
        it.power.restore();
        it.disk.crash(unsynced);
        await it.boot();
        // The server gives the same action again where it had no answer, and nothing where it had one.
        await it.once();
        const ids = (await historyOf(it)).map(({ actionId }) => actionId);
        expect(ids, `${unsynced}, cut ${cut}`).toEqual(['action-1', 'action-2']);
      }
      expect(cuts).toBeGreaterThan(20);
    }
  });

  test('keeps the last 50, and fits into a record whatever they say', async () => {
    const fs = new MemoryFileSystem();
    await fs.makeFolder('/data');
    for (let number = 1; number <= HISTORY_MAX + 3; number++) {
      await historyOn(fs).add(entry(number, '\u0001'.repeat(100_000)));
    }
    fs.crash('lost');
    const entries = await historyOn(fs).entries();
    expect(entries.map(({ actionId }) => actionId)).toEqual(
      Array.from({ length: HISTORY_MAX }, (_, i) => `action-${i + 4}`),
    );
    expect(fs.peek('/data/history')!.length).toBeLessThan(LIMITS.record_bytes_max);
  });

  test('that is damaged is kept aside and begun anew; whoever only looks is told', async () => {
    const fs = new MemoryFileSystem();
    await fs.makeFolder('/data');
    await historyOn(fs).add(entry(1));
    const bad = fs.peek('/data/history')!.slice();
    bad[bad.length - 5]! ^= 1;
    fs.place('/data/history', bad);
    await expect(historyOn(fs).entries()).rejects.toMatchObject({ code: 'record_malformed' });
    await historyOn(fs).add(entry(2));
    expect((await historyOn(fs).entries()).map(({ actionId }) => actionId)).toEqual(['action-2']);
    expect(fs.peek('/data/history.damaged')).toEqual(bad);
  });

  test.each([
    ['cannot be written', 'open', 'ENOSPC'],
    ['cannot be written', 'rename', 'EROFS'],
    ['cannot be looked at', 'stat', 'EIO'],
  ])('that %s (%s: %s) is noted, and the report goes out', async (_what, call, code) => {
    const it = await device(lab, {
      watch: ({ name, path }) => {
        if (path.startsWith('/data/history') && name === call) throw errnoError(code, 'history');
      },
    });
    it.deployments.assign('9.9');
    expect(await it.once()).toMatchObject({ code: 'target_unknown', state: 'IDLE' });
    expect(it.deployments.closed).toHaveLength(1);
    const notes = it.events.flatMap((event) => (event.type === 'note' ? [event.message] : []));
    expect(notes.join('\n')).toMatch(/^the history: /m);
  });

  test('is shown as a table, with reasons', () => {
    const good = { ...entry(1), from: '0.9', status: 0, code: 'ok', wireBytes: 12345, repairedSegments: 2 };
    const text = historyText([good, { ...entry(2), finishedAtMs: 0, message: 'the link was gone' }]);
    expect(text).toMatch(/1970-01-01 00:00:01 +0\.9 -> 1\.0 +0 +ok +- +12,345 +1$/m);
    expect(text).toMatch(/\? -> 2\.0 +10 +link_failed +- +0 +\?$/m);
    expect(text).toMatch(/^1\.0 \(action action-1\): repaired: 2 segments$/m);
    expect(text).toMatch(/^2\.0 \(action action-2\): the link was gone$/m);
    expect(historyText([])).toBe('no update was finished yet');
  });
});
