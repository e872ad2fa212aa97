import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpusPair } from '../../../corpus/index.ts';
import { coarseCovers } from '../../../native-free/diff/match/coarse-align.ts';
import type { Cover } from '../../../native-free/format/cover.ts';
import { noise, watcher } from '../../support/images.ts';

/** Checks the covers; gives how many target bytes they explain exactly. */
function measure(covers: readonly Cover[], source: Uint8Array, target: Uint8Array): number {
  let end = 0;
  let equal = 0;
  for (const { sourceOffset, targetOffset, length } of covers) {
    expect(length).toBeGreaterThan(0);
    expect(targetOffset).toBeGreaterThanOrEqual(end);
    expect(sourceOffset).toBeGreaterThanOrEqual(0);
    expect(sourceOffset + length).toBeLessThanOrEqual(source.length);
    end = targetOffset + length;
    for (let i = 0; i < length; i++) if (source[sourceOffset + i] === target[targetOffset + i]) equal++;
  }
  expect(end).toBeLessThanOrEqual(target.length);
  return equal;
}

describe('coarse alignment', () => {
  it('takes an identical image in one cover', () => {
    const image = watcher('source');
    expect(coarseCovers(image, image)).toEqual([{ sourceOffset: 0, targetOffset: 0, length: image.length }]);
  });

  it('finds swapped, moved and inserted blocks at any offset', () => {
    const source = noise(300_001, 1);
    const swapped = new Uint8Array(source.length);
    swapped.set(source.subarray(150_007), 0);
    swapped.set(source.subarray(0, 150_007), source.length - 150_007);
    expect(coarseCovers(source, swapped)).toEqual([
      { sourceOffset: 150_007, targetOffset: 0, length: 149_994 },
      { sourceOffset: 0, targetOffset: 149_994, length: 150_007 },
    ]);
    const inserted = new Uint8Array(source.length + 777);
    inserted.set(source.subarray(0, 99_999), 0);
    inserted.set(noise(777, 2), 99_999);
    inserted.set(source.subarray(99_999), 100_776);
    expect(measure(coarseCovers(source, inserted), source, inserted)).toBeGreaterThanOrEqual(source.length);
  });

  it('goes on over mismatches', () => {
    const source = noise(100_000, 3);
    const target = source.map((byte, i) => (i % 10 === 0 ? ~byte : byte));
    const covers = coarseCovers(source, target);
    expect(covers).toHaveLength(1);
    expect(covers[0]!.length).toBeGreaterThan(99_900);
  });

  it('does little work whatever the content', () => {
    const mib = 2 ** 20;
    const zeros = new Uint8Array(4 * mib);
    const changed = zeros.slice();
    changed[1_234_567] = 1;
    const periodic = Uint8Array.from({ length: mib }, (_, i) => i % 48);
    const halves = noise(mib, 4);
    const pairs: [Uint8Array, Uint8Array][] = [
      [zeros, changed],
      [changed, zeros],
      [periodic, periodic.slice(7)],
      [noise(mib, 5), noise(mib, 6)],
      [halves, halves.map((byte, i) => (i & 1 ? byte : ~byte))],
      [noise(mib, 7).map((byte) => byte & 1), noise(mib, 8).map((byte) => byte & 1)],
    ];
    for (const [source, target] of pairs) {
      const work = { steps: 0 };
      measure(coarseCovers(source, target, { work }), source, target);
      expect(work.steps).toBeLessThan(10 * (source.length + target.length));
    }
    expect(coarseCovers(zeros, changed)).toEqual([{ sourceOffset: 0, targetOffset: 0, length: 4 * mib }]);
  });

  it('finds nothing in unrelated bytes or in nothing', () => {
    expect(coarseCovers(noise(100_000, 9), noise(100_000, 10))).toEqual([]);
    expect(coarseCovers(new Uint8Array(0), noise(1000, 9))).toEqual([]);
    expect(coarseCovers(noise(1000, 9), new Uint8Array(0))).toEqual([]);
  });

  it('gives valid covers, always the same, whatever the images and block size', () => {
    const parts = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 200 })), {
      maxLength: 20,
    });
    const image = parts.map((list) =>
      Uint8Array.from(
        list.flatMap(([kind, length]) => Array.from(kind === 0 ? new Uint8Array(length) : noise(length, kind))),
      ),
    );
    fc.assert(
      fc.property(image, image, fc.constantFrom(8, 16, 32, 64), (source, target, blockBytes) => {
        const covers = coarseCovers(source, target, { blockBytes });
        measure(covers, source, target);
        expect(coarseCovers(source, target, { blockBytes })).toEqual(covers);
      }),
      { numRuns: 300 },
    );
  });

  it('explains most of a real program', () => {
    const source = watcher('source');
    const target = watcher('target');
    expect(measure(coarseCovers(source, target), source, target)).toBeGreaterThan(0.4 * target.length);
  });

  it.each(['kernel-image-arm64', 'typescript-js-minor'])('explains most of %s', async (name) => {
    const pair = await corpusPair(name, { fetch: false, onMiss: (reason) => console.warn(`skipped: ${reason}`) });
    if (pair === null) return;
    const source = new Uint8Array(readFileSync(pair.source));
    const target = new Uint8Array(readFileSync(pair.target));
    expect(measure(coarseCovers(source, target), source, target)).toBeGreaterThan(0.8 * target.length);
  });
});
