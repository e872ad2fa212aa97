/**
 * References of new code, made absolute: two calls of one function then have the same bytes.
 *
 * Under a cover a reference is predicted; in literals there is nothing to predict it from but the calls before, which
 * differ in their distances only. This is what the filters of xz (BCJ) do to whole files. Each pair of functions is a
 * bijection on words that leaves alone the bits by which it recognises a reference, so any word comes back.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../format/regions.ts';

const A64_BL = 0x25;
const A64_PAGE_BITS = (0x7ffff << 5) | (3 << 29);
const T32_BITS = 0x2fff07ff;
const RISCV_JAL = 0x6f;
const RISCV_AUIPC = 0x17;

/** A word of code at `va` with its distance replaced by the place that it leads to; other words as they are. */
export function toAbsolute(kind: RegionKind, word: number, va: number): number {
  return shifted(kind, word, va, 1);
}

/** The inverse of `toAbsolute`. */
export function toRelative(kind: RegionKind, word: number, va: number): number {
  return shifted(kind, word, va, -1);
}

/**
 * Adds an address to the distance in a word's field, or takes it away, modulo the field's size. The address is cut to
 * the field's unit first, or the two directions would round differently.
 */
function shifted(kind: RegionKind, word: number, va: number, sign: 1 | -1): number {
  switch (kind) {
    case REGION_KIND.a64:
      return shiftedA64(word, va, sign);
    case REGION_KIND.a32:
      // BL, and BLX to Thumb code: DDI 0406C, A8.8.25.
      if ((word & 0x0f000000) !== 0x0b000000 && (word & 0xfe000000) !== (0xfa000000 | 0)) return word;
      return ((word & ~0xffffff) | ((word + sign * (va >> 2)) & 0xffffff)) >>> 0;
    case REGION_KIND.t32:
      return shiftedT32(word, sign * (va >> 1));
    case REGION_KIND.riscv:
      return shiftedRiscv(word, va, sign);
    default:
      return word;
  }
}

/** BL and ADRP (DDI 0487, C6.2). */
function shiftedA64(word: number, va: number, sign: 1 | -1): number {
  if (word >>> 26 === A64_BL) return ((word & 0xfc000000) | ((word + sign * (va >> 2)) & 0x3ffffff)) >>> 0;
  if ((word & 0x9f000000) !== (0x90000000 | 0)) return word;
  const page = ((((word >>> 5) & 0x7ffff) << 2) | ((word >>> 29) & 3)) + sign * (va >> 12);
  return ((word & ~A64_PAGE_BITS) | (((page >> 2) & 0x7ffff) << 5) | ((page & 3) << 29)) >>> 0;
}

/** BL (DDI 0406C, A8.8.25); first halfword lowest. The distance is in halfwords: S:I1:I2:imm10:imm11, 24 bits. */
function shiftedT32(word: number, halfwords: number): number {
  if ((word & 0xf800) !== 0xf000 || (word & 0xd0000000) !== (0xd0000000 | 0)) return word;
  const sign = (word >>> 10) & 1;
  const i1 = ((word >>> 29) & 1) ^ sign ^ 1;
  const i2 = ((word >>> 27) & 1) ^ sign ^ 1;
  const distance = (sign << 23) | (i1 << 22) | (i2 << 21) | ((word & 0x3ff) << 11) | ((word >>> 16) & 0x7ff);
  const moved = (distance + halfwords) & 0xffffff;
  const top = moved >>> 23;
  const j1 = ((moved >>> 22) & 1) ^ top ^ 1;
  const j2 = ((moved >>> 21) & 1) ^ top ^ 1;
  const first = (top << 10) | ((moved >>> 11) & 0x3ff);
  const second = (j1 << 13) | (j2 << 11) | (moved & 0x7ff);
  return ((word & ~T32_BITS) | first | (second << 16)) >>> 0;
}

/** JAL, whose distance is scattered over the word, and AUIPC (RISC-V Unprivileged ISA, 2.5 and 2.4). */
function shiftedRiscv(word: number, va: number, sign: 1 | -1): number {
  const opcode = word & 0x7f;
  if (opcode === RISCV_AUIPC) return (word + sign * (va & ~0xfff)) >>> 0;
  if (opcode !== RISCV_JAL) return word;
  return ((word & 0xfff) | (scattered((gathered(word) + sign * (va >> 1)) & 0xfffff) << 12)) >>> 0;
}

/** imm[20:1] of a J-type word. */
function gathered(word: number): number {
  return ((word >>> 31) << 19) | (((word >>> 12) & 0xff) << 11) | (((word >>> 20) & 1) << 10) | ((word >>> 21) & 0x3ff);
}

function scattered(distance: number): number {
  return (
    ((distance >>> 19) << 19) | ((distance & 0x3ff) << 9) | (((distance >>> 10) & 1) << 8) | ((distance >>> 11) & 0xff)
  );
}
