/** The twin of native-free/predict/isa/t32-fields.ts. */

export const IMM25: u32 = 0x2fff07ff;
export const IMM21: u32 = 0x2fff043f;
export const IMM16: u32 = 0x70ff040f;

export function offset25(word: u32): u32 {
  const sign = <u32>(<i32>(word << 21) >> 31);
  const i1 = ((word >> 29) ^ ~sign) & 1;
  const i2 = ((word >> 27) ^ ~sign) & 1;
  return (sign << 24) | (i1 << 23) | (i2 << 22) | ((word & 0x3ff) << 12) | ((word >> 15) & 0xffe);
}

export function offset21(word: u32): u32 {
  const j1 = (word >> 29) & 1;
  const j2 = (word >> 27) & 1;
  const sign = <u32>(<i32>(word << 21) >> 31);
  return (sign << 20) | (j2 << 19) | (j1 << 18) | ((word & 0x3f) << 12) | ((word >> 15) & 0xffe);
}

export function imm12(word: u32): u32 {
  return ((word << 1) & 0x800) | ((word >> 20) & 0x700) | ((word >> 16) & 0xff);
}

export function imm16(word: u32): u32 {
  return ((word & 0xf) << 12) | imm12(word);
}

export function withImm16(word: u32, value: u32): u32 {
  const lower = ((value >> 12) & 0xf) | ((value >> 1) & 0x400);
  return (word & ~IMM16) | lower | ((value & 0x700) << 20) | ((value & 0xff) << 16);
}

export function write25(word: u32, distance: u32): u32 {
  const sign = distance >> 31;
  const j1 = ((distance >> 23) & 1) ^ sign ^ 1;
  const j2 = ((distance >> 22) & 1) ^ sign ^ 1;
  const upper = (j1 << 29) | (j2 << 27) | ((distance << 15) & 0x7ff0000);
  return (word & ~IMM25) | (sign << 10) | ((distance >> 12) & 0x3ff) | upper;
}

export function write21(word: u32, distance: u32): u32 {
  const lower = ((distance >> 21) & 0x400) | ((distance >> 12) & 0x3f);
  const upper = ((distance << 11) & 0x20000000) | ((distance << 8) & 0x8000000) | ((distance << 15) & 0x7ff0000);
  return (word & ~IMM21) | lower | upper;
}
