/**
 * What the parse believes the coder will spend, in integers, so that every machine decides alike.
 *
 * The numbers are averages over executables, where bytes of a cover that differ from the source mostly belong to a few
 * fields, and the first wrong byte of a field costs more than the following ones.
 * @module
 */

/** All costs are in 1/64 bit. */
export const COST_UNITS_PER_BIT = 64;

/** A byte of a cover that equals the source's. */
export const EXACT_COST = 2;
/** A byte of a cover that differs, after one that did not, and after one that did. */
export const MISS_COST = 8 * COST_UNITS_PER_BIT;
export const NEXT_MISS_COST = 4.5 * COST_UNITS_PER_BIT;
/** A byte that differs by as much as one of the last two in its place of a word: the coder guesses such changes. */
export const REPEATED_MISS_COST = 1.5 * COST_UNITS_PER_BIT;
/**
 * The same, of a byte of the image itself where the canonical copies differ, or one that equals the source's: a reference
 * that does not mean what it meant, and yet is where it was, or moved on like the last one.
 */
export const PLAIN_MISS_COST = 1.5 * COST_UNITS_PER_BIT;
/** A byte outside covers: of text, and of anything else. */
const TEXT_LITERAL_COST = 166;
const LITERAL_COST = 205;
/** Ending a cover without beginning the next. */
export const LITERAL_OPEN_COST = 3 * COST_UNITS_PER_BIT;
/** A cover with the displacement of its predecessor, or of one of the few before. */
export const SAME_COST = 11 * COST_UNITS_PER_BIT;
export const RECENT_COST = 14 * COST_UNITS_PER_BIT;
/** Any other cover: this and a part that grows with the bits of the change. */
export const FRESH_COST = 16 * COST_UNITS_PER_BIT;
export const CHANGE_BIT_COST = 64;

/** Beginning a cover whose displacement differs by `change` from its predecessor's and is none of the recent ones. */
export function freshCoverCost(change: number): number {
  const size = change < 0 ? -change : change;
  return FRESH_COST + (32 - Math.clz32(size)) * CHANGE_BIT_COST;
}

/** Of so many bytes that are looked at, all but a few must be text for a window to be text. */
const SAMPLES = 4096;
const FOREIGN_SAMPLES_MAX = 200;

/** What a byte of this part of the target costs outside covers: text is easier to guess. */
export function literalCostOf(target: Uint8Array, start: number, end: number): number {
  const step = Math.max(1, Math.floor((end - start) / SAMPLES));
  let foreign = 0;
  for (let i = start; i < end; i += step) {
    const byte = target[i]!;
    const isText = (byte >= 32 && byte < 127) || byte === 10 || byte === 13 || byte === 9;
    if (!isText && ++foreign > FOREIGN_SAMPLES_MAX) return LITERAL_COST;
  }
  return TEXT_LITERAL_COST;
}
