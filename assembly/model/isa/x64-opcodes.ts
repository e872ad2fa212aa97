/** The twin of native-free/predict/isa/x64-opcodes.ts, whose tables and letters these are. */

export const MODRM: u32 = 0x80;
export const DISTANCE: u32 = 0x40;
const NOT_ALONE: u32 = 0x20;

export const NONE: u32 = 0;
export const BYTE: u32 = 1;
const TWO: u32 = 2;
const THREE: u32 = 3;
const OPERAND: u32 = 4;
const FULL: u32 = 5;
const ADDRESS: u32 = 6;
const TEST: u32 = 7;
const TEST_OPERAND: u32 = 8;

export const JUMP_SHORT: u32 = 4;
export const COND_SHORT: u32 = 5;

export const PREFIX: u32 = NOT_ALONE;
export const REX: u32 = NOT_ALONE | 1;
export const MAP_0F: u32 = NOT_ALONE | 2;
export const MAP_0F38: u32 = NOT_ALONE | 3;
export const MAP_0F3A: u32 = NOT_ALONE | 4;
export const VEX2: u32 = NOT_ALONE | 5;
export const VEX3: u32 = NOT_ALONE | 6;
export const EVEX: u32 = NOT_ALONE | 7;
export const POP_OR_XOP: u32 = NOT_ALONE | 8;
export const INVALID: u32 = NOT_ALONE | 9;

/** Tables, one behind the other. */
const SHAPES = memory.data(512, 16);

function shapeOf(letter: i32): u32 {
  switch (letter) {
    case 0x2e: return NONE; // .
    case 0x6d: return MODRM; // m
    case 0x62: return BYTE; // b
    case 0x77: return TWO; // w
    case 0x65: return THREE; // e
    case 0x7a: return OPERAND; // z
    case 0x76: return FULL; // v
    case 0x61: return ADDRESS; // a
    case 0x42: return MODRM | BYTE; // B
    case 0x5a: return MODRM | OPERAND; // Z
    case 0x74: return MODRM | TEST; // t
    case 0x54: return MODRM | TEST_OPERAND; // T
    case 0x63: return DISTANCE | 1; // c
    case 0x6a: return DISTANCE | 2; // j
    case 0x69: return DISTANCE | 3; // i
    case 0x73: return DISTANCE | JUMP_SHORT; // s
    case 0x6c: return DISTANCE | COND_SHORT; // l
    case 0x70: return PREFIX; // p
    case 0x72: return REX; // r
    case 0x30: return MAP_0F; // 0
    case 0x38: return MAP_0F38; // 8
    case 0x41: return MAP_0F3A; // A
    case 0x56: return VEX2; // V
    case 0x57: return VEX3; // W
    case 0x45: return EVEX; // E
    case 0x50: return POP_OR_XOP; // P
    default: return INVALID;
  }
}

/** Sixteen opcodes from `at` on. */
function row(at: usize, letters: string): void {
  for (let i = 0; i < letters.length; i++) {
    const letter = letters.charCodeAt(i);
    // Blanks are there for readers.
    if (letter != 0x20) store<u8>(SHAPES + at++, shapeOf(letter));
  }
}

export function makeShapes(): void {
  row(0x000, 'mmmmbzxx mmmmbzx0');
  row(0x000 + 16, 'mmmmbzxx mmmmbzxx');
  row(0x000 + 32, 'mmmmbzpx mmmmbzpx');
  row(0x000 + 48, 'mmmmbzpx mmmmbzpx');
  row(0x000 + 64, 'rrrrrrrr rrrrrrrr');
  row(0x000 + 80, '........ ........');
  row(0x000 + 96, 'xxEmpppp zZbB....');
  row(0x000 + 112, 'llllllll llllllll');
  row(0x000 + 128, 'BZxBmmmm mmmmmmmP');
  row(0x000 + 144, '........ ..x.....');
  row(0x000 + 160, 'aaaa.... bz......');
  row(0x000 + 176, 'bbbbbbbb vvvvvvvv');
  row(0x000 + 192, 'BBw.WVBZ e.w..bx.');
  row(0x000 + 208, 'mmmmxxx. mmmmmmmm');
  row(0x000 + 224, 'llllbbbb cjxs....');
  row(0x000 + 240, 'p.pp..tT ......mm');
  row(0x100, 'mmmmx... ..x.xm.B');
  row(0x100 + 16, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 32, 'mmmmxxxx mmmmmmmm');
  row(0x100 + 48, '......x. 8xAxxxxx');
  row(0x100 + 64, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 80, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 96, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 112, 'BBBBmmm. mmmmmmmm');
  row(0x100 + 128, 'iiiiiiii iiiiiiii');
  row(0x100 + 144, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 160, '...mBmmm ...mBmmm');
  row(0x100 + 176, 'mmmmmmmm mmBmmmmm');
  row(0x100 + 192, 'mmBmBBBm ........');
  row(0x100 + 208, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 224, 'mmmmmmmm mmmmmmmm');
  row(0x100 + 240, 'mmmmmmmm mmmmmmmm');
}

// @ts-ignore: decorator
@inline
export function oneByte(opcode: u32): u32 {
  return <u32>load<u8>(SHAPES + <usize>opcode);
}

// @ts-ignore: decorator
@inline
export function twoBytes(opcode: u32): u32 {
  return <u32>load<u8>(SHAPES + 256 + <usize>opcode);
}

export function shapeInMap(map: u32, opcode: u32): u32 {
  switch (map) {
    case 1: {
      const shape = twoBytes(opcode);
      return shape >= MODRM || opcode == 0x77 ? shape : INVALID;
    }
    case 2:
    case 5:
    case 6:
    case 9:
      return MODRM;
    case 3:
    case 8:
      return MODRM | BYTE;
    case 10:
      return MODRM | OPERAND;
    default:
      return INVALID;
  }
}

export function immediateBytes(immediate: u32, isNarrow: bool, isAddressNarrow: bool, rex: u32, modrm: u32): i32 {
  const operand = isNarrow && (rex & 8) == 0 ? 2 : 4;
  switch (immediate) {
    case OPERAND:
      return operand;
    case FULL:
      return (rex & 8) != 0 ? 8 : operand;
    case ADDRESS:
      return isAddressNarrow ? 4 : 8;
    case TEST:
      return (modrm & 0x30) == 0 ? 1 : 0;
    case TEST_OPERAND:
      return (modrm & 0x30) == 0 ? operand : 0;
    default:
      return <i32>immediate;
  }
}
