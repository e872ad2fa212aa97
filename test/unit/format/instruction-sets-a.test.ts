import { readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { corpusPair } from '../../../corpus/index.ts';
import { A32 } from '../../../native-free/predict/isa/a32.ts';
import {
  NO_REFERENCE,
  NOWHERE,
  type InstructionSet,
  type ReferenceReader,
} from '../../../native-free/predict/isa/instruction-set.ts';
import { MIPS, MIPS_BIG } from '../../../native-free/predict/isa/mips.ts';
import { RISCV } from '../../../native-free/predict/isa/riscv.ts';
import { T32 } from '../../../native-free/predict/isa/t32.ts';
import { random } from '../../support/images.ts';
import { checkInvariants, readUnits, type InvariantReport } from '../../support/instruction-sets.ts';

// Encodings in this file are the output of llvm-mc --show-encoding (LLVM 14), bytes in the order of memory.

const VA = 0x10000;

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Where the units of a few instructions lead, `null` for those that refer to nothing. */
function targets(isa: ReferenceReader, ...code: string[]): (number | null)[] {
  return readUnits(isa, bytesOf(code.join('')), VA).map(({ kind, target }) => (kind === NO_REFERENCE ? null : target));
}

/** The bytes of one instruction as a number, after it was made to refer to `target`. */
function rewritten(isa: ReferenceReader, hex: string, target: number): number {
  const { word, kind, va } = readUnits(isa, bytesOf(hex), VA)[0]!;
  return isa.write(word, kind, va, target);
}

/** Gives `resolve` one unit after the other, as if they stood in source and target alike. */
function resolved(isa: ReferenceReader, ...code: string[]): (number | null)[] {
  const units = readUnits(isa, bytesOf(code.join('')), VA);
  isa.begin();
  return units.map(({ word, kind, va }) => {
    const reached = isa.resolve(word, kind, word, va);
    return reached === NOWHERE ? null : reached;
  });
}

type Example = readonly [assembler: string, hex: string, target: number | null];

const A32_EXAMPLES: readonly Example[] = [
  ['bl #0x1000', '000400eb', VA + 8 + 0x1000],
  ['b #-8', 'feffffea', VA],
  ['beq #16', '0400000a', VA + 24],
  ['blx #0x102', '400000fb', VA + 8 + 0x102],
  ['blx #-0x200', '80fffffa', VA + 8 - 0x200],
  ['ldr r0, [pc, #-4]', '04001fe5', VA + 4],
  ['ldr r0, [pc, #-0]', '00001fe5', VA + 8],
  ['ldrb r1, [pc, #16]', '1010dfe5', VA + 24],
  ['ldrd r2, r3, [pc, #-36]', 'd4224fe1', VA + 8 - 36],
  ['ldrh r5, [pc, #243]', 'b35fdfe1', VA + 8 + 243],
  ['strh r1, [r2, #16]', 'b011c2e1', null],
  ['vldr d7, [pc, #-1020]', 'ff7b1fed', VA + 8 - 1020],
  ['vldr s1, [pc, #8]', '020adfed', VA + 16],
  ['adr r0, #0x100', '010c8fe2', VA + 8 + 0x100],
  ['add r4, pc, #0xff0', 'ff4e8fe2', VA + 8 + 0xff0],
  ['sub r4, pc, #8', '08404fe2', VA],
  ['movw r3, #22136', '783605e3', null],
  ['movt r3, #4660', '343241e3', null],
  ['add r2, pc, r2', '02208fe0', null],
  ['pld [pc, #16]', '10f0dff5', null],
  ['mov r3, #1', '0130a0e3', null],
];

const T32_EXAMPLES: readonly Example[] = [
  ['bl #0x1000', '01f000f8', VA + 4 + 0x1000],
  ['bl #-0x500002', 'fff6fff7', VA + 4 - 0x500002 + 2 ** 32],
  ['blx #0x102000', '02f100e8', VA + 4 + 0x102000],
  ['b.w #-0x40000', 'c0f700b8', VA + 4 - 0x40000 + 2 ** 32],
  ['beq.w #-0x3000', '3df400a8', VA + 4 - 0x3000],
  ['bne.w #0x40000', '40f000a0', VA + 4 + 0x40000],
  ['bne #-4', 'fed1', VA],
  ['b #0x100', '80e0', VA + 4 + 0x100],
  ['cbz r1, #0x44', '11b3', VA + 4 + 0x44],
  ['cbnz r7, #2', '0fb9', VA + 4 + 2],
  ['ldr r2, [pc, #540]', '874a', VA + 4 + 540],
  ['ldr.w r9, [pc, #-0x123]', '5ff82391', VA + 4 - 0x123],
  ['ldrh.w r1, [pc, #16]', 'bff81010', VA + 20],
  ['ldrd r2, r3, [pc, #-36]', '5fe90923', VA + 4 - 36],
  ['vldr d7, [pc, #1020]', '9fedff7b', VA + 1024],
  ['adr r3, #32', '08a3', VA + 36],
  ['adr.w r3, #-32', 'aff22003', VA - 28],
  ['adr.w r3, #0x8ab', '0ff6ab03', VA + 4 + 0x8ab],
  ['movw r10, #0xabcd', '4af6cd3a', null],
  ['movt r10, #0x1234', 'c1f2342a', null],
  ['add r2, pc', '7a44', null],
  ['udf #1', '01de', null],
  ['svc #3', '03df', null],
];

const RISCV_EXAMPLES: readonly Example[] = [
  ['jal ra, 0x12344', 'ef204134', VA + 0x12344],
  ['j -26', '6ff07ffe', VA - 26],
  ['beq a0, a1, -1994', 'e30bb582', VA - 1994],
  ['bltu a0, a1, 4094', 'e36fb57e', VA + 4094],
  ['c.j 1716', '55ad', VA + 1716],
  ['c.j -26', 'ddb7', VA - 26],
  ['c.beqz a0, 126', '3dcd', VA + 126],
  ['c.bnez s1, -256', '81f0', VA - 256],
  ['c.nop', '0100', null],
  ['auipc a0, 18', '17250100', VA + 0x12000],
  ['auipc zero, 0', '17000000', null],
  ['lui a5, 0x20001', 'b7170020', null],
  ['addi a0, a0, -291', '1305d5ed', null],
];

const MIPS_EXAMPLES: readonly Example[] = [
  ['jal 0x123458', '168d040c', 0x123458],
  ['j 0x20', '08000008', 0x20],
  ['b 0x40', '10000010', VA + 4 + 0x40],
  ['beq $4, $5, -8', 'feff8510', VA - 4],
  ['bnez $4, -0x100', 'c0ff8014', VA + 4 - 0x100],
  ['bgezal $4, 0x100', '40009104', VA + 4 + 0x100],
  ['bltz $4, 16', '04008004', VA + 20],
  ['bc1t 0x20', '08000145', VA + 36],
  ['beql $4, $5, 8', '02008550', VA + 12],
  ['tgei $4, 16', '10008804', null],
  ['lui $2, 112', '7000023c', null],
  ['ld $3, 8($2)', '080043dc', null],
];

const SETS = [
  ['A32', A32, A32_EXAMPLES],
  ['T32', T32, T32_EXAMPLES],
  ['RISC-V', RISCV, RISCV_EXAMPLES],
  ['MIPS', MIPS, MIPS_EXAMPLES],
] as const;

describe.each(SETS)('%s', (_name, set, examples) => {
  it.each(examples)('reads where %s leads', (_assembler, hex, target) => {
    const isa = set.makeReader();
    const [unit] = readUnits(isa, bytesOf(hex), VA);
    expect(unit?.length).toBe(hex.length / 2);
    expect(targets(isa, hex)).toEqual([target]);
  });

  it('can make every reference lead to somewhere nearer without a change of its opcode', () => {
    const isa = set.makeReader();
    for (const [assembler, hex, target] of examples) {
      // AUIPC alone leads to pages only.
      if (target === null || assembler.startsWith('auipc')) continue;
      const nearer = target > VA + 24 ? target - 16 : target + 16;
      const word = rewritten(isa, hex, nearer);
      const bytes = Uint8Array.from({ length: hex.length / 2 }, (_, i) => word >>> (8 * i));
      const { kind, opcode } = readUnits(isa, bytesOf(hex), VA)[0]!;
      expect(readUnits(isa, bytes, VA), assembler).toMatchObject([{ kind, opcode, target: nearer }]);
    }
  });

  it('holds its invariants over any bytes', () => {
    const next = random(7);
    const bytes = Uint8Array.from({ length: 100_000 }, () => Math.floor(next() * 256));
    for (const end of [99_997, 99_998, 99_999]) checkInvariants(set, bytes, 4, end, 0x8000, { shift: 0 });
  });

  it('is done with a stretch that ends in the middle of a unit', () => {
    for (const length of [1, 2, 3]) {
      const units = readUnits(set.makeReader(), bytesOf('fff7fff7').subarray(0, length), VA);
      expect(units.reduce((sum, unit) => sum + unit.length, 0)).toBe(length);
      expect(units.every((unit) => unit.kind === NO_REFERENCE)).toBe(true);
    }
  });
});

describe('addresses in two halves', () => {
  it('are whole for MOVW and MOVT of A32', () => {
    const code = ['783605e3', '0130a0e3', '343241e3']; // movw r3, #0x5678; mov r3, #1; movt r3, #0x1234
    expect(targets(A32.makeReader(), ...code)).toEqual([0x12345678, null, 0x12345678]);
    expect(resolved(A32.makeReader(), ...code)).toEqual([null, null, 0x12345678]);
  });

  it('are whole for MOVW and MOVT of T32', () => {
    const code = ['4af6cd3a', 'c1f2342a']; // movw r10, #0xabcd; movt r10, #0x1234
    expect(targets(T32.makeReader(), ...code)).toEqual([0x1234abcd, 0x1234abcd]);
    expect(resolved(T32.makeReader(), ...code)).toEqual([null, 0x1234abcd]);
  });

  it('are whole for AUIPC and its users, whose low part counts from the AUIPC', () => {
    // auipc a0, 18; ld a1, 2040(a0); sd a1, -8(a0); fsd fa0, 16(a0); addi a0, a0, -291; lbu a1, 1(a0)
    const code = ['17250100', '8335857f', '233cb5fe', '2738a500', '1305d5ed', '83451500'];
    const page = VA + 0x12000;
    expect(targets(RISCV.makeReader(), ...code)).toEqual([
      page + 2040,
      page + 2040,
      page - 8,
      page + 16,
      page - 291,
      null,
    ]);
    expect(resolved(RISCV.makeReader(), ...code)).toEqual([null, page + 2040, page - 8, page + 16, page - 291, null]);
  });

  it('are rounded for the sign of the low part', () => {
    const isa = RISCV.makeReader();
    const [page, low] = readUnits(isa, bytesOf('17250100 1305d5ed'), VA);
    // 0x12345 pages and 0x800 bytes from the AUIPC: the low part is -0x800, so the page is the next one.
    const target = VA + 0x12345800;
    expect(isa.write(page!.word, page!.kind, VA, target)).toBe(0x12346517);
    expect(isa.write(low!.word, low!.kind, VA + 4, target)).toBe(0x80050513);
  });

  it('are whole for LUI and its user on RISC-V, and numbers where the user is another', () => {
    // lui a5, 0x20001; addi a5, a5, -2048
    expect(targets(RISCV.makeReader(), 'b7170020', '93870780')).toEqual([0x20000800, 0x20000800]);
    // lui a5, 0x20001; addiw a5, a5, 1
    expect(targets(RISCV.makeReader(), 'b7170020', '9b871700')).toEqual([null, null]);
  });

  it('are whole for LUI and its user on MIPS, also with a base added between', () => {
    // lui $2, 112; daddu $2, $2, $gp; daddiu $2, $2, -31232; ld $3, 8($2)
    const code = ['7000023c', '2d105c00', '00864264', '080043dc'];
    expect(targets(MIPS.makeReader(), ...code)).toEqual([0x6f8600, null, 0x6f8600, null]);
    expect(resolved(MIPS.makeReader(), ...code)).toEqual([null, null, 0x6f8600, null]);
    // lui $2, 112; lw $3, -4($2); sdc1 $f2, 16($2); ori $2, $2, 0xff00
    const users = ['7000023c', 'fcff438c', '100042f4', '00ff4234'];
    expect(targets(MIPS.makeReader(), ...users)).toEqual([0x6ffffc, 0x6ffffc, 0x700010, 0x70ff00]);
  });

  it('are not rounded where the low part has no sign', () => {
    const isa = MIPS.makeReader();
    const code = '7000023c 00ff4234'; // lui $2, 112; ori $2, $2, 0xff00
    const [high, low] = readUnits(isa, bytesOf(code), VA);
    expect(isa.write(high!.word, high!.kind, VA, 0x12349000)).toBe(0x3c021234);
    expect(isa.write(low!.word, low!.kind, VA + 4, 0x12349000)).toBe(0x34429000);
  });

  it('are read from big-endian MIPS', () => {
    // lui $2, 65; lw $2, -32752($2); jal 0x400100
    expect(targets(MIPS_BIG.makeReader(), '3c020041', '8c428010', '0c100040')).toEqual([0x408010, 0x408010, 0x400100]);
  });

  it('are forgotten at the beginning of a run', () => {
    const isa = RISCV.makeReader();
    const page = bytesOf('17250100');
    isa.read(page, 0, 0, 4, VA);
    isa.begin();
    isa.read(bytesOf('1305d5ed'), 0, 0, 4, VA + 4);
    expect(isa.kind).toBe(NO_REFERENCE);
  });
});

describe('fields with a direction', () => {
  it('turn around, and keep the direction of nothing', () => {
    const isa = A32.makeReader();
    expect(rewritten(isa, '04001fe5', VA + 16)).toBe(0xe59f0008); // ldr r0, [pc, #8]
    expect(rewritten(isa, '00001fe5', VA + 8)).toBe(0xe51f0000); // ldr r0, [pc, #-0]
    expect(rewritten(isa, '010c8fe2', VA)).toBe(0xe24f0008); // sub r0, pc, #8
  });

  it('are left alone by an ADR that has no encoding for the distance', () => {
    expect(rewritten(A32.makeReader(), '010c8fe2', VA + 8 + 0x101)).toBe(0xe28f0c01);
  });
});

describe('literal pools of position-independent code', () => {
  // ldr r2, [pc, #4]; add r2, pc, r2; b #-8; .word 0x12345678 at VA + 12, relative to VA + 12
  const a32 = ['04209fe5', '02208fe0', 'feffffea', '78563412'];
  // ldr r2, [pc, #4]; add r2, pc; b #-4; nop; .word 0x12345678 at VA + 8, relative to VA + 6
  const t32 = ['014a', '7a44', 'fee7', '00bf', '78563412'];

  it('hold distances from the instruction that adds the program counter', () => {
    expect(targets(A32.makeReader(), ...a32)).toEqual([VA + 12, null, VA + 8, VA + 12 + 0x12345678]);
    expect(targets(T32.makeReader(), ...t32)).toEqual([VA + 8, null, VA + 4, null, VA + 6 + 0x12345678]);
    expect(resolved(A32.makeReader(), ...a32)).toEqual(targets(A32.makeReader(), ...a32));
    expect(resolved(T32.makeReader(), ...t32)).toEqual(targets(T32.makeReader(), ...t32));
  });

  it('are written for the place of that instruction in the target', () => {
    const isa = A32.makeReader();
    const units = readUnits(isa, bytesOf(a32.join('')), VA);
    isa.begin();
    for (const { word, kind, va } of units.slice(0, 3)) isa.resolve(word, kind, word, va + 0x100);
    const { word, kind, va, target } = units[3]!;
    expect(isa.write(word, kind, va + 0x100, target)).toBe(0x12345578);
  });

  it('are not taken for code', () => {
    // ldr r2, [pc, #-4], which is in front of: a word that would be BL as code
    expect(targets(A32.makeReader(), '00209fe5', '0130a0e3', '000400eb')).toEqual([VA + 8, null, null]);
    expect(targets(T32.makeReader(), '004a', '00bf', '01f000f8')).toEqual([VA + 4, null, null]);
  });
});

interface Code {
  readonly pair: string;
  readonly set: InstructionSet;
  /** The .text section as readelf -S gives it; of the raw image what comes before its constants. */
  readonly offset: number;
  readonly length: number;
  readonly va: number;
}

const IMAGES: readonly Code[] = [
  { pair: 'swc-armhf', set: A32, offset: 0x415b8, length: 0x1533158, va: 0x415b8 },
  { pair: 'libc-armhf', set: T32, offset: 0x1e040, length: 0xcc2e8, va: 0x1e040 },
  { pair: 'pybricks-primehub', set: T32, offset: 0x200, length: 0x32000, va: 0x8008200 },
  { pair: 'esbuild-riscv64-minor', set: RISCV, offset: 0x1000, length: 0x4e9eb4, va: 0x11000 },
  { pair: 'esbuild-mips64el', set: MIPS, offset: 0x1000, length: 0x6a856c, va: 0x11000 },
];

async function sourceOf(pair: string, context: TestContext): Promise<Uint8Array> {
  let reason = '';
  const paths = await corpusPair(pair, { fetch: false, onMiss: (why) => (reason = why) });
  if (paths === null) context.skip(reason);
  return new Uint8Array(readFileSync(paths!.source));
}

function expectGood(report: InvariantReport): void {
  const references = report.units - report.byKind[NO_REFERENCE]!;
  expect(references / report.units).toBeGreaterThan(0.15);
  expect(report.arrived / report.moved).toBeGreaterThan(0.999);
  expect(report.resolvedRightly / report.resolved).toBeGreaterThan(0.999);
}

describe('real code', () => {
  it.for(IMAGES)('of $pair keeps the invariants and can be moved', async (code, context) => {
    const { set, offset, length, va } = code;
    const bytes = await sourceOf(code.pair, context);
    expectGood(checkInvariants(set, bytes, offset, offset + length, va));
  });

  it('reads the same from MIPS of the other byte order', async (context) => {
    const bytes = (await sourceOf('esbuild-mips64el', context)).subarray(0x1000, 0x101000);
    const swapped = Uint8Array.from(bytes, (_, i) => bytes[i ^ 3]!);
    const little = checkInvariants(MIPS, bytes, 0, bytes.length, 0x11000);
    expect(checkInvariants(MIPS_BIG, swapped, 0, bytes.length, 0x11000)).toEqual(little);
  });
});
