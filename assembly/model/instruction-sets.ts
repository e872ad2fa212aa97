/** The instruction sets by their numbers: the twin of native-free/predict/isa/list.ts. */
import { beginOperandsA32, learnOperandsA32, proposeOperandsA32 } from './isa/a32-operands.ts';
import { beginA32, readA32, resolveA32, writeA32 } from './isa/a32.ts';
import { beginOperandsA64, learnOperandsA64, proposeOperandsA64 } from './isa/a64-operands.ts';
import { beginA64, readA64, resolveA64, writeA64 } from './isa/a64.ts';
import { beginMips, readMips, resolveMips, writeMips } from './isa/mips.ts';
import { beginRiscV, readRiscV, resolveRiscV, writeRiscV } from './isa/riscv.ts';
import { beginT32, readT32, resolveT32, writeT32 } from './isa/t32.ts';
import { beginX64, readX64, resolveX64, writeX64 } from './isa/x64.ts';

/** Native-free's REGION_KIND. */
export const A64: i32 = 1;
export const A32: i32 = 2;
export const T32: i32 = 3;
export const X64: i32 = 4;
export const RISCV: i32 = 5;
export const MIPS: i32 = 6;
export const MIPS_BIG: i32 = 7;

export function beginSet(set: i32): void {
  switch (set) {
    case A64:
      return beginA64();
    case A32:
      return beginA32();
    case T32:
      return beginT32();
    case X64:
      return beginX64();
    case RISCV:
      return beginRiscV();
    default:
      return beginMips(set == MIPS_BIG);
  }
}

export function readUnit(set: i32, at: i32, va: u32): void {
  switch (set) {
    case A64:
      return readA64(at, va);
    case A32:
      return readA32(at, va);
    case T32:
      return readT32(at, va);
    case X64:
      return readX64(at, va);
    case RISCV:
      return readRiscV(at, va);
    default:
      return readMips(at, va);
  }
}

export function writeUnit(set: i32, word: u32, kind: u32, va: u32, target: u32): u32 {
  switch (set) {
    case A64:
      return writeA64(word, kind, va, target);
    case A32:
      return writeA32(word, kind, va, target);
    case T32:
      return writeT32(word, kind, va, target);
    case X64:
      return writeX64(kind, va, target);
    case RISCV:
      return writeRiscV(word, kind, va, target);
    default:
      return writeMips(word, kind, va, target);
  }
}

export function resolveUnit(set: i32, word: u32, kind: u32, actual: u32, va: u32): i64 {
  switch (set) {
    case A64:
      return resolveA64(word, kind, actual, va);
    case A32:
      return resolveA32(kind, actual, va);
    case T32:
      return resolveT32(kind, actual, va);
    case X64:
      return resolveX64(kind, actual, va);
    case RISCV:
      return resolveRiscV(word, kind, actual, va);
    default:
      return resolveMips(kind, actual, va);
  }
}

/** Sets whose operands nobody has looked at yet have none. */
export function beginOperands(set: i32): void {
  if (set == A64) beginOperandsA64();
  else if (set == A32) beginOperandsA32();
}

export function proposeOperands(set: i32, word: u32): void {
  if (set == A64) proposeOperandsA64(word);
  else if (set == A32) proposeOperandsA32(word);
}

export function learnOperands(set: i32, word: u32, actual: u32): void {
  if (set == A64) learnOperandsA64(word, actual);
  else if (set == A32) learnOperandsA32(word, actual);
}
