/**
 * Small programs for vectors: code of one machine and a table, in two versions. The second has code inserted, so that
 * everything behind it moved and every reference was written anew, and a few instructions changed.
 * @module
 */
import type { Cover } from '../../native-free/format/cover.ts';
import { REGION_KIND, type Region, type RegionKind } from '../../native-free/format/regions.ts';
import type { RegionPair } from '../../native-free/model/region-coder.ts';
import { instructionSetOf } from '../../native-free/predict/isa/list.ts';
import { dice, join, prose, put } from './bytes.ts';

/** Two images with all that a plan says of them. */
export interface Program {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly covers: readonly Cover[];
  readonly pairs: readonly RegionPair[];
  readonly high: readonly [number, number];
}

/** Instructions as their bytes in hexadecimal; fields are filled in afterwards, `..` are any bytes. */
const CODE: Partial<Record<RegionKind, string>> = {
  [REGION_KIND.a64]: `
    00000094, 00000014, 40000054, 61..0034, 03001836, 00000090 00000091, 08000010, 42000058, e10300aa,
    200081d2, fd7bbfa9, e00700b9 e10b40f9, ff8300d1, 01000090 210040f9, 01000090 20004079,
    01000090 200040b9, 01000090 2000c03d, 6302048b, c0035fd6
  `,
  [REGION_KIND.a32]: `
    000000eb, 000000ea, 0000000a, 000000fa, 04209fe5 02208fe0, 0000dfe1 b000dfe1, 007a9fed, 04008fe2,
    ..0000e3 000040e3, 0210a0e1, 04e02de5, 1eff2fe1, 010080e2, 00309fe5, 010050e3
  `,
  [REGION_KIND.t32]: `
    00f000f8, 00f000e8, 00f000b8, 40f00080, 02d0, 05e0, 10b1, 0148 7844, 03a1, dff80410, 5ff80820,
    9fed017a, 0ff20400, 40f20003 c0f20003, 7047, 10b5, 0822, 4ff00105, 1a46
  `,
  [REGION_KIND.x64]: `
    e800000000, e900000000, 0f8400000000, eb05, 7403, 488d3d00000000, 488b0500000000, 833d0000000001,
    c70500000000..000000, 4889c7, 4883ec18, 8b442408, c5f810450c, 66c70500000000...., f30f1efa, 90, c3,
    b8......00
  `,
  [REGION_KIND.riscv]: `
    ef000000, 6f000000, 63840500, 01a0, 11c1, 17050000 13050500, b7050000 03a60500, 97060000 23a0c600,
    97060000 0145 23a0c600, 0145, 8280, 411106e4, 13060500, 3385c500, 83350500
  `,
  [REGION_KIND.mips]: `
    0000000c, 00000008, 00000010, 03004014, 01004104, 0000023c 00004224, 0000033c 0000638c,
    0000043c 00008434, 2520e000, e0ffbd27, 1c00bfaf, 0800e003, 00000000, 21104300
  `,
};

/** Lines of bytes. MIPS of the other byte order has the same ones. */
function linesOf(kind: RegionKind): string[][] {
  const isBig = kind === REGION_KIND.mipsBig;
  const lines = CODE[isBig ? REGION_KIND.mips : kind]!.split(',');
  return lines.map((line) =>
    line
      .trim()
      .split(' ')
      .flatMap((word) => (isBig ? word.match(/../g)!.reverse() : word.match(/../g)!)),
  );
}

const CODE_AT = 24;
const HEAD_VA = 0x8000;
const CODE_VA = 0x10000;
const TABLE_VA = 0x14000;
const ZERO_VA = 0x18000;

function instructions(kind: RegionKind, length: number, seed: number): Uint8Array {
  const next = dice(seed);
  const lines = linesOf(kind);
  const bytes: number[] = [];
  while (bytes.length < length) {
    for (const pair of lines[next(lines.length)]!) bytes.push(pair === '..' ? next(256) : parseInt(pair, 16));
  }
  // Whole words, so that what follows lies as it should.
  return Uint8Array.from(bytes.slice(0, bytes.length & ~3));
}

interface Unit {
  readonly at: number;
  readonly length: number;
  readonly kind: number;
  readonly target: number;
}

/** Walks over code; `change` says where a reference is to lead. Returns the code as it is then, loaded at `newVa(at)`. */
function rewritten(
  code: Uint8Array,
  kind: RegionKind,
  va: number,
  newVa: (at: number) => number,
  change: (unit: Unit) => number,
): Uint8Array {
  const isa = instructionSetOf(kind)!.makeReader();
  const result = code.slice();
  isa.begin();
  for (let at = 0; at < code.length; at += isa.length) {
    isa.read(code, at, 0, code.length, va + at);
    const { word, length, target } = isa;
    const written =
      isa.kind === 0 ? word : isa.write(word, isa.kind, newVa(at), change({ at, length, kind: isa.kind, target }));
    isa.resolve(word, isa.kind, written, newVa(at));
    put(result, at, written, length, kind === REGION_KIND.mipsBig);
  }
  return result;
}

/** What a table holds, by turns: where its words lead is in `goals`. */
interface Table {
  readonly isWide: boolean;
  readonly high: number;
  readonly va: number;
  readonly base: number;
}

function table(goals: readonly number[], { isWide, high, va, base }: Table): Uint8Array {
  const bytes = new Uint8Array(goals.length * 8);
  goals.forEach((goal, i) => {
    const at = i * 8;
    const turn = i % 8;
    if (turn < 3) {
      put(bytes, at, goal);
      put(bytes, at + 4, isWide ? high : goal + 4);
    } else if (turn < 5) {
      put(bytes, at, goal - va - at);
      put(bytes, at + 4, i);
    } else if (turn < 7) {
      put(bytes, at, goal - base);
      put(bytes, at + 4, (goal - base) >> 2);
    } else bytes.set(prose(8, i), at);
  });
  return bytes;
}

/** A program of one machine; `codeBytes` is about how long its code is. `shift` moves all addresses of the target. */
export function programOf(kind: RegionKind, seed: number, codeBytes = 1200, shift = 0x40): Program {
  const next = dice(seed);
  const isWide = kind !== REGION_KIND.a32 && kind !== REGION_KIND.t32 && kind !== REGION_KIND.mipsBig;
  const high: readonly [number, number] = isWide ? [0x55, 0x56] : [0, 0];
  const raw = instructions(kind, codeBytes, seed);
  const goal = (): number => (next(3) === 0 ? TABLE_VA + 8 * next(40) : CODE_VA + 4 * next(raw.length / 4));
  const code = rewritten(raw, kind, CODE_VA, (at) => CODE_VA + at, goal);
  const cut = unitStart(code, kind, code.length >> 1);
  const added = newCode(kind, seed, CODE_VA + shift + cut, next);
  const moved = (va: number): number => {
    if (va >= CODE_VA && va < CODE_VA + code.length) return va + shift + (va - CODE_VA < cut ? 0 : added.length);
    return va + (va >= ZERO_VA ? 3 * shift : va >= TABLE_VA ? 2 * shift : 0);
  };
  const newCodeBytes = rewritten(
    code,
    kind,
    CODE_VA,
    (at) => moved(CODE_VA + at),
    (unit) => moved(unit.target),
  );
  changeSome(newCodeBytes, kind, next);
  const goals = Array.from({ length: 48 }, () => (next(8) === 0 ? ZERO_VA + 4 * next(32) : goal()));
  const oldTable = table(goals, { isWide, high: high[0], va: TABLE_VA, base: CODE_VA });
  const newTable = table(goals.map(moved), { isWide, high: high[1], va: moved(TABLE_VA), base: moved(CODE_VA) });
  const head = prose(CODE_AT, seed);
  const note = prose(70, seed + 1);
  const target = join(head, newCodeBytes.subarray(0, cut), added, newCodeBytes.subarray(cut), note, newTable);
  const tableAt = CODE_AT + code.length + 40;
  const source = join(head, code, note.subarray(0, 40), oldTable);
  const newTableAt = target.length - newTable.length;
  const region = (kindOf: RegionKind, offset: number, length: number, va: number): Region => {
    return { module: 0, kind: kindOf, offset, length, va };
  };
  const tableKind = isWide ? REGION_KIND.data64 : REGION_KIND.data32;
  const bases = [1, 4].map((scale) => ({ source: CODE_VA, target: moved(CODE_VA), scale }));
  const zero = [region(REGION_KIND.bss, -1, 128, ZERO_VA), region(REGION_KIND.bss, -1, 160, moved(ZERO_VA))] as const;
  return {
    ...{ source, target, high },
    covers: [
      { sourceOffset: 0, targetOffset: 0, length: CODE_AT + cut },
      { sourceOffset: CODE_AT + cut, targetOffset: CODE_AT + cut + added.length, length: code.length - cut + 31 },
      { sourceOffset: tableAt, targetOffset: newTableAt, length: newTable.length },
    ],
    pairs: [
      pair(region(REGION_KIND.raw, 0, CODE_AT, HEAD_VA), region(REGION_KIND.raw, 0, CODE_AT, HEAD_VA)),
      pair(
        region(kind, CODE_AT, code.length, CODE_VA),
        region(kind, CODE_AT, code.length + added.length, moved(CODE_VA)),
      ),
      pair(
        region(tableKind, tableAt, oldTable.length, TABLE_VA),
        region(tableKind, newTableAt, newTable.length, moved(TABLE_VA)),
        bases,
      ),
      pair(zero[0], zero[1]),
    ],
  };
}

function pair(source: Region, target: Region | null, bases: RegionPair['bases'] = []): RegionPair {
  return { source, target, bases };
}

/** The start of the unit in which byte `near` lies; a multiple of four too. */
function unitStart(code: Uint8Array, kind: RegionKind, near: number): number {
  const isa = instructionSetOf(kind)!.makeReader();
  isa.begin();
  let start = 0;
  for (let at = 0; at <= near; at += isa.length) {
    if (at % 4 === 0) start = at;
    isa.read(code, at, 0, code.length, at);
  }
  return start;
}

/** Code that is only in the target; half of it twice, with references to the same places. */
function newCode(kind: RegionKind, seed: number, va: number, next: (most: number) => number): Uint8Array {
  const plain = instructions(kind, 80, seed + 7);
  const goals = Array.from({ length: 8 }, () => CODE_VA + 4 * next(200));
  const once = (at: number): Uint8Array => {
    let i = 0;
    return rewritten(
      plain,
      kind,
      va + at,
      (offset) => va + at + offset,
      () => goals[i++ % 8]!,
    );
  };
  return join(once(0), once(plain.length));
}

/** A few changes: registers of A64 consistently, else bits here and there. */
function changeSome(code: Uint8Array, kind: RegionKind, next: (most: number) => number): void {
  if (kind === REGION_KIND.a64) {
    for (let at = code.length >> 2; at < code.length >> 1; at += 4) {
      if (code[at + 3] === 0xaa || code[at + 3] === 0x8b) code[at] = (code[at]! & 0xe0) | ((code[at]! + 9) & 31);
      else if (code[at + 3] === 0xb9 || code[at + 3] === 0xd1) code[at + 1]! += 8;
    }
  }
  for (let i = 0; i < 8; i++) code[4 * next(code.length / 4) + next(2)]! ^= 1 << next(4);
}

/** Programs one behind the other, each a module; in the target in the opposite order. One of them has lost its table. */
export function together(programs: readonly Program[]): Omit<Program, 'high'> & { highs: Program['high'][] } {
  const starts = offsets(programs.map(({ source }) => source.length));
  const reversed = [...programs].reverse();
  const targetStarts = offsets(reversed.map(({ target }) => target.length)).reverse();
  const at = (region: Region | null, module: number, start: number): Region | null =>
    region && { ...region, module, offset: region.offset < 0 ? -1 : region.offset + start };
  const pairs = programs.flatMap((program, m) =>
    program.pairs.map((each, i) => ({
      source: at(each.source, m, starts[m]!)!,
      target: m === 2 && i === 2 ? null : at(each.target, m, targetStarts[m]!),
      bases: m === 2 ? [] : each.bases,
    })),
  );
  const covers = programs.flatMap((program, m) =>
    program.covers.map(({ sourceOffset, targetOffset, length }) => {
      return { sourceOffset: sourceOffset + starts[m]!, targetOffset: targetOffset + targetStarts[m]!, length };
    }),
  );
  covers.sort((a, b) => a.targetOffset - b.targetOffset);
  const source = join(...programs.map((program) => program.source));
  const target = join(...reversed.map((program) => program.target));
  return { source, target, covers, pairs, highs: programs.map(({ high }) => high) };
}

function offsets(lengths: readonly number[]): number[] {
  let sum = 0;
  return lengths.map((length) => (sum += length) - length);
}
