import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverAt, coverListOf, firstCoverEndingAfter, type Cover } from '../../../native-free/format/cover.ts';
import { piecesOf } from '../../../native-free/format/pieces.ts';
import { PLAN_BYTES, PlanRoom } from '../../../native-free/format/plan.ts';
import { decodePlan, encodePlan } from '../../../native-free/model/plan-coder.ts';
import { UpdateError } from '../../../native-free/status.ts';

const step = fc.record({
  gap: fc.nat(200_000),
  length: fc.integer({ min: 1, max: 200_000 }),
  sourceOffset: fc.nat(2 ** 30),
});

function coversFrom(steps: readonly { gap: number; length: number; sourceOffset: number }[]): Cover[] {
  let at = 0;
  return steps.map(({ gap, length, sourceOffset }) => {
    const targetOffset = at + gap;
    at = targetOffset + length;
    return { sourceOffset, targetOffset, length };
  });
}

const sizes = { sourceBytes: 2 ** 31, targetBytes: 2 ** 31 };
const decode = (plan: Uint8Array, limits = sizes, countMax = 2000) => {
  return decodePlan(plan, limits, new PlanRoom(countMax * PLAN_BYTES.cover)).covers;
};

describe('plan section', () => {
  it('gives back any list of covers', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const covers = coversFrom(steps);
        const list = decode(encodePlan(coverListOf(covers)));
        expect(Array.from({ length: list.count }, (_, i) => coverAt(list, i))).toEqual(covers);
      }),
    );
  });

  it('tells a return from a detour in less than a place in the image takes', () => {
    const returning: Cover[] = [];
    const straying: Cover[] = [];
    let left = 2 ** 24;
    for (let i = 0, seed = 1; i < 400; i++) {
      seed = Math.imul(seed, 0x2c1b3c6d) >>> 0;
      const away = seed >>> 2;
      const targetOffset = 100 * i;
      returning.push({ sourceOffset: i % 2 === 0 ? left : away, targetOffset, length: 100 });
      straying.push({ sourceOffset: i % 2 === 0 ? (away * 7) % 2 ** 30 : away, targetOffset, length: 100 });
      // Nothing of the source is left out: the displacement is another one after every detour.
      left += i % 2 === 0 ? 100 : 0;
    }
    const bytes = (covers: readonly Cover[]): number => encodePlan(coverListOf(covers)).length;
    expect(bytes(returning)).toBeLessThan(0.7 * bytes(straying));
    expect(coverAt(decode(encodePlan(coverListOf(returning))), 398)).toEqual(returning[398]);
  });

  it('refuses covers that leave the source or the target, and more covers than allowed', () => {
    const plan = encodePlan(coverListOf([{ sourceOffset: 100, targetOffset: 0, length: 50 }]));
    expect(decode(plan, { sourceBytes: 150, targetBytes: 50 }).count).toBe(1);
    for (const limits of [
      { sourceBytes: 149, targetBytes: 50 },
      { sourceBytes: 150, targetBytes: 49 },
    ]) {
      expect(() => decode(plan, limits)).toThrow(UpdateError);
    }
    expect(() => decode(plan, sizes, 0)).toThrow(/1 covers more than the declared memory has room for/);
  });

  it('turns any bytes into valid covers or an UpdateError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (plan) => {
        const limits = { sourceBytes: 5000, targetBytes: 7000 };
        try {
          const list = decode(plan, limits, 1000);
          let end = 0;
          for (let i = 0; i < list.count; i++) {
            const cover = coverAt(list, i);
            expect(cover.targetOffset).toBeGreaterThanOrEqual(end);
            expect(cover.sourceOffset).toBeGreaterThanOrEqual(0);
            expect(cover.sourceOffset + cover.length).toBeLessThanOrEqual(limits.sourceBytes);
            end = cover.targetOffset + cover.length;
          }
          expect(end).toBeLessThanOrEqual(limits.targetBytes);
        } catch (error) {
          expect(UpdateError.is(error) && error.code).toBe('plan_malformed');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('pieces', () => {
  it('fill any range without holes, whatever the covers', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(400_000), fc.nat(400_000), (steps, start, length) => {
        const list = coverListOf(coversFrom(steps));
        let at = start;
        for (const piece of piecesOf(list, start, start + length)) {
          expect(piece.targetOffset).toBe(at);
          expect(piece.length).toBeGreaterThan(0);
          const i = firstCoverEndingAfter(list, piece.targetOffset);
          const inside = i < list.count && list.targetOffset[i]! <= piece.targetOffset;
          expect(piece.sourceOffset >= 0).toBe(inside);
          if (inside)
            expect(piece.sourceOffset - list.sourceOffset[i]!).toBe(piece.targetOffset - list.targetOffset[i]!);
          at += piece.length;
        }
        expect(at).toBe(start + length);
      }),
      { numRuns: 300 },
    );
  });
});
