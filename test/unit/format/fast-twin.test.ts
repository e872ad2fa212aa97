/** The loops of the fast profile: both directions, and the decoders in WebAssembly against those in TypeScript. */
import { describe, expect, it, vi } from 'vitest';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { coverListOf } from '../../../native-free/format/cover.ts';
import { REGION_KIND, type RegionKind } from '../../../native-free/format/regions.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import type { ModelCoder } from '../../../native-free/model/model-coder.ts';
import { WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { random, TEST_SIZES } from '../../support/images.ts';
import { decoded, type Outcome, type SegmentCase } from '../../support/segment-outcome.ts';
import { KINDS, unitCase } from '../../support/unit-cases.ts';

const SIZES = { ...TEST_SIZES, fast: true };
const mix = { encoder: new MixCoder(true, SIZES), decoder: new MixCoder(false, SIZES) };
const twin = { encoder: new WasmCoder(true, SIZES), decoder: new WasmCoder(false, SIZES) };

function encoded(images: SegmentCase, coder: ModelCoder): { readonly bytes: Uint8Array; readonly work: number } {
  const encoder = new SegmentEncoder(images, { ...images, modelSizes: SIZES }, { models: () => coder });
  const bytes = new Uint8Array(encoder.encode(0, images.target.length));
  return { bytes, work: encoder.work };
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Both decoders give the same, right or wrong. */
async function expectSame(images: SegmentCase, bytes: Uint8Array, limit?: number): Promise<Outcome> {
  const a = await decoded(images, mix.decoder, bytes, limit);
  const b = await decoded(images, twin.decoder, bytes, limit);
  expect([b.work, b.error]).toEqual([a.work, a.error]);
  expect(isSame(a.target, b.target)).toBe(true);
  return a;
}

/** Both encoders give the same, which comes back for the work that they counted. */
async function expectRoundTrip(images: SegmentCase): Promise<Uint8Array> {
  const { bytes, work } = encoded(images, mix.encoder);
  const other = encoded(images, twin.encoder);
  expect([other.work, isSame(other.bytes, bytes)]).toEqual([work, true]);
  expect(bytes.length).toBeLessThan(images.target.length);
  const back = await expectSame(images, bytes);
  expect([back.error, back.work, isSame(back.target, images.target)]).toEqual([null, work, true]);
  return bytes;
}

describe.each(KINDS)('units of %s in the fast profile', (_, kind) => {
  const images = unitCase(kind, 1);

  it('are decoded by a loop of the twin', () => {
    expect(twin.decoder.fastLoops(images.plan)).not.toBeNull();
    expect(twin.encoder.fastLoops(images.plan)).toBeNull();
  });

  it('come back from both decoders, for the same work', async () => {
    for (const seed of [1, 2, 3]) await expectRoundTrip(unitCase(kind, seed));
  });

  it('are the same nonsense where the stream is damaged, and end at the same place where the work does', async () => {
    const { bytes, work } = encoded(images, mix.encoder);
    const next = random(kind + 70);
    const short = await expectSame(images, bytes, work / 2);
    expect(short.error).toBe('payload_work');
    for (let i = 0; i < 6; i++) {
      const damaged = bytes.slice(0, i === 0 ? 100 : bytes.length);
      damaged[Math.floor(next() * damaged.length)]! ^= 1 << Math.floor(next() * 8);
      await expectSame(images, damaged, i < 3 ? Infinity : work / 3);
    }
  });

  it('take no more bytes than half as many again as in the profile of fewest bytes', () => {
    const small = new SegmentEncoder(images, { ...images, modelSizes: TEST_SIZES }).encode(0, images.target.length);
    expect(encoded(images, mix.encoder).bytes.length).toBeLessThan(1.5 * small.length);
  });
});

/** Literals of a kind, some of which come again, with a cover between two runs, and noise at the end. */
function literalCase(kind: RegionKind, seed: number, start: number): SegmentCase {
  const { source, target: units } = unitCase(kind, seed);
  const next = random(seed);
  const noise = Uint8Array.from({ length: 7000 }, () => Math.floor(next() * 256));
  const parts = [source.subarray(0, 3000), units.subarray(0, 5000), source.subarray(1000, 3000), noise];
  const target = new Uint8Array(Buffer.concat(parts));
  // One long run, which is cut at pieces and blocks, and one that begins behind a cover, where the source goes on.
  const covers = [{ sourceOffset: 8000, targetOffset: 2000, length: 500 + start }];
  const layout = {
    regions: [{ module: 0, kind, offset: start, length: target.length - start, va: 0x10000 }],
    vaHigh: [0],
  };
  return { source, target, plan: { covers: coverListOf(covers), source: layout, target: layout, bases: [[]] } };
}

describe.each(KINDS)('literals of %s in the fast profile', (_, kind) => {
  it.each([0, 3])('come back, noise as it is, from a region that begins at byte %i', async (start) => {
    const images = literalCase(kind, 5 + start, start);
    const stored = vi.spyOn(mix.encoder, 'stored');
    const { bytes, work } = encoded(images, mix.encoder);
    expect(stored).toHaveBeenCalled();
    stored.mockRestore();
    const other = encoded(images, twin.encoder);
    expect([other.work, isSame(other.bytes, bytes)]).toEqual([work, true]);
    const back = await expectSame(images, bytes);
    expect([back.error, back.work, isSame(back.target, images.target)]).toEqual([null, work, true]);
  });

  it('are the same nonsense where the stream is damaged', async () => {
    const images = literalCase(kind, 9, 0);
    const { bytes, work } = encoded(images, mix.encoder);
    const next = random(kind + 90);
    for (let i = 0; i < 4; i++) {
      const damaged = bytes.slice(0, i === 0 ? bytes.length >> 1 : bytes.length);
      damaged[Math.floor(next() * damaged.length)]! ^= 1 << Math.floor(next() * 8);
      await expectSame(images, damaged, i < 3 ? Infinity : work / 3);
    }
  });
});

describe('what a segment of the fast profile taught', () => {
  it('is forgotten before the next one, in both directions', async () => {
    const images = unitCase(REGION_KIND.a64, 4);
    const first = encoded(images, mix.encoder);
    encoded(literalCase(REGION_KIND.raw, 3, 0), mix.encoder);
    expect(isSame(encoded(images, mix.encoder).bytes, first.bytes)).toBe(true);
    await expectSame(
      literalCase(REGION_KIND.raw, 3, 0),
      encoded(literalCase(REGION_KIND.raw, 3, 0), mix.encoder).bytes,
    );
    expect((await expectSame(images, first.bytes)).error).toBeNull();
  });
});
