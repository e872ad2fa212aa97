import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../native-free/apply/bytes-source.ts';
import { DeltaSegmentDecoder } from '../../../native-free/apply/segment-decoders.ts';
import {
  canonicalImage,
  masked,
  sourceNames,
  targetNames,
  type Naming,
} from '../../../native-free/diff/naming/canonical.ts';
import { SegmentEncoder } from '../../../native-free/diff/write/encode-segment.ts';
import { findTables, inverted } from '../../../native-free/diff/naming/find-bases.ts';
import { NO_LAYOUT, type NamedRegion } from '../../../native-free/diff/layout/named-layout.ts';
import { inlineSteps, matchImages } from '../../../native-free/diff/match-images.ts';
import { pairRegions, withBases } from '../../../native-free/diff/layout/pair-regions.ts';
import * as stages from '../../../native-free/diff/stages.ts';
import { coversIn, coverListOf, type Cover } from '../../../native-free/format/cover.ts';
import { REGION_KIND, type Layout, type RegionKind } from '../../../native-free/format/regions.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { MixCoder } from '../../../native-free/model/mix-coder.ts';
import { AddressMap } from '../../../native-free/predict/address-map.ts';
import { buildElf, CODE, MACHINE, WRITABLE } from '../../support/elf.ts';
import { imageBytes, random } from '../../support/images.ts';

const wordsOf = (...words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** A function of A64: loads the address of a datum, calls others, and has a body of its own. */
interface Code {
  readonly name: number;
  readonly calls: readonly number[];
  readonly datum: number;
  readonly body: readonly number[];
}

const FUNCTION_WORDS = 12;

function functions(count: number, seed: number): Code[] {
  const next = random(seed);
  const below = (most: number): number => Math.floor(next() * most);
  return Array.from({ length: count }, (_, name) => ({
    ...{ name, calls: [below(count), below(count), below(count)], datum: 8 * below(100) },
    // ADD (shifted register) with any registers.
    body: Array.from(
      { length: FUNCTION_WORDS - 6 },
      () => 0x8b000000 | (below(31) << 16) | (below(31) << 5) | below(31),
    ),
  }));
}

interface Text {
  readonly bytes: Uint8Array;
  /** Byte offsets of the functions, by name. */
  readonly at: ReadonlyMap<number, number>;
}

/** ADRP x0 and ADD x0; BL, three times; the body; RET. */
function assembled(code: readonly Code[], va: number, dataVa: number): Text {
  const at = new Map(code.map(({ name }, i) => [name, 4 * FUNCTION_WORDS * i]));
  const words = code.flatMap(({ name, calls, datum, body }) => {
    const here = va + at.get(name)!;
    const pages = ((dataVa + datum) >>> 12) - (here >>> 12);
    const calling = calls.map((callee, i) => {
      return 0x94000000 | (((va + at.get(callee)! - (here + 8 + 4 * i)) >> 2) & 0x3ffffff);
    });
    const page = 0x90000000 | ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5);
    return [page, 0x91000000 | (((dataVa + datum) & 0xfff) << 10), ...calling, ...body, 0xd65f03c0];
  });
  return { bytes: wordsOf(...words), at };
}

/** 20 functions; then the same with one more in front of the sixth, loaded elsewhere. Data follow the code. */
function movedCode() {
  const code = functions(20, 3);
  const extra: Code = { ...code[0]!, name: 99, calls: [1, 2, 3] };
  const [from, to] = [
    { va: 0x10000, dataVa: 0x40000 },
    { va: 0x21000, dataVa: 0x58040 },
  ];
  const source = assembled(code, from.va, from.dataVa);
  const target = assembled([...code.slice(0, 5), extra, ...code.slice(5)], to.va, to.dataVa);
  const layout = ({ bytes }: Text, { va, dataVa }: typeof from): Layout => ({
    regions: [
      { module: 0, kind: REGION_KIND.a64, offset: 0, length: bytes.length, va },
      { module: 0, kind: REGION_KIND.data64, offset: bytes.length, length: 1000, va: dataVa },
    ],
    vaHigh: [0],
  });
  const early = target.at.get(5)! - 4 * FUNCTION_WORDS;
  const covers = coverListOf([
    { sourceOffset: 0, targetOffset: 0, length: early },
    { sourceOffset: early, targetOffset: target.at.get(5)!, length: source.bytes.length - early + 1000 },
  ]);
  const image = ({ bytes }: Text): Uint8Array => Uint8Array.from([...bytes, ...new Uint8Array(1000)]);
  return {
    ...{ source: image(source), target: image(target), sourceAt: source.at, targetAt: target.at, covers },
    ...{ sourceLayout: layout(source, from), targetLayout: layout(target, to), names: [...source.at.keys()] },
  };
}

describe('canonical images', () => {
  const moved = movedCode();
  const { source, target, sourceLayout, targetLayout, covers, names } = moved;
  const functionIn = (image: Uint8Array, at: number): Uint8Array => image.subarray(at, at + 4 * FUNCTION_WORDS);
  const alike = (a: Uint8Array, b: Uint8Array): number =>
    names.filter((name) => isSame(functionIn(a, moved.sourceAt.get(name)!), functionIn(b, moved.targetAt.get(name)!)))
      .length;
  const inverse = (list = covers): Naming => targetNames(new AddressMap(inverted(list), targetLayout, sourceLayout));

  it('have the same bytes for code at different addresses that refers to the same things', () => {
    const a = canonicalImage(source, sourceLayout, sourceNames());
    expect(alike(source, target)).toBe(0);
    expect(alike(a, canonicalImage(target, targetLayout, inverse()))).toBe(names.length);
    // Without the second cover, what moved by more has other names.
    const partly = canonicalImage(target, targetLayout, inverse(coverListOf(coversIn(covers).slice(0, 1))));
    expect(alike(a, partly)).toBeLessThan(names.length / 2);
  });

  it('have the same bytes for all code of one shape when references are masked', () => {
    const a = canonicalImage(source, sourceLayout, masked);
    const b = canonicalImage(target, targetLayout, masked);
    expect(alike(a, b)).toBe(names.length);
    expect(isSame(functionIn(b, moved.targetAt.get(99)!), functionIn(b, moved.targetAt.get(0)!))).toBe(true);
  });

  it('tell apart what refers to different things', () => {
    const named = canonicalImage(target, targetLayout, inverse());
    expect(isSame(functionIn(named, moved.targetAt.get(99)!), functionIn(named, moved.targetAt.get(0)!))).toBe(false);
  });

  it('leave alone the image they are made of, bytes without regions, and words that are no references', () => {
    const before = source.slice();
    const into = new Uint8Array(source.length).fill(1);
    const named = canonicalImage(source, sourceLayout, sourceNames(), [], into);
    expect(named).toBe(into);
    expect(isSame(source, before)).toBe(true);
    expect(isSame(canonicalImage(source, { regions: [], vaHigh: [] }, sourceNames()), source)).toBe(true);
    for (const at of moved.sourceAt.values())
      expect(isSame(named.subarray(at + 20, at + 48), source.subarray(at + 20, at + 48))).toBe(true);
  });

  it('name addresses in tables, and nothing that only looks like one', () => {
    const kinds = [REGION_KIND.data64, REGION_KIND.data32];
    const table = wordsOf(0x10010, 7, 0x10010, 8, 0x500, 7, 0x90000, 7);
    const [wide, narrow] = kinds.map((kind) => {
      const regions = [{ module: 0, kind, offset: 0, length: 32, va: 0x10000 }];
      const words = new Uint32Array(canonicalImage(table, { regions, vaHigh: [7] }, sourceNames()).buffer);
      return Array.from(words, (word, i) => word !== new DataView(table.buffer).getUint32(4 * i, true));
    });
    expect(wide).toEqual([true, true, false, false, false, false, false, false]);
    expect(narrow).toEqual([true, false, true, false, false, false, false, false]);
  });
});

describe('tables', () => {
  const COUNT = 200;
  /** A text, then a table of words; 0x120 bytes more in the middle of the target's text. */
  function tables(wordAt: (offset: number, place: number, text: number) => number, order = (i: number): number => i) {
    const next = random(4);
    const offsets = Array.from({ length: COUNT }, () => 48 * Math.floor(next() * 0x155));
    const image = (va: number, extra: number, at: (i: number) => number) => {
      const length = 0x4000 + extra;
      const bytes = new Uint8Array(length + 4 * COUNT);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < COUNT; i++) {
        const offset = offsets[at(i)]!;
        const there = offset >= 0x2000 ? offset + extra : offset;
        view.setUint32(length + 4 * i, wordAt(there, va + length + 4 * i, va), true);
      }
      const text = { module: 0, kind: REGION_KIND.a64, offset: 0, length, va };
      const table = { ...text, kind: REGION_KIND.data32, offset: length, length: 4 * COUNT, va: va + length };
      return { bytes, layout: { regions: [text, table], vaHigh: [0] } };
    };
    const [source, target] = [image(0x10000, 0, (i) => i), image(0x30000, 0x120, order)];
    const covers = coverListOf([
      { sourceOffset: 0, targetOffset: 0, length: 0x2000 },
      { sourceOffset: 0x2000, targetOffset: 0x2120, length: 0x2000 + 4 * COUNT },
    ]);
    const pairs = { counterpart: Int32Array.of(0, 1), names: ['.text', '.table'] };
    const plan = { covers, source: source.layout, target: target.layout };
    return { source, target, plan, pairs, found: findTables(source.bytes, target.bytes, plan, pairs) };
  }

  it.each([1, 4, 16, 24])('of distances from a base, in steps of %i, are recognised', (scale) => {
    const { found } = tables((offset) => offset / scale);
    const base = { source: 0x10000, target: 0x30000, scale };
    expect(found.bases).toEqual([[], [base]]);
    expect(found.source[1]!.chunks).toEqual([{ even: base, odd: base }]);
    expect([found.source[0], found.source[1]!.va, found.target[1]]).toEqual([undefined, 0x14000, found.source[1]]);
  });

  it('are recognised by their words, in whatever order the target has them', () => {
    const { found } = tables(
      (offset) => offset,
      (i) => (i * 7 + 3) % COUNT,
    );
    expect(found.bases[1]).toHaveLength(1);
  });

  it('of distances from their own place have that meaning', () => {
    const { found } = tables((offset, place, text) => text + offset - place);
    expect(found.source[1]!.chunks).toEqual([{ even: 'place', odd: 'place' }]);
  });

  it('of words that are something else, or that stay what they were, have no meaning', () => {
    const next = random(6);
    for (const word of [() => Math.floor(next() * 2 ** 32), () => Math.floor(next() * 0x4000), () => 12]) {
      const { found } = tables(word);
      expect(found.bases).toEqual([[], []]);
      expect(found.source[1]!.chunks).toEqual([{ even: null, odd: null }]);
    }
  });

  it('without a counterpart, or too short to tell, are left alone', () => {
    const { source, target, plan, pairs } = tables((offset) => offset);
    const alone = findTables(source.bytes, target.bytes, plan, { ...pairs, counterpart: Int32Array.of(0, -1) });
    expect(alone).toEqual({ bases: [[], []], source: [], target: [] });
    const [text, table] = plan.source.regions;
    const short = { ...plan, source: { ...plan.source, regions: [text!, { ...table!, length: 60 }] } };
    expect(findTables(source.bytes, target.bytes, short, pairs).bases).toEqual([[], []]);
    expect(findTables(source.bytes, target.bytes, { ...plan, covers: coverListOf([]) }, pairs).bases).toEqual([[], []]);
  });

  it('become equal in canonical images, though every second word changed', () => {
    const { source, target, plan, found } = tables((offset) => offset);
    const inverse = new AddressMap(inverted(plan.covers), plan.target, plan.source);
    const a = canonicalImage(source.bytes, plan.source, sourceNames(), found.source).subarray(0x4000);
    const b = canonicalImage(target.bytes, plan.target, targetNames(inverse), found.target).subarray(0x4120);
    expect(isSame(source.bytes.subarray(0x4000), target.bytes.subarray(0x4120))).toBe(false);
    expect(isSame(a, b)).toBe(true);
  });
});

describe('paired regions', () => {
  const named = (name: string, offset: number, module = 0, kind: RegionKind = REGION_KIND.a64): NamedRegion => ({
    ...{ name, module, kind, offset, length: 10, va: 0x1000 * module + offset },
  });
  const placesOf = ({ regions }: Layout): string[] => regions.map(({ module, offset }) => `${module} at ${offset}`);

  it('have the same name and kind, and are given out once', () => {
    const source = { regions: [named('.a', 0), named('.b', 10), named('.b', 20), named('.c', 30)], vaHigh: [0] };
    const c = named('.c', 0, 0, REGION_KIND.data32);
    const target = { regions: [c, named('.b', 10), named('.a', 20), named('.new', 30)], vaHigh: [5] };
    const paired = pairRegions(source, target, [0]);
    expect([paired.names, [...paired.counterpart]]).toEqual([
      ['.a', '.b', '.b', '.c'],
      [1, 0, -1, -1],
    ]);
    expect(paired.target.regions.map(({ offset }) => offset)).toEqual([10, 20]);
    expect([paired.source.vaHigh, paired.target.vaHigh]).toEqual([[0], [5]]);
  });

  it('belong to modules that are numbered anew; those without partner, or whose partner is taken, are left out', () => {
    const source = { regions: [0, 1, 2].map((module) => named('.text', 10 * module, module)), vaHigh: [10, 11, 12] };
    const target = { regions: [0, 1, 2].map((module) => named('.text', 10 * module, module)), vaHigh: [20, 21, 22] };
    const paired = pairRegions(source, target, [2, -1, 1]);
    expect(placesOf(paired.source)).toEqual(['0 at 10', '1 at 20']);
    expect(placesOf(paired.target)).toEqual(['1 at 0', '0 at 20']);
    expect(paired.paired.highs.flat()).toEqual([11, 22, 12, 20]);
    expect([...paired.counterpart]).toEqual([1, 0]);
    expect(pairRegions(source, target, [1, 1, 1]).source.regions).toHaveLength(1);
    expect(pairRegions(source, target, [-1, -1, -1])).toMatchObject({ paired: { pairs: [], highs: [] }, names: [] });
  });

  it('get the bases of the region that they are', () => {
    const regions = [named('.x', 20), named('.y', 0)];
    const paired = pairRegions({ regions, vaHigh: [0] }, { regions, vaHigh: [0] }, [0]);
    const base = { source: 1, target: 2, scale: 4 };
    const { pairs } = withBases(paired, [[base], []]);
    expect(pairs.map(({ bases }) => bases.length)).toEqual([0, 1]);
    expect(pairs[1]).toMatchObject({ source: { offset: 0 }, bases: [base] });
  });
});

interface Patch {
  readonly bytes: number;
  readonly covers: Cover[];
  readonly regions: number;
}

/** Nothing known of either image. */
const NO_LAYOUTS = pairRegions(NO_LAYOUT, NO_LAYOUT, []);

/** Makes a delta by all stages, with or without knowledge of the images, and fails unless it gives the target. */
async function patched(source: Uint8Array, target: Uint8Array, isPlain = false): Promise<Patch> {
  const images = { source, target };
  const layouts = isPlain ? NO_LAYOUTS : stages.analyse(images);
  const covers = await matchImages(images, inlineSteps(images, layouts));
  const sizes = { flagBits: 14, byteBits: 14 };
  const finished = stages.finishPlan(images, { layouts, covers }, { modelSizes: sizes });
  const { plan, bytes } = finished;
  const encoded = new SegmentEncoder(images, finished).encode(0, target.length);
  const again = new Uint8Array(target.length);
  const decoder = new DeltaSegmentDecoder(plan, new MixCoder(false, sizes), memorySource(source), source.length);
  if (encoded.length === target.length) again.set(encoded);
  else await decoder.decode(encoded, again, 0);
  expect(isSame(again, target)).toBe(true);
  return { bytes: bytes.length + encoded.length, covers: coversIn(plan.covers), regions: plan.target.regions.length };
}

describe('stages', () => {
  const elf = (code: readonly Code[], shift = 0): Uint8Array => {
    const text = assembled(code, 0x10000, 0x80000 + shift);
    return buildElf({
      machine: MACHINE.aarch64,
      sections: [
        { name: '.text', flags: CODE, va: 0x10000, bytes: text.bytes },
        { name: '.data', flags: WRITABLE, va: 0x80000 + shift, bytes: new Uint8Array(2000) },
      ],
    });
  };

  it('make a patch of nearly nothing for identical images', async () => {
    const image = imageBytes(50_000, 1);
    const { bytes, covers } = await patched(image, image);
    expect(covers).toEqual([{ sourceOffset: 0, targetOffset: 0, length: 50_000 }]);
    expect(bytes).toBeLessThan(32);
  });

  it.each(['0 and 0', '0 and 1', '1 and 0', '1 and 1', '0 and 5000', '5000 and 0', '5000 and 1', '3 and 70'])(
    'take images of %s bytes',
    async (lengths) => {
      const [sourceBytes, targetBytes] = lengths.split(' and ').map(Number);
      const { bytes } = await patched(imageBytes(sourceBytes!, 2), imageBytes(targetBytes!, 3));
      expect(bytes).toBeLessThan(targetBytes! + 32);
    },
  );

  it('make a patch of no more than the target for images that have nothing in common', async () => {
    const next = random(5);
    const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(next() * 256));
    const { bytes, covers } = await patched(noise(30_000), noise(20_000));
    expect(covers).toEqual([]);
    expect(bytes).toBeLessThan(20_000 + 32);
  });

  it('make a far smaller patch of a program with a function inserted than without knowing that it is one', async () => {
    const code = functions(600, 7);
    const extra: Code = { ...functions(1, 8)[0]!, name: 1000, calls: [5, 6, 7] };
    const [source, target] = [elf(code), elf([...code.slice(0, 90), extra, ...code.slice(90)], 0x40)];
    const knowing = await patched(source!, target!);
    const plain = await patched(source!, target!, true);
    expect([knowing.regions, plain.regions]).toEqual([2, 0]);
    expect(knowing.bytes * 4).toBeLessThan(plain.bytes);
  });

  it('cut a target into windows of about equal size, without holes', () => {
    expect(stages.windowsOf(0)).toEqual([]);
    expect(stages.windowsOf(1)).toEqual([{ start: 0, end: 1 }]);
    for (const bytes of [stages.WINDOW_BYTES, 40e6, 100_000_001, LIMITS.dense_bytes_max]) {
      const windows = stages.windowsOf(bytes);
      expect(windows[0]!.start).toBe(0);
      expect(windows.at(-1)!.end).toBe(bytes);
      windows.forEach(({ start, end }, i) => {
        expect(end > start && end - start <= stages.WINDOW_BYTES_MAX).toBe(true);
        if (i > 0) expect(start).toBe(windows[i - 1]!.end);
      });
    }
  });
});
