/**
 * What each kind of content costs: for reports, no decision depends on it.
 * @module
 */

export const STREAM = { flags: 0, misses: 1, literals: 2, tokens: 3, params: 4 } as const;
type StreamNumber = (typeof STREAM)[keyof typeof STREAM];

/** Attributes what a coder spends to streams. */
export interface CostMeter {
  /** From now on, what is spent belongs to this stream. */
  stream(stream: StreamNumber): void;
}

/** Counts nothing. */
export const noMeter: CostMeter = {
  stream(): void {
    // Nobody asked.
  },
};

/** Counts bits, as told by `spentBits`. */
export class BitMeter implements CostMeter {
  readonly bits = new Float64Array(Object.keys(STREAM).length);
  readonly #spentBits: () => number;
  #last = 0;
  #current: StreamNumber = STREAM.flags;

  constructor(spentBits: () => number) {
    this.#spentBits = spentBits;
  }

  stream(stream: StreamNumber): void {
    const spent = this.#spentBits();
    this.bits[this.#current]! += spent - this.#last;
    this.#last = spent;
    this.#current = stream;
  }
}
