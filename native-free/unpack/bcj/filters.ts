/**
 * The branch filters by the numbers that the xz file format gives them (section 5.3.2 of 1.1.0; RISC-V is 1.2.0's).
 * @module
 */
import { malformed } from '../tokens.ts';
import { arm64Filter, armThumbFilter } from './arm.ts';
import { ia64Filter } from './ia64.ts';
import { armFilter, powerpcFilter, sparcFilter } from './risc.ts';
import { riscvFilter } from './riscv.ts';
import type { BranchFilter } from './words.ts';
import { x86Filter } from './x86.ts';

export type BranchFilterName = 'x86' | 'powerpc' | 'ia64' | 'arm' | 'armthumb' | 'sparc' | 'arm64' | 'riscv';

interface BranchFilterKind {
  readonly id: number;
  /** What a start offset is a multiple of. */
  readonly alignment: number;
  readonly filter: BranchFilter;
}

export const BRANCH_FILTERS: Readonly<Record<BranchFilterName, BranchFilterKind>> = {
  x86: { id: 4, alignment: 1, filter: x86Filter },
  powerpc: { id: 5, alignment: 4, filter: powerpcFilter },
  ia64: { id: 6, alignment: 16, filter: ia64Filter },
  arm: { id: 7, alignment: 4, filter: armFilter },
  armthumb: { id: 8, alignment: 2, filter: armThumbFilter },
  sparc: { id: 9, alignment: 4, filter: sparcFilter },
  arm64: { id: 10, alignment: 4, filter: arm64Filter },
  riscv: { id: 11, alignment: 2, filter: riscvFilter },
};

/** The filter of a number, or undefined. */
export function branchFilterOf(id: number): BranchFilterKind | undefined {
  return Object.values(BRANCH_FILTERS).find((kind) => kind.id === id);
}

/**
 * Makes the addresses in code absolute, or relative again, in place.
 * @throws UpdateError unit_malformed for a filter that does not exist and a start that it does not take
 */
export function filterBranches(id: number, bytes: Uint8Array, start: number, encode: boolean): void {
  const kind = branchFilterOf(id);
  if (kind === undefined) malformed('bcj', `no filter has the number ${id}`);
  if (start % kind.alignment !== 0) malformed('bcj', `filter ${id} does not start at ${start}`);
  kind.filter(bytes, start, encode);
}
