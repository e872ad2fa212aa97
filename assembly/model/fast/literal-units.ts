/**
 * How instruction sets stand in literals: the twin of their `literals` and `absolute` in native-free/predict/isa.
 */
import { A32, A64, MIPS, RISCV, T32, X64 } from '../instruction-sets.ts';
import { absoluteA64 } from '../isa/a64.ts';
import { absoluteRiscV } from '../isa/riscv.ts';
import { offset25, write25 } from '../isa/t32-fields.ts';

const IMM24: u32 = 0xffffff;

export function byWords(kind: u32): bool {
  return kind == A64 || kind == A32 || kind == MIPS;
}

export function mostBytes(kind: u32, before: u32, va: u32): i32 {
  if (kind == T32 || kind == RISCV) return (va & 1) == 0 ? 4 : 1;
  return kind == X64 && (before & 0xfe) == 0xe8 ? 4 : 1;
}

/** The order of a unit's bytes, two bits each from the lowest on, and above eight bits how many there are. */
// @ts-ignore: decorator
@inline
function order(count: u32, a: u32, b: u32, c: u32, d: u32): u32 {
  return (count << 8) | a | (b << 2) | (c << 4) | (d << 6);
}

export function orderOf(kind: u32, most: i32, first: i32): u32 {
  if (most == 1) return order(1, 0, 0, 0, 0);
  if (kind == T32) return most == 4 && first >= 0xe8 ? order(4, 1, 3, 0, 2) : order(2, 1, 0, 0, 0);
  if (kind == X64 && most == 4) return order(4, 3, 2, 1, 0);
  if (kind == RISCV && most == 4 && first >= 0 && (first & 3) == 3) return order(4, 0, 1, 2, 3);
  return order(2, 0, 1, 0, 0);
}

/** A word of code with places in place of distances (`sign` 1), or back. */
export function absolute(kind: u32, word: u32, va: u32, sign: i32): u32 {
  const by = <u32>sign;
  switch (kind) {
    case A64:
      return absoluteA64(word, va, by);
    case A32:
      if ((word & 0x0f000000) != 0x0b000000 && (word & 0xfe000000) != 0xfa000000) return word;
      return (word & ~IMM24) | ((word + by * (va >> 2)) & IMM24);
    case T32:
      if ((word & 0xf800) != 0xf000 || (word & 0xd0000000) != 0xd0000000) return word;
      return write25(word, <u32>(<i32>((offset25(word) + by * (va & ~1)) << 7) >> 7));
    case X64:
      return word + by * (va + 4);
    case RISCV:
      return absoluteRiscV(word, va, by);
    default:
      return word;
  }
}
