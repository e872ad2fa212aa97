/**
 * Looking target bytes up in the source: the longest match of a position, by binary search in the suffix array.
 *
 * A table of the first two bytes saves the first 16 steps of every search, and a bit map of what byte strings the source
 * has at all saves most searches where nothing is to be found. Two common prefixes are carried along as
 * Manber and Myers do (1993), so that a search costs match length plus steps, not their product, and no comparison
 * runs past MATCH_BYTES_MAX: long runs of equal bytes would make it quadratic otherwise. Who needs the whole of a
 * longer match extends it once.
 * @module
 */
import { UpdateError } from '../../status.ts';

/** Comparisons stop here; a match of this length is as good as any longer one for choosing it. */
const MATCH_BYTES_MAX = 1024;
/** Neighbours in the suffix array, on each side, that are asked for a better context. */
const RIVALS_MAX = 8;

const PAIR_VALUES = 1 << 16;

/** A source that can be searched. Read-only after its making, so that threads can share it. */
export interface SourceIndex {
  readonly source: Uint8Array;
  readonly suffixes: Int32Array;
  /** PAIR_VALUES + 1 entries: where in `suffixes` the suffixes begin that start with each byte pair. */
  readonly pairs: Int32Array;
  /** One bit for each hash of KMER_BYTES source bytes, so that hopeless searches need not begin; null: not made. */
  readonly kmers?: Uint32Array | null;
  /** The image's bytes, where `source` is a canonical copy of them. */
  readonly plain?: Uint8Array | undefined;
}

/** Length of the byte strings in SourceIndex.kmers. */
const KMER_BYTES = 6;
const KMER_BITS_MIN = 16;
const KMER_BITS_MAX = 28;

/** Entries of SourceIndex.kmers: half a byte to a byte for each of the source's, 32 MiB at most. */
function kmerWordsFor(sourceBytes: number): number {
  let log = KMER_BITS_MIN;
  while (log < KMER_BITS_MAX && 2 ** log < sourceBytes * 4) log++;
  return 2 ** (log - 5);
}

/** Makes the bit map of a source. */
function kmersOf(source: Uint8Array): Uint32Array {
  const words = kmerWordsFor(source.length);
  const kmers = new Uint32Array(words);
  const shift = Math.clz32(words) - 4;
  let word = 0;
  let before = 0;
  for (let i = 0; i < source.length; i++) {
    const earlier = before;
    before = word;
    word = (word << 8) | source[i]!;
    if (i < KMER_BYTES - 1) continue;
    const hash = kmerHash(earlier, word) >>> shift;
    kmers[hash >>> 5]! |= 1 << (hash & 31);
  }
  return kmers;
}

/** `head` is the first four bytes, `tail` the last four, overlapping by two. */
function kmerHash(head: number, tail: number): number {
  const mixed = Math.imul(head, 0x9e3779b1) ^ Math.imul(tail, 0x85ebca6b);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
}

/**
 * Makes the byte pair table, 256 KiB, and the bit map: two passes over the source.
 * @throws UpdateError usage_invalid if `suffixes` does not have an entry for each source byte
 */
export function indexSource(source: Uint8Array, suffixes: Int32Array): SourceIndex {
  if (suffixes.length !== source.length) {
    throw new UpdateError('usage_invalid', `${suffixes.length} suffixes for a source of ${source.length} bytes`);
  }
  const pairs = new Int32Array(PAIR_VALUES + 1);
  const last = source.length - 1;
  for (let i = 0; i < last; i++) pairs[((source[i]! << 8) | source[i + 1]!) + 1]!++;
  // The suffix of one byte sorts before all others with that byte: it is counted as followed by a zero.
  if (last >= 0) pairs[(source[last]! << 8) + 1]!++;
  for (let pair = 0; pair < PAIR_VALUES; pair++) pairs[pair + 1]! += pairs[pair]!;
  return { source, suffixes, pairs, kmers: kmersOf(source) };
}

/**
 * Number of equal bytes from `a` in `source` and `b` in `target`, at least `known` and at most `limit`.
 * The caller vouches for the first `known` bytes.
 */
export function matchLength(
  source: Uint8Array,
  a: number,
  target: Uint8Array,
  b: number,
  known: number,
  limit: number,
): number {
  const end = Math.min(limit, source.length - a, target.length - b);
  let length = known;
  while (length < end && source[a + length] === target[b + length]) length++;
  return length;
}

/** How many of `length` bytes from `a` in `source` and `b` in `target` are equal; bytes outside either are not. */
export function countEqual(source: Uint8Array, a: number, target: Uint8Array, b: number, length: number): number {
  const end = Math.min(length, source.length - a, target.length - b);
  let equal = 0;
  for (let i = Math.max(0, -a); i < end; i++) if (source[a + i] === target[b + i]) equal++;
  return equal;
}

/** The search of one thread: results are fields, because a search must not allocate. */
export class Searcher {
  /** Source offset of the match that `search` found. */
  offset = 0;
  /** Its length, 0 to MATCH_BYTES_MAX. */
  length = 0;
  /** Suffixes looked at so far, and bytes compared beyond what was known of them. */
  steps = 0;
  /** Where in the suffix array it was found. */
  #rank = 0;
  readonly #index: SourceIndex;
  readonly #target: Uint8Array;
  readonly #kmerShift: number;

  constructor(index: SourceIndex, target: Uint8Array) {
    this.#index = index;
    this.#target = target;
    this.#kmerShift = Math.clz32(index.kmers?.length ?? 1) - 4;
  }

  /** Finds a longest match, of at least two bytes, for the target bytes from `at`; `length` is 0 if there is none. */
  search(at: number): void {
    const { source, suffixes, pairs } = this.#index;
    const target = this.#target;
    this.length = 0;
    if (at + 2 > target.length) return;
    const pair = (target[at]! << 8) | target[at + 1]!;
    let low = pairs[pair]!;
    let high = pairs[pair + 1]! - 1;
    if (low > high) return;
    // Invariant: the place of the target suffix is within [low, high]; lowLength and highLength are their matches.
    let lowLength = matchLength(source, suffixes[low]!, target, at, 0, MATCH_BYTES_MAX);
    let highLength = low === high ? lowLength : matchLength(source, suffixes[high]!, target, at, 0, MATCH_BYTES_MAX);
    while (high - low > 1 && lowLength < MATCH_BYTES_MAX && highLength < MATCH_BYTES_MAX) {
      const middle = (low + high) >>> 1;
      const start = suffixes[middle]!;
      const known = lowLength < highLength ? lowLength : highLength;
      const length = matchLength(source, start, target, at, known, MATCH_BYTES_MAX);
      this.steps += 1 + length - known;
      const isLess =
        start + length >= source.length ||
        (at + length < target.length && source[start + length]! < target[at + length]!);
      if (isLess) {
        low = middle;
        lowLength = length;
      } else {
        high = middle;
        highLength = length;
      }
    }
    this.#rank = lowLength > highLength ? low : high;
    this.length = Math.max(lowLength, highLength);
    this.offset = suffixes[this.#rank]!;
  }

  /** False if no source bytes equal the next KMER_BYTES target bytes from `at`, so that a search is in vain. */
  mayMatch(at: number): boolean {
    const { kmers } = this.#index;
    const target = this.#target;
    if (at + KMER_BYTES > target.length) return false;
    if (kmers === undefined || kmers === null) return true;
    const head = (target[at]! << 24) | (target[at + 1]! << 16) | (target[at + 2]! << 8) | target[at + 3]!;
    const tail = (head << 16) | (target[at + 4]! << 8) | target[at + 5]!;
    const hash = kmerHash(head, tail) >>> this.#kmerShift;
    return (kmers[hash >>> 5]! & (1 << (hash & 31))) !== 0;
  }

  /** The place `step` suffixes from the match found, if it is as long a match for the bytes from `at`; else -1. */
  neighbour(step: number, at: number): number {
    const { source, suffixes } = this.#index;
    const rank = this.#rank + step;
    if (rank < 0 || rank >= suffixes.length) return -1;
    const start = suffixes[rank]!;
    const length = matchLength(source, start, this.#target, at, 0, this.length);
    this.steps += 1 + length;
    return length < this.length ? -1 : start;
  }

  /**
   * Among the places whose match is as long as the one found, takes the one with the most equal bytes around it; if
   * several are equal, the one nearest to `expected`, then the first in the source. Looks at RIVALS_MAX places on each
   * side of the one found.
   */
  chooseRival(at: number, expected: number): void {
    const { source, suffixes } = this.#index;
    let best = this.offset;
    let bestScore = -1;
    for (const step of [-1, 1]) {
      for (let k = step === -1 ? 0 : 1; k <= RIVALS_MAX; k++) {
        const rank = this.#rank + step * k;
        if (rank < 0 || rank >= suffixes.length) break;
        const start = suffixes[rank]!;
        if (matchLength(source, start, this.#target, at, 0, this.length) < this.length) break;
        const score = this.#context(start, at);
        if (score > bestScore || (score === bestScore && isNearer(start, best, expected))) {
          best = start;
          bestScore = score;
        }
      }
    }
    this.offset = best;
  }

  /** Equal bytes among the CONTEXT_BYTES before and after the match of `this.length` bytes. */
  #context(start: number, at: number): number {
    const { source } = this.#index;
    const before = Math.min(CONTEXT_BYTES, start, at);
    const after = this.length + CONTEXT_BYTES;
    return (
      countEqual(source, start - before, this.#target, at - before, before) +
      countEqual(source, start, this.#target, at, after)
    );
  }
}

const CONTEXT_BYTES = 64;

function isNearer(place: number, best: number, expected: number): boolean {
  const difference = Math.abs(place - expected) - Math.abs(best - expected);
  return difference < 0 || (difference === 0 && place < best);
}
