/**
 * The loop over units in TypeScript: the reference, and what codes wherever there is no twin.
 * @module
 */
import type { Plan } from '../format/plan.ts';
import type { RegionKind } from '../format/regions.ts';
import { AddressMap } from '../predict/address-map.ts';
import { AddressSpace } from '../predict/address-space.ts';
import { Candidates } from '../predict/candidates.ts';
import { Knowledge } from '../predict/knowledge.ts';
import { Readers } from '../predict/readers.ts';
import type { Run, UnitReader } from '../predict/unit-reader.ts';
import type { CostMeter } from './costs.ts';
import type { ModelCoder } from './model-coder.ts';
import { UnitCoder } from './unit-coder.ts';
import type { Stretch, UnitLoop } from './unit-loop.ts';

export class ReferenceUnits implements UnitLoop {
  readonly #knowledge: Knowledge;
  readonly #candidates = new Candidates();
  readonly #units: UnitCoder;
  readonly #readers: Readers;
  #reader: UnitReader;

  constructor(plan: Plan, coder: ModelCoder, meter: CostMeter) {
    const space = new AddressSpace(plan.source, plan.target);
    this.#knowledge = new Knowledge(new AddressMap(plan.covers, plan.source, plan.target), space);
    this.#units = new UnitCoder(coder, this.#candidates, meter);
    this.#readers = new Readers(this.#knowledge, plan.bases);
    this.#reader = this.#readers.raw;
  }

  reset(): void {
    this.#knowledge.reset();
    this.#candidates.reset();
    this.#units.reset();
  }

  begin(): void {
    this.#units.begin();
  }

  select(module: number): void {
    if (this.#knowledge.space.isSelected(module)) return;
    this.#knowledge.space.select(module);
    this.#knowledge.map.select(module);
  }

  beginRun(kind: RegionKind, run: Run): void {
    this.#reader = this.#readers.of(kind, run);
    this.#reader.begin(run);
  }

  code(stretch: Stretch, target: Uint8Array, at: number): number {
    return this.#units.code(this.#reader, stretch, target, at);
  }
}
