/**
 * What follows each opcode of x86-64 in 64-bit mode: enough to tell how long an instruction is, no more.
 *
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: the opcode maps of appendix A (table A-2 for
 * one byte, table A-3 for two bytes that begin with 0F), the format of instructions in section 2.1, REX in 2.2.1, VEX
 * in 2.3.5, EVEX under "Intel AVX-512 encoding". In the tables each opcode is a letter, sixteen to a row as there:
 *
 * | letter    | what follows the opcode                                                                        |
 * | --------- | ---------------------------------------------------------------------------------------------- |
 * | `.`       | nothing                                                                                        |
 * | `m`       | ModRM, with SIB and displacement as it says (2.1.3)                                            |
 * | `b w e`   | an immediate of one, two, three bytes                                                          |
 * | `z`       | an immediate of the operand's size, at most four bytes: two with the prefix 66                 |
 * | `v`       | an immediate of the operand's full size: eight bytes with REX.W (2.2.1.5)                      |
 * | `a`       | an address: eight bytes, four with the prefix 67 (2.2.1.4)                                     |
 * | `B Z`     | ModRM, then as `b` and `z`                                                                     |
 * | `t T`     | ModRM, then as `b` and `z` only when its reg field is 0 or 1 (TEST in group 3, table A-6)      |
 * | `c j i`   | a distance of four bytes: CALL, JMP, Jcc                                                       |
 * | `s l`     | a distance of one byte: JMP; Jcc, LOOPcc and JRCXZ                                             |
 * | `p r`     | it is a prefix (2.1.1), a REX prefix                                                           |
 * | `0 8 A`   | it begins an opcode of the maps 0F, 0F38, 0F3A                                                 |
 * | `V W E`   | it begins a VEX prefix of two or three bytes, an EVEX prefix                                   |
 * | `P`       | POP's ModRM, or AMD's XOP prefix (AMD64 Manual volume 3, 24594, section 1.9)                   |
 * | `x`       | it is no instruction in 64-bit mode                                                            |
 *
 * Left out, since compilers do not make it: moves to and from control registers have no SIB and no displacement
 * whatever ModRM says; AMD's EXTRQ and INSERTQ have two immediates; AMD takes the prefix 66 as a distance of two bytes
 * before CALL, JMP and Jcc, where Intel ignores it; the distance of XBEGIN is an immediate like others.
 * @module
 */

/** Set where a ModRM byte follows; the low four bits are then, as without it, an IMMEDIATE. */
export const MODRM = 0x80;
/** Set where a distance follows; the low four bits are a kind of x64.ts. */
export const DISTANCE = 0x40;
/** Set where the byte is not an opcode by itself: one of SPECIAL. */
const NOT_ALONE = 0x20;

/** Immediates; up to `three` they are their number of bytes. */
export const IMMEDIATE = {
  none: 0,
  byte: 1,
  two: 2,
  three: 3,
  operand: 4,
  full: 5,
  address: 6,
  test: 7,
  testOperand: 8,
} as const;

/** Kinds of distances. */
export const BRANCH = { call: 1, jump: 2, cond: 3, jumpShort: 4, condShort: 5 } as const;

/** Bytes that are not an opcode by themselves. Up to `rex` they are prefixes. */
export const SPECIAL = {
  prefix: NOT_ALONE,
  rex: NOT_ALONE | 1,
  map0f: NOT_ALONE | 2,
  map0f38: NOT_ALONE | 3,
  map0f3a: NOT_ALONE | 4,
  vex2: NOT_ALONE | 5,
  vex3: NOT_ALONE | 6,
  evex: NOT_ALONE | 7,
  popOrXop: NOT_ALONE | 8,
  invalid: NOT_ALONE | 9,
} as const;

const SHAPES: Readonly<Record<string, number>> = {
  '.': IMMEDIATE.none,
  m: MODRM,
  b: IMMEDIATE.byte,
  w: IMMEDIATE.two,
  e: IMMEDIATE.three,
  z: IMMEDIATE.operand,
  v: IMMEDIATE.full,
  a: IMMEDIATE.address,
  B: MODRM | IMMEDIATE.byte,
  Z: MODRM | IMMEDIATE.operand,
  t: MODRM | IMMEDIATE.test,
  T: MODRM | IMMEDIATE.testOperand,
  c: DISTANCE | BRANCH.call,
  j: DISTANCE | BRANCH.jump,
  i: DISTANCE | BRANCH.cond,
  s: DISTANCE | BRANCH.jumpShort,
  l: DISTANCE | BRANCH.condShort,
  p: SPECIAL.prefix,
  r: SPECIAL.rex,
  0: SPECIAL.map0f,
  8: SPECIAL.map0f38,
  A: SPECIAL.map0f3a,
  V: SPECIAL.vex2,
  W: SPECIAL.vex3,
  E: SPECIAL.evex,
  P: SPECIAL.popOrXop,
  x: SPECIAL.invalid,
};

function shapes(...rows: string[]): Uint8Array {
  return Uint8Array.from(rows.join('').replaceAll(' ', ''), (letter) => SHAPES[letter]!);
}

/** Table A-2. */
export const ONE_BYTE = shapes(
  'mmmmbzxx mmmmbzx0', // 0x
  'mmmmbzxx mmmmbzxx', // 1x
  'mmmmbzpx mmmmbzpx', // 2x
  'mmmmbzpx mmmmbzpx', // 3x
  'rrrrrrrr rrrrrrrr', // 4x
  '........ ........', // 5x
  'xxEmpppp zZbB....', // 6x
  'llllllll llllllll', // 7x
  'BZxBmmmm mmmmmmmP', // 8x
  '........ ..x.....', // 9x
  'aaaa.... bz......', // Ax
  'bbbbbbbb vvvvvvvv', // Bx
  'BBw.WVBZ e.w..bx.', // Cx
  'mmmmxxx. mmmmmmmm', // Dx
  'llllbbbb cjxs....', // Ex
  'p.pp..tT ......mm', // Fx
);

/** Table A-3: after 0F. */
export const TWO_BYTES = shapes(
  'mmmmx... ..x.xm.B', // 0x: 0F 0F is AMD's 3DNow!, its opcode stands where an immediate would
  'mmmmmmmm mmmmmmmm', // 1x
  'mmmmxxxx mmmmmmmm', // 2x
  '......x. 8xAxxxxx', // 3x
  'mmmmmmmm mmmmmmmm', // 4x
  'mmmmmmmm mmmmmmmm', // 5x
  'mmmmmmmm mmmmmmmm', // 6x
  'BBBBmmm. mmmmmmmm', // 7x: 7A and 7B with EVEX only
  'iiiiiiii iiiiiiii', // 8x
  'mmmmmmmm mmmmmmmm', // 9x
  '...mBmmm ...mBmmm', // Ax: A6 and A7 are VIA's PadLock
  'mmmmmmmm mmBmmmmm', // Bx
  'mmBmBBBm ........', // Cx
  'mmmmmmmm mmmmmmmm', // Dx
  'mmmmmmmm mmmmmmmm', // Ex
  'mmmmmmmm mmmmmmmm', // Fx
);

/** What follows an opcode of a map that VEX, EVEX or XOP name by number; only map 1 has a table of its own. */
export function shapeInMap(map: number, opcode: number): number {
  if (map === 1) {
    const shape = TWO_BYTES[opcode]!;
    return shape >= MODRM || opcode === 0x77 ? shape : SPECIAL.invalid;
  }
  return MAPS[map]!;
}

/** By number: 0F38 has no immediates, 0F3A has one byte, 5 and 6 are of AVX512-FP16; 8 to 10 are XOP's. */
const MAPS = Uint8Array.of(
  ...[SPECIAL.invalid, SPECIAL.invalid, MODRM, MODRM | IMMEDIATE.byte, SPECIAL.invalid, MODRM, MODRM, SPECIAL.invalid],
  ...[MODRM | IMMEDIATE.byte, MODRM, MODRM | IMMEDIATE.operand, ...new Array<number>(21).fill(SPECIAL.invalid)],
);

/** What prefixes say of operands: 66, 67, and REX (0 where there is none). */
export interface Prefixes {
  readonly isNarrow: boolean;
  readonly isAddressNarrow: boolean;
  readonly rex: number;
}

/** Length of an IMMEDIATE. */
export function immediateBytes(immediate: number, prefixes: Prefixes, modrm: number): number {
  switch (immediate) {
    case IMMEDIATE.operand:
      return operandBytes(prefixes);
    case IMMEDIATE.full:
      return (prefixes.rex & 8) !== 0 ? 8 : operandBytes(prefixes);
    case IMMEDIATE.address:
      return prefixes.isAddressNarrow ? 4 : 8;
    case IMMEDIATE.test:
      return (modrm & 0x30) === 0 ? 1 : 0;
    case IMMEDIATE.testOperand:
      return (modrm & 0x30) === 0 ? operandBytes(prefixes) : 0;
    default:
      return immediate;
  }
}

/** REX.W goes before 66 (section 2.2.1.2). */
function operandBytes({ isNarrow, rex }: Prefixes): number {
  return isNarrow && (rex & 8) === 0 ? 2 : 4;
}
