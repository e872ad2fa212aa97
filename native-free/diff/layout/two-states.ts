/**
 * Says of a row of blocks which are of one nature and which of the other, from what each block's own bytes suggest
 * and a price for every change: the cheapest row of states (Viterbi's algorithm).
 * @module
 */

/**
 * For each block 1 or 0. `score` is how much a block speaks for 1 (negative: for 0); a stretch changes sides only when
 * its scores together outweigh twice the `price` of a change.
 */
export function twoStates(score: Int32Array, price: number): Uint8Array {
  const count = score.length;
  const states = new Uint8Array(count);
  /** Bit s: the best row that ends in state s here was in the other state one block before. */
  const changes = new Uint8Array(count);
  let zero = 0;
  let one = 0;
  for (let i = 0; i < count; i++) {
    const intoZero = one - price > zero;
    const intoOne = zero - price > one;
    const nextZero = (intoZero ? one - price : zero) - score[i]!;
    const nextOne = (intoOne ? zero - price : one) + score[i]!;
    changes[i] = (intoZero ? 1 : 0) | (intoOne ? 2 : 0);
    // Only the difference matters, and it is never more than the price and one score.
    one = nextOne - nextZero;
    zero = 0;
  }
  let state = one > zero ? 1 : 0;
  for (let i = count - 1; i >= 0; i--) {
    states[i] = state;
    if (((changes[i]! >> state) & 1) !== 0) state ^= 1;
  }
  return states;
}
