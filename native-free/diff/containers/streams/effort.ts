/**
 * How much looking for streams may cost: magics are short and lie, and each attempt reads on from there. What an attempt
 * costs is given back where a container comes of it, since its bytes are not looked at again.
 * @module
 */
import { malformed } from '../../../unpack/tokens.ts';

/** Steps for each byte that is searched, and for any search. A step is a byte read, or some bytes made. */
const STEPS_PER_BYTE = 4;
const STEPS_MIN = 2 ** 22;
/** Content bytes for a step: long matches are made fast, and an image of zeros is one of them after the other. */
export const CONTENT_PER_STEP = 16;

export class Effort {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes * STEPS_PER_BYTE + STEPS_MIN;
  }

  get left(): number {
    return this.#left;
  }

  /**
   * The last attempt may take more than is left, so that what it costs need not be known before.
   * @throws UpdateError unit_malformed where nothing is left
   */
  spend(steps: number): void {
    if (this.#left <= 0) malformed('search', 'too many attempts failed');
    this.#left -= steps;
  }

  /** What was spent since `left` was so much is given back. */
  giveBack(left: number): void {
    this.#left = left;
  }
}
