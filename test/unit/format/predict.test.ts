import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corpusPair, SMALL_PAIR } from '../../../corpus/index.ts';
import { layoutOf } from '../../../native-free/diff/layout/layout.ts';
import { REGION_KIND, type RegionKind } from '../../../native-free/format/regions.ts';
import { A32 } from '../../../native-free/predict/isa/a32.ts';
import { A64 } from '../../../native-free/predict/isa/a64.ts';
import { Candidates, CANDIDATES_MAX } from '../../../native-free/predict/candidates.ts';
import { ORIGIN, ORIGINS } from '../../../native-free/format/origins.ts';
import { NO_REFERENCE, NOWHERE, type ReferenceReader } from '../../../native-free/predict/isa/instruction-set.ts';
import { KnownValues, NeighbourChanges } from '../../../native-free/predict/memories.ts';
import { instructionSetOf } from '../../../native-free/predict/isa/list.ts';
import { A32Operands } from '../../../native-free/predict/isa/a32-operands.ts';
import { A64Operands } from '../../../native-free/predict/isa/a64-operands.ts';
import { RISCV } from '../../../native-free/predict/isa/riscv.ts';
import { T32 } from '../../../native-free/predict/isa/t32.ts';
import { random } from '../../support/images.ts';
import { checkInvariants, readUnits } from '../../support/instruction-sets.ts';

describe('neighbour changes', () => {
  it('are found for values near the learned one, up to 16 KiB away, and for no others', () => {
    const changes = new NeighbourChanges();
    changes.learn(0, 0x100000, -8);
    for (const value of [0x100000, 0x100003, 0x10003f, 0x1003ff, 0x103fff]) {
      changes.change = 0;
      expect(changes.find(0, value)).toBe(true);
      expect(changes.change).toBe(-8);
    }
    for (const value of [0xfffff, 0x104000, 0x200000]) expect(changes.find(0, value)).toBe(false);
  });

  it('prefer the nearest scale, and the newest of one scale', () => {
    const changes = new NeighbourChanges();
    changes.learn(0, 0x1000, 1);
    changes.learn(0, 0x1100, 2);
    const found = (value: number): number => (changes.find(0, value) ? changes.change : NaN);
    expect([0x1000, 0x1020, 0x1100, 0x1140, 0x1200].map(found)).toEqual([1, 1, 2, 2, 2]);
    changes.learn(0, 0x1000, 3);
    expect([found(0x1000), found(0x1200), found(0x1100)]).toEqual([3, 3, 2]);
  });

  it('belong to a space, and are forgotten together', () => {
    const changes = new NeighbourChanges();
    changes.learn(1, 0x1000, 5);
    expect(changes.find(0, 0x1000)).toBe(false);
    changes.reset();
    expect(changes.find(1, 0x1000)).toBe(false);
  });
});

describe('known values', () => {
  it('give what became of a key, and how often that was confirmed in a row', () => {
    const known = new KnownValues(8);
    expect(known.find(0, 5)).toBe(false);
    for (let i = 0; i < 3; i++) known.learn(0, 5, 50);
    expect([known.find(0, 5), known.value, known.confirmed]).toEqual([true, 50, 2]);
    known.learn(0, 5, 60);
    expect([known.find(0, 5), known.value, known.confirmed]).toEqual([true, 60, 0]);
    for (let i = 0; i < 1000; i++) known.learn(0, 5, 60);
    expect(known.find(0, 5) && known.confirmed).toBeLessThanOrEqual(255);
  });

  it('take numbers of either sign for the same 32 bits', () => {
    const known = new KnownValues(8);
    known.learn(0, -1, -2);
    expect([known.find(0, 0xffffffff), known.value]).toEqual([true, 0xfffffffe]);
    known.forget(0, 0xffffffff);
    expect(known.find(0, -1)).toBe(false);
  });

  it('keep spaces apart when they learn and when they forget', () => {
    const known = new KnownValues(8);
    known.learn(1, 5, 50);
    expect(known.find(2, 5)).toBe(false);
    known.forget(2, 5);
    known.forget(1, 6);
    expect(known.find(1, 5)).toBe(true);
    known.reset();
    expect(known.find(1, 5)).toBe(false);
  });

  it('never give a wrong value, and hold the newest ones when there are too many', () => {
    const known = new KnownValues(4);
    let held = 0;
    for (let key = 0; key < 1000; key++) {
      known.learn(3, key, key * 7);
      expect(known.find(3, key) && known.value).toBe(key * 7);
    }
    for (let key = 0; key < 1000; key++) {
      if (!known.find(3, key)) continue;
      held++;
      expect(known.value).toBe(key * 7);
    }
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(16);
  });
});

/** An empty list of a unit. */
function begun(context = 1, trailLength = 0): Candidates {
  const candidates = new Candidates();
  candidates.reset();
  candidates.begin(context, trailLength);
  return candidates;
}

const listed = ({ count, value, origin }: Candidates): [value: number, origin: number][] =>
  Array.from({ length: count }, (_, i) => [value[i]!, origin[i]!]);

describe('candidates', () => {
  it('come in the order of what usually holds before anything is known', () => {
    const candidates = begun();
    candidates.add(1, ORIGIN.same);
    candidates.add(2, ORIGIN.map);
    candidates.add(3, ORIGIN.known);
    candidates.add(4, ORIGIN.shift);
    expect(listed(candidates).map(([value]) => value)).toEqual([3, 2, 1, 4]);
  });

  it('are distinct: origins that agree share a value, which takes the best place of theirs', () => {
    const candidates = begun();
    candidates.add(7, ORIGIN.shift);
    candidates.add(8, ORIGIN.same);
    candidates.add(7, ORIGIN.map);
    expect(listed(candidates).flat()).toEqual([7, ORIGIN.map, 8, ORIGIN.same]);
    expect(candidates.origins[0]).toBe((1 << ORIGIN.shift) | (1 << ORIGIN.map));
    candidates.add(7 - 2 ** 32, ORIGIN.place);
    expect([candidates.count, candidates.origin[0]]).toEqual([2, ORIGIN.map]);
  });

  it('rise and fall by how well their origins do, in their own context only', () => {
    const candidates = begun(1);
    const propose = (context: number): number => {
      candidates.begin(context, 0);
      candidates.add(2, ORIGIN.map);
      candidates.add(1, ORIGIN.same);
      return candidates.value[0]!;
    };
    expect(propose(1)).toBe(2);
    for (let i = 0; i < 20; i++) {
      propose(1);
      candidates.learn(1);
    }
    expect([propose(1), propose(2)]).toEqual([1, 2]);
    for (let i = 0; i < 40; i++) {
      propose(1);
      candidates.learn(2);
    }
    expect(propose(1)).toBe(2);
    candidates.reset();
    expect(propose(1)).toBe(2);
  });

  it('learn nothing where there was no choice', () => {
    const candidates = begun();
    candidates.add(5, ORIGIN.map);
    for (let i = 0; i < 50; i++) candidates.learn(6);
    candidates.add(1, ORIGIN.same);
    expect(candidates.value[0]).toBe(5);
  });

  it('depend on the origins of the units before, as far back as was asked', () => {
    const candidates = begun();
    // After a hit of `map` comes `same`, after a miss comes `map`.
    const round = (before: number, right: number, trailLength: number): number => {
      candidates.begin(9, trailLength);
      candidates.add(10, ORIGIN.map);
      candidates.follow(before);
      candidates.begin(1, trailLength);
      candidates.add(20, ORIGIN.same);
      candidates.add(30, ORIGIN.map);
      const first = candidates.value[0]!;
      candidates.learn(right);
      return first;
    };
    for (let i = 0; i < 60; i++) {
      round(0, 20, 1);
      round(-1, 30, 1);
    }
    expect([round(0, 20, 1), round(-1, 30, 1)]).toEqual([20, 30]);
  });

  it('remember where eight units came from, misses included', () => {
    const candidates = begun();
    candidates.add(1, ORIGIN.same);
    candidates.add(2, ORIGIN.map);
    expect(candidates.trail).toBe(0);
    candidates.follow(-1);
    candidates.follow(0);
    candidates.follow(1);
    expect(candidates.trail & 0xfff).toBe((15 << 8) | (ORIGIN.map << 4) | ORIGIN.same);
    for (let i = 0; i < 20; i++) candidates.follow(-1);
    expect(candidates.trail >>> 0).toBe(0xffffffff);
  });

  it('are not more than fit, and those that do not fit are left out', () => {
    const candidates = begun();
    for (let i = 0; i < CANDIDATES_MAX + 8; i++) candidates.add(100 + i, i % ORIGINS);
    expect(candidates.count).toBe(CANDIDATES_MAX);
    candidates.add(100, ORIGIN.known);
    expect(new Set(listed(candidates).map(([value]) => value)).size).toBe(CANDIDATES_MAX);
  });
});

describe('absolute references', () => {
  const kinds = Object.values(REGION_KIND);
  const toAbsolute = (kind: RegionKind, word: number, va: number): number =>
    instructionSetOf(kind)?.absolute(word, va, 1) ?? word;
  const toRelative = (kind: RegionKind, word: number, va: number): number =>
    instructionSetOf(kind)?.absolute(word, va, -1) ?? word;
  const word = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    // BL, ADRP; BL of A32; BL of T32; JAL, AUIPC: with any field.
    ...[0x94000000, 0x90000000, 0xeb000000, 0xfa000000, 0xd000f000, 0x6f, 0x17].map((opcode) =>
      fc
        .integer({ min: 0, max: 2 ** 32 - 1 })
        .map((field) => (opcode | (field & 0x2fff07ff) | (field & 0x60ffffe0)) >>> 0),
    ),
  );

  it('come back as they were, of every kind, word and address', () => {
    fc.assert(
      fc.property(word, fc.integer({ min: 0, max: 2 ** 33 }), (value, va) => {
        for (const kind of kinds) {
          const absolute = toAbsolute(kind, value, va);
          if (absolute >>> 0 !== absolute || toRelative(kind, absolute, va) !== value) {
            expect.fail(`kind ${kind}: ${value} at ${va} becomes ${absolute}, and ${toRelative(kind, absolute, va)}`);
          }
          expect(toAbsolute(kind, toRelative(kind, value, va), va)).toBe(value);
        }
      }),
      { numRuns: 5000 },
    );
  });

  interface Calls {
    readonly kind: RegionKind;
    readonly isa: ReferenceReader;
    readonly call: number;
    readonly unit: number;
  }
  const CALLS: readonly (readonly [string, Calls])[] = [
    ['BL of A64', { kind: REGION_KIND.a64, isa: A64.makeReader(), call: 0x94000000, unit: 4 }],
    ['BL of A32', { kind: REGION_KIND.a32, isa: A32.makeReader(), call: 0xeb000000, unit: 4 }],
    ['BL of T32', { kind: REGION_KIND.t32, isa: T32.makeReader(), call: 0xf800f000, unit: 2 }],
    ['JAL of RISC-V', { kind: REGION_KIND.riscv, isa: RISCV.makeReader(), call: 0x000000ef, unit: 2 }],
  ];
  const wordBytes = (value: number): Uint8Array => Uint8Array.from([0, 8, 16, 24], (shift) => value >>> shift);

  it.each(CALLS)('make two %s to one place the same word, and two to other places different ones', (_, calls) => {
    const { kind, isa, call, unit } = calls;
    const next = random(5);
    const place = (): number => 0x100000 + Math.floor(next() * 0x10000) * unit;
    for (let i = 0; i < 500; i++) {
      const target = place();
      const absolute = [place(), place()].map((va) => {
        const read = readUnits(isa, wordBytes(call), va)[0]!;
        expect(read.kind).not.toBe(NO_REFERENCE);
        return [target, target + unit].map((to) => toAbsolute(kind, isa.write(read.word, read.kind, va, to), va));
      });
      expect(absolute[0]).toEqual(absolute[1]);
      expect(absolute[0]![0]).not.toBe(absolute[0]![1]);
    }
  });

  it.each([
    ['BL from 0x1000 to 0x2000', REGION_KIND.a64, 0x1000, 0x94000400, 0x94000800],
    ['BL from 0x3000 to 0x2000', REGION_KIND.a64, 0x3000, 0x97fffc00, 0x94000800],
    ['ADRP x0 at 0x10ffc, of the next page', REGION_KIND.a64, 0x10ffc, 0xb0000000, 0xb0000080],
    ['ADRP x0 at 0x12000, of the page before', REGION_KIND.a64, 0x12000, 0xf0ffffe0, 0xb0000080],
    ['BL from 0x8000 to 0x9000', REGION_KIND.a32, 0x8000, 0xeb0003fe, 0xeb0023fe],
    ['BLX from 0x8000 to 0x9002', REGION_KIND.a32, 0x8000, 0xfb0003fe, 0xfb0023fe],
    ['BL at 0x1000, 0x1000 from PC', REGION_KIND.t32, 0x1000, 0xf800f001, 0xf800f002],
    ['JAL ra at 0x10000, 0x12344 from there', REGION_KIND.riscv, 0x10000, 0x344120ef, 0x344220ef],
    ['AUIPC a0 at 0x10004, 0x12 pages from there', REGION_KIND.riscv, 0x10004, 0x00012517, 0x00022517],
  ] as const)('are right for %s (kind %i)', (_, kind, va, relative, absolute) => {
    expect(toAbsolute(kind, relative, va).toString(16)).toBe(absolute.toString(16));
    expect(toRelative(kind, absolute, va).toString(16)).toBe(relative.toString(16));
  });

  it.each([
    ['B of A64', REGION_KIND.a64, 0x14000400],
    ['ADR of A64', REGION_KIND.a64, 0x10000000],
    ['B of A32', REGION_KIND.a32, 0xea0003fe],
    ['B.W of T32', REGION_KIND.t32, 0xb800f000],
    ['LUI of RISC-V', REGION_KIND.riscv, 0x00012537],
    ['BL of A64 in a table', REGION_KIND.data64, 0x94000400],
    ['BL of A64 in bytes of no known structure', REGION_KIND.raw, 0x94000400],
    ['JAL of MIPS, which is absolute as it is', REGION_KIND.mips, 0x0c048d16],
  ] as const)('leave alone %s', (_, kind, value) => {
    expect(toAbsolute(kind, value, 0x12345678)).toBe(value);
  });
});

describe('A64', () => {
  it('keeps the invariants over real code and can be moved', async () => {
    const paths = await corpusPair(SMALL_PAIR);
    const image = new Uint8Array(readFileSync(paths!.source));
    const text = layoutOf(image).regions.find(({ name, kind }) => name === '.text' && kind === REGION_KIND.a64)!;
    const { offset, length, va } = text;
    const report = checkInvariants(A64, image, offset, offset + length, va);
    const references = report.units - report.byKind[NO_REFERENCE]!;
    expect(references / report.units).toBeGreaterThan(0.15);
    expect(report.arrived / report.moved).toBeGreaterThan(0.99);
    expect(report.resolvedRightly / report.resolved).toBeGreaterThan(0.99);
  });

  const codeOf = (...words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  const targets = (...words: readonly number[]): (number | null)[] =>
    readUnits(A64.makeReader(), codeOf(...words), 0x10ff8).map(({ kind, target }) =>
      kind === NO_REFERENCE ? null : target,
    );

  it('joins ADRP with the instruction that adds the rest of the address', () => {
    // adrp x0, one page on; nop; add x0, x0, #0x234; ldr x1, [x0, #16]
    expect(targets(0xb0000000, 0xd503201f, 0x9108d000, 0xf9400801)).toEqual([0x11234, null, 0x11234, 0x11010]);
    // Another register, another ADRP of the same register before the user, and a user without ADRP.
    expect(targets(0xb0000000, 0x9108d021)).toEqual([0x11000, null]);
    expect(targets(0xb0000000, 0xd0000000, 0x9108d000)).toEqual([0x11000, 0x12234, 0x12234]);
    expect(targets(0xf9400801)).toEqual([null]);
  });

  it('takes no access for part of an address that reaches behind the page', () => {
    // adrp x0; ldr x1, [x0, #4088]; ldr x1, [x0, #4096]
    expect(targets(0xb0000000, 0xf947fc01)).toEqual([0x11ff8, 0x11ff8]);
    expect(targets(0xb0000000, 0xf9480001)).toEqual([0x11000, null]);
  });

  it('resolves the second half of an address by the target, where the page may be another', () => {
    const isa = A64.makeReader();
    const [page, user] = readUnits(isa, codeOf(0xb0000000, 0x9108d000), 0x10000);
    isa.begin();
    expect(isa.resolve(user!.word, user!.kind, user!.word, 0x10004)).toBe(NOWHERE);
    expect(isa.resolve(page!.word, page!.kind, 0xd0000000, 0x10000)).toBe(NOWHERE);
    expect(isa.resolve(user!.word, user!.kind, 0x91004000, 0x10004)).toBe(0x12010);
    expect(isa.resolve(user!.word, user!.kind, 0xf9400801, 0x10008)).toBe(NOWHERE);
  });
});

describe('operands of A64', () => {
  /** What is proposed for `word` after these changes: values by origin. */
  function proposed(changes: readonly (readonly [number, number])[], word: number): Record<number, string> {
    const operands = new A64Operands();
    operands.begin();
    for (const [before, after] of changes) operands.learn(before, after);
    const candidates = begun();
    operands.propose(word, candidates);
    return Object.fromEntries(listed(candidates).map(([value, origin]) => [origin, value.toString(16)]));
  }

  // add x0, x1, x2 became add x3, x1, x2.
  const RENAMED = [0x8b020020, 0x8b020023] as const;
  // str x0, [sp, #16] became str x0, [sp, #32].
  const MOVED = [0xf9000be0, 0xf90013e0] as const;

  it.each([
    ['mov x4, x0', 0xaa0003e4, 'aa0303e4'],
    ['sub x0, x0, x0', 0xcb000000, 'cb030063'],
    ['mov x0, #1', 0xd2800020, 'd2800023'],
    ['ldr x1, [x0, #8]', 0xf9400401, 'f9400461'],
    ['ldr x1, [x5, x0]', 0xf86068a1, 'f86368a1'],
  ])('follow a renamed register into %s', (_, word, expected) => {
    expect(proposed([RENAMED], word)).toEqual({ [ORIGIN.registers]: expected });
  });

  it.each([
    ['an instruction without that register', [RENAMED], 0xaa0103e4],
    ['BL, whose field is no register', [RENAMED], 0x94000000],
    ['NOP', [RENAMED], 0xd503201f],
    ['anything while nothing changed', [[0x8b020020, 0x8b020020]], 0xaa0003e4],
    ['anything after a change of opcode', [[0x8b020020, 0xcb020023]], 0xaa0003e4],
    ['the stack before it moved', [], 0xf9000be0],
  ] as const)('propose nothing for %s', (_, changes, word) => {
    expect(proposed(changes, word)).toEqual({});
  });

  it.each([
    ['ldr w1, [sp, #8]', 0xb9400be1, 'b9401be1'],
    ['add x0, sp, #64', 0x910103e0, '910143e0'],
    ['ldp x29, x30, [sp, #32]', 0xa9427bfd, 'a9437bfd'],
    ['ldur x0, [sp, #-8]', 0xf85f83e0, 'f84083e0'],
    ['ldr q0, [sp, #16]', 0x3dc007e0, '3dc00be0'],
    ['ldrb w0, [sp, #1]', 0x394007e0, '394047e0'],
  ])('follow a frame that grew by 16 bytes into %s', (_, word, expected) => {
    expect(proposed([MOVED], word)).toEqual({ [ORIGIN.stack]: expected });
  });

  it('remember the last two different moves of the frame', () => {
    // stp x19, x20, [sp, #16] became stp x19, x20, [sp, #8].
    const moves = [MOVED, [0xa90153f3, 0xa900d3f3], [0xa90153f3, 0xa900d3f3]] as const;
    expect(proposed(moves, 0xb9401be1)).toEqual({ [ORIGIN.stack]: 'b94013e1', [ORIGIN.stackBefore]: 'b9402be1' });
  });

  it('are forgotten when a run begins', () => {
    const operands = new A64Operands();
    operands.begin();
    operands.learn(...RENAMED);
    operands.learn(...MOVED);
    operands.begin();
    const candidates = begun();
    operands.propose(0xaa0003e4, candidates);
    operands.propose(0xf9000be0, candidates);
    expect(candidates.count).toBe(0);
  });
});

describe('operands of A32', () => {
  function proposed(changes: readonly (readonly [number, number])[], word: number): Record<number, string> {
    const operands = new A32Operands();
    operands.begin();
    for (const [before, after] of changes) operands.learn(before, after);
    const candidates = begun();
    operands.propose(word, candidates);
    return Object.fromEntries(listed(candidates).map(([value, origin]) => [origin, value.toString(16)]));
  }

  // add r0, r1, r2 became add r3, r1, r2.
  const RENAMED = [0xe0810002, 0xe0813002] as const;
  // str r0, [sp, #16] became str r0, [sp, #32].
  const MOVED = [0xe58d0010, 0xe58d0020] as const;

  it.each([
    ['mov r4, r0', 0xe1a04000, 'e1a04003'],
    ['cmp r0, #1', 0xe3500001, 'e3530001'],
    ['add r0, r0, r1, lsl r0', 0xe0800011, 'e0833311'],
    ['ldr r1, [r0, #8]', 0xe5901008, 'e5931008'],
    ['ldrh r0, [r1, r0]', 0xe19100b0, 'e19130b3'],
    ['strh r0, [r0, #0]', 0xe1c000b0, 'e1c330b0'],
    ['mul r0, r1, r2', 0xe0000291, 'e0030291'],
    ['mla r0, r1, r2, r0', 0xe0200291, 'e0233291'],
    ['stm r0!, {r2, r3}', 0xe8a0000c, 'e8a3000c'],
  ])('follow a renamed register into %s', (_, word, expected) => {
    expect(proposed([RENAMED], word)).toEqual({ [ORIGIN.registers]: expected });
  });

  it.each([
    ['an instruction without that register', [RENAMED], 0xe1a04001],
    ['mov r1, #0, which has no first operand', [RENAMED], 0xe3a01000],
    ['vadd.f32 s0, s0, s0', [RENAMED], 0xee300a00],
    ['what is unconditional', [RENAMED], 0xf5d0f000],
    ['anything after a change of opcode', [[0xe0810002, 0xe0413002]], 0xe1a04000],
    ['the stack before it moved', [], 0xe58d0010],
  ] as const)('propose nothing for %s', (_, changes, word) => {
    expect(proposed(changes, word)).toEqual({});
  });

  it.each([
    ['ldr r1, [sp, #8]', 0xe59d1008, 'e59d1018'],
    ['ldr r0, [sp, #-8]', 0xe51d0008, 'e59d0008'],
    ['add r0, sp, #64', 0xe28d0040, 'e28d0050'],
    ['sub sp, sp, #1024', 0xe24ddb01, 'e24dde41'],
    ['add r0, sp, #0xff00, which has no such neighbour', 0xe28d0cff, 'e28d0cff'],
    ['ldrd r2, r3, [sp, #8]', 0xe1cd20d8, 'e1cd21d8'],
    ['vldr d0, [sp, #16]', 0xed9d0b04, 'ed9d0b08'],
  ])('follow a frame that grew by 16 bytes into %s', (_, word, expected) => {
    expect(proposed([MOVED], word)).toEqual({ [ORIGIN.stack]: expected });
  });

  it('follow a register into a frame that grew, and remember its last two moves', () => {
    // ldr r1, [sp, #16] became ldr r1, [sp, #8].
    const changes = [MOVED, [0xe59d1010, 0xe59d1008], RENAMED] as const;
    expect(proposed(changes, 0xe59d0018)).toEqual({
      [ORIGIN.stack]: 'e59d3010',
      [ORIGIN.stackBefore]: 'e59d3028',
      [ORIGIN.registers]: 'e59d3018',
    });
  });
});
