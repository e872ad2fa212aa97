/**
 * The longest match of a unit's bytes before a place: chains of places with equal hashes, the latest first.
 *
 * Compressors look for the same, so what it finds is close to what they took. Content is known before tokens are, so
 * both directions find the same.
 * @module
 */
import type { TokenRules } from '../unit-codec.ts';

/** Steps of one walk over a chain. Deep ones pay: what a compressor found far back is dear to say. */
const DEPTH = 4096;
/** Matches are compared this far. */
const COMPARED_MAX = 512;
/** Matches of fewer bytes are not in chains. */
const CHAINED_MIN = 4;
/** Distances that are looked at, four bytes of memory each, and room for what is looked at ahead; those of matches of three bytes, which are dear if far. */
const REACH_MAX = 2 ** 21 - 1024;
const TRIPLE_REACH_MAX = 2 ** 16 - 2;
/** Strings that the rarest is chosen from, less one: the last ones. */
const SHIFTS_MAX = 16;
/** Matches of fewer bytes have no rank. */
export const RANKED_MIN = 3;
/** Ranks in a chain are below. */
export const RANKS = DEPTH;
const HASH_BITS_MIN = 8;
const HASH_BITS_MAX = 18;
/** Of three bytes, which are fewer. */
const TRIPLE_BITS_MAX = 16;
/** Bytes compared, as a power of two, that count as a step of a walk; and beside walks. */
const COMPARED_BITS = 6;
export const BYTES_A_STEP = 8;

/** Memory of a finder for units of so many bytes: two rings, and three tables. */
export function finderBytes({ distanceMax }: TokenRules, bytes: number): number {
  const reach = Math.min(distanceMax, bytes, REACH_MAX);
  const places = ringOf(reach, bytes) + ringOf(Math.min(reach, TRIPLE_REACH_MAX), bytes);
  return 4 * places + 4 * 2 ** hashBits(reach, HASH_BITS_MAX) + 8 * 2 ** TRIPLE_BITS_MAX;
}

function hashBits(reach: number, max: number): number {
  return Math.min(max, Math.max(HASH_BITS_MIN, 32 - Math.clz32(reach)));
}

/** Places of a ring: one more than distances reach, and one for the place after the one that is asked for; or all. */
function ringOf(reach: number, bytes: number): number {
  return Math.min(bytes, 2 ** (32 - Math.clz32(reach + 1)));
}

const maskOf = (ring: number, bytes: number): number => (ring === bytes ? -1 : ring - 1);

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
  /** Of the last walk. */
  rank = 0;
  rankedDistance = 0;
  /** Steps since whoever counts them set it to 0. */
  steps = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #shift = 0;
  #tripleShift = 0;
  #distanceMax = 0;
  #matchMin = 0;
  #matchMax = 0;
  #inserted = 0;
  #triplesInserted = 0;
  #pairsInserted = 0;
  #mask = 0;
  #head: Int32Array = new Int32Array(0);
  #before: Int32Array = new Int32Array(0);
  /** The same of three bytes, of which only the nearest is looked for. */
  #tripleHead: Int32Array = new Int32Array(0);
  #tripleBefore: Int32Array = new Int32Array(0);
  #tripleReach = 0;
  #tripleMask = 0;
  /** The last places of two bytes. */
  #pairs: Int32Array = new Int32Array(0);
  /** Of the string that `#rarest` chose. */
  #rarestShift = 0;
  /** What was found at the byte behind the last place. */
  #nextAt = -1;
  #nextLength = 0;
  #nextDistance = 0;

  /** A unit is done. */
  forget(): void {
    this.#bytes = new Uint8Array(0);
  }

  /** Gives its memory back. */
  release(): void {
    this.#before = new Int32Array(0);
    this.#tripleBefore = new Int32Array(0);
  }

  /** Another unit; places before `first` may be matched, but are not asked for. */
  start(bytes: Uint8Array, first: number, rules: TokenRules): void {
    this.#bytes = bytes;
    this.#distanceMax = Math.min(rules.distanceMax, bytes.length, REACH_MAX);
    this.#matchMin = rules.matchMin;
    this.#matchMax = rules.matchMax;
    this.#inserted = Math.max(0, first - this.#distanceMax);
    this.#pairsInserted = this.#inserted;
    this.#nextAt = -1;
    const bits = hashBits(this.#distanceMax, HASH_BITS_MAX);
    this.#shift = 32 - bits;
    this.#head = cleared(this.#head, 2 ** bits);
    const ring = ringOf(this.#distanceMax, bytes.length);
    this.#mask = maskOf(ring, bytes.length);
    this.#before = room(this.#before, ring);
    this.#tripleReach = Math.min(this.#distanceMax, TRIPLE_REACH_MAX);
    this.#triplesInserted = Math.max(0, first - this.#tripleReach);
    const tripleBits = hashBits(this.#tripleReach, TRIPLE_BITS_MAX);
    this.#tripleShift = 32 - tripleBits;
    const triples = ringOf(this.#tripleReach, bytes.length);
    this.#tripleMask = maskOf(triples, bytes.length);
    if (this.#matchMin < CHAINED_MIN) {
      this.#tripleHead = cleared(this.#tripleHead, 2 ** tripleBits);
      this.#tripleBefore = room(this.#tripleBefore, triples);
    }
    if (this.#matchMin <= 2) this.#pairs = cleared(this.#pairs, 2 ** 16);
    this.steps += (2 ** bits + 2 ** tripleBits + 2 ** 16) / 16;
  }

  /**
   * Looks for the longest match at `at`, which is more than in the call before and where there is one of `known` bytes
   * (0 if that is not known). Returns the length of the longest at the byte behind if it is longer, else 0.
   */
  search(at: number, known: number): number {
    if (this.#nextAt !== at) this.#find(at, Math.max(CHAINED_MIN, Math.min(known, COMPARED_MAX)));
    else {
      this.length = this.#nextLength;
      this.distance = this.#nextDistance;
    }
    const { length, distance } = this;
    this.length = 0;
    if (length < COMPARED_MAX) this.#find(at + 1, Math.max(CHAINED_MIN, length + 1));
    const next = this.length;
    this.#nextAt = next > 0 || length < CHAINED_MIN ? at + 1 : -1;
    this.#nextLength = next;
    this.#nextDistance = this.distance;
    this.length = length;
    this.distance = distance;
    return next > length ? next : 0;
  }

  /** The longest match at `at` of `min` bytes at least; of fewer only where `min` asks for all. */
  #find(at: number, min: number): void {
    const bytes = this.#bytes;
    this.length = 0;
    this.distance = 0;
    const max = Math.min(bytes.length - at, this.#matchMax);
    if (max >= min) {
      const compared = Math.min(max, COMPARED_MAX);
      this.#follow(at, min - 1, compared);
      if (this.length === compared) {
        this.length = matchLength(bytes, at, this.distance, max);
        this.steps += this.length / BYTES_A_STEP;
      }
    }
    if (this.length === 0 && min === CHAINED_MIN && this.#matchMin < CHAINED_MIN) this.#short(at, max);
  }

  /** The longest match of more than `best` bytes, of up to `max` that are compared. */
  #follow(at: number, best: number, max: number): void {
    const bytes = this.#bytes;
    const before = this.#before;
    const mask = this.#mask;
    const nearest = Math.max(0, at - this.#distanceMax);
    let place = this.#rarest(at, best + 1, at);
    let shift = this.#rarestShift;
    let left = DEPTH;
    while (place >= nearest && left > 0) {
      left--;
      if (bytes[place + best] === bytes[at + best]) {
        let length = 0;
        while (length < max && bytes[place + length] === bytes[at + length]) length++;
        left -= length >> COMPARED_BITS;
        if (length > best) {
          best = length;
          this.length = length;
          this.distance = at - place;
          if (length === max) break;
          const rarer = this.#rarest(at, best + 1, place);
          if (rarer < place) {
            place = rarer;
            shift = this.#rarestShift;
            continue;
          }
        }
      }
      place = before[(place + shift) & mask]! - shift;
    }
    this.steps += DEPTH - left;
  }

  /**
   * Matches of `length` bytes have all strings within them, so that the rarest has the shortest way past them. Returns
   * the last place before `at` that has the string whose last place is farthest, if that is before `place`.
   */
  #rarest(at: number, length: number, place: number): number {
    const before = this.#before;
    const mask = this.#mask;
    const last = length - CHAINED_MIN;
    this.#insert(at + last);
    this.#rarestShift = 0;
    const first = Math.max(0, last - SHIFTS_MAX);
    for (let shift = first; shift <= last; shift++) {
      const other = before[(at + shift) & mask]! - shift;
      if (other >= place) continue;
      place = other;
      this.#rarestShift = shift;
    }
    this.steps += 1 + (last - first) / BYTES_A_STEP;
    return place;
  }

  /** A match of three bytes, or of two, at the last place that has it. */
  #short(at: number, max: number): void {
    if (max >= 3) {
      this.walk(at, 3, 0, 0);
      this.distance = this.rankedDistance;
    }
    if (this.distance > 0) this.length = 3;
    else if (this.#matchMin < 3 && max >= 2) this.#pair(at);
  }

  #pair(at: number): void {
    const bytes = this.#bytes;
    const pairs = this.#pairs;
    for (let place = this.#pairsInserted; place < at; place++) pairs[bytes[place]! | (bytes[place + 1]! << 8)] = place;
    this.#pairsInserted = at;
    const place = pairs[bytes[at]! | (bytes[at + 1]! << 8)]!;
    if (place < 0 || at - place > this.#distanceMax) return;
    this.length = 2;
    this.distance = at - place;
  }

  /**
   * Walks over the places that match for `length` at least, the nearest first, and stops at the one with this rank, or
   * with this distance if the rank is -1. Gives its distance and rank; a rank of -1 if the walk ends before.
   */
  walk(at: number, length: number, rank: number, distance: number): void {
    let left = DEPTH;
    this.rank = -1;
    this.rankedDistance = 0;
    let seen = 0;
    const isTriple = length < CHAINED_MIN;
    const chain = isTriple ? this.#tripleBefore : this.#before;
    const mask = isTriple ? this.#tripleMask : this.#mask;
    const nearest = Math.max(0, at - (isTriple ? this.#tripleReach : this.#distanceMax));
    let place = this.#first(at, length);
    const shift = this.#rarestShift;
    for (; place >= nearest && left > 0; place = chain[(place + shift) & mask]! - shift) {
      const matched = matchLength(this.#bytes, at, at - place, length);
      left -= 1 + (matched >> COMPARED_BITS);
      if (matched < length) continue;
      if (rank < 0 ? at - place === distance : seen === rank) {
        this.rank = seen;
        this.rankedDistance = at - place;
        break;
      }
      seen++;
    }
    this.steps += DEPTH - left;
  }

  #first(at: number, length: number): number {
    this.#rarestShift = 0;
    if (this.#bytes.length - at < length) return -1;
    if (length >= CHAINED_MIN) return this.#rarest(at, Math.min(length, COMPARED_MAX), at);
    this.#insertTriples(at);
    return this.#tripleBefore[at & this.#tripleMask]!;
  }

  /** All places up to `at`, that one too. */
  #insert(at: number): void {
    const bytes = this.#bytes;
    const head = this.#head;
    const before = this.#before;
    const mask = this.#mask;
    const shift = this.#shift;
    for (let place = this.#inserted; place <= at; place++) {
      const value = bytes[place]! | (bytes[place + 1]! << 8) | (bytes[place + 2]! << 16) | (bytes[place + 3]! << 24);
      const hash = Math.imul(value, 0x9e3779b1) >>> shift;
      before[place & mask] = head[hash]!;
      head[hash] = place;
    }
    if (this.#inserted <= at) this.#inserted = at + 1;
  }

  #insertTriples(at: number): void {
    const bytes = this.#bytes;
    const head = this.#tripleHead;
    const before = this.#tripleBefore;
    const mask = this.#tripleMask;
    const shift = this.#tripleShift;
    for (let place = this.#triplesInserted; place <= at; place++) {
      const value = bytes[place]! | (bytes[place + 1]! << 8) | (bytes[place + 2]! << 16);
      const hash = Math.imul(value, 0x9e3779b1) >>> shift;
      before[place & mask] = head[hash]!;
      head[hash] = place;
    }
    if (this.#triplesInserted <= at) this.#triplesInserted = at + 1;
  }
}

/** A ring of `size` at least, with anything in it. */
function room(ring: Int32Array, size: number): Int32Array {
  return ring.length < size ? new Int32Array(size) : ring;
}

function cleared(table: Int32Array, size: number): Int32Array {
  if (table.length < size) return new Int32Array(size).fill(-1);
  table.fill(-1, 0, size);
  return table;
}
