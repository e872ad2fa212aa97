/**
 * Which reader reads which kind of region.
 * @module
 */
import { REGION_KIND, type RegionKind } from '../format/regions.ts';
import { CodeReader } from './code-reader.ts';
import { DataReader } from './data-reader.ts';
import { type Base } from '../format/plan.ts';
import { instructionSetOf } from './isa/list.ts';
import type { Knowledge } from './knowledge.ts';
import { RawReader } from './raw-reader.ts';
import type { Run, UnitReader } from './unit-reader.ts';

export class Readers {
  readonly #knowledge: Knowledge;
  readonly #bases: readonly (readonly Base[])[];
  /** For bytes of no known structure. */
  readonly raw: UnitReader = new RawReader();
  readonly #made: ({ readonly reader: UnitReader; readonly alignment: number } | undefined)[] = [];

  constructor(knowledge: Knowledge, bases: readonly (readonly Base[])[]) {
    this.#knowledge = knowledge;
    this.#bases = bases;
  }

  /** The reader for a run in a region of this kind. */
  of(kind: RegionKind, run: Run): UnitReader {
    const { reader, alignment } = (this.#made[kind] ??= this.#make(kind));
    // Code that moved by half a unit is not the same code.
    return ((run.sourceVa ^ run.targetVa) & (alignment - 1)) === 0 ? reader : this.raw;
  }

  #make(kind: RegionKind): { readonly reader: UnitReader; readonly alignment: number } {
    if (kind === REGION_KIND.data64 || kind === REGION_KIND.data32) {
      return { reader: new DataReader(kind === REGION_KIND.data64, this.#bases, this.#knowledge), alignment: 4 };
    }
    const set = instructionSetOf(kind);
    if (set === null) return { reader: this.raw, alignment: 1 };
    return { reader: new CodeReader(set, this.#knowledge), alignment: set.alignment };
  }
}
