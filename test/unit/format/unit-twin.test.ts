/** The loop over units in WebAssembly against the one in TypeScript, a kind of region at a time, on what each kind is full of. */
import { describe, expect, it } from 'vitest';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { coverListOf } from '../../../native-free/format/cover.ts';
import { REGION_KIND } from '../../../native-free/format/regions.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import type { ModelCoder } from '../../../native-free/model/model-coder.ts';
import type { UnitLoop } from '../../../native-free/model/unit-loop.ts';
import { WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { random, TEST_SIZES } from '../../support/images.ts';
import { decoded, type Outcome, type SegmentCase } from '../../support/segment-outcome.ts';
import { HIGH, KINDS, unitCase as caseOf } from '../../support/unit-cases.ts';

/** A coder that has no loop of its own. */
class BareCoder extends WasmCoder {
  override unitLoop(): UnitLoop | null {
    return null;
  }
}

const mix = { encoder: new MixCoder(true, TEST_SIZES), decoder: new MixCoder(false, TEST_SIZES) };
const twin = { encoder: new WasmCoder(true, TEST_SIZES), decoder: new WasmCoder(false, TEST_SIZES) };

function encoded(images: SegmentCase, coder: ModelCoder): { readonly bytes: Uint8Array; readonly work: number } {
  const encoder = new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }, { models: () => coder });
  const bytes = encoder.encode(0, images.target.length);
  return { bytes: new Uint8Array(bytes), work: encoder.work };
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

async function expectSame(images: SegmentCase, bytes: Uint8Array, limit?: number): Promise<Outcome> {
  const a = await decoded(images, mix.decoder, bytes, limit);
  const b = await decoded(images, twin.decoder, bytes, limit);
  expect([b.work, b.error]).toEqual([a.work, a.error]);
  expect(isSame(a.target, b.target)).toBe(true);
  return a;
}

describe.each(KINDS)('units of %s, coded by the twin', (_, kind) => {
  const images = caseOf(kind, 1);

  it('are what its loop is for', () => {
    expect(twin.encoder.unitLoop(images.plan)).not.toBeNull();
  });

  it('give the same bytes for the same work, and come back', async () => {
    for (const each of [images, caseOf(kind, 2), caseOf(kind, 3)]) {
      const expected = encoded(each, mix.encoder);
      expect(expected.bytes.length).toBeLessThan(each.target.length);
      const found = encoded(each, twin.encoder);
      expect(found.work).toBe(expected.work);
      expect(isSame(found.bytes, expected.bytes)).toBe(true);
      const { target, error } = await expectSame(each, expected.bytes);
      expect([error, isSame(target, each.target)]).toEqual([null, true]);
    }
  });

  it('are the same nonsense where the stream is damaged, and end at the same place where the work does', async () => {
    const { bytes, work } = encoded(images, mix.encoder);
    const next = random(kind + 50);
    const short = await expectSame(images, bytes, work / 2);
    expect(short.error).toBe('payload_work');
    for (let i = 0; i < 6; i++) {
      const damaged = bytes.slice(0, i === 0 ? 100 : bytes.length);
      damaged[Math.floor(next() * damaged.length)]! ^= 1 << Math.floor(next() * 8);
      await expectSame(images, damaged, i < 3 ? Infinity : work / 3);
    }
  });
});

describe('an address of 64 bits', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])(
    'that crosses the end of a page is coded as a whole: %i bytes into a word',
    (start) => {
      const source = new Uint8Array(3 * 4096);
      const view = new DataView(source.buffer);
      for (let at = 0; at < source.length; at += 8) {
        view.setUint32(at, 0x10000 + at, true);
        view.setUint32(at + 4, HIGH, true);
      }
      const target = source.slice();
      for (const at of [100, 5000, 9000]) target[at]! += 8;
      const cover = { sourceOffset: start, targetOffset: start, length: source.length - start };
      const region = { module: 0, kind: REGION_KIND.data64, offset: 0, length: source.length, va: 0x10000 };
      const layout = { regions: [region], vaHigh: [HIGH] };
      const images = {
        source,
        target,
        plan: { covers: coverListOf([cover]), source: layout, target: layout, bases: [[]] },
      };
      const expected = encoded(images, mix.encoder);
      expect(encoded(images, new WasmCoder(true, TEST_SIZES))).toEqual(expected);
    },
  );
});

describe('loops of one coder', () => {
  it('take turns, each with its own map and memories', () => {
    const [a, b] = [caseOf(REGION_KIND.a64, 4), caseOf(REGION_KIND.data32, 5)];
    const [first, second] = [a, b].map(
      (images) => new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }, { models: () => twin.encoder }),
    );
    const expected = [a, b].map((images) => encoded(images, mix.encoder).bytes);
    for (let i = 0; i < 2; i++) {
      expect(isSame(first!.encode(0, a.target.length), expected[0]!)).toBe(true);
      expect(isSame(second!.encode(0, b.target.length), expected[1]!)).toBe(true);
    }
  });

  it('are done without where a coder has none: the reference codes into its stream', () => {
    for (const kind of [REGION_KIND.t32, REGION_KIND.data64]) {
      const images = caseOf(kind, 6);
      expect(isSame(encoded(images, new BareCoder(true, TEST_SIZES)).bytes, encoded(images, mix.encoder).bytes)).toBe(
        true,
      );
    }
  });
});
