/**
 * The longest match of a unit's bytes before a place: chains of places with equal hashes, the latest first.
 *
 * Compressors look for the same, so what it finds is close to what they took. Content is known before tokens are, so
 * both directions find the same.
 * @module
 */
import type { TokenRules } from '../unit-codec.ts';

/** Chains end here; longer ones buy little. */
export const DEPTH = 24;
/** Matches are compared this far. */
const COMPARED_MAX = 512;
/** Places of a chain that are looked at for a distance that was not the first. */
export const NEAREST_DEPTH = 256;
const HASH_BITS_MIN = 8;
const HASH_BITS_MAX = 16;
/** Bytes compared that take the time of a step. */
const BYTES_A_STEP = 8;

/** Length of the match at `at` with what is `distance` before, at most `max`. */
export function matchLength(bytes: Uint8Array, at: number, distance: number, max: number): number {
  let length = 0;
  let before = at - distance;
  while (length < max && bytes[at + length] === bytes[before++]) length++;
  return length;
}

export class MatchFinder {
  /** What was found last; length 0 if nothing. */
  length = 0;
  distance = 0;
  /** Steps since whoever counts them set it to 0. */
  steps = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Bytes that are hashed: matches of fewer are not in chains. */
  hashed = 0;
  #shift = 0;
  #distanceMax = 0;
  #matchMax = 0;
  #lengthMax = 0;
  #pairs = false;
  #inserted = 0;
  #pairsInserted = 0;
  #mask = 0;
  #head: Int32Array = new Int32Array(0);
  #before = new Int32Array(0);
  #lastPair: Int32Array = new Int32Array(0);

  /** Another unit; places before `first` may be matched, but are not asked for. */
  start(bytes: Uint8Array, first: number, rules: TokenRules): void {
    this.#bytes = bytes;
    this.hashed = rules.matchMin > 3 ? 4 : 3;
    this.#pairs = rules.matchMin < 3;
    this.#distanceMax = Math.min(rules.distanceMax, bytes.length);
    this.#matchMax = rules.matchMax;
    this.#lengthMax = Math.min(rules.matchMax, COMPARED_MAX);
    this.#inserted = Math.max(0, first - this.#distanceMax);
    this.#pairsInserted = this.#inserted;
    const bits = Math.min(HASH_BITS_MAX, Math.max(HASH_BITS_MIN, 32 - Math.clz32(bytes.length)));
    this.#shift = 32 - bits;
    this.#head = cleared(this.#head, 2 ** bits, -1);
    // One place more than distances reach, and one for the place after the one that is asked for.
    const ring = 2 ** (32 - Math.clz32(this.#distanceMax + 1));
    this.#mask = ring - 1;
    if (this.#before.length < ring) this.#before = new Int32Array(ring);
    if (this.#pairs) this.#lastPair = cleared(this.#lastPair, 2 ** HASH_BITS_MAX, -1);
    this.steps += (2 ** bits + (this.#pairs ? 2 ** HASH_BITS_MAX : 0)) / 16;
  }

  /** Looks for the longest match at `at`, which is never less than in the call before. */
  search(at: number): void {
    const bytes = this.#bytes;
    this.length = 0;
    this.distance = 0;
    const max = Math.min(bytes.length - at, this.#lengthMax);
    if (max >= this.hashed) {
      this.#insert(at);
      this.#follow(at, max);
    }
    if (this.#pairs && this.length === 0 && max >= 2) this.#pair(at);
    if (this.length !== COMPARED_MAX) return;
    this.length = matchLength(bytes, at, this.distance, Math.min(bytes.length - at, this.#matchMax));
    this.steps += this.length / BYTES_A_STEP;
  }

  #follow(at: number, max: number): void {
    const bytes = this.#bytes;
    const before = this.#before;
    const mask = this.#mask;
    const nearest = at - this.#distanceMax;
    let best = this.hashed - 1;
    let place = before[at & mask]!;
    let left = DEPTH;
    let compared = 0;
    while (place >= 0 && place >= nearest && left-- > 0) {
      if (bytes[place + best] === bytes[at + best]) {
        let length = 0;
        while (length < max && bytes[place + length] === bytes[at + length]) length++;
        compared += length;
        if (length > best) {
          best = length;
          this.length = length;
          this.distance = at - place;
          if (length === max) break;
        }
      }
      place = before[place & mask]!;
    }
    this.steps += DEPTH - left + compared / BYTES_A_STEP;
  }

  #pair(at: number): void {
    const bytes = this.#bytes;
    const last = this.#lastPair;
    for (; this.#pairsInserted < at; this.#pairsInserted++)
      last[bytes[this.#pairsInserted]! | (bytes[this.#pairsInserted + 1]! << 8)] = this.#pairsInserted;
    const place = last[bytes[at]! | (bytes[at + 1]! << 8)]!;
    if (place < 0 || at - place > this.#distanceMax) return;
    this.length = 2;
    this.distance = at - place;
  }

  /** How many places of the chain, nearer than `distance`, match for `length` at least; -1 if the chain ends before. */
  rankOf(at: number, length: number, distance: number): number {
    let rank = 0;
    for (let place = this.#first(at), left = NEAREST_DEPTH; place >= 0 && left-- > 0; place = this.#next(place, at)) {
      if (matchLength(this.#bytes, at, at - place, length) < length) continue;
      if (at - place === distance) return rank;
      rank++;
    }
    return -1;
  }

  /** The distance with this rank; 0 if there is none. */
  distanceOf(at: number, length: number, rank: number): number {
    let seen = 0;
    for (let place = this.#first(at), left = NEAREST_DEPTH; place >= 0 && left-- > 0; place = this.#next(place, at)) {
      if (matchLength(this.#bytes, at, at - place, length) < length) continue;
      if (seen++ === rank) return at - place;
    }
    return 0;
  }

  #first(at: number): number {
    if (this.#bytes.length - at < this.hashed) return -1;
    this.#insert(at);
    const place = this.#before[at & this.#mask]!;
    return place >= at - this.#distanceMax ? place : -1;
  }

  #next(place: number, at: number): number {
    this.steps += 2;
    const next = this.#before[place & this.#mask]!;
    return next >= at - this.#distanceMax ? next : -1;
  }

  /** All places up to `at`, that one too. */
  #insert(at: number): void {
    const bytes = this.#bytes;
    const head = this.#head;
    const before = this.#before;
    const mask = this.#mask;
    const shift = this.#shift;
    const long = this.hashed === 4;
    for (let place = this.#inserted; place <= at; place++) {
      let value = bytes[place]! | (bytes[place + 1]! << 8) | (bytes[place + 2]! << 16);
      if (long) value |= bytes[place + 3]! << 24;
      const hash = Math.imul(value, 0x9e3779b1) >>> shift;
      before[place & mask] = head[hash]!;
      head[hash] = place;
    }
    if (this.#inserted <= at) this.#inserted = at + 1;
  }
}

function cleared(table: Int32Array, size: number, value: number): Int32Array {
  if (table.length < size) return new Int32Array(size).fill(value);
  table.fill(value, 0, size);
  return table;
}
