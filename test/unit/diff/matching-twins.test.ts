import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { corpusPair } from '../../../corpus/index.ts';
import {
  gathered,
  referenceMatching,
  shareRanges,
  type Matching,
  type OpenRanges,
} from '../../../native-free/diff/match/matching.ts';
import { SourceView } from '../../../native-free/diff/match/source-view.ts';
import { analyse } from '../../../native-free/diff/stages.ts';
import { inlineSteps, matchImages } from '../../../native-free/diff/match-images.ts';
import { coverListOf, coversIn, type Cover, type CoverList } from '../../../native-free/format/cover.ts';
import { wasmMatching } from '../../../src/wasm/matching.ts';
import { concat, noise, watcher } from '../../support/images.ts';

const reference = referenceMatching();

const whole = (source: Uint8Array): SourceView =>
  new SourceView(source, source.length === 0 ? [] : [[0, source.length]]);

interface Found {
  readonly covers: Cover[];
  readonly parsed: Cover[];
  /** As if the images were canonical copies of others. */
  readonly parsedCopies: Cover[];
}

/** Some other image that this could be a canonical copy of: what is equal there may differ here, and the other way. */
const likeOriginal = (copy: Uint8Array): Uint8Array =>
  copy.map((byte, i) => (i % 5 === 0 ? byte >> 2 : byte ^ (i >> 9)));

function find<Index>(
  matching: Matching<Index>,
  view: SourceView,
  target: Uint8Array,
  ranges: OpenRanges,
  seeds: readonly Cover[] = [],
): Found {
  const index = matching.index(view);
  matching.begin(index);
  const covers = coversIn(matching.findCovers(index, target, ranges));
  const list = coverListOf(seeds);
  matching.begin(index);
  const parsed = coversIn(matching.parseCovers(index, { target }, ranges, list));
  const original = whole(likeOriginal(view.bytes()));
  const both = matching.index(view, undefined, original);
  matching.begin(both);
  const plain = likeOriginal(target);
  return { covers, parsed, parsedCopies: coversIn(matching.parseCovers(both, { target, plain }, ranges, list)) };
}

/** Throws unless both find the same; gives what they found. */
function compare(view: SourceView, target: Uint8Array, ranges: OpenRanges, seeds: readonly Cover[] = []): Found {
  // Without memory in common the twin would be the reference.
  expect(wasmMatching.index(view)).toHaveProperty('memory');
  const found = find(wasmMatching, view, target, ranges, seeds);
  expect(found).toEqual(find(reference, view, target, ranges, seeds));
  return found;
}

afterEach(() => {
  vi.doUnmock('../../../src/wasm/instance.ts');
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe('covers found in WebAssembly are those of the reference', () => {
  const text = noise(5000, 1);
  const pairs: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ['nothing from nothing', new Uint8Array(0), new Uint8Array(0)],
    ['an image without a source', new Uint8Array(0), text],
    ['nothing from a source', text, new Uint8Array(0)],
    ['one byte', Uint8Array.of(7), Uint8Array.of(7)],
    ['five bytes, fewer than are looked up', Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(1, 2, 3, 4, 5)],
    ['one byte in a larger image', Uint8Array.of(7), new Uint8Array(1000).fill(7)],
    ['equal bytes', new Uint8Array(70_000).fill(9), new Uint8Array(60_000).fill(9)],
    ['zeros with one change', new Uint8Array(70_000), new Uint8Array(70_000).fill(1, 33_333, 33_334)],
    ['the highest bytes', new Uint8Array(5000).fill(255), new Uint8Array(6000).fill(255)],
    [
      'a period',
      Uint8Array.from({ length: 50_000 }, (_, i) => i % 48),
      Uint8Array.from({ length: 50_000 }, (_, i) => (i + 7) % 48),
    ],
    ['the same image', text, text],
    ['an image that ends within a match', text, text.subarray(0, 4321)],
    ['a source that ends within a match', text.subarray(0, 4321), text],
    ['parts in another order', text, concat(text.subarray(3000), noise(100, 2), text.subarray(0, 3000))],
    ['noise of few values', noise(30_000, 3).map((byte) => byte & 3), noise(30_000, 4).map((byte) => byte & 3)],
    [
      'every 37th byte changed',
      concat(...Array.from({ length: 20 }, () => text)),
      concat(...Array.from({ length: 20 }, () => text)).map((byte, i) => (i % 37 === 0 ? ~byte : byte)),
    ],
  ];
  it.each(pairs)('for %s', (_, source, target) => {
    compare(whole(source), target, [[0, target.length]]);
  });

  it('for a program, whole, in parts, from a part of the source and with seeds', () => {
    const source = watcher('source');
    const target = watcher('target');
    const found = compare(whole(source), target, [[0, target.length]]);
    expect(found.parsed.length).toBeGreaterThan(1000);
    compare(whole(source), target, [[0, target.length]], found.covers);
    compare(
      whole(source),
      target,
      [
        [0, 1],
        [100, 5000],
        [5003, 300_001],
        [300_001, target.length],
      ],
      found.parsed,
    );
    compare(
      new SourceView(source, [
        [4096, 70_000],
        [131_072, 300_000],
      ]),
      target,
      [[65_536, 262_144]],
    );
  });

  it.each(['typescript-js-minor', 'mdi-ttf', 'libc-armhf', 'sqljs-wasm'])(
    'for canonical copies of %s',
    async (name) => {
      const pair = await corpusPair(name, { fetch: false, onMiss: (reason) => console.warn(`skipped: ${reason}`) });
      if (pair === null) return;
      // The first part of each: large enough for several windows of the parse, and the reference is slow.
      const [source, target] = [pair.source, pair.target].map((path) =>
        new Uint8Array(readFileSync(path)).slice(0, 2 ** 20),
      );
      const images = { source: source!, target: target! };
      const layouts = analyse(images);
      const covers = await matchImages(images, inlineSteps(images, layouts, wasmMatching));
      expect(coversIn(covers)).toEqual(coversIn(await matchImages(images, inlineSteps(images, layouts))));
      expect(covers.count).toBeGreaterThan(0);
    },
  );

  it('for images, ranges and seeds of any kind', () => {
    const image = fc
      .array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 90 })), { maxLength: 40 })
      .map((parts) =>
        concat(...parts.map(([kind, length]) => (kind === 0 ? new Uint8Array(length) : noise(length, kind)))),
      );
    const cut = fc.integer({ min: 0, max: 3600 });
    fc.assert(
      fc.property(image, image, cut, cut, fc.nat(4000), (source, target, a, b, at) => {
        const [from, to] = [Math.min(a, b, target.length), Math.min(Math.max(a, b), target.length)];
        compare(
          whole(source),
          target,
          [
            [0, from],
            [from, to],
          ].filter(([x, y]) => x! < y!) as [number, number][],
          [{ sourceOffset: at, targetOffset: at >> 1, length: 500 }],
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('an index in WebAssembly', () => {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: Record<string, unknown> }).WebAssembly;
  const lists = (groups: readonly CoverList[]): Cover[] => coversIn(gathered(groups));

  it('may be searched in parts, in any order and number, with the same result', () => {
    const target = watcher('target');
    const index = wasmMatching.index(whole(watcher('source')));
    const ranges: OpenRanges = Array.from({ length: 9 }, (_, i) => [i * 50_000 + i, (i + 1) * 50_000]);
    const none = coverListOf([]);
    wasmMatching.begin(index);
    const all = coversIn(wasmMatching.parseCovers(index, { target }, ranges, none));
    for (const count of [1, 2, 3, 20]) {
      wasmMatching.begin(index);
      const parts = shareRanges(ranges, count);
      expect(parts.length).toBe(Math.min(count, ranges.length));
      expect(lists(parts.map((part) => wasmMatching.parseCovers(index, { target }, part, none)).reverse())).toEqual(
        all,
      );
    }
  });

  it('takes the memory of one that nobody asks any more, be it larger or smaller', () => {
    const target = watcher('target').subarray(0, 60_000);
    let used = wasmMatching.index(whole(noise(300_000, 5)));
    for (const source of [watcher('source').subarray(0, 50_000), new Uint8Array(0), watcher('source')]) {
      const index = wasmMatching.index(whole(source), used);
      expect(index).toHaveProperty('memory', (used as { memory: unknown }).memory);
      wasmMatching.begin(index);
      const found = wasmMatching.findCovers(index, target, [[0, target.length]]);
      expect(coversIn(found)).toEqual(find(reference, whole(source), target, [[0, target.length]]).covers);
      used = index;
    }
  });

  it.each([
    ['there is no WebAssembly', undefined],
    ['memory cannot be shared', { Module, Instance }],
  ])('is the reference where %s', async (_, api) => {
    vi.stubGlobal('WebAssembly', api);
    vi.resetModules();
    const { wasmMatching: matching } = await import('../../../src/wasm/matching.ts');
    const [source, target] = [watcher('source').subarray(0, 20_000), watcher('target').subarray(0, 20_000)];
    const found = find(matching, whole(source), target, [[0, 20_000]]);
    expect(matching.index(whole(source))).not.toHaveProperty('memory');
    expect(found).toEqual(find(reference, whole(source), target, [[0, 20_000]]));
  });

  it('says so where there is no memory for what is searched, and hides no other fault', async () => {
    vi.resetModules();
    let fault = Object.assign(new Error('unreachable'), { name: 'RuntimeError' });
    const placePiece = vi.fn(() => {
      throw fault;
    });
    vi.doMock('../../../src/wasm/instance.ts', () => ({ instantiate: () => ({ attach: vi.fn(), placePiece }) }));
    const { wasmMatching: matching } = await import('../../../src/wasm/matching.ts');
    const index = { memory: { buffer: new ArrayBuffer(0) }, sourceBytes: 0, hasPlain: false, end: 0 };
    const search = () => matching.findCovers(index, new Uint8Array(1), [[0, 1]]);
    expect(search).toThrow(expect.objectContaining({ code: 'memory_exceeded' }));
    fault = new TypeError('a bug');
    expect(search).toThrow('a bug');
  });
});

describe('ranges in groups', () => {
  it('are shared out by their bytes, all of them once, none without any', () => {
    const ranges: OpenRanges = [
      [0, 10],
      [20, 25],
      [30, 34],
      [40, 100],
    ];
    expect(shareRanges(ranges, 2)).toEqual([
      [[40, 100]],
      [
        [0, 10],
        [20, 25],
        [30, 34],
      ],
    ]);
    expect(shareRanges(ranges, 1)).toEqual([ranges]);
    expect(shareRanges(ranges, 9)).toHaveLength(4);
    expect(shareRanges([], 3)).toEqual([]);
  });
});
