/**
 * Coding of literals: target bytes under no cover, block by block, stored or by models.
 * @module
 */
import { STREAM, type CostMeter } from '../costs.ts';
import type { ModelCoder } from '../model-coder.ts';
import type { LiteralModels, LiteralRun } from './literal-models.ts';
import { ReferenceLiterals } from './reference-literals.ts';
import { blockEnd, StoredBlocks } from './stored-blocks.ts';

export class LiteralCoder {
  readonly #meter: CostMeter;
  readonly #blocks: StoredBlocks;
  readonly #models: LiteralModels;

  constructor(coder: ModelCoder, meter: CostMeter) {
    this.#meter = meter;
    this.#blocks = new StoredBlocks(coder);
    this.#models = coder.literalModels?.() ?? new ReferenceLiterals(coder);
  }

  reset(): void {
    this.#blocks.reset();
    this.#models.reset();
  }

  code(run: LiteralRun): void {
    const { target, end } = run;
    this.#meter.stream(STREAM.literals);
    this.#models.begin(run);
    for (let at = run.start; at < end;) {
      const from = at;
      const to = blockEnd(at, end);
      if (this.#blocks.code(target, from, to, () => this.#models.isKnown(from, to))) {
        this.#models.stored(from, to);
        at = to;
        continue;
      }
      at = this.#models.code(from, to);
      this.#blocks.modelled(at - from);
    }
  }
}
