/**
 * Slots whose images have long runs of one value: payloads of the real engine that name them, from publish to commit.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { sparseImage, withFills, type ImageLike } from '../../native-free/diff/fills/sparse-image.ts';
import { LIMITS } from '../../native-free/limits.ts';
import type { PayloadMaker } from '../../src/release/index.ts';
import { assignedDevice, makeLab, sameBytes, type Lab } from '../support/device/agent.ts';
import { withEngine } from '../support/device/squashfs-slot.ts';
import { concat, imageBytes } from '../support/images.ts';

const KIB = 1024;
const zeros = new Uint8Array(256 * KIB);
const erased = new Uint8Array(128 * KIB).fill(255);
const content = imageBytes(200 * KIB, 1);
const edited = content.map((byte, i) => (i % 9000 === 1 ? byte ^ 4 : byte));
const source = concat(content, zeros, content.subarray(0, 64 * KIB), erased);
const target = concat(edited.subarray(0, 100 * KIB), erased, zeros, edited.subarray(100 * KIB), zeros);

/** Images as a reader of large files would hand them on, with fills as short as a payload may name. */
const sparse = (image: ImageLike) => withFills(sparseImage(image, 'image').dense, LIMITS.fill_bytes_min);

function makerOf(engine: PayloadMaker): PayloadMaker {
  const cut = { segmentBytes: 64 * KIB };
  return {
    full: (image, settings) => engine.full(sparse(image), { ...settings, ...cut }),
    delta: (from, to, settings) => engine.delta(sparse(from), sparse(to), { ...settings, ...cut }),
  };
}

describe('an image with fills', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await withEngine((engine) => makeLab({ source, target }, true, makerOf(engine)));
  });

  /** A device whose other slot holds something else throughout. */
  async function device(slot = source) {
    const it = await assignedDevice(lab);
    it.disk.place('/slots/a', slot);
    it.disk.place('/slots/b', new Uint8Array(target.length + 5000).fill(0x5a));
    return it;
  }

  test('is an update of a slot that held something else', async () => {
    const it = await device();
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('b'), target)).toBe(true);
    const { last } = it.journal();
    expect(last).toMatchObject({ plan: { kind: 'delta', target: { bytes: target.length } }, repairedSegments: 0 });
  });

  test('is repaired segment by segment, with the fills of each', async () => {
    const damaged = source.slice();
    for (let at = 120 * KIB; at < 130 * KIB; at++) damaged[at]! ^= 0x33;
    const it = await device(damaged);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(it.states()).toContain('REPAIR');
    expect(it.journal().last!.repairedSegments).toBeGreaterThan(0);
    expect(sameBytes(it.slot('b'), target)).toBe(true);
  });

  test('of which fills of the running slot are damaged is none the worse', async () => {
    const damaged = source.slice();
    damaged[content.length + 5000] = 77;
    const it = await device(damaged);
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(it.states()).not.toContain('REPAIR');
    expect(sameBytes(it.slot('b'), target)).toBe(true);
  });
});
