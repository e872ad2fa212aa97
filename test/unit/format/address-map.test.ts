import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverListOf } from '../../../native-free/format/cover.ts';
import {
  REGION_KIND,
  type Layout,
  type Region,
  type RegionKind,
  firstRegionEndingAfter,
} from '../../../native-free/format/regions.ts';
import { AddressMap } from '../../../native-free/predict/address-map.ts';
import { AddressSpace, ASIDE_VA } from '../../../native-free/predict/address-space.ts';
import { NOWHERE } from '../../../native-free/predict/isa/instruction-set.ts';
import { RegionCursor } from '../../../native-free/predict/region-cursor.ts';

type Triple = readonly [sourceOffset: number, targetOffset: number, length: number];

const coversOf = (...triples: readonly Triple[]) =>
  coverListOf(triples.map(([sourceOffset, targetOffset, length]) => ({ sourceOffset, targetOffset, length })));

function region(offset: number, length: number, va: number, module = 0, kind: RegionKind = REGION_KIND.a64): Region {
  return { module, kind, offset, length, va };
}

const bss = (length: number, va: number, module = 0): Region => region(-1, length, va, module, REGION_KIND.bss);

/** A layout of as many modules as its regions name. */
function layoutOf(...regions: readonly Region[]): Layout {
  const modules = Math.max(0, ...regions.map(({ module }) => module + 1));
  return { regions, vaHigh: new Array<number>(modules).fill(0) };
}

const EMPTY: Layout = { regions: [], vaHigh: [] };

/** Source bytes at their offsets plus 0x10000, target bytes at theirs plus 0x20000. */
const SOURCE = layoutOf(region(0, 0x1000, 0x10000));
const TARGET = layoutOf(region(0, 0x1000, 0x20000));

/** Where source offsets of SOURCE go, as target offsets of TARGET. */
function mapped(covers: readonly Triple[], ...offsets: readonly number[]): number[] {
  const map = new AddressMap(coversOf(...covers), SOURCE, TARGET);
  return offsets.map((offset) => map.map(0x10000 + offset) - 0x20000);
}

describe('address map', () => {
  it('moves what lies in a cover along with the cover', () => {
    const covers: Triple[] = [
      [0x100, 0x40, 0x20],
      [0x10, 0x80, 0x20],
    ];
    expect(mapped(covers, 0x100, 0x11f, 0x10, 0x2f)).toEqual([0x40, 0x5f, 0x80, 0x9f]);
  });

  it('lets the nearer of two covers decide what lies between them, the first where both are as near', () => {
    // Source 0 to 9 stays, source 20 to 29 moves by 1000. The end of a cover is as near as can be.
    const covers: Triple[] = [
      [0, 0, 10],
      [20, 1020, 10],
    ];
    expect(mapped(covers, 9, 10, 14, 15, 16, 19, 20)).toEqual([9, 10, 14, 15, 1016, 1019, 1020]);
  });

  it('lets the first and the last cover decide what lies before and behind all of them', () => {
    const covers: Triple[] = [
      [0x100, 0x80, 0x10],
      [0x200, 0x300, 0x10],
    ];
    expect(mapped(covers, 0, 0xff, 0x210, 0xfff)).toEqual([-0x80, 0x7f, 0x310, 0x10ff]);
  });

  it('follows the longer of two covers with the same source where they overlap, whichever came first', () => {
    const long: Triple = [0, 0x800, 100];
    expect(mapped([[50, 0, 30], long], 49, 50, 79, 80)).toEqual([0x831, 0x832, 0x84f, 0x850]);
    const tail: Triple = [80, 0, 40];
    expect(mapped([tail, long], 79, 80, 99, 100, 119)).toEqual([0x84f, 0x850, 0x863, 20, 39]);
    const longer: Triple = [80, 0x100, 300];
    expect(mapped([longer, long], 79, 80, 99, 379)).toEqual([0x84f, 0x100, 0x113, 0x22b]);
    const sameStart: Triple = [0, 0x100, 300];
    expect(mapped([sameStart, long], 0, 99, 299)).toEqual([0x100, 0x163, 0x22b]);
    expect(mapped([[0, 0, 20], sameStart], 0, 19, 20)).toEqual([0x100, 0x113, 0x114]);
  });

  it('keeps what is left of a cut cover when a third one begins before it', () => {
    // Of the second only its end is left, which is shorter than the third.
    const covers: Triple[] = [
      [0, 0x800, 200],
      [100, 0, 120],
      [150, 0x400, 40],
    ];
    expect(mapped(covers, 150, 199, 200, 219)).toEqual([0x896, 0x8c7, 100, 119]);
    // The same where the third one reaches into what is left.
    expect(mapped([covers[0]!, covers[1]!, [150, 0x400, 60]], 199, 215, 219)).toEqual([0x8c7, 115, 119]);
  });

  it('follows the first of two covers that are equally long', () => {
    const covers: Triple[] = [
      [0, 0x100, 50],
      [0, 0x200, 50],
    ];
    expect(mapped(covers, 0, 49)).toEqual([0x100, 0x131]);
  });

  it('knows nothing without covers, without regions, and of covers that lie outside of regions', () => {
    expect(new AddressMap(coversOf(), SOURCE, TARGET).map(0x10000)).toBe(NOWHERE);
    expect(new AddressMap(coversOf([0, 0, 16]), EMPTY, EMPTY).map(0)).toBe(NOWHERE);
    const beside = new AddressMap(coversOf([0x1000, 0, 16], [0, 0x1000, 16]), SOURCE, TARGET);
    expect(beside.map(0x10000)).toBe(NOWHERE);
    expect(new AddressMap(coversOf([0, 0, 16]), SOURCE, EMPTY).map(0x10000)).toBe(NOWHERE);
  });

  it('takes a cover apart where it crosses from one region into the next, on either side', () => {
    const source = layoutOf(region(0, 0x40, 0x10000), region(0x50, 0x40, 0x90000));
    const target = layoutOf(region(0, 0x20, 0x20000), region(0x20, 0x100, 0xa0000));
    const map = new AddressMap(coversOf([0, 0, 0x90]), source, target);
    expect(map.map(0x1001f)).toBe(0x2001f);
    expect(map.map(0x10020)).toBe(0xa0000);
    expect(map.map(0x1003f)).toBe(0xa001f);
    expect(map.map(0x90000)).toBe(0xa0030);
    expect(map.map(0x9003f)).toBe(0xa006f);
  });

  it('keeps modules apart: the same address goes to another place in each', () => {
    const source = layoutOf(region(0, 0x100, 0x10000, 0), region(0x100, 0x100, 0x10000, 1));
    const target = layoutOf(region(0, 0x100, 0x30000, 1), region(0x100, 0x100, 0x20000, 0));
    const map = new AddressMap(coversOf([0x100, 0, 0x100], [0, 0x100, 0x100]), source, target);
    expect(map.map(0x10004)).toBe(0x20004);
    map.select(1);
    expect(map.map(0x10004)).toBe(0x30004);
    map.select(0);
    expect(map.map(0x10004)).toBe(0x20004);
    map.select(2);
    expect(map.map(0x10004)).toBe(NOWHERE);
    map.select(-1);
    expect(map.map(0x10004)).toBe(NOWHERE);
  });

  it('learns nothing from a cover between two modules', () => {
    const source = layoutOf(region(0, 0x100, 0x10000, 0), region(0x100, 0x100, 0x10000, 1));
    const target = layoutOf(region(0, 0x100, 0x30000, 1), region(0x100, 0x100, 0x20000, 0));
    const map = new AddressMap(coversOf([0, 0, 0x200]), source, target);
    expect(map.map(0x10004)).toBe(NOWHERE);
  });

  it('pairs memory outside of the file in order, module by module, and names the address behind it', () => {
    const source = layoutOf(bss(0x100, 0x50000, 0), bss(0x100, 0x60000, 0), bss(0x100, 0x50000, 1));
    const target = layoutOf(bss(0x80, 0x70000, 1), bss(0x200, 0x80000, 0), bss(0x200, 0x91000, 0));
    const map = new AddressMap(coversOf(), source, target);
    expect([0x50000, 0x500ff, 0x50100].map((va) => map.map(va))).toEqual([0x80000, 0x800ff, 0x80100]);
    expect([0x60000, 0x60100].map((va) => map.map(va))).toEqual([0x91000, 0x91100]);
    map.select(1);
    expect(map.map(0x50010)).toBe(0x70010);
  });

  it('knows nothing of memory outside of the file that has no partner', () => {
    const map = new AddressMap(coversOf(), layoutOf(bss(0x100, 0x50000, 0)), layoutOf(bss(0x100, 0x50000, 1)));
    expect(map.map(0x50000)).toBe(NOWHERE);
  });

  it('reaches the last byte of the address space, and wraps around its end', () => {
    const source = layoutOf(region(0, 0x1000, 0xfffff000));
    const target = layoutOf(region(0, 0x1000, 0x1000));
    const up = new AddressMap(coversOf([0, 0, 0x1000]), source, target);
    expect([0xfffff000, 0xffffffff].map((va) => up.map(va))).toEqual([0x1000, 0x1fff]);
    const down = new AddressMap(coversOf([0, 0, 0x1000]), target, source);
    expect([0x1000, 0x1fff, 0x2000].map((va) => down.map(va))).toEqual([0xfffff000, 0xffffffff, 0]);
    // The longer of two that end there, and what is left of the shorter one.
    const both = new AddressMap(coversOf([0x800, 0, 0x800], [0x400, 0x800, 0x500]), source, target);
    expect([0xfffff400, 0xfffff7ff, 0xfffff800, 0xffffffff].map((va) => both.map(va))).toEqual([
      ...[0x1800, 0x1bff, 0x1000, 0x17ff],
    ]);
    const last = new AddressMap(coversOf(), layoutOf(bss(0x1000, 0xfffff000)), layoutOf(bss(0x1000, 0x5000)));
    expect(last.map(0xffffffff)).toBe(0x5fff);
  });

  it('drops a stretch that would pass the end of the address space, instead of looking for it for ever', () => {
    const source = layoutOf(region(0, 0x1000, 0xfffff800), region(0x1000, 0x100, 0x1000));
    const map = new AddressMap(coversOf([0, 0, 0x1100]), source, layoutOf(region(0, 0x2000, 0x8000)));
    expect(map.map(0x1000)).toBe(0x9000);
    expect(map.map(0xfffffff0)).toBe(0x7ff0);
  });

  it('is what an exhaustive search finds, in whatever order it is asked', () => {
    const step = fc.record({ gap: fc.nat(20), length: fc.integer({ min: 1, max: 30 }), to: fc.nat(0xf00) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), fc.array(fc.nat(600)), (steps, asked) => {
        let at = 0;
        const stretches = steps.map(({ gap, length, to }) => {
          const start = at + gap;
          at = start + length;
          return { start, last: at - 1, delta: to - start };
        });
        const covers = stretches.map(({ start, last, delta }): Triple => [start, start + delta, last - start + 1]);
        covers.sort((a, b) => a[1] - b[1]);
        const nearest = (offset: number): number => {
          const away = ({ start, last }: { start: number; last: number }): number =>
            offset < start ? start - offset : Math.max(0, offset - last - 1);
          let best = stretches[0]!;
          for (const each of stretches) {
            const isInside = offset >= each.start && offset <= each.last;
            if (isInside || away(each) < away(best)) best = each;
            if (isInside) break;
          }
          return offset + best.delta;
        };
        expect(mapped(covers, ...asked)).toEqual(asked.map(nearest));
      }),
      { numRuns: 300 },
    );
  });

  it('moves what covers name along with one of those that name it, whatever the covers', () => {
    const any = fc.tuple(fc.nat(0xc00), fc.nat(0xc00), fc.integer({ min: 1, max: 0x400 }));
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 20 }), fc.array(fc.nat(0x1400)), (covers, others) => {
        const asked = [...others, ...covers.flatMap(([from, , length]) => [from, from + length - 1])];
        const went = mapped(covers, ...asked);
        asked.forEach((offset, i) => {
          const naming = covers.filter(([from, , length]) => offset >= from && offset < from + length);
          const possible = naming.length > 0 ? naming : covers;
          expect(possible.map(([from, to]) => offset - from + to)).toContain(went[i]);
        });
        expect(mapped(covers, ...[...asked].reverse())).toEqual(went.reverse());
      }),
      { numRuns: 300 },
    );
  });
});

describe('region cursor', () => {
  const regions = [region(0x10, 0x10, 0), region(0x20, 0x10, 0x100), region(0x40, 0x10, 0x200), bss(0x100, 0x300)];

  it('finds regions and the holes between them, and says where each ends', () => {
    const cursor = new RegionCursor(regions);
    const seen = [0, 0x0f, 0x10, 0x1f, 0x20, 0x30, 0x3f, 0x40, 0x4f].map((offset) => {
      const found = cursor.at(offset);
      return [found === null ? -1 : regions.indexOf(found), cursor.index, cursor.end];
    });
    expect(seen).toEqual([
      [-1, 3, 0x10],
      [-1, 3, 0x10],
      [0, 0, 0x20],
      [0, 0, 0x20],
      [1, 1, 0x30],
      [-1, 3, 0x40],
      [-1, 3, 0x40],
      [2, 2, 0x50],
      [2, 2, 0x50],
    ]);
  });

  it('has no end behind the last region in the file, and never gives memory outside of it', () => {
    const cursor = new RegionCursor(regions);
    expect(cursor.at(0x50)).toBeNull();
    expect([cursor.end, cursor.index]).toEqual([Infinity, 3]);
    expect(new RegionCursor([bss(16, 0)]).at(0)).toBeNull();
    expect(new RegionCursor([]).at(0)).toBeNull();
  });

  it('goes backward as well as forward', () => {
    const cursor = new RegionCursor(regions);
    expect(cursor.at(0x45)).toBe(regions[2]);
    expect(cursor.at(0x15)).toBe(regions[0]);
    expect(cursor.at(0)).toBeNull();
  });

  it('stands on a search that gives the first region that ends behind an offset', () => {
    const inFile = regions.slice(0, 3);
    expect([0, 0x1f, 0x20, 0x30, 0x4f, 0x50].map((offset) => firstRegionEndingAfter(inFile, offset))).toEqual([
      ...[0, 0, 1, 2, 2, 3],
    ]);
  });
});

describe('address space', () => {
  const source: Layout = {
    regions: [region(0, 0x1000, 0x8000, 0), bss(0x100, 0xa000, 0), region(0x1000, 0x100, 0x40000000, 1)],
    vaHigh: [0, 0xffffffc0],
  };
  const target: Layout = { regions: [], vaHigh: [0, 0xffffffc1] };

  it('tells what can be an address of the module at hand, from its first byte to its last', () => {
    const space = new AddressSpace(source, target);
    space.select(0);
    expect([0x7fff, 0x8000, 0x9800, 0xa0ff, 0xa100, 0x40000000].map((va) => space.isAddress(va))).toEqual([
      ...[false, true, true, true, false, false],
    ]);
    space.select(1);
    expect([0x8000, 0x40000000, 0x400000ff, 0x40000100].map((va) => space.isAddress(va))).toEqual([
      ...[false, true, true, false],
    ]);
  });

  it('knows the high words of both sides of the module at hand', () => {
    const space = new AddressSpace(source, target);
    expect(space.isSelected(0)).toBe(false);
    space.select(1);
    expect([space.isSelected(1), space.sourceHigh, space.targetHigh]).toEqual([true, 0xffffffc0, 0xffffffc1]);
  });

  it('takes small numbers for numbers, also in a module that is loaded at the start', () => {
    const space = new AddressSpace(layoutOf(region(0, 0x4000, 0)), EMPTY);
    space.select(0);
    expect([0, 0xfff, 0x1000, 0x3fff].map((va) => space.isAddress(va))).toEqual([false, false, true, true]);
  });

  it('leaves out tables beside the program, unless its addresses are of 64 bits', () => {
    const beside = [region(0, 0x100, 0x10000), region(0x100, 0x100, ASIDE_VA)];
    const space = new AddressSpace({ regions: beside, vaHigh: [0] }, EMPTY);
    space.select(0);
    expect([space.isAddress(0x100ff), space.isAddress(0x10100), space.isAddress(ASIDE_VA)]).toEqual([
      ...[true, false, false],
    ]);
    const high = new AddressSpace({ regions: beside, vaHigh: [1] }, EMPTY);
    high.select(0);
    expect(high.isAddress(ASIDE_VA)).toBe(true);
  });

  it('holds no address before a module is chosen, and in a module without regions', () => {
    const space = new AddressSpace(source, target);
    expect(space.isAddress(0x8000)).toBe(false);
    space.select(7);
    expect([space.isAddress(0x8000), space.isAddress(0), space.sourceHigh]).toEqual([false, false, 0]);
    const empty = new AddressSpace({ regions: [], vaHigh: [0] }, EMPTY);
    empty.select(0);
    expect(empty.isAddress(0x8000)).toBe(false);
  });
});
