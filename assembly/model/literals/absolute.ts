/** References in literals as the places that they lead to (`sign` 1), and back (-1): `absolute` of each instruction set. */
import { A32, A64, RISCV, T32, X64 } from '../instruction-sets.ts';
import { imm21, writeImm21 } from '../isa/a64.ts';
import { immJ, writeJ } from '../isa/riscv.ts';
import { offset25, write25 } from '../isa/t32-fields.ts';

export function absolute(set: i32, word: u32, va: u32, sign: i32): u32 {
  switch (set) {
    case A64:
      return absoluteA64(word, <i32>va, sign);
    case A32:
      return absoluteA32(word, <i32>va, sign);
    case T32:
      return absoluteT32(word, va, sign);
    case X64:
      return word + sign * (va + 4);
    case RISCV:
      return absoluteRiscV(word, va, sign);
    default:
      return word;
  }
}

function absoluteA64(word: u32, va: i32, sign: i32): u32 {
  if (word >> 26 == 0x25) return (word & 0xfc000000) | ((word + sign * (va >> 2)) & 0x3ffffff);
  if ((word & 0x9f000000) != 0x90000000) return word;
  return writeImm21(word, imm21(word) + sign * (va >> 12));
}

function absoluteA32(word: u32, va: i32, sign: i32): u32 {
  if ((word & 0x0f000000) != 0x0b000000 && (word & 0xfe000000) != 0xfa000000) return word;
  return (word & 0xff000000) | ((word + sign * (va >> 2)) & 0xffffff);
}

function absoluteT32(word: u32, va: u32, sign: i32): u32 {
  if ((word & 0xf800) != 0xf000 || (word & 0xd0000000) != 0xd0000000) return word;
  return write25(word, <u32>((<i32>(offset25(word) + sign * (va & ~1)) << 7) >> 7));
}

function absoluteRiscV(word: u32, va: u32, sign: i32): u32 {
  const opcode = word & 0x7f;
  if (opcode == 0x17) return word + sign * (va & ~0xfff);
  if (opcode != 0x6f) return word;
  return writeJ(word, immJ(word) + sign * (va & ~1));
}
