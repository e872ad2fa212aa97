import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findCovers } from '../../../native-free/diff/match/cover-search.ts';
import { joinCovers } from '../../../native-free/diff/match/join-covers.ts';
import { indexSource } from '../../../native-free/diff/match/source-index.ts';
import { suffixArray } from '../../../native-free/diff/match/suffix-array.ts';
import { coverAt, coverListOf, type CoverList } from '../../../native-free/format/cover.ts';

const pair = (side: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../../corpus/small/watcher-arm64/${side}`, import.meta.url)));

function coversOf(source: Uint8Array, target: Uint8Array, windowBytes = target.length): CoverList {
  const index = indexSource(source, suffixArray(source));
  const windows = [];
  for (let start = 0; start < target.length; start += windowBytes) {
    const end = Math.min(target.length, start + windowBytes);
    windows.push(coverListOf(findCovers(index, target, start, end)));
  }
  return joinCovers(windows);
}

/** Checks order and bounds; gives covered bytes and how many of them are equal in source and target. */
function measure(list: CoverList, source: Uint8Array, target: Uint8Array): { covered: number; equal: number } {
  let end = 0;
  let covered = 0;
  let equal = 0;
  for (let i = 0; i < list.count; i++) {
    const { sourceOffset, targetOffset, length } = coverAt(list, i);
    expect(targetOffset).toBeGreaterThanOrEqual(end);
    expect(sourceOffset).toBeGreaterThanOrEqual(0);
    expect(sourceOffset + length).toBeLessThanOrEqual(source.length);
    end = targetOffset + length;
    covered += length;
    for (let j = 0; j < length; j++) if (source[sourceOffset + j] === target[targetOffset + j]) equal++;
  }
  expect(end).toBeLessThanOrEqual(target.length);
  return { covered, equal };
}

describe('cover search', () => {
  it('covers most of a real program by bytes that are mostly equal', () => {
    const source = pair('source');
    const target = pair('target');
    const { covered, equal } = measure(coversOf(source, target), source, target);
    expect(covered / target.length).toBeGreaterThan(0.8);
    expect(equal / covered).toBeGreaterThan(0.7);
  });

  it('gives valid covers in windows of any size', () => {
    const source = pair('source').subarray(0, 100_000);
    const target = pair('target').subarray(0, 100_000);
    for (const windowBytes of [1000, 4096, 33_333]) measure(coversOf(source, target, windowBytes), source, target);
  });

  it('finds blocks anywhere in the source', () => {
    const source = pair('source').slice(0, 64_000);
    const target = new Uint8Array(64_000);
    target.set(source.subarray(32_000), 0);
    target.set(source.subarray(0, 32_000), 32_000);
    expect(measure(coversOf(source, target), source, target)).toEqual({ covered: 64_000, equal: 64_000 });
  });

  it('is not slowed down by padding and repeated content', () => {
    const zeros = new Uint8Array(1 << 20);
    const changed = zeros.slice();
    changed[500_000] = 1;
    const { covered } = measure(coversOf(zeros, changed), zeros, changed);
    expect(covered).toBeGreaterThan(changed.length - 100);
    const periodic = Uint8Array.from({ length: 1 << 20 }, (_, i) => i % 48);
    measure(coversOf(periodic, periodic.slice(7)), periodic, periodic.slice(7));
  });

  it('finds nothing in nothing', () => {
    expect(coversOf(new Uint8Array(0), pair('target').subarray(0, 1000)).count).toBe(0);
    expect(joinCovers([]).count).toBe(0);
  });
});
