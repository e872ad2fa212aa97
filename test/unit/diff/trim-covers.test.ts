import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trimCovers } from '../../../native-free/diff/write/trim-covers.ts';
import { coversIn, coverListOf } from '../../../native-free/format/cover.ts';
import { REGION_KIND, type Layout, type RegionKind } from '../../../native-free/format/regions.ts';

describe('trimmed covers', () => {
  const layoutOf = (kind: RegionKind, va = 0x10000): Layout => ({
    regions: [{ module: 0, kind, offset: 0, length: 0x1000, va }],
    vaHigh: [0],
  });
  /** Covers as plain numbers, three for each: source offset, target offset, length. */
  const trimmed = (numbers: readonly number[], source: Layout, target = source): number[] => {
    const covers = Array.from({ length: numbers.length / 3 }, (_, i) => {
      const [sourceOffset, targetOffset, length] = numbers.slice(3 * i);
      return { sourceOffset: sourceOffset!, targetOffset: targetOffset!, length: length! };
    });
    return coversIn(trimCovers(coverListOf(covers), source, target)).flatMap((cover) => Object.values(cover));
  };
  const { a64, t32, x64, mipsBig, data32 } = REGION_KIND;

  it('begin and end with whole units of code', () => {
    expect(trimmed([1, 1, 62], layoutOf(a64))).toEqual([4, 4, 56]);
    expect(trimmed([4, 8, 56], layoutOf(a64))).toEqual([4, 8, 56]);
    expect(trimmed([3, 0x103, 61], layoutOf(mipsBig))).toEqual([4, 0x104, 60]);
    expect(trimmed([1, 1, 62], layoutOf(t32))).toEqual([2, 2, 60]);
    // By address, not by offset.
    expect(trimmed([1, 1, 62], layoutOf(a64, 0x10003))).toEqual([1, 1, 60]);
  });

  it('stay as they are outside of code, between kinds, and where the sides are out of step', () => {
    for (const kind of [x64, data32]) expect(trimmed([1, 1, 62], layoutOf(kind))).toEqual([1, 1, 62]);
    expect(trimmed([1, 1, 62], layoutOf(a64), layoutOf(t32))).toEqual([1, 1, 62]);
    expect(trimmed([1, 2, 62], layoutOf(a64))).toEqual([1, 2, 62]);
    expect(trimmed([0x1001, 1, 62], layoutOf(a64))).toEqual([0x1001, 1, 62]);
  });

  it('share no unit where two touch: the later one has it whole', () => {
    expect(trimmed([0, 0, 62, 102, 62, 62], layoutOf(a64))).toEqual([0, 0, 60, 100, 60, 64]);
    // Not if its beginning would lie before the source.
    const late = trimmed([102, 0, 62, 0, 62, 62], layoutOf(a64, 0x10002), layoutOf(a64));
    expect(late).toEqual([102, 0, 60, 2, 64, 60]);
  });

  it('are dropped when little is left of them', () => {
    const covers = [0, 0, 11, 20, 20, 12, 41, 41, 14, 61, 61, 2, 65, 65, 1];
    expect(trimmed(covers, layoutOf(a64))).toEqual([20, 20, 12]);
    expect(trimmed([], layoutOf(a64))).toEqual([]);
  });

  it('are in order, apart, within their images, and keep their displacement', () => {
    const step = fc.tuple(fc.nat(40), fc.nat(0x1100), fc.integer({ min: 1, max: 80 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.constantFrom(a64, t32, x64), (steps, kind) => {
        let at = 0;
        const covers = steps.map(([gap, sourceOffset, length]) => {
          const targetOffset = at + (gap < 20 ? 0 : gap);
          at = targetOffset + length;
          return [sourceOffset, targetOffset, length] as const;
        });
        const kept = trimmed(covers.flat(), layoutOf(kind), layoutOf(kind, 0x20002));
        for (let i = 0, end = 0; i < kept.length; i += 3) {
          const [from, to, length] = [kept[i]!, kept[i + 1]!, kept[i + 2]!];
          if (to < end || from < 0 || length < 12) expect.fail(`${from}, ${to}, ${length} behind ${end}`);
          end = to + length;
          expect(covers.some(([a, b, n]) => a - b === from - to && to >= b - 3 && end <= b + n)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
