/**
 * Adaptive bit probabilities: each context has its own, learning fast at first and slowly later.
 * @module
 */
import type { BitCoder } from './range-coder.ts';

/** 22 bits of probability above 10 bits of count, as in Mahoney's lpaq state maps. */
const HALF = (1 << 21) << 10;
/** Step of the n-th observation, in 1/4096: 1/(n + 1.5), the Krichevsky-Trofimov estimate made cheap. */
const STEP = Int32Array.from({ length: 1024 }, (_, n) => Math.floor(4096 / (n + 1.5)));
/** A certain bit never costs nothing, so that a surprise never costs everything. */
const FLOOR = 24;

/** A table of adaptive bit models. */
export class BitModels {
  readonly #table: Uint32Array;
  readonly #limit: number;

  /** `size` contexts; after `limit` observations the learning rate stays at 1/limit. */
  constructor(size: number, limit: number) {
    this.#table = new Uint32Array(size);
    this.#limit = limit;
    this.reset();
  }

  get byteLength(): number {
    return this.#table.byteLength;
  }

  reset(): void {
    this.#table.fill(HALF >>> 0);
  }

  /** Probability of a 1 in 1/65536, within [FLOOR, 65536 - FLOOR]. */
  probability(context: number): number {
    const p = this.#table[context]! >>> 16;
    return p < FLOOR ? FLOOR : p > 65536 - FLOOR ? 65536 - FLOOR : p;
  }

  /** How often this context was seen, up to the limit. */
  count(context: number): number {
    return this.#table[context]! & 1023;
  }

  update(context: number, bit: number): void {
    const entry = this.#table[context]!;
    const seen = entry & 1023;
    const p = entry >>> 10;
    const error = (bit !== 0 ? 4194303 : 0) - p;
    const moved = p + (((error >> 4) * STEP[seen]!) >> 8);
    this.#table[context] = ((moved << 10) | (seen < this.#limit ? seen + 1 : seen)) >>> 0;
  }

  /** Codes one bit in a context and learns from it. */
  code(coder: BitCoder, bit: number, context: number): number {
    const coded = coder.code(bit, this.probability(context));
    this.update(context, coded);
    return coded;
  }
}
