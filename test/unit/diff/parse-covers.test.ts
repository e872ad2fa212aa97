import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpusPair } from '../../../corpus/index.ts';
import { parseCovers, type ParseOptions } from '../../../native-free/diff/parse/parse-covers.ts';
import { findCovers } from '../../../native-free/diff/match/cover-search.ts';
import { indexSource } from '../../../native-free/diff/match/source-index.ts';
import { suffixArray } from '../../../native-free/diff/match/suffix-array.ts';
import type { Cover } from '../../../native-free/format/cover.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { concat, noise, watcher } from '../../support/images.ts';

function parse(
  source: Uint8Array,
  target: Uint8Array,
  options: ParseOptions = {},
  windowBytes = target.length,
): Cover[] {
  const index = indexSource(source, suffixArray(source));
  const covers: Cover[] = [];
  for (let start = 0; start < target.length; start += windowBytes) {
    const end = Math.min(target.length, start + windowBytes);
    const found = parseCovers(index, target, start, end, options);
    check(found, source, start, end);
    covers.push(...found);
  }
  return covers;
}

/** In order, in bounds, disjoint in the target, none empty. */
function check(covers: readonly Cover[], source: Uint8Array, start: number, end: number): void {
  let at = start;
  for (const { sourceOffset, targetOffset, length } of covers) {
    expect(length).toBeGreaterThan(0);
    expect(targetOffset).toBeGreaterThanOrEqual(at);
    expect(sourceOffset).toBeGreaterThanOrEqual(0);
    expect(sourceOffset + length).toBeLessThanOrEqual(source.length);
    at = targetOffset + length;
  }
  expect(at).toBeLessThanOrEqual(end);
}

function equalBytes(covers: readonly Cover[], source: Uint8Array, target: Uint8Array): number {
  let equal = 0;
  for (const { sourceOffset, targetOffset, length } of covers) {
    for (let i = 0; i < length; i++) if (source[sourceOffset + i] === target[targetOffset + i]) equal++;
  }
  return equal;
}

/** What a simple coder would pay, in bytes: unequal and uncovered bytes, and four for each cover. */
function simpleCost(covers: readonly Cover[], source: Uint8Array, target: Uint8Array): number {
  return target.length - equalBytes(covers, source, target) + 4 * covers.length;
}

describe('parse by cost', () => {
  it('of canonical copies takes a reference that moved on like the last one for what the coder makes of it', () => {
    // Records of a reference and a text. One part of the source has the texts, and all references one further on; in the
    // other the references mean the same, and two bytes of each text are others.
    const texts = noise(16 * 500, 1);
    const others = noise(2 * 500, 2);
    const names = noise(3 * 1500, 3);
    const records = (name: (i: number) => Uint8Array, text: (i: number) => Uint8Array): Uint8Array =>
      concat(...Array.from({ length: 500 }, (_, i) => concat(name(i), Uint8Array.of(0), text(i))));
    const text = (i: number): Uint8Array => texts.subarray(16 * i, 16 * i + 16);
    const otherText = (i: number): Uint8Array => concat(text(i).subarray(0, 9), others.subarray(2 * i, 2 * i + 2), text(i).subarray(11)); // prettier-ignore
    const named = (first: number) => (i: number) => names.subarray(3 * (first + i), 3 * (first + i) + 3);
    const address = (first: number) => (i: number) => Uint8Array.of(first, i & 255, i >> 8);
    const source = concat(records(named(0), text), records(named(500), otherText));
    const target = records(named(500), text);
    const plain = concat(records(address(8), text), records(address(64), otherText));
    const plainTarget = records(address(16), text);
    const index = { ...indexSource(source, suffixArray(source)), plain };
    const from = (covers: readonly Cover[]): number =>
      covers.reduce((sum, { sourceOffset, length }) => sum + (sourceOffset < source.length / 2 ? length : 0), 0);
    expect(from(parseCovers(index, target, 0, target.length, { plainTarget }))).toBeGreaterThan(0.95 * target.length);
    expect(from(parseCovers(index, target, 0, target.length))).toBeLessThan(0.05 * target.length);
  });

  it('takes an identical image in one cover', () => {
    const image = watcher('source').subarray(0, 200_000);
    expect(parse(image, image)).toEqual([{ sourceOffset: 0, targetOffset: 0, length: 200_000 }]);
  });

  it('finds what was inserted, deleted, moved and swapped', () => {
    const source = noise(60_000, 1);
    const part = (start: number, end: number): Uint8Array => source.subarray(start, end);
    const inserted = concat(part(0, 30_000), noise(1000, 2), part(30_000, 60_000));
    expect(parse(source, inserted)).toEqual([
      { sourceOffset: 0, targetOffset: 0, length: 30_000 },
      { sourceOffset: 30_000, targetOffset: 31_000, length: 30_000 },
    ]);
    const deleted = concat(part(0, 20_000), part(21_000, 60_000));
    expect(equalBytes(parse(source, deleted), source, deleted)).toBe(deleted.length);
    const moved = concat(part(0, 10_000), part(40_000, 41_000), part(10_000, 40_000), part(41_000, 60_000));
    const movedCovers = parse(source, moved);
    expect(movedCovers).toHaveLength(4);
    expect(equalBytes(movedCovers, source, moved)).toBe(moved.length);
    const swapped = concat(part(30_000, 60_000), part(0, 30_000));
    expect(parse(source, swapped)).toEqual([
      { sourceOffset: 30_000, targetOffset: 0, length: 30_000 },
      { sourceOffset: 0, targetOffset: 30_000, length: 30_000 },
    ]);
  });

  it('bridges single changed bytes instead of beginning covers anew', () => {
    const source = noise(50_000, 3);
    const target = source.slice();
    for (let i = 40; i < target.length; i += 40) target[i]! ^= 0x55;
    expect(parse(source, target)).toHaveLength(1);
  });

  it('covers a table whose numbers all moved by the same amount', () => {
    const table = (first: number): Uint8Array => {
      const view = new DataView(new ArrayBuffer(40_000));
      for (let i = 0; i < 10_000; i++) view.setUint32(i * 4, first + i * i * 3, true);
      return new Uint8Array(view.buffer);
    };
    const before = concat(noise(5000, 4), table(0), noise(5000, 5));
    const after = concat(noise(5000, 4), table(0x1234), noise(5000, 5));
    const covers = parse(before, after);
    expect(covers.reduce((sum, cover) => sum + cover.length, 0)).toBeGreaterThan(0.95 * after.length);
    expect(covers.length).toBeLessThan(50);
  });

  it('covers nothing of unrelated bytes, nor from or to nothing', () => {
    expect(parse(noise(100_000, 6), noise(100_000, 7))).toEqual([]);
    expect(parse(new Uint8Array(0), noise(1000, 8))).toEqual([]);
    expect(parse(noise(1000, 8), new Uint8Array(0))).toEqual([]);
  });

  it('does little work for padding, repeated and unrelated content', () => {
    const size = 2 ** 18;
    const zeros = new Uint8Array(2 ** 22);
    const changed = zeros.slice();
    changed[1_234_567] = 1;
    const periodic = Uint8Array.from({ length: size }, (_, i) => i % 48);
    const repeats = concat(...Array.from({ length: 100 }, () => noise(5000, 9)));
    const pairs: [Uint8Array, Uint8Array, number][] = [
      [zeros, changed, 4],
      [changed, zeros, 4],
      [periodic, periodic.slice(7), 20],
      [repeats, repeats.map((byte, i) => (i % 37 === 0 ? ~byte : byte)), 40],
      [noise(size, 10), noise(size, 11), 40],
      [noise(size, 12).map((byte) => byte & 3), noise(size, 13).map((byte) => byte & 3), 150],
      [zeros.subarray(0, size), new Uint8Array(size).fill(1), 40],
    ];
    for (const [source, target, stepsPerByte] of pairs) {
      const work = { steps: 0 };
      parse(source, target, { work });
      expect(work.steps / target.length).toBeLessThan(stepsPerByte);
    }
  });

  it('gives valid covers whatever the images, windows and seeds', () => {
    const image = fc
      .array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 80 })), { maxLength: 30 })
      .map((parts) =>
        concat(...parts.map(([kind, length]) => (kind === 0 ? new Uint8Array(length) : noise(length, kind)))),
      );
    fc.assert(
      fc.property(image, image, fc.integer({ min: 1, max: 3000 }), fc.nat(4000), (source, target, window, at) => {
        const seeds = [{ sourceOffset: at, targetOffset: at >> 1, length: 500 }];
        parse(source, target, { seeds }, window);
        const covers = parse(source, target);
        expect(parse(source, target)).toEqual(covers);
        expect(simpleCost(covers, source, target)).toBeLessThanOrEqual(target.length + 16);
      }),
      { numRuns: 300 },
    );
  });

  it('needs fewer bytes for a real program than a search that decides at each place once', () => {
    const source = watcher('source');
    const target = watcher('target');
    const found = findCovers(indexSource(source, suffixArray(source)), target, 0, target.length);
    const covers = parse(source, target);
    expect(equalBytes(covers, source, target)).toBeGreaterThan(equalBytes(found, source, target));
    expect(simpleCost(covers, source, target)).toBeLessThan(simpleCost(found, source, target));
  });

  it('gives the same with and without the bit map of the source', () => {
    const source = watcher('source');
    const target = watcher('target').subarray(0, 100_000);
    const index = indexSource(source, suffixArray(source));
    const with_ = parseCovers(index, target, 0, target.length);
    const covers = parseCovers({ ...index, kmers: null }, target, 0, target.length);
    check(covers, source, 0, target.length);
    expect(simpleCost(with_, source, target) / simpleCost(covers, source, target)).toBeCloseTo(1, 1);
  });

  it('does not become worse when it is seeded with its own covers', () => {
    const source = watcher('source');
    const target = watcher('target');
    const first = parse(source, target);
    const second = parse(source, target, { seeds: first });
    expect(simpleCost(second, source, target)).toBeLessThan(1.01 * simpleCost(first, source, target));
  });

  it('refuses a window outside the target', () => {
    const source = noise(100, 1);
    const index = indexSource(source, suffixArray(source));
    expect(() => parseCovers(index, source, 50, 101)).toThrow(UpdateError);
    expect(() => parseCovers(index, source, 51, 50)).toThrow(UpdateError);
  });

  it.each(['sqljs-wasm', 'mdi-ttf'])('covers nearly all of %s', async (name) => {
    const pair = await corpusPair(name, { fetch: false, onMiss: (reason) => console.warn(`skipped: ${reason}`) });
    if (pair === null) return;
    const source = new Uint8Array(readFileSync(pair.source));
    const target = new Uint8Array(readFileSync(pair.target));
    const covers = parse(source, target);
    expect(equalBytes(covers, source, target)).toBeGreaterThan(0.9 * target.length);
  });
});
