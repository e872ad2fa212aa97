/**
 * Fields of T32 instructions of four bytes, whose bits lie in both halfwords: see t32.ts for the encodings.
 * @module
 */

export const IMM25 = 0x2fff07ff;
export const IMM21 = 0x2fff043f;
export const IMM16 = 0x70ff040f;

/** Distance of BL, BLX and B.W: 25 bits with a sign. */
export function offset25(word: number): number {
  const sign = (word << 21) >> 31;
  const i1 = ((word >>> 29) ^ ~sign) & 1;
  const i2 = ((word >>> 27) ^ ~sign) & 1;
  return (sign << 24) | (i1 << 23) | (i2 << 22) | ((word & 0x3ff) << 12) | ((word >>> 15) & 0xffe);
}

/** Distance of B<c>.W. */
export function offset21(word: number): number {
  const j1 = (word >>> 29) & 1;
  const j2 = (word >>> 27) & 1;
  return (((word << 21) >> 31) << 20) | (j2 << 19) | (j1 << 18) | ((word & 0x3f) << 12) | ((word >>> 15) & 0xffe);
}

export function imm12(word: number): number {
  return ((word << 1) & 0x800) | ((word >>> 20) & 0x700) | ((word >>> 16) & 0xff);
}

export function imm16(word: number): number {
  return ((word & 0xf) << 12) | imm12(word);
}

export function withImm16(word: number, value: number): number {
  const lower = ((value >>> 12) & 0xf) | ((value >>> 1) & 0x400);
  return ((word & ~IMM16) | lower | ((value & 0x700) << 20) | ((value & 0xff) << 16)) >>> 0;
}

export function write25(word: number, distance: number): number {
  const sign = (distance >> 31) & 1;
  const j1 = ((distance >> 23) & 1) ^ sign ^ 1;
  const j2 = ((distance >> 22) & 1) ^ sign ^ 1;
  const upper = (j1 << 29) | (j2 << 27) | ((distance << 15) & 0x7ff0000);
  return ((word & ~IMM25) | (sign << 10) | ((distance >> 12) & 0x3ff) | upper) >>> 0;
}

export function write21(word: number, distance: number): number {
  const lower = ((distance >>> 21) & 0x400) | ((distance >> 12) & 0x3f);
  const upper = ((distance << 11) & 0x20000000) | ((distance << 8) & 0x8000000) | ((distance << 15) & 0x7ff0000);
  return ((word & ~IMM21) | lower | upper) >>> 0;
}
