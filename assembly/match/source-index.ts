/**
 * The twin of native-free/diff/match/source-index.ts, in the memory where the suffixes are sorted: the source, its suffix
 * array, the table of byte pairs, the bit map. Behind them threads have their own.
 */
import { reserve, aligned } from './memory.ts';
import {
  countEqual,
  matchLength,
  placePlainSource,
  placeSource,
  SLACK_BYTES,
  source,
  sourceAt,
  sourceBytes,
  target,
  targetAt,
  targetBytes,
} from './images.ts';
import { sortSuffixes } from './suffix-sort.ts';

const TEXT: usize = 1024;
const PAIR_VALUES: i32 = 1 << 16;
const MATCH_BYTES_MAX: i32 = 1024;
const RIVALS_MAX: i32 = 8;
const CONTEXT_BYTES: i32 = 64;
const KMER_BYTES: i32 = 6;
const KMER_BITS_MIN: i32 = 16;
const KMER_BITS_MAX: i32 = 28;
/** Bytes that one call looks at. */
const PART: i32 = 1 << 14;

let suffixes: usize = 0;
let pairs: usize = 0;
let kmers: usize = 0;
let plain: usize = 0;
let behind: usize = 0;
/** By how much a hash is shifted for its bit. */
let kmerShift: i32 = 0;

/** Results of `search`. */
export let found: i32 = 0;
export let foundBytes: i32 = 0;
let rank: i32 = 0;

/** log2 of the bits for so many bytes. */
function kmerBitsFor(count: i32): i32 {
  let bits = KMER_BITS_MIN;
  while (bits < KMER_BITS_MAX && <i64>1 << bits < <i64>count * 4) bits++;
  return bits;
}

/** Says where everything is for a source of `count` bytes; the address of the source. `hasPlain`: it is a canonical copy. */
export function place(count: i32, hasPlain: bool): usize {
  suffixes = aligned(TEXT + <usize>count + SLACK_BYTES);
  pairs = suffixes + (<usize>count << 2);
  kmers = aligned(pairs + ((PAIR_VALUES + 1) << 2));
  kmerShift = 32 - kmerBitsFor(count);
  plain = aligned(kmersEnd());
  behind = hasPlain ? aligned(plain + <usize>count) : plain;
  placeSource(TEXT, count);
  placePlainSource(plain);
  return TEXT;
}

function kmersEnd(): usize {
  return kmers + ((<usize>1 << (32 - kmerShift)) >> 3);
}

/** What lies behind is free. */
export function end(): usize {
  return behind;
}

/** Where the image is that the source is a copy of. */
export function plainSource(): usize {
  return plain;
}

/** Makes room for a source of `count` bytes; its address. */
export function create(count: i32, hasPlain: bool): usize {
  const at = place(count, hasPlain);
  reserve(end());
  return at;
}

/** Makes suffix array, byte pairs and bit map. */
export function build(): void {
  sortSuffixes(source, sourceBytes, suffixes, pairs);
  memory.fill(pairs, 0, (PAIR_VALUES + 1) << 2);
  memory.fill(kmers, 0, kmersEnd() - kmers);
  const last = sourceBytes - 1;
  let i = 0;
  for (; i < last - PART; i += PART) surveyPart(i, i + PART);
  surveyPart(i, last);
  if (last >= 0) countPair(sourceAt(last) << 8);
  for (let pair = 0; pair < PAIR_VALUES; pair++) {
    const at = pairs + (<usize>pair << 2);
    store<i32>(at, load<i32>(at) + load<i32>(at, 4), 4);
  }
}

/** Counts pairs and marks longer strings that begin at [from, last); as suffix-sort.ts, not all in one call. */
function surveyPart(from: i32, last: i32): void {
  for (let i = from; i < last; i++) countPair((sourceAt(i) << 8) | sourceAt(i + 1));
  const whole = min(last, sourceBytes - KMER_BYTES + 1);
  for (let i = from; i < whole; i++) {
    const bit = <u32>kmerHash(source + <usize>i) >>> kmerShift;
    const at = kmers + ((bit >>> 5) << 2);
    store<u32>(at, load<u32>(at) | (1 << (bit & 31)));
  }
}

function countPair(pair: i32): void {
  const at = pairs + (<usize>pair << 2);
  store<i32>(at, load<i32>(at, 4) + 1, 4);
}

function kmerHash(at: usize): i32 {
  const head = <i32>bswap(load<u32>(at));
  const tail = <i32>bswap(load<u32>(at, 2));
  const mixed = (head * <i32>0x9e3779b1) ^ (tail * <i32>0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) * <i32>0x2c1b3c6d;
}

// @ts-ignore: decorator
@inline
function suffixAt(i: i32): i32 {
  return load<i32>(suffixes + (<usize>i << 2));
}

export function search(at: i32): void {
  foundBytes = 0;
  if (at + 2 > targetBytes) return;
  const pair = pairs + (<usize>((targetAt(at) << 8) | targetAt(at + 1)) << 2);
  let low = load<i32>(pair);
  let high = load<i32>(pair, 4) - 1;
  if (low > high) return;
  let lowLength = matchLength(suffixAt(low), at, 0, MATCH_BYTES_MAX);
  let highLength = low == high ? lowLength : matchLength(suffixAt(high), at, 0, MATCH_BYTES_MAX);
  while (high - low > 1 && lowLength < MATCH_BYTES_MAX && highLength < MATCH_BYTES_MAX) {
    const middle = (low + high) >>> 1;
    const start = suffixAt(middle);
    const length = matchLength(start, at, min(lowLength, highLength), MATCH_BYTES_MAX);
    const isLess =
      start + length >= sourceBytes ||
      (at + length < targetBytes && sourceAt(start + length) < targetAt(at + length));
    if (isLess) {
      low = middle;
      lowLength = length;
    } else {
      high = middle;
      highLength = length;
    }
  }
  rank = lowLength > highLength ? low : high;
  foundBytes = max(lowLength, highLength);
  found = suffixAt(rank);
}

export function mayMatch(at: i32): bool {
  if (at + KMER_BYTES > targetBytes) return false;
  const bit = <u32>kmerHash(target + <usize>at) >>> kmerShift;
  return (load<u32>(kmers + ((bit >>> 5) << 2)) & (1 << (bit & 31))) != 0;
}

export function neighbour(step: i32, at: i32): i32 {
  const other = rank + step;
  if (other < 0 || other >= sourceBytes) return -1;
  const start = suffixAt(other);
  return matchLength(start, at, 0, foundBytes) < foundBytes ? -1 : start;
}

export function chooseRival(at: i32, expected: i32): void {
  let best = found;
  let bestScore = -1;
  for (let step = -1; step <= 1; step += 2) {
    for (let k = step == -1 ? 0 : 1; k <= RIVALS_MAX; k++) {
      const start = neighbour(step * k, at);
      if (start < 0) break;
      const score = contextOf(start, at);
      if (score > bestScore || (score == bestScore && isNearer(start, best, expected))) {
        best = start;
        bestScore = score;
      }
    }
  }
  found = best;
}

function contextOf(start: i32, at: i32): i32 {
  const before = min(CONTEXT_BYTES, min(start, at));
  return countEqual(start - before, at - before, before) + countEqual(start, at, foundBytes + CONTEXT_BYTES);
}

function isNearer(place: i32, best: i32, expected: i32): bool {
  const difference = abs(place - expected) - abs(best - expected);
  return difference < 0 || (difference == 0 && place < best);
}
