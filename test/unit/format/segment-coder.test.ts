import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { corpusPair, SMALL_PAIR } from '../../../corpus/index.ts';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { DeltaSegmentDecoder } from '../../../native-free/apply/segment-decoders.ts';
import { inlineSteps, matchImages } from '../../../native-free/diff/match-images.ts';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { analyse, finishPlan, type FinishedPlan } from '../../../native-free/diff/stages.ts';
import { type Images } from '../../../native-free/diff/images.ts';
import { coverListOf, type Cover } from '../../../native-free/format/cover.ts';
import { plainPlan, type Plan } from '../../../native-free/format/plan.ts';
import { REGION_KIND, type Region, type RegionKind } from '../../../native-free/format/regions.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { MixCoder, referenceModels } from '../../../native-free/model/mix-coder.ts';
import type { ModelCoder } from '../../../native-free/model/model-coder.ts';
import type { ModelSizes } from '../../../native-free/format/model-sizes.ts';
import { Pauses } from '../../../native-free/apply/pauses.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { modelCoder, WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { imageBytes, random, TEST_SIZES } from '../../support/images.ts';

interface Case extends Images {
  readonly plan: Plan;
}

/** Keeps the stream of an encoder, which stores a segment as it is where coding makes it larger. */
class KeepingCoder extends MixCoder {
  stream = new Uint8Array(0);

  override finish(): Uint8Array {
    this.stream = new Uint8Array(super.finish());
    return this.stream;
  }
}

class KeepingTwin extends WasmCoder {
  stream = new Uint8Array(0);

  override finish(): Uint8Array {
    this.stream = new Uint8Array(super.finish());
    return this.stream;
  }
}

/** Tables are large next to these images: each coder is made once. */
const mix = new KeepingCoder(true, TEST_SIZES);
const twin = new KeepingTwin(true, TEST_SIZES);
const mixReader = new MixCoder(false, TEST_SIZES);
const twinReader = new WasmCoder(false, TEST_SIZES);

/** The coded form of target range [start, end), also where it is longer than the range. */
function coded({ source, target, plan }: Case, coder: KeepingCoder | KeepingTwin, start = 0, end = target.length) {
  new SegmentEncoder({ source, target }, { plan, modelSizes: TEST_SIZES }, { models: () => coder }).encode(start, end);
  return coder.stream;
}

async function decoded(
  { source, plan }: Pick<Case, 'source' | 'plan'>,
  coder: ModelCoder,
  bytes: Uint8Array,
  start: number,
  end: number,
): Promise<Uint8Array> {
  const segment = new Uint8Array(end - start);
  await new DeltaSegmentDecoder(plan, coder, memorySource(source), source.length).decode(bytes, segment, start);
  return segment;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const KINDS = [...Object.values(REGION_KIND)].filter((kind) => kind !== REGION_KIND.bss);

/** Fields that refer to something, by kind: what random words seldom are. Little-endian but for the last. */
const REFERENCES: Partial<Record<RegionKind, readonly number[]>> = {
  [REGION_KIND.a64]: [0x94000000, 0x90000000, 0x91000000, 0x54000000, 0xf9400000, 0x58000000],
  [REGION_KIND.a32]: [0xeb000000, 0x0a000000, 0xe59f0000, 0xe3000000, 0xe3400000, 0xe08f0000],
  [REGION_KIND.t32]: [0xf800f000, 0x44784800, 0x4800d000, 0xf8df0000, 0x0000f240, 0x0000f2c0],
  [REGION_KIND.x64]: [0x000000e8, 0x058d48eb, 0x0000840f, 0x00e90574, 0x0d8b48c3],
  [REGION_KIND.riscv]: [0x000000ef, 0x00000517, 0x00050513, 0x00000063, 0xa001c111],
  [REGION_KIND.mips]: [0x0c000000, 0x3c020000, 0x24420000, 0x10000000, 0x8c430000],
  [REGION_KIND.mipsBig]: [0x0000000c, 0x0000023c, 0x00004224, 0x00000010],
};

/**
 * An image with a region of every kind, twice, in two modules, with holes and loose ends; and one made of pieces of it, with
 * words changed, that lie at any offset, aligned or not, and cross from region to region.
 */
function syntheticCase(seed: number, regionBytes = 600): Case {
  const next = random(seed);
  const below = (most: number): number => Math.floor(next() * most);
  const layout = (): Region[] => {
    let at = below(40);
    const regions: Region[] = [0, 1].flatMap((module) =>
      KINDS.map((kind) => {
        at += next() < 0.3 ? 1 + below(7) : (4 - (at & 3)) & 3;
        const length = regionBytes + below(regionBytes);
        const region = { module, kind, offset: at, length, va: 0x10000 * (1 + below(3)) + at + (next() < 0.2 ? 2 : 0) };
        at += length;
        return region;
      }),
    );
    regions.push({ module: 0, kind: REGION_KIND.bss, offset: -1, length: 0x1000, va: 0x80000 + below(64) });
    return regions;
  };
  const [from, to] = [layout(), layout()];
  const sizeOf = (regions: readonly Region[]): number => {
    const last = regions.filter(({ offset }) => offset >= 0).at(-1)!;
    return last.offset + last.length + 10;
  };
  const source = imageBytes(sizeOf(from), seed + 1000);
  const view = new DataView(source.buffer);
  for (const { kind, offset, length, va } of from) {
    for (let at = offset; offset >= 0 && at + 8 <= offset + length; at += 2 + 2 * below(8)) {
      const words = REFERENCES[kind];
      if (words !== undefined) {
        const field = kind === REGION_KIND.mipsBig ? below(64) << 24 : below(64) << below(8);
        view.setUint32(at, words[below(words.length)]! | field, true);
      } else if (kind !== REGION_KIND.raw) view.setUint32(at, va + below(0x4000), true);
    }
  }
  const target = imageBytes(sizeOf(to), seed + 2000);
  const covers = coversBetween(source.length, target.length, next);
  for (const { sourceOffset, targetOffset, length } of covers) {
    target.set(source.subarray(sourceOffset, sourceOffset + length), targetOffset);
    for (let edit = below(length / 12); edit > 0; edit--) target[targetOffset + below(length)]! += 1 + below(20);
  }
  const bases = from.map(({ kind }) =>
    kind === REGION_KIND.data32 || kind === REGION_KIND.data64
      ? [1, 4, 24].map((scale, i) => ({ source: from[i]!.va, target: to[i]!.va, scale }))
      : [],
  );
  const plan = {
    ...{
      covers: coverListOf(covers),
      source: { regions: from, vaHigh: [0, 1] },
      target: { regions: to, vaHigh: [0, 2] },
    },
    bases,
  };
  return { source, target, plan };
}

function coversBetween(sourceBytes: number, targetBytes: number, next: () => number): Cover[] {
  const below = (most: number): number => Math.floor(next() * most);
  const covers: Cover[] = [];
  for (let at = below(50); at < targetBytes;) {
    const length = Math.min(targetBytes - at, 1 + below(next() < 0.3 ? 16 : 3000));
    // Mostly near where it was, by whole words; else anywhere.
    const wanted = next() < 0.6 ? at + 4 * (below(64) - 32) : below(sourceBytes);
    const sourceOffset = Math.max(0, Math.min(wanted, sourceBytes - length));
    covers.push({ sourceOffset, targetOffset: at, length });
    at += length + (next() < 0.5 ? 0 : below(100));
  }
  return covers;
}

describe('segments of images with regions of every kind', () => {
  it('come back from both coders, which write the same bytes', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const images = syntheticCase(seed);
      const { length } = images.target;
      const bytes = coded(images, mix);
      expect(isSame(coded(images, twin), bytes), `seed ${seed}: other bytes`).toBe(true);
      for (const reader of [mixReader, twinReader]) {
        const target = await decoded(images, reader, bytes, 0, length);
        expect(isSame(target, images.target), `seed ${seed}: another target`).toBe(true);
      }
    }
  });

  it('are independent: each has the same bytes whatever was coded before, and comes back by itself', async () => {
    const images = syntheticCase(31);
    const encoder = new SegmentEncoder(images, { plan: images.plan, modelSizes: TEST_SIZES }, { models: () => mix });
    const decoder = new DeltaSegmentDecoder(images.plan, twinReader, memorySource(images.source), images.source.length);
    const step = 3001;
    const ranges = Array.from({ length: Math.ceil(images.target.length / step) }, (_, i) => {
      return [i * step, Math.min(images.target.length, (i + 1) * step)] as const;
    });
    const inOrder = ranges.map(([start, end]) => {
      encoder.encode(start, end);
      return mix.stream;
    });
    for (const [i, [start, end]] of [...ranges.entries()].reverse()) {
      expect(isSame(coded(images, twin, start, end), inOrder[i]!)).toBe(true);
      const segment = new Uint8Array(end - start);
      await decoder.decode(inOrder[i]!, segment, start);
      expect(isSame(segment, images.target.subarray(start, end))).toBe(true);
    }
  });

  it('come back where covers and literals are longer than a source window, whole pages of it unchanged', async () => {
    const source = imageBytes(3 * LIMITS.source_window_bytes, 5);
    const target = new Uint8Array(2.5 * LIMITS.source_window_bytes);
    target.set(source.subarray(8, 8 + target.length));
    for (const at of [5000, 70_001, 70_002, 140_000]) target[at]! ^= 0x5a;
    target.set(imageBytes(3000, 6), 30_000);
    const length = target.length - 33_000;
    const covers = coverListOf([
      { sourceOffset: 8, targetOffset: 0, length: 30_000 },
      { sourceOffset: 33_008, targetOffset: 33_000, length },
    ]);
    for (const kind of [REGION_KIND.raw, REGION_KIND.a64, REGION_KIND.data64, REGION_KIND.x64]) {
      const layout = { regions: [{ module: 0, kind, offset: 0, length: source.length, va: 0x10000 }], vaHigh: [0] };
      const plan = { covers, source: layout, target: layout, bases: [[]] };
      const bytes = coded({ source, target, plan }, mix);
      expect(bytes.length).toBeLessThan(6000);
      expect(isSame(await decoded({ source, plan }, twinReader, bytes, 0, target.length), target)).toBe(true);
    }
  });

  it('are read from the part of a slot that the patch was made from', async () => {
    const { source, target, plan } = syntheticCase(32);
    const bytes = coded({ source, target, plan }, mix);
    const slot = new Uint8Array(source.length + 5000).fill(0xaa);
    slot.set(source);
    const segment = new Uint8Array(target.length);
    await new DeltaSegmentDecoder(plan, mixReader, memorySource(slot), source.length).decode(bytes, segment, 0);
    expect(isSame(segment, target)).toBe(true);
  });

  it('are stored as they are where coding does not make them smaller', () => {
    const next = random(9);
    const target = Uint8Array.from({ length: 500 }, () => Math.floor(next() * 256));
    const encoder = new SegmentEncoder(
      { source: new Uint8Array(0), target },
      { plan: plainPlan(coverListOf([])), modelSizes: TEST_SIZES },
    );
    const stored = encoder.encode(100, 400);
    expect(isSame(stored, target.subarray(100, 400))).toBe(true);
    stored[0]! ^= 1;
    expect(isSame(stored, target.subarray(100, 400))).toBe(false);
  });

  it('stop being decoded when the work is cancelled', async () => {
    const { source, target, plan } = syntheticCase(33);
    const bytes = coded({ source, target, plan }, mix);
    const cancelled = new Pauses({ aborted: true });
    const decoder = new DeltaSegmentDecoder(plan, mixReader, memorySource(source), source.length, cancelled);
    await expect(decoder.decode(bytes, new Uint8Array(target.length), 0)).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('damaged segments', () => {
  const images = syntheticCase(40, 250);
  const { length } = images.target;
  const whole = coded(images, mix).slice();

  /** Both readers make the same of any bytes: a target, which is for its digest to judge, or an UpdateError. */
  async function expectCalm(bytes: Uint8Array, plan = images.plan, source = images.source): Promise<void> {
    const [first, second] = await Promise.all(
      [mixReader, twinReader].map(async (reader) => {
        try {
          return await decoded({ source, plan }, reader, bytes, 0, length);
        } catch (error) {
          if (!UpdateError.is(error)) throw error;
          return error.code;
        }
      }),
    );
    if (typeof first === 'string' || typeof second === 'string') expect(second).toBe(first);
    else expect(isSame(first!, second!)).toBe(true);
  }

  it('with flipped bits are bytes or an UpdateError', async () => {
    const next = random(41);
    for (let i = 0; i < 24; i++) {
      const damaged = whole.slice();
      for (let k = 0; k <= i % 4; k++) damaged[Math.floor(next() * damaged.length)]! ^= 1 << Math.floor(next() * 8);
      await expectCalm(damaged);
    }
  });

  it('that end early, or never began, are bytes or an UpdateError', async () => {
    for (const part of [0, 1, 2, 7, 100, whole.length >> 1, whole.length - 1])
      await expectCalm(whole.subarray(0, part));
  });

  it('of any bytes are bytes or an UpdateError', async () => {
    const next = random(42);
    for (let i = 0; i < 15; i++) {
      const noise = Uint8Array.from({ length: Math.floor(next() * 8000) }, () => Math.floor(next() * 256));
      await expectCalm(i % 5 === 0 ? noise.fill(i % 2 === 0 ? 0 : 255) : noise);
    }
  });

  it('for another plan, or another source, are bytes or an UpdateError', async () => {
    for (let seed = 43; seed < 47; seed++) {
      const other = syntheticCase(seed, 250);
      await expectCalm(whole, other.plan, other.source);
      const wrong = imageBytes(images.source.length, seed);
      await expectCalm(whole, images.plan, wrong);
    }
  });
});

describe('segments of a real pair, through all stages', () => {
  let images: Images;
  let finished: FinishedPlan;

  beforeAll(async () => {
    const paths = await corpusPair(SMALL_PAIR);
    const [source, target] = [paths!.source, paths!.target].map((path) => new Uint8Array(readFileSync(path)));
    images = { source: source!, target: target! };
    const layouts = analyse(images);
    const covers = await matchImages(images, inlineSteps(images, layouts));
    finished = finishPlan(images, { layouts, covers });
  });

  it('make the target, with either coder for either side, and are far smaller than it', async () => {
    const { source, target } = images;
    const { plan, bytes } = finished;
    const sizes: ModelSizes = { flagBits: 16, byteBits: 16 };
    const [a, b] = [referenceModels, modelCoder].map((models) => {
      return new SegmentEncoder(images, { plan, modelSizes: sizes }, { models });
    });
    const readers = [new WasmCoder(false, sizes), new MixCoder(false, sizes)];
    let total = bytes.length;
    for (let start = 0; start < target.length; start += 2 ** 17) {
      const end = Math.min(target.length, start + 2 ** 17);
      const encoded = a!.encode(start, end);
      expect(isSame(b!.encode(start, end), encoded)).toBe(true);
      total += encoded.length;
      const reader = readers[(start / 2 ** 17) % 2]!;
      const segment = await decoded({ source, plan }, reader, encoded, start, end);
      expect(isSame(segment, target.subarray(start, end))).toBe(true);
    }
    expect(total).toBeLessThan(target.length / 5);
  });

  it('tell what they cost by stream, and cost the same when nobody counts', () => {
    const coded = { plan: finished.plan, modelSizes: TEST_SIZES };
    const metered = new SegmentEncoder(images, coded, { metered: true });
    const encoded = metered.encode(0, 2 ** 17);
    const { flags, misses, literals } = metered.costs!;
    expect(Math.abs(flags + misses + literals - encoded.length)).toBeLessThan(16);
    const plain = new SegmentEncoder(images, coded);
    expect(plain.costs).toBeNull();
    expect(isSame(plain.encode(0, 2 ** 17), encoded)).toBe(true);
  });
});
