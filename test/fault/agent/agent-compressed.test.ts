/**
 * A payload that looks inside of compressed images, in several segments: the power is cut around each of them, and the
 * running slot is not what the delta was made from.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { CODEC, parseHeader, type PayloadHeader } from '../../../native-free/index.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { errnoError, isPowerCut } from '../../../src/testing/index.ts';
import { assignedDevice, sameBytes, type Lab, type SimulatedDevice } from '../../support/device/agent.ts';
import { lastFileBytes, slotPair, unitsLab } from '../../support/device/squashfs-slot.ts';

let lab: Lab;
let delta: PayloadHeader;
let full: PayloadHeader;
beforeAll(async () => {
  lab = await unitsLab(slotPair());
  const { catalog } = await lab.publisher.repository.state();
  const headers = catalog.releases.at(-1)!.payloads.map(({ sha256 }) => {
    const url = `http://ota.test/blobs/sha256/${sha256}`;
    return parseHeader(lab.answer({ method: 'GET', url }).body as Uint8Array);
  });
  delta = headers.find(({ codec }) => codec === CODEC.units)!;
  full = headers.find(({ codec }) => codec === CODEC.zstd)!;
});

/** How many operations there had been when each segment was in the journal. */
async function boundaries(): Promise<{ readonly at: number[]; readonly fetched: number }> {
  const it = await assignedDevice(lab);
  const at: number[] = [];
  it.log = { event: ({ type }) => void (type === 'progress' && at.push(it.power.operations)) };
  it.power.restore();
  expect(await it.untilDone()).toMatchObject({ status: 0 });
  return { at, fetched: it.network.bytesOf('/blobs/') };
}

/** The update, cut in this operation; then power comes back, with unsynced writes kept or lost. */
async function cutIn(operation: number, unsynced: 'kept' | 'lost'): Promise<SimulatedDevice> {
  const it = await assignedDevice(lab);
  it.power.cutAt(operation);
  const failure = await it.untilDone().catch((error: unknown) => error);
  expect(isPowerCut(failure) || it.power.isOff, String(failure)).toBe(true);
  it.power.restore();
  it.disk.crash(unsynced);
  expect(await it.boot()).toBe('A');
  return it;
}

describe('an update of a slot with compressed files', () => {
  test('has a payload of several segments, cut elsewhere than the full one', () => {
    expect(delta.segments.length).toBeGreaterThanOrEqual(3);
    expect(delta.segments.map(({ offset }) => offset)).not.toEqual(full.segments.map(({ offset }) => offset));
  });

  test('goes on behind the last segment, whatever operation around one the power is cut in', async () => {
    const { at, fetched } = await boundaries();
    expect(at).toHaveLength(delta.segments.length);
    for (const [segment, end] of at.entries()) {
      // While it is written to the slot, while the journal notes it, and behind that.
      for (const [operation, unsynced] of [
        [end - 3, 'lost'],
        [end - 1, 'kept'],
        [end, 'lost'],
      ] as const) {
        // prettier-ignore
        const where = `operation ${operation}, segment ${segment}, unsynced writes ${unsynced}`;
        const it = await cutIn(operation, unsynced);
        expect(await it.untilDone(), where).toMatchObject({ status: 0 });
        expect(it.journal().last, where).toMatchObject({ plan: { kind: 'delta' }, repairedSegments: 0 });
        expect(sameBytes(it.slot('b'), lab.target), where).toBe(true);
        expect(sameBytes(it.slot('a'), lab.source), where).toBe(true);
        expect(it.network.bytesOf('/blobs/'), where).toBeLessThanOrEqual(fetched + 3 * LIMITS.chunk_bytes);
      }
    }
  }, 180_000);
});

describe('a running slot that is not what the delta was made from', () => {
  /** Where the last compressed file of the source begins: its bytes are asked for in the last segment only. */
  const inLastFile = (): number => lab.source.length - lastFileBytes('source') + 4000;
  const shaOf = (it: SimulatedDevice): string => it.journal().last!.plan!.payload.sha256;

  /** Segments of the full payload that lie in what all segments of the delta but the last make. */
  const standing = (): number =>
    full.segments.filter(({ offset, length }) => offset + length <= delta.segments.at(-1)!.offset).length;

  function checkTakenOver(it: SimulatedDevice, reason: RegExp): void {
    const { last } = it.journal();
    expect(last).toMatchObject({ plan: { kind: 'full' }, repairedSegments: 0, outcome: { status: 0 } });
    expect(last!.fellBack).toMatch(reason);
    expect(sameBytes(it.slot('b'), lab.target)).toBe(true);
    // What stands of the target is not fetched again.
    const encoded = full.segments.slice(0, standing()).reduce((sum, { encodedBytes }) => sum + encodedBytes, 0);
    expect(standing()).toBeGreaterThan(0);
    const most = full.payloadBytes - encoded + LIMITS.chunk_bytes;
    expect(it.network.bytesOf(shaOf(it))).toBeLessThanOrEqual(most);
  }

  test('in its last compressed file lets the full payload take over behind what stands already', async () => {
    const it = await assignedDevice(lab);
    const slot = lab.source.slice();
    slot[inLastFile()]! ^= 0x10;
    it.disk.place('/slots/a', slot);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    checkTakenOver(it, new RegExp(`segment ${delta.segments.length - 1}\\b`));
    expect(it.journal().slots['A']).toBeNull();
  });

  test('but has a bad block there does the same', async () => {
    const bad = inLastFile();
    const it = await assignedDevice(lab, {
      watch: ({ name, path, offset, bytes }) => {
        if (name === 'read' && path === '/slots/a' && offset! <= bad && offset! + bytes! > bad) {
          throw errnoError('EIO', 'a bad block');
        }
      },
    });
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    checkTakenOver(it, /a bad block/);
  });

  test('ends well wherever the power is cut while the full payload takes over', async () => {
    const drifted = async (): Promise<SimulatedDevice> => {
      const it = await assignedDevice(lab);
      const slot = lab.source.slice();
      slot[inLastFile()]! ^= 0x10;
      it.disk.place('/slots/a', slot);
      return it;
    };
    const whole = await drifted();
    let repairAt = 0;
    whole.log = { event: (event) => void (event.type === 'state' && event.state === 'REPAIR' && (repairAt = whole.power.operations)) }; // prettier-ignore
    whole.power.restore();
    await whole.untilDone();
    const last = whole.power.operations;
    expect(repairAt).toBeGreaterThan(0);
    // Each that brings the other plan into the journal, then a few of what follows.
    const cuts = [0, 1, 2, 3, 5, 13, 34].map((more) => repairAt + more).filter((cut) => cut <= last);
    for (const cut of cuts) {
      const it = await drifted();
      it.power.cutAt(cut);
      const failure = await it.untilDone().catch((error: unknown) => error);
      const at = `cut ${cut} of ${last} in ${it.power.log.at(-1)}`;
      expect(isPowerCut(failure) || it.power.isOff, at).toBe(true);
      it.power.restore();
      it.disk.crash('lost');
      expect(await it.boot(), at).not.toBeNull();
      await it.untilDone();
      expect(it.journal().last!.outcome!.status, at).toBe(0);
      expect(sameBytes(it.slot('b'), lab.target), at).toBe(true);
    }
  }, 180_000);
});
