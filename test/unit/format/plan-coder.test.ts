import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { corpusPair, SMALL_PAIR } from '../../../corpus/index.ts';
import { findBases } from '../../../native-free/diff/naming/find-bases.ts';
import { withBases } from '../../../native-free/diff/layout/pair-regions.ts';
import { alignMasked, analyse, maskReferences, type Matched } from '../../../native-free/diff/stages.ts';
import { type Images } from '../../../native-free/diff/images.ts';
import { coversIn, coverListOf, emptyCoverList, type CoverList } from '../../../native-free/format/cover.ts';
import { PlanRoom, type Plan } from '../../../native-free/format/plan.ts';
import { REGION_KIND, type Region, type RegionKind } from '../../../native-free/format/regions.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { CoverCoder, type ImageSizes } from '../../../native-free/model/covers/cover-coder.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { decodePlan, encodePlan, type PlanCosts } from '../../../native-free/model/plan-coder.ts';
import { RegionCoder, type PairedRegions, type RegionPair } from '../../../native-free/model/region-coder.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { WasmCoder } from '../../../src/wasm/mix-coder.ts';
import { random, TEST_SIZES } from '../../support/images.ts';

const SIZES: ImageSizes = { sourceBytes: 2 ** 20, targetBytes: 2 ** 20 };
const room = (): PlanRoom => new PlanRoom(200_000);
const decoder = new MixCoder(false, TEST_SIZES);

const encode = (covers: CoverList, regions: PairedRegions, sizes = SIZES, costs?: PlanCosts): Uint8Array =>
  encodePlan(covers, regions, sizes, costs, TEST_SIZES);
const decode = (plan: Uint8Array, sizes = SIZES): Plan => decodePlan(plan, sizes, room(), decoder);

/** What a decoder is to know, worked out by hand: regions of each side by offset, those outside of the file last. */
function expectedOf({ pairs, highs }: PairedRegions): Omit<Plan, 'covers'> {
  const isInFile = (pair: RegionPair): boolean => pair.source.offset >= 0;
  const sorted = [
    ...pairs.filter(isInFile).sort((a, b) => a.source.offset - b.source.offset),
    ...pairs.filter((pair) => !isInFile(pair)),
  ];
  const targets = pairs.flatMap(({ target }) => (target === null ? [] : [target]));
  const target = [
    ...targets.filter(({ offset }) => offset >= 0).sort((a, b) => a.offset - b.offset),
    ...targets.filter(({ offset }) => offset < 0),
  ];
  return {
    source: { regions: sorted.map(({ source }) => source), vaHigh: highs.map(([high]) => high) },
    target: { regions: target, vaHigh: highs.map(([, high]) => high) },
    bases: sorted.map(({ bases }) => bases),
  };
}

/** Paired layouts of up to four modules, and covers, made from a seed: valid, but as unlike real ones as can be. */
function randomPlan(seed: number): { regions: PairedRegions; covers: CoverList } {
  const next = random(seed);
  const below = (most: number): number => Math.floor(next() * most);
  const any32 = (): number =>
    [below(2 ** 32), below(4096), 2 ** 32 - 1 - below(3), below(2 ** 32) & ~0xfff][below(4)]! >>> 0;
  const count = below(24);
  const places = (): { offset: number; length: number }[] => {
    let at = below(50);
    const list = Array.from({ length: count }, () => {
      const place = { offset: at, length: 1 + below(next() < 0.5 ? 40 : 20_000) };
      at += place.length + (next() < 0.5 ? 0 : below(500));
      return place;
    });
    return list;
  };
  const [sourcePlaces, targetPlaces] = [places(), places()];
  if (next() < 0.5) targetPlaces.sort(() => next() - 0.5);
  const owners = sourcePlaces.map(() => below(4));
  const owned = [...new Set(owners)].sort();
  const region = (module: number, kind: RegionKind, place: { offset: number; length: number }): Region => ({
    ...{ module, kind, ...place, va: any32() },
  });
  const pairs: RegionPair[] = [];
  owned.forEach((owner, module) => {
    sourcePlaces.forEach((place, i) => {
      if (owners[i] !== owner) return;
      const kind = below(REGION_KIND.bss) as RegionKind;
      const target = next() < 0.2 ? null : region(module, kind, targetPlaces[i]!);
      const hasBases = (kind === REGION_KIND.data32 || kind === REGION_KIND.data64) && next() < 0.7;
      const bases = Array.from({ length: hasBases ? below(LIMITS.bases_max + 1) : 0 }, () => ({
        ...{ source: any32(), target: any32(), scale: [1, 4, 16, 24][below(4)]! },
      }));
      pairs.push({ source: region(module, kind, place), target, bases });
    });
    for (let i = below(3); i > 0; i--) {
      const outside = (): Region => region(module, REGION_KIND.bss, { offset: -1, length: 1 + any32() });
      pairs.push({ source: outside(), target: next() < 0.3 ? null : outside(), bases: [] });
    }
  });
  const covers = sourcePlaces.map(({ offset, length }, i) => ({
    ...{
      sourceOffset: offset,
      targetOffset: targetPlaces[i]!.offset,
      length: Math.min(length, targetPlaces[i]!.length),
    },
  }));
  covers.sort((a, b) => a.targetOffset - b.targetOffset);
  const kept = covers.filter(() => next() < 0.7);
  return {
    regions: { pairs, highs: owned.map(() => [any32(), next() < 0.5 ? 0 : any32()]) },
    covers: coverListOf(kept),
  };
}

/** Fails unless the plan keeps all that a decoder relies on. */
function expectValid({ covers, source, target, bases }: Plan, sizes: ImageSizes): void {
  let end = 0;
  for (const { sourceOffset, targetOffset, length } of coversIn(covers)) {
    if (targetOffset < end || sourceOffset < 0 || length < 1) expect.fail('covers are out of order');
    if (sourceOffset + length > sizes.sourceBytes) expect.fail('a cover leaves the source');
    end = targetOffset + length;
  }
  expect(end).toBeLessThanOrEqual(sizes.targetBytes);
  expect(source.vaHigh.length).toBe(target.vaHigh.length);
  expect(bases.length).toBe(source.regions.length);
  for (const [regions, bytes] of [
    [source.regions, sizes.sourceBytes],
    [target.regions, sizes.targetBytes],
  ] as const) {
    let at = 0;
    for (const { module, kind, offset, length, va } of regions) {
      if (module >= source.vaHigh.length || kind > REGION_KIND.bss || length < 1) expect.fail('an impossible region');
      if (va >>> 0 !== va) expect.fail(`${va} is no address`);
      if (offset < 0 !== (kind === REGION_KIND.bss)) expect.fail('a region is outside of the file, or should be');
      if (offset >= 0 && (at < 0 || offset < at)) expect.fail('regions are out of order');
      at = offset < 0 ? -1 : offset + length;
      expect(at).toBeLessThanOrEqual(bytes);
    }
  }
  for (const base of bases.flat()) {
    if (base.source >>> 0 !== base.source || base.target >>> 0 !== base.target) expect.fail('a base is no address');
    expect([1, 4, 16, 24]).toContain(base.scale);
  }
}

function expectValidOrRefused(plan: Uint8Array, sizes: ImageSizes): void {
  let read: Plan;
  try {
    read = decode(plan, sizes);
  } catch (error) {
    if (!UpdateError.is(error)) throw error;
    expect(error.code).toBe('plan_malformed');
    return;
  }
  expectValid(read, sizes);
}

describe('plan with layouts', () => {
  it('gives back any valid layouts, their bases and the covers', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { regions, covers } = randomPlan(seed);
        const plan = decode(encode(covers, regions));
        expect(coversIn(plan.covers)).toEqual(coversIn(covers));
        expect({ source: plan.source, target: plan.target, bases: plan.bases }).toEqual(expectedOf(regions));
        expectValid(plan, SIZES);
      }),
      { numRuns: 150 },
    );
  });

  it('is written alike by every coder, and read alike', () => {
    const { regions, covers } = randomPlan(77);
    const twin = new WasmCoder(true, TEST_SIZES);
    twin.start(null);
    new CoverCoder(twin).code(covers, SIZES);
    new RegionCoder(twin, covers, SIZES).code(regions);
    const plan = encode(covers, regions);
    expect(Buffer.compare(twin.finish(), plan)).toBe(0);
    expect(decodePlan(plan, SIZES, room(), new WasmCoder(false, TEST_SIZES))).toEqual(decode(plan));
  });

  it('costs next to nothing where covers tell what became of regions', () => {
    const pairs: RegionPair[] = Array.from({ length: 200 }, (_, i) => {
      const source = {
        module: 0,
        kind: REGION_KIND.a64,
        offset: i * 0x1000,
        length: 0x1000,
        va: 0x400000 + i * 0x1000,
      };
      return { source, target: { ...source, offset: source.offset + 0x500, va: source.va + 0x500 }, bases: [] };
    });
    const covers = coverListOf([{ sourceOffset: 0, targetOffset: 0x500, length: 200 * 0x1000 }]);
    const costs: PlanCosts = { covers: 0, regions: 0 };
    const bytes = encode(covers, { pairs, highs: [[0, 0]] }, SIZES, costs);
    expect(costs.covers + costs.regions).toBe(bytes.length);
    expect(costs.regions).toBeLessThan(64);
  });

  it('may be without regions, without covers, and empty', () => {
    const none: PairedRegions = { pairs: [], highs: [] };
    const plan = decode(encode(emptyCoverList(0), none, { sourceBytes: 0, targetBytes: 0 }), {
      ...{ sourceBytes: 0, targetBytes: 0 },
    });
    expect([plan.covers.count, plan.source.regions, plan.target.regions, plan.bases]).toEqual([0, [], [], []]);
  });
});

describe('plan of real programs', () => {
  let images: Images;
  let matched: Matched;
  let regions: PairedRegions;

  beforeAll(async () => {
    const paths = await corpusPair(SMALL_PAIR);
    images = {
      source: new Uint8Array(readFileSync(paths!.source)),
      target: new Uint8Array(readFileSync(paths!.target)),
    };
    const { source, target } = images;
    const layouts = analyse(images);
    const copies = { source: source.slice(), target: target.slice() };
    maskReferences(source, layouts.source, copies.source);
    maskReferences(target, layouts.target, copies.target);
    const covers = alignMasked(copies);
    matched = { layouts, covers };
    const known = { covers, source: layouts.source, target: layouts.target };
    regions = withBases(layouts, findBases(source, target, known, layouts));
  });

  it('gives back what was found in them', () => {
    const { layouts, covers } = matched;
    expect(layouts.source.regions.length).toBeGreaterThan(5);
    const sizes = { sourceBytes: images.source.length, targetBytes: images.target.length };
    const plan = decode(encode(covers, regions, sizes), sizes);
    expect(plan.source).toEqual(layouts.source);
    expect(plan.target).toEqual(layouts.target);
    expect(plan.bases).toEqual(expectedOf(regions).bases);
    expect(coversIn(plan.covers)).toEqual(coversIn(covers));
    expectValid(plan, sizes);
  });

  it('is refused for images that are too small for it', () => {
    const { covers } = matched;
    const sizes = { sourceBytes: images.source.length, targetBytes: images.target.length };
    const plan = encode(covers, regions, sizes);
    for (const smaller of [
      { ...sizes, sourceBytes: 1000 },
      { ...sizes, targetBytes: 1000 },
    ]) {
      expect(() => decode(plan, smaller)).toThrow(UpdateError);
    }
  });
});

describe('malformed plans', () => {
  /** What an encoder has written of layouts before it noticed that they are wrong. */
  function forged(pairs: readonly RegionPair[], highs: PairedRegions['highs'] = [[0, 0]], sizes = SIZES): Uint8Array {
    const coder = new MixCoder(true, TEST_SIZES);
    const covers = emptyCoverList(0);
    coder.start(null);
    new CoverCoder(coder).code(covers, sizes);
    try {
      new RegionCoder(coder, covers, sizes).code({ pairs, highs });
    } catch (error) {
      expect(UpdateError.is(error)).toBe(true);
    }
    return coder.finish();
  }

  const region = (offset: number, length: number, kind: number = REGION_KIND.data32): Region => ({
    ...{ module: 0, kind: kind as RegionKind, offset, length, va: 0x1000 },
  });
  const pair = (source: Region, target: Region | null = source): RegionPair => ({ source, target, bases: [] });
  const base = { source: 0x1000, target: 0x1000, scale: 1 };

  it.each<readonly [string, Uint8Array, RegExp]>([
    ['regions of the source that overlap', forged([pair(region(0, 20), null), pair(region(19, 20), null)]), /overlap/],
    [
      'regions of the target that overlap',
      forged([pair(region(0, 20)), pair(region(20, 20), region(5, 3))]),
      /overlap/,
    ],
    ['a region that begins before the source', forged([pair(region(-5, 20), null)]), /source/],
    ['a region that ends behind the source', forged([pair(region(2 ** 20 - 8, 9), null)]), /source/],
    ['a region that begins before the target', forged([pair(region(0, 20), region(-5, 20))]), /target/],
    ['a region that ends behind the target', forged([pair(region(0, 20), region(2 ** 20 - 19, 20))]), /target/],
    ['a region of the target that is empty', forged([pair(region(0, 20), region(0, 0))]), /target/],
    ['memory of the target that is empty', forged([pair(region(-1, 9, 10), region(-1, 0, 10))]), /empty/],
    ['a kind that nobody knows', forged([pair(region(0, 20, 11), null)]), /11/],
    [
      'too many bases',
      forged([{ ...pair(region(0, 20)), bases: new Array(LIMITS.bases_max + 1).fill(base) }]),
      /9 where 8/,
    ],
    ['too many regions', forged(new Array(LIMITS.regions_max + 1).fill(pair(region(0, 1)))), /65537 where 65536/],
    ['a high word of more than 32 bits', forged([pair(region(0, 20))], [[2 ** 32, 0]]), /4294967296/],
  ])('are refused for %s', (_, plan, message) => {
    expect(() => decode(plan)).toThrow(UpdateError);
    expect(() => decode(plan)).toThrow(message);
    expectValidOrRefused(plan, SIZES);
  });

  it('are refused when they are written, if regions overlap', () => {
    const pairs = [pair(region(0, 20), null), pair(region(10, 20), null)];
    expect(() => encode(emptyCoverList(0), { pairs, highs: [[0, 0]] })).toThrow(/overlap/);
  });

  it('of any bytes are a valid plan or an UpdateError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expectValidOrRefused(bytes, { sourceBytes: 5000, targetBytes: 7000 });
      }),
      { numRuns: 500 },
    );
  });

  it('from real ones, damaged, are a valid plan or an UpdateError', () => {
    const next = random(8);
    const below = (most: number): number => Math.floor(next() * most);
    for (let seed = 1; seed <= 12; seed++) {
      const { regions, covers } = randomPlan(seed);
      const plan = encode(covers, regions);
      for (let i = 0; i < 30; i++) {
        const damaged = plan.slice(0, i % 3 === 0 ? below(plan.length) : plan.length);
        for (let k = below(4); k > 0 && damaged.length > 0; k--) damaged[below(damaged.length)]! ^= 1 << below(8);
        expectValidOrRefused(damaged, SIZES);
      }
    }
  });
});
