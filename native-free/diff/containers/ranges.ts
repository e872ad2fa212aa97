/**
 * Which bytes were taken already, as disjoint ranges in order.
 * @module
 */
import { firstWhere } from '../../search.ts';
import { malformed } from '../../unpack/tokens.ts';

export interface Range {
  readonly from: number;
  readonly to: number;
}

export class Ranges {
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #movesMax: number;
  #moves = 0;

  /** Out of order, a range costs as many moves as there are behind it: who believes nobody sets a bound. */
  constructor(movesMax = Infinity) {
    this.#movesMax = movesMax;
  }

  /**
   * Takes [from, to), and gives what of it was still free.
   * @throws UpdateError unit_malformed where so many come out of order that it takes too long
   */
  take(from: number, to: number): Range[] {
    const free: Range[] = [];
    let [at, i] = [from, this.#firstEndingBehind(from)];
    const first = i;
    for (; i < this.#from.length && this.#from[i]! <= to && at < to; i++) {
      if (this.#from[i]! > at) free.push({ from: at, to: this.#from[i]! });
      at = Math.max(at, this.#to[i]!);
    }
    if (at < to) free.push({ from: at, to });
    if (free.length > 0) this.#put(first, i, from, Math.max(at, to));
    return free;
  }

  /** Does one of [from, to) belong to a range? */
  touches(from: number, to: number): boolean {
    const i = this.#firstEndingBehind(from);
    return i < this.#from.length && this.#from[i]! < to;
  }

  /** Replaces ranges [first, last) by one that has all of them, and the range before where it ends there. */
  #put(first: number, last: number, from: number, to: number): void {
    const start = first < last ? Math.min(from, this.#from[first]!) : from;
    const joins = first > 0 && this.#to[first - 1] === start;
    if (joins && first === last) {
      this.#to[first - 1] = to;
      return;
    }
    this.#moves += this.#from.length - last;
    if (this.#moves > this.#movesMax) malformed('container', 'its files are in no order');
    this.#from.splice(first, last - first, start);
    this.#to.splice(first, last - first, to);
  }

  #firstEndingBehind(position: number): number {
    return firstWhere(0, this.#to.length, (i) => this.#to[i]! > position);
  }
}
