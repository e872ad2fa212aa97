/**
 * Which reader reads which kind of region.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../format/regions.ts';
import { A32 } from './isa/a32.ts';
import { A64 } from './isa/a64.ts';
import { CodeReader } from './code-reader.ts';
import { DataReader } from './data-reader.ts';
import { type Base } from '../format/plan.ts';
import type { InstructionSet } from './isa/instruction-set.ts';
import type { Knowledge } from './knowledge.ts';
import { Mips } from './isa/mips.ts';
import { RawReader } from './raw-reader.ts';
import { RiscV } from './isa/riscv.ts';
import { T32 } from './isa/t32.ts';
import { X64 } from './isa/x64.ts';
import type { Run, UnitReader } from './unit-reader.ts';

/** The instruction set of a kind of region, or null when it is not code. */
export function instructionSetOf(kind: RegionKind): InstructionSet | null {
  switch (kind) {
    case REGION_KIND.a64:
      return new A64();
    case REGION_KIND.a32:
      return new A32();
    case REGION_KIND.t32:
      return new T32();
    case REGION_KIND.x64:
      return new X64();
    case REGION_KIND.riscv:
      return new RiscV();
    case REGION_KIND.mips:
      return new Mips(false);
    case REGION_KIND.mipsBig:
      return new Mips(true);
    default:
      return null;
  }
}

export class Readers {
  readonly #knowledge: Knowledge;
  readonly #bases: readonly (readonly Base[])[];
  readonly #raw = new RawReader();
  readonly #made: ({ readonly reader: UnitReader; readonly alignment: number } | undefined)[] = [];

  constructor(knowledge: Knowledge, bases: readonly (readonly Base[])[]) {
    this.#knowledge = knowledge;
    this.#bases = bases;
  }

  /** The reader for a run in a region of this kind. */
  of(kind: RegionKind, run: Run): UnitReader {
    const { reader, alignment } = (this.#made[kind] ??= this.#make(kind));
    // Code that moved by half a unit is not the same code.
    return ((run.sourceVa ^ run.targetVa) & (alignment - 1)) === 0 ? reader : this.#raw;
  }

  #make(kind: RegionKind): { readonly reader: UnitReader; readonly alignment: number } {
    if (kind === REGION_KIND.data64 || kind === REGION_KIND.data32) {
      return { reader: new DataReader(kind === REGION_KIND.data64, this.#bases, this.#knowledge), alignment: 4 };
    }
    const isa = instructionSetOf(kind);
    if (isa === null) return { reader: this.#raw, alignment: 1 };
    return { reader: new CodeReader(isa, kind, this.#knowledge), alignment: isa.alignment };
  }
}
