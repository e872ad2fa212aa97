/**
 * What a unit may become in the target: a few values in the order of how well their origins did lately.
 *
 * Which origin is right depends on the place: a table's words follow a base address, a shifted function's branches the
 * map, a renamed register nothing but its own history. So every origin has a score for each kind of unit in each
 * region, and only distinct values are asked for, each with the set of origins that agree on it.
 * @module
 */
import { ORIGINS } from '../format/origins.ts';

export const CANDIDATES_MAX = 16;

/** Origins in four bits: what only code has shares numbers with bases. */
const TRAIL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 9, 10, 11, 12, 13, 14, 14, 14];
const MISSED = 15;

const SCORE_MAX = 4096;
const CONTEXTS = 4096;

export class Candidates {
  count = 0;
  /** Origins of the last units, four bits each, the newest lowest. */
  trail = 0;
  readonly value = new Uint32Array(CANDIDATES_MAX);
  readonly origin = new Uint8Array(CANDIDATES_MAX);
  /** Bit set of the origins that agree. */
  readonly origins = new Int32Array(CANDIDATES_MAX);
  readonly #scores = new Int16Array(CONTEXTS * ORIGINS);
  readonly #order = new Int16Array(CANDIDATES_MAX);
  #context = 0;

  reset(): void {
    this.trail = 0;
    for (let i = 0; i < CONTEXTS * ORIGINS; i++) this.#scores[i] = FIRST_SCORE[i % ORIGINS]!;
  }

  /**
   * Begins the list of a unit. Scores belong to `context`, a region and kind, and to the origins of the last
   * `trailLength` units: tables repeat their fields in the same order.
   */
  begin(context: number, trailLength: number): void {
    this.count = 0;
    const trail = this.trail & ((1 << (4 * trailLength)) - 1);
    const hash = Math.imul(context, 0x9e3779b1) ^ Math.imul(trail, 0x85ebca6b);
    this.#context = ((hash ^ (hash >>> 15)) & (CONTEXTS - 1)) * ORIGINS;
  }

  /** Unit `i` of the list at hand is what the unit became (or is expected to become); -1 for none of them. */
  follow(i: number): void {
    this.trail = (this.trail << 4) | (i < 0 ? MISSED : TRAIL[this.origin[i]!]!);
  }

  add(value: number, origin: number): void {
    const unsigned = value >>> 0;
    const score = this.#scores[this.#context + origin]!;
    let at = this.count;
    for (let i = 0; i < this.count; i++) {
      if (this.value[i] !== unsigned) continue;
      this.origins[i]! |= 1 << origin;
      if (score <= this.#order[i]!) return;
      this.origin[i] = origin;
      this.#order[i] = score;
      at = i;
      this.#rise(at);
      return;
    }
    if (at === CANDIDATES_MAX) return;
    this.count++;
    this.value[at] = unsigned;
    this.origin[at] = origin;
    this.origins[at] = 1 << origin;
    this.#order[at] = score;
    this.#rise(at);
  }

  /** Moves entry `at` forward past all with lower scores. */
  #rise(at: number): void {
    for (; at > 0 && this.#order[at - 1]! < this.#order[at]!; at--) {
      const value = this.value[at]!;
      const origin = this.origin[at]!;
      const origins = this.origins[at]!;
      const order = this.#order[at]!;
      this.value[at] = this.value[at - 1]!;
      this.origin[at] = this.origin[at - 1]!;
      this.origins[at] = this.origins[at - 1]!;
      this.#order[at] = this.#order[at - 1]!;
      this.value[at - 1] = value;
      this.origin[at - 1] = origin;
      this.origins[at - 1] = origins;
      this.#order[at - 1] = order;
    }
  }

  /** Scores the origins of the list at hand by what the unit really became. */
  learn(actual: number): void {
    if (this.count < 2) return;
    const unsigned = actual >>> 0;
    for (let i = 0; i < this.count; i++) {
      const hit = this.value[i] === unsigned;
      for (let rest = this.origins[i]!; rest !== 0; rest &= rest - 1) {
        const at = this.#context + (31 - Math.clz32(rest & -rest));
        const score = this.#scores[at]!;
        this.#scores[at] = hit ? score + ((SCORE_MAX - score) >> 4) : score - (score >> 4);
      }
    }
  }
}

/** Before anything is known: what usually holds comes first. */
const FIRST_SCORE = [
  2000, 3200, 3000, 2200, 2100, 3100, 1000, 1500, 1600, 1900, 2300, 1800, 1700, 1700, 1700, 1700, 1700, 1700, 1700,
  1700,
];
