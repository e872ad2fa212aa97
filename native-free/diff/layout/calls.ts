/**
 * Signs of each instruction set in bytes of unknown nature: calls that lead into the image itself, which other bytes
 * hardly ever seem to hold. MIPS calls absolute addresses, so there the signs are returns and stack frames.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../../format/regions.ts';

/** Result of a finder at a place without a sign. */
export const NO_CALL = -1;

/** How signs of one instruction set are found. */
export interface CallFinder {
  readonly kind: RegionKind;
  /** Distance of places where a sign can begin. */
  readonly step: 1 | 2 | 4;
  /** Signs in a block of 2 KiB of code, at least. */
  readonly blockMin: number;
  /** One in so many places of random bytes seems to hold a call; of these, one in so many bytes of reach hits the image. */
  readonly rarity: number;
  readonly reach: number;
  /**
   * The offset that the call at `bytes[at]` leads to, which may be outside; for MIPS that of a function's start;
   * or NO_CALL. Eight bytes from `at` on can be read.
   */
  find(bytes: Uint8Array, at: number): number;
}

function load(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function a64(bytes: Uint8Array, at: number): number {
  const top = bytes[at + 3]!;
  return top >>> 2 === 0x25 ? at + ((load(bytes, at) << 6) >> 4) : NO_CALL;
}

function a32(bytes: Uint8Array, at: number): number {
  return bytes[at + 3] === 0xeb ? at + 8 + ((load(bytes, at) << 8) >> 6) : NO_CALL;
}

function t32(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1]! >>> 3 !== 0x1e || (bytes[at + 3]! & 0xd0) !== 0xd0) return NO_CALL;
  const word = load(bytes, at);
  const sign = (word << 21) >> 31;
  const i1 = ((word >>> 29) ^ ~sign) & 1;
  const i2 = ((word >>> 27) ^ ~sign) & 1;
  return at + 4 + ((sign << 24) | (i1 << 23) | (i2 << 22) | ((word & 0x3ff) << 12) | ((word >>> 15) & 0xffe));
}

function x64(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0xe8 ? at + 5 + load(bytes, at + 1) : NO_CALL;
}

/** JAL to ra, or AUIPC and JALR through ra. */
function riscv(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | ((bytes[at + 1]! & 15) << 8);
  if (low === 0x0ef) {
    const word = load(bytes, at);
    const upper = ((word >> 31) << 20) | (word & 0xff000);
    return at + (upper | ((word >>> 9) & 0x800) | ((word >>> 20) & 0x7fe));
  }
  if (low !== 0x097 || (load(bytes, at + 4) & 0xfffff) !== 0x080e7) return NO_CALL;
  return at + (load(bytes, at) & ~0xfff) + (load(bytes, at + 4) >> 20);
}

/** JR ra, behind whose delay slot a function begins; ADDIU sp and DADDIU sp that open a frame, where one begins. */
function mipsStart(word: number, at: number): number {
  if (word === 0x03e00008) return at + 8;
  const isFrame = word >>> 16 === 0x27bd || word >>> 16 === 0x67bd;
  return isFrame && (word & 0x8000) !== 0 ? at : NO_CALL;
}

function mips(bytes: Uint8Array, at: number): number {
  const top = bytes[at + 3]!;
  return top === 3 || top === 0x27 || top === 0x67 ? mipsStart(load(bytes, at), at) : NO_CALL;
}

function mipsBig(bytes: Uint8Array, at: number): number {
  const top = bytes[at]!;
  if (top !== 3 && top !== 0x27 && top !== 0x67) return NO_CALL;
  return mipsStart((top << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!, at);
}

const { a64: A64, a32: A32, t32: T32, x64: X64, riscv: RISCV, mips: MIPS, mipsBig: MIPS_BIG } = REGION_KIND;

export const CALL_FINDERS: readonly CallFinder[] = [
  { kind: A64, step: 4, blockMin: 10, rarity: 64, reach: 2 ** 28, find: a64 },
  { kind: A32, step: 4, blockMin: 10, rarity: 256, reach: 2 ** 26, find: a32 },
  { kind: T32, step: 2, blockMin: 16, rarity: 256, reach: 2 ** 25, find: t32 },
  { kind: X64, step: 1, blockMin: 8, rarity: 256, reach: 2 ** 32, find: x64 },
  { kind: RISCV, step: 2, blockMin: 8, rarity: 4096, reach: 2 ** 21, find: riscv },
  { kind: MIPS, step: 4, blockMin: 4, rarity: 2 ** 15, reach: 1, find: mips },
  { kind: MIPS_BIG, step: 4, blockMin: 4, rarity: 2 ** 15, reach: 1, find: mipsBig },
];
