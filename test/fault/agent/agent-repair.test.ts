/**
 * Source drift: the running slot is not what the delta was made from. Only the segments that do not come out are
 * fetched from the full payload, within the budget; the rest goes on by delta.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../../native-free/limits.ts';
import type { NetworkRequest } from '../../../src/agent/index.ts';
import { ByteLedger } from '../../../src/agent/records/ledger.ts';
import { errnoError, isPowerCut, type FileCall } from '../../../src/testing/index.ts';
import {
  device,
  imagePair,
  makeLab,
  sameBytes,
  type DeviceOptions,
  type Lab,
  type SimulatedDevice,
} from '../../support/device/agent.ts';
import { sha256Node } from '../../support/images.ts';
import { makerWithDeltaSegments } from '../../support/release.ts';

/** 20 segments of 64 KiB; the fresh bytes are in the middle ones. */
const SEGMENT = 64 * 1024;
const SEGMENTS = 20;
const HOUR_MS = 3_600_000;

let lab: Lab;
/** The delta's segments are four of the full payload's. */
let coarse: Lab;
const COARSE = 4;
beforeAll(async () => {
  const pair = imagePair(SEGMENTS * SEGMENT, 140_000);
  lab = await makeLab(pair);
  coarse = await makeLab(pair, true, makerWithDeltaSegments(COARSE * SEGMENT));
});

/** A device whose running slot differs from what the journal says, in one byte of each of these segments. */
async function drifted(segments: readonly number[], options: DeviceOptions = {}, from = lab): Promise<SimulatedDevice> {
  const it = await device(from, options);
  await it.knowsSource();
  const slot = from.source.slice();
  // Not where the target has changed bytes of its own: there the source does not matter.
  for (const segment of segments) slot[segment * SEGMENT + 17]! ^= 0xff;
  it.disk.place('/slots/a', slot);
  it.deployments.assign('2.0');
  return it;
}

const fullSha = (it: SimulatedDevice): string => it.journal().last!.repair!.payload.sha256;

describe('a source slot that was written to', () => {
  test.each([
    ['in its first segment, as a mount does', [0]],
    ['in its last segment', [SEGMENTS - 1]],
    ['in three places', [1, 6, 18]],
    ['in two neighbours', [4, 5]],
  ])('%s is repaired by those segments alone', async (_where, segments) => {
    const it = await drifted(segments);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    const { last } = it.journal();
    expect(last).toMatchObject({ repairedSegments: segments.length, plan: { kind: 'delta' } });
    expect(last!.fellBack).toMatch(new RegExp(`segment ${segments[0]}\\b`));
    // A segment is stored as it is here: two chunks hold it, as it begins where the header ends.
    const header = last!.repair!.headerBytes;
    expect(it.network.bytesOf(fullSha(it))).toBeLessThanOrEqual(header + segments.length * 2 * LIMITS.chunk_bytes);
    // The delta crossed once, but for the chunk that was in flight when a segment did not come out.
    const { sha256, bytes } = last!.plan!.payload;
    expect(it.network.bytesOf(sha256)).toBeLessThanOrEqual(bytes + segments.length * LIMITS.chunk_bytes);
    expect(it.journal().slots['A']).toBeNull();
  });

  test.each([
    ['in its first segment', [0], 1],
    ['in its last segment', [SEGMENTS - 1], 1],
    ['in two places of one segment of the delta', [8, 11], 1],
    ['in two segments of the delta', [2, 13], 2],
  ])('%s is repaired by as many segments of a finer full payload as it takes', async (_where, segments, repaired) => {
    const it = await drifted(segments, {}, coarse);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('b'), coarse.target)).toBe(true);
    const { last } = it.journal();
    expect(last).toMatchObject({ repairedSegments: repaired, plan: { kind: 'delta' } });
    const most = repaired * (COARSE + 1) * LIMITS.chunk_bytes;
    expect(it.network.bytesOf(fullSha(it))).toBeLessThanOrEqual(last!.repair!.headerBytes + most);
  });

  test('everywhere costs no more than the full payload and a part of the delta', async () => {
    const it = await drifted(Array.from({ length: SEGMENTS }, (_, i) => i));
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    const { last } = it.journal();
    const most = last!.plan!.payload.bytes + (last!.repair?.payload.bytes ?? 0) + 300_000;
    expect(it.network.bytesOf('/blobs/')).toBeLessThanOrEqual(most);
  });

  test('by another image altogether ends in the full payload', async () => {
    const it = await device(lab);
    await it.knowsSource();
    it.disk.place(
      '/slots/a',
      lab.source.map((byte, i) => byte ^ (i & 0x7f) ^ 0x2a),
    );
    it.deployments.assign('2.0');
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('that cannot be read in one place is repaired there', async () => {
    const watch = (call: FileCall): void => {
      if (call.name !== 'read' || call.path !== '/slots/a') return;
      const end = call.offset! + call.bytes!;
      if (call.offset! <= 7 * SEGMENT + 100 && end > 7 * SEGMENT + 100) throw errnoError('EIO', 'a bad block');
    };
    const it = await drifted([], { watch });
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    expect(it.journal().last).toMatchObject({ plan: { kind: 'delta' } });
    expect(it.journal().last!.repairedSegments).toBeGreaterThan(0);
  });

  test('with a budget that does not allow the repair ends with 10, and the running slot is as it was', async () => {
    const probe = await drifted([]);
    await probe.untilDone();
    const budget = probe.journal().last!.plan!.payload.bytes + 20_000;
    const it = await drifted([3], { toml: { limits: `budget_bytes = ${budget}` } });
    expect(await it.untilDone()).toMatchObject({ status: 10, code: 'over_budget' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
    expect(it.network.bytesOf('/blobs/')).toBeLessThanOrEqual(budget);
  });

  test('with a month whose budget does not allow the segment ends with 10, before a byte of the segment', async () => {
    const month = (bytes: number): DeviceOptions => ({ toml: { limits: `budget_bytes_per_month = ${bytes}` } });
    const [probe, whole] = [await drifted([SEGMENTS - 1]), await drifted([], month(100_000_000))];
    await probe.untilDone();
    await whole.untilDone();
    const ledger = new ByteLedger({ fs: whole.disk, hash: sha256Node, clock: whole.clock, path: '/data/ledger', monthBytesMax: 1 }); // prettier-ignore
    const { headerBytes } = probe.journal().last!.repair!;
    const it = await drifted([SEGMENTS - 1], month((await ledger.monthBytes())! + headerBytes + SEGMENT / 2));
    expect(await it.untilDone()).toMatchObject({ status: 10, code: 'over_budget' });
    expect(it.states()).toContain('REPAIR');
    const fetched = it.network.bytesOf(fullSha(probe));
    expect(fetched).toBeGreaterThan(0);
    // What stood in the socket behind the header.
    expect(fetched).toBeLessThanOrEqual(headerBytes + 16 * 1024);
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
  });

  test('waits for the allowed hours when they end before the repair', async () => {
    const it = await drifted([3], { toml: { limits: 'allowed_hours = "22:00-06:00"' } });
    const sinceMidnight = (): number => it.clock.now() % (24 * HOUR_MS);
    it.clock.advance(24 * HOUR_MS - sinceMidnight());
    const push = it.events.push.bind(it.events);
    let late = false;
    it.events.push = (event) => {
      if (event.type === 'state' && event.state === 'REPAIR' && !late) {
        late = true;
        it.clock.advance(7 * HOUR_MS);
      }
      return push(event);
    };
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
    expect(it.journal().state).toBe('REPAIR');
    const before = it.network.bytesOf('/blobs/');
    await expect(it.once()).rejects.toMatchObject({ code: 'outside_hours' });
    expect(it.network.bytesOf('/blobs/')).toBe(before);
    it.clock.advance(16 * HOUR_MS);
    expect(await it.untilDone()).toMatchObject({ status: 0 });
    expect(it.journal().last).toMatchObject({ repairedSegments: 1 });
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
  });

  test('is repaired by right bytes only: a full payload with a wrong chunk ends with 20', async () => {
    let full = '';
    const spoil = (request: NetworkRequest) => {
      const answer = lab.answer(request);
      if (full === '' || !request.url.includes(full) || answer.body === undefined) return answer;
      const range = /^bytes=(\d+)-/.exec(request.headers?.['range'] ?? '');
      if (range === null || Number(range[1]) === 0) return answer;
      return { ...answer, body: (answer.body as Uint8Array).map((byte) => byte ^ 1) };
    };
    const probe = await drifted([3]);
    await probe.untilDone();
    full = fullSha(probe);
    const it = await drifted([3], { answer: spoil });
    expect(await it.untilDone()).toMatchObject({ status: 20, code: 'chunk_digest' });
    expect(it.bootState()).toMatch(/BOOT_ORDER=A\b/);
  });

  test('is repaired whatever operation the power is cut in', async () => {
    const whole = await drifted([3, 11]);
    whole.power.restore();
    await whole.untilDone();
    const operations = whole.power.operations;
    const undisturbed = whole.network.bytesOf('/blobs/');
    for (let cut = 1; cut <= operations; cut += 29) {
      const it = await drifted([3, 11]);
      it.power.cutAt(cut);
      const failure = await it.untilDone().catch((error: unknown) => error);
      const at = `cut ${cut} of ${operations} in ${it.power.log.at(-1)}`;
      expect(isPowerCut(failure) || it.power.isOff, at).toBe(true);
      it.power.restore();
      it.disk.crash('lost');
      expect(await it.boot(), at).not.toBeNull();
      // What was done already may have been the whole update.
      if ((await it.untilDone()).code === 'no_update') expect(it.journal().last!.outcome!.status, at).toBe(0);
      expect(sameBytes(it.slot('b'), lab.target), at).toBe(true);
      expect(it.network.bytesOf('/blobs/'), at).toBeLessThanOrEqual(undisturbed + 4 * LIMITS.chunk_bytes);
    }
  });
});
