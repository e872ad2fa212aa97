/**
 * Memory that units take while a segment is decoded: counted on both sides, so that it can be declared and held to.
 * @module
 */
import { UpdateError } from '../../status.ts';
import { TOKEN_BYTES } from '../tokens.ts';

export class UnitMemory {
  readonly #limit: number;
  #held = 0;
  /** The most that was held at a time. */
  peak = 0;

  constructor(limitBytes = Infinity) {
    this.#limit = limitBytes;
  }

  /** Tokens that there is still room for. */
  get tokensLeft(): number {
    return Math.max(0, Math.floor((this.#limit - this.#held) / TOKEN_BYTES));
  }

  /**
   * Called before anything is allocated; negative where it is free again.
   * @throws UpdateError payload_malformed where it is more than the header declares
   */
  take(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.peak) this.peak = this.#held;
    if (this.#held <= this.#limit) return;
    throw new UpdateError('payload_malformed', `units take ${this.#held} bytes, and ${this.#limit} are declared`);
  }
}
