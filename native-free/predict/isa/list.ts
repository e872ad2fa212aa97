/**
 * The instruction sets that are known. A new one is one file and one line here.
 * @module
 */
import type { RegionKind } from '../../format/regions.ts';
import { A32 } from './a32.ts';
import { A64 } from './a64.ts';
import type { InstructionSet } from './instruction-set.ts';
import { MIPS, MIPS_BIG } from './mips.ts';
import { RISCV } from './riscv.ts';
import { T32 } from './t32.ts';
import { X64 } from './x64.ts';

/** Of two that explain an image equally well, the first is taken. */
export const INSTRUCTION_SETS: readonly InstructionSet[] = [A64, A32, T32, X64, RISCV, MIPS, MIPS_BIG];

const BY_KIND: readonly (InstructionSet | undefined)[] = Object.assign(
  [],
  Object.fromEntries(INSTRUCTION_SETS.map((set) => [set.kind, set])),
);

/** The instruction set of a kind of region, or null when it is not code. */
export function instructionSetOf(kind: RegionKind): InstructionSet | null {
  return BY_KIND[kind] ?? null;
}
