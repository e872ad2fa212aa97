import { readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { corpusPair } from '../../../corpus/index.ts';
import { NO_REFERENCE, NOWHERE, type ReferenceReader } from '../../../native-free/predict/isa/instruction-set.ts';
import { X64 } from '../../../native-free/predict/isa/x64.ts';
import { PART, X64Parts } from '../../../native-free/predict/isa/x64-parts.ts';
import { random } from '../../support/images.ts';
import { checkInvariants, readUnits } from '../../support/instruction-sets.ts';

// Encodings in this file are the output of llvm-mc --show-encoding (LLVM 14), bytes in the order of memory. A slash
// stands before and behind the displacement or distance: head / field / immediate.

const VA = 0x400000;

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replaceAll(/[ /]/g, '').match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Lengths of the units that the parts of an instruction are read as. */
function unitLengths(hex: string): number[] {
  return hex.split('/').flatMap((part) => {
    const lengths = [];
    for (let left = bytesOf(part).length; left > 0; left -= lengths.at(-1)!) {
      lengths.push(left >= 4 ? 4 : left >= 2 ? 2 : 1);
    }
    return lengths;
  });
}

/** The instruction and a call to it, which is read as one only when the instruction ended where it should. */
function withCall(hex: string): Uint8Array {
  const before = bytesOf(hex);
  const distance = -(before.length + 5);
  return Uint8Array.of(...before, 0xe8, distance, distance >> 8, distance >> 16, distance >> 24);
}

type Reference = readonly [assembler: string, hex: string, target: number];

const REFERENCES: readonly Reference[] = [
  ['call .+0x1005', 'e8/00100000', VA + 0x1005],
  ['jmp .+0x2005', 'e9/00200000', VA + 0x2005],
  ['jmp .-0x300', 'e9/fbfcffff', VA - 0x300],
  ['jne .+0x406', '0f85/00040000', VA + 0x406],
  ['bnd jmp .+6', 'f2e9/00000000', VA + 6],
  ['data16 rex.W call .+0x108', '666648e8/00010000', VA + 0x108],
  ['jmp .+0x81', 'eb/7f', VA + 0x81],
  ['jmp .-0x7e', 'eb/80', VA - 0x7e],
  ['jo .+2', '70/00', VA + 2],
  ['jrcxz .-2', 'e3/fc', VA - 2],
  ['loop .+0x22', 'e2/20', VA + 0x22],
  ['call *0x1234(%rip)', 'ff15/34120000', VA + 6 + 0x1234],
  ['jmp *-16(%rip)', 'ff25/f0ffffff', VA + 6 - 16],
  ['lea 0x10(%rip), %r9', '4c8d0d/10000000', VA + 7 + 0x10],
  ['movups 0x10(%rip), %xmm1', '0f100d/10000000', VA + 7 + 0x10],
  ['pshufb 0x20(%rip), %xmm1', '660f38000d/20000000', VA + 9 + 0x20],
  ['palignr $3, 0x20(%rip), %xmm1', '660f3a0f0d/20000000/03', VA + 10 + 0x20],
  ['cmpb $7, 0x100(%rip)', '803d/00010000/07', VA + 7 + 0x100],
  ['testb $1, 0x100(%rip)', 'f605/00010000/01', VA + 7 + 0x100],
  ['notb 0x100(%rip)', 'f615/00010000', VA + 6 + 0x100],
  ['movw $0x1234, 0x100(%rip)', '66c705/00010000/3412', VA + 9 + 0x100],
  ['testl $0x12345678, 0x100(%rip)', 'f705/00010000/78563412', VA + 10 + 0x100],
  ['movq $1, 0x100(%rip)', '48c705/00010000/01000000', VA + 11 + 0x100],
  ['imul $1000, 0x100(%rip), %eax', '6905/00010000/e8030000', VA + 10 + 0x100],
  ['vmovaps 0x40(%rip), %ymm2', 'c5fc2815/40000000', VA + 8 + 0x40],
  ['vpshufd $27, 0x40(%rip), %xmm3', 'c5f9701d/40000000/1b', VA + 9 + 0x40],
  ['vpaddd 0x40(%rip), %zmm1, %zmm2', '62f17548fe15/40000000', VA + 10 + 0x40],
  ['vpternlogd $150, 0x40(%rip), %zmm1, %zmm2', '62f375482515/40000000/96', VA + 11 + 0x40],
];

const PLAIN: readonly (readonly [assembler: string, hex: string])[] = [
  ['nop', '90'],
  ['ret', 'c3'],
  ['ret $8', 'c2//0800'],
  ['push %rbp', '55'],
  ['push $-2', '6a//fe'],
  ['push $0x12345678', '68//78563412'],
  ['pushw $0x1234', '6668//3412'],
  ['mov %rsp, %rbp', '4889e5'],
  ['mov $1, %eax', 'b8//01000000'],
  ['mov $1, %ax', '66b8//0100'],
  ['movabs $0x123456789abcdef0, %rax', '48b8//f0debc9a78563412'],
  ['movabs 0x123456789abcdef0, %rax', '48a1//f0debc9a78563412'],
  ['addr32 mov 0x12345678, %eax', '67a1//78563412'],
  ['mov -8(%rbp), %rax', '488b45/f8'],
  ['mov 0x148(%rsp), %rax', '488b8424/48010000'],
  ['mov (%rax,%rcx,4), %edx', '8b1488'],
  ['mov 0x1000(,%rcx,4), %edx', '8b148d/00100000'],
  ['mov %fs:0x28, %eax', '648b0425/28000000'],
  ['movq $-1, 0x18(%rsp)', '48c74424/18/ffffffff'],
  ['addw $0x1234, (%rbx)', '668103//3412'],
  ['testb $1, (%rax)', 'f600//01'],
  ['negl 8(%rax)', 'f758/08'],
  ['test $0x1000, %rdi', '48f7c7//00100000'],
  ['imul $24, %rax, %rcx', '486bc8//18'],
  ['shld $3, %eax, (%rdx)', '0fa402//03'],
  ['bt $5, %eax', '0fbae0//05'],
  ['movzbl 4(%rdi), %eax', '0fb647/04'],
  ['cmove %rax, %rcx', '480f44c8'],
  ['bswap %r11', '490fcb'],
  ['syscall', '0f05'],
  ['ud2', '0f0b'],
  ['endbr64', 'f30f1efa'],
  ['lock cmpxchg %ecx, (%rdx)', 'f00fb10a'],
  ['rep movsb', 'f3a4'],
  ['enter $16, $0', 'c8//100000'],
  ['int $0x80', 'cd//80'],
  ['nopw %cs:0x200(%rax,%rax)', '2e660f1f8400/00020000'],
  ['pshufb %xmm1, %xmm2', '660f3800d1'],
  ['roundsd $1, %xmm1, %xmm2', '660f3a0bd1//01'],
  ['crc32q %rax, %rbx', 'f2480f38f1d8'],
  ['popcnt %rdi, %rax', 'f3480fb8c7'],
  ['mov %cr0, %rax', '0f20c0'],
  ['fldl 8(%rsp)', 'dd4424/08'],
  ['pop (%rax)', '8f00'],
  ['vzeroupper', 'c5f877'],
  ['vmovdqu (%rdi), %ymm0', 'c5fe6f07'],
  ['vpermq $0x4e, %ymm0, %ymm1', 'c4e3fd00c8//4e'],
  ['vfmadd213ps %zmm1, %zmm2, %zmm3', '62f26d48a8d9'],
  ['vaddph %zmm1, %zmm2, %zmm3', '62f56c4858d9'],
  ['vprotd $8, %xmm0, %xmm1', '8fe878c2c8//08'],
];

const ALL = [...REFERENCES.map(([assembler, hex]) => [assembler, hex] as const), ...PLAIN];

describe('x86-64', () => {
  it.each(REFERENCES)('reads where %s leads', (_assembler, hex, target) => {
    const units = readUnits(X64.makeReader(), bytesOf(hex), VA);
    expect(units.map(({ length }) => length)).toEqual(unitLengths(hex));
    const references = units.filter(({ kind }) => kind !== NO_REFERENCE);
    expect(references).toMatchObject([{ target }]);
    expect(references[0]!.va).toBe(VA + bytesOf(hex.split('/')[0]!).length);
  });

  it.each(PLAIN)('finds no reference in %s', (_assembler, hex) => {
    const units = readUnits(X64.makeReader(), bytesOf(hex), VA);
    expect(units.map(({ length }) => length)).toEqual(unitLengths(hex));
    expect(units.every(({ kind, word, opcode }) => kind === NO_REFERENCE && word === opcode)).toBe(true);
  });

  it.each(ALL)('knows where %s ends', (_assembler, hex) => {
    const units = readUnits(X64.makeReader(), withCall(hex), VA);
    expect(units.map(({ length }) => length)).toEqual([...unitLengths(hex), 1, 4]);
    expect(units.at(-1)).toMatchObject({ target: VA });
  });

  it('makes a reference lead elsewhere and keeps what stands around it', () => {
    const isa = X64.makeReader();
    for (const [assembler, hex, target] of REFERENCES) {
      const unit = readUnits(isa, bytesOf(hex), VA).find(({ kind }) => kind !== NO_REFERENCE)!;
      const other = target > VA + 24 ? target - 16 : target + 16;
      const word = isa.write(unit.word, unit.kind, unit.va, other);
      const bytes = bytesOf(hex);
      for (let i = 0; i < unit.length; i++) bytes[unit.va - VA + i] = word >>> (8 * i);
      const { kind, opcode } = unit;
      const again = readUnits(isa, bytes, VA).find((other) => other.kind !== NO_REFERENCE);
      expect(again, assembler).toMatchObject({ kind, opcode, target: other });
      expect(isa.resolve(unit.word, kind, word, unit.va), assembler).toBe(other);
    }
  });

  it('tells instructions apart by the opcode of their fields, which the distance is no part of', () => {
    const opcodes = REFERENCES.map(
      ([, hex]) => readUnits(X64.makeReader(), bytesOf(hex), VA).find(({ kind }) => kind !== 0)!.opcode,
    );
    // Twice JMP rel32, with and without BND, and twice JMP rel8; CALL with prefixes.
    expect(new Set(opcodes).size).toBe(REFERENCES.length - 4);
    expect(opcodes[0]).toBe(0x00e80000);
    expect(opcodes[3]).toBe(0x01850000);
    expect(opcodes[13]).toBe(0x008d0d4c);
  });

  it('addresses wrap around at 32 bits', () => {
    const [, field] = readUnits(X64.makeReader(), bytesOf('e9/fbfcffff'), 0x100);
    expect(field?.target).toBe(0xfffffe00);
    expect(X64.makeReader().write(0, field!.kind, 0x101, 0xfffffe00)).toBe(0xfffffcfb);
  });
});

describe('bytes that are no instruction', () => {
  it.each([
    ['no opcode in 64-bit mode', '06'],
    ['no opcode after 0F', '0f04'],
    ['a prefix after REX', '4866'],
    ['REX before VEX', '48c5fc2815'],
    ['VEX of a map that there is not', 'c4e4fd00c8'],
    ['EVEX without its fixed bits', '62f17148fe15'],
    ['prefixes without end', '66'.repeat(20)],
    ['sixteen bytes', '2e2e2e2e2e2e662e0f1f840000000000'],
  ])('are read one at a time: %s', (_what, hex) => {
    const isa = X64.makeReader();
    const bytes = Uint8Array.of(...bytesOf(hex), ...new Array<number>(40).fill(0x90));
    isa.read(bytes, 0, 0, bytes.length, VA);
    expect(isa).toMatchObject({ length: 1, word: bytes[0], kind: NO_REFERENCE, opcode: bytes[0] });
  });

  it('are told to the end of a stretch, without a reference when an instruction is cut off', () => {
    for (const [assembler, hex] of ALL) {
      const whole = bytesOf(hex);
      for (let length = 1; length < whole.length; length++) {
        const units = readUnits(X64.makeReader(), whole.subarray(0, length), VA);
        expect(
          units.reduce((sum, unit) => sum + unit.length, 0),
          assembler,
        ).toBe(length);
        expect(
          units.every(({ kind }) => kind === NO_REFERENCE),
          `${length} bytes of ${assembler}`,
        ).toBe(true);
      }
    }
  });

  it('resolve to nowhere', () => {
    expect(X64.makeReader().resolve(0xe8, NO_REFERENCE, 0xe9, VA)).toBe(NOWHERE);
  });
});

describe('reading that begins in the middle of an instruction', () => {
  /** Instructions in some order, and which bytes are the first of one. */
  function stretch(): { bytes: Uint8Array; starts: Set<number> } {
    const next = random(11);
    const all: number[] = [];
    const starts = new Set<number>();
    for (let i = 0; i < 4000; i++) {
      starts.add(all.length);
      all.push(...bytesOf(ALL[Math.floor(next() * ALL.length)]![1]));
    }
    return { bytes: Uint8Array.from(all), starts };
  }

  it('is in step again after a few instructions', () => {
    const { bytes, starts } = stretch();
    const wanted = references(bytes, 0, new Set());
    let [begun, lost] = [0, 0];
    for (let from = 1; from < bytes.length - 400; from += 5) {
      if (starts.has(from)) continue;
      const seen = references(bytes.subarray(0, from + 400), from, wanted);
      begun++;
      lost += seen.size > 0 ? Math.max(...seen) - from : 0;
    }
    expect(begun).toBeGreaterThan(2000);
    // Bytes until the last reference that is none.
    expect(lost / begun).toBeLessThan(16);
  });

  /** Offsets of references that are not among those `known`. */
  function references(bytes: Uint8Array, from: number, known: ReadonlySet<number>): Set<number> {
    const isa = X64.makeReader();
    const found = new Set<number>();
    for (let at = from; at < bytes.length; at += isa.length) {
      isa.read(bytes, at, from, bytes.length, VA + at);
      if (isa.kind !== NO_REFERENCE && !known.has(at)) found.add(at);
    }
    return found;
  }

  it('forgets the instruction it was in at `begin`, and when it is to read elsewhere', () => {
    const bytes = Uint8Array.of(...bytesOf('48b8//f0debc9a78563412'), ...bytesOf('e8/00100000'));
    for (const forget of [(isa: ReferenceReader) => isa.begin(), (): void => undefined]) {
      const isa = X64.makeReader();
      isa.read(bytes, 0, 0, bytes.length, VA);
      forget(isa);
      isa.read(bytes, 10, 0, bytes.length, VA + 10);
      isa.read(bytes, 11, 0, bytes.length, VA + 11);
      expect(isa).toMatchObject({ length: 4, target: VA + 15 + 0x1000 });
    }
  });
});

describe('invariants of x86-64', () => {
  it('hold over any bytes', () => {
    const next = random(7);
    const bytes = Uint8Array.from({ length: 100_000 }, () => Math.floor(next() * 256));
    for (const end of [99_997, 99_998, 99_999]) checkInvariants(X64, bytes, 4, end, 0x8000, { shift: 0 });
  });

  it('hold over the code of a real image, whose references stay inside of it', async (context: TestContext) => {
    const paths = await corpusPair('rollup-x64', { fetch: false, onMiss: (reason) => context.skip(reason) });
    if (paths === null) return;
    for (const path of [paths.source, paths.target]) {
      const bytes = new Uint8Array(readFileSync(path));
      const { offset, length, va } = executableSegment(bytes);
      const { byKind, inside, ...moves } = checkInvariants(X64, bytes, offset, offset + length, va);
      expect(byKind[1]).toBeGreaterThan(20_000);
      // Calls and jumps lead into the code, addresses mostly to other places.
      for (const kind of [1, 2, 3, 4, 5]) expect(inside[kind]! / byKind[kind]!).toBeGreaterThan(0.999);
      expect(moves.arrived / moves.moved).toBeGreaterThan(0.999);
      expect(moves.resolvedRightly).toBe(moves.arrived);
      // Zeros between two sections may be read across the second one's start.
      expect(strays(bytes, offset, length, va)).toBeLessThan(4);
    }
  });

  it('have their distances where parts, told byte by byte, say so too', async (context: TestContext) => {
    const paths = await corpusPair('rollup-x64', { fetch: false, onMiss: (reason) => context.skip(reason) });
    if (paths === null) return;
    const bytes = new Uint8Array(readFileSync(paths.source));
    const { offset, length, va } = executableSegment(bytes);
    const reader = X64.makeReader();
    const parts = new X64Parts();
    parts.begin();
    reader.begin();
    let [both, one] = [0, 0];
    for (let at = offset; at < offset + length;) {
      reader.read(bytes, at, offset, offset + length, va + at - offset);
      const isDistance = parts.isDistance && parts.part === PART.displacement && parts.left === 4;
      const isReference = reader.kind !== NO_REFERENCE && reader.length === 4;
      if (isDistance && isReference) both++;
      else if (isDistance || isReference) one++;
      for (let i = 0; i < reader.length; i++) parts.next(bytes[at++]!);
    }
    expect(both).toBeGreaterThan(30_000);
    expect(one / both).toBeLessThan(0.001);
  });
});

/** The loaded segment that has code. ELF-64 specification: program headers. */
function executableSegment(bytes: Uint8Array): { offset: number; length: number; va: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = Number(view.getBigUint64(32, true));
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const header = table + 56 * i;
    const isCode = view.getUint32(header, true) === 1 && (view.getUint32(header + 4, true) & 1) !== 0;
    if (!isCode) continue;
    const [offset, va, length] = [8, 16, 32].map((field) => Number(view.getBigUint64(header + field, true)));
    return { offset: offset!, length: length!, va: va! };
  }
  throw new Error('no code');
}

/** References to outside of what the image can have loaded. */
function strays(bytes: Uint8Array, offset: number, length: number, va: number): number {
  const isa = X64.makeReader();
  let count = 0;
  for (let at = offset; at < offset + length; at += isa.length) {
    isa.read(bytes, at, offset, offset + length, va + at - offset);
    if (isa.kind !== NO_REFERENCE && isa.target > bytes.length + 0x10000) count++;
  }
  return count;
}
