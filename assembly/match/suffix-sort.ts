/**
 * The twin of native-free/diff/match/suffix-array.ts: the same suffix sort by induction, in linear memory. What the steps mean,
 * and the words used, is said there.
 *
 * Bucket tables take memory behind what the caller names. Loads of eight bytes may look past the end of the text: there
 * is always something behind it.
 *
 * What differs from the twin is how names are given, which was a quarter of the time: the places that a block of
 * suffixes leads to are loaded before they are needed, and substrings are compared eight bytes at a time and without
 * branches. The same idea in the inductions gained nothing: the processor overlaps their loads by itself.
 *
 * No loop over the text is longer than PART: V8 runs a function that was compiled in haste until it returns, however much
 * better code there is by then, and a first sort took twice as long as a second one. What a part hands to the next one
 * is global; a part has two callers, or the compiler would put it back where it came from.
 */
import { listLms, nameLms, PART, walkLms } from './lms.ts';
import { reserve } from './memory.ts';
import { at, bump, get, set } from './words.ts';

const BYTE_VALUES: i32 = 256;

let free: usize = 0;
/** Of an induction: the bucket that is written to, and where. */
let bucket: i32 = 0;
let to: i32 = 0;
/** Of other loops: where the next entry goes. */
let filled: i32 = 0;

/** Sorts all suffixes of the `count` bytes at `text` into `array`; `spare` is the address of free memory. */
export function sortSuffixes(text: usize, count: i32, array: usize, spare: usize): void {
  free = spare + 4 * 2 * BYTE_VALUES;
  reserve(free);
  sortText<u8>(text, count, array, BYTE_VALUES, spare, 2 * BYTE_VALUES);
}

/** `spare` of `spareCount` entries becomes the bucket tables if it is large enough. */
function sortText<T>(text: usize, n: i32, sa: usize, values: i32, spare: usize, spareCount: i32): void {
  if (n <= 1) {
    if (n == 1) set(sa, 0, 0);
    return;
  }
  let counts = spare;
  if (spareCount < 2 * values) {
    counts = free;
    free += <usize>values << 3;
    reserve(free);
  }
  const buckets = counts + (<usize>values << 2);
  memory.fill(counts, 0, <usize>values << 2);
  let i = 0;
  for (; i < n - PART; i += PART) countPart<T>(text, counts, i, i + PART);
  countPart<T>(text, counts, i, n);
  const lmsCount = placeLms<T>(text, n, sa, values, counts, buckets);
  if (lmsCount > 1) {
    induceLmsFromL<T>(text, n, sa, values, counts, buckets);
    induceLmsFromS<T>(text, n, sa, values, counts, buckets);
    sortLms<T>(text, n, sa, lmsCount);
    spreadLms<T>(text, n, sa, lmsCount, values, counts, buckets);
  }
  induceL<T>(text, n, sa, values, counts, buckets);
  induceS<T>(text, n, sa, values, counts, buckets);
}

function countPart<T>(text: usize, counts: usize, from: i32, end: i32): void {
  for (let i = from; i < end; i++) bump(counts, at<T>(text, i), 1);
}

function bucketStarts(values: i32, counts: usize, buckets: usize): void {
  let sum = 0;
  for (let value = 0; value < values; value++) {
    set(buckets, value, sum);
    sum += get(counts, value);
  }
}

function bucketEnds(values: i32, counts: usize, buckets: usize): void {
  let sum = 0;
  for (let value = 0; value < values; value++) {
    sum += get(counts, value);
    set(buckets, value, sum);
  }
}

function placeLms<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): i32 {
  memory.fill(sa, 0, <usize>n << 2);
  bucketEnds(values, counts, buckets);
  return walkLms<T>(text, n, sa, buckets);
}

/** Before an induction rightwards: the last suffix, which nothing induces. */
function beginRightwards<T>(text: usize, n: i32, sa: usize, buckets: usize): void {
  bucket = at<T>(text, n - 1);
  to = get(buckets, bucket);
  set(sa, to++, at<T>(text, n - 2) < bucket ? ~(n - 1) : n - 1);
}

function beginLeftwards(buckets: usize): void {
  bucket = 0;
  to = get(buckets, 0);
}

function induceLmsFromL<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketStarts(values, counts, buckets);
  beginRightwards<T>(text, n, sa, buckets);
  let i = 0;
  for (; i < n - PART; i += PART) lmsFromLPart<T>(text, sa, buckets, i, i + PART);
  lmsFromLPart<T>(text, sa, buckets, i, n);
}

function lmsFromLPart<T>(text: usize, sa: usize, buckets: usize, from: i32, end: i32): void {
  let current = bucket;
  let next = to;
  for (let i = from; i < end; i++) {
    const p = get(sa, i);
    if (p > 0) {
      set(sa, i, 0);
      const q = p - 1;
      const value = at<T>(text, q);
      if (value != current) {
        set(buckets, current, next);
        current = value;
        next = get(buckets, current);
      }
      set(sa, next++, q > 0 && at<T>(text, q - 1) < value ? ~q : q);
    } else if (p < 0) {
      set(sa, i, ~p);
    }
  }
  bucket = current;
  to = next;
}

function induceLmsFromS<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketEnds(values, counts, buckets);
  beginLeftwards(buckets);
  let end = n;
  for (; end > PART; end -= PART) lmsFromSPart<T>(text, sa, buckets, end - PART, end);
  lmsFromSPart<T>(text, sa, buckets, 0, end);
}

function lmsFromSPart<T>(text: usize, sa: usize, buckets: usize, from: i32, end: i32): void {
  let current = bucket;
  let next = to;
  for (let i = end - 1; i >= from; i--) {
    const p = get(sa, i);
    if (p <= 0) continue;
    set(sa, i, 0);
    const q = p - 1;
    const value = at<T>(text, q);
    if (value != current) {
      set(buckets, current, next);
      current = value;
      next = get(buckets, current);
    }
    set(sa, --next, q > 0 && at<T>(text, q - 1) > value ? ~q : q);
  }
  bucket = current;
  to = next;
}

function sortLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32): void {
  let i = 0;
  filled = 0;
  for (; i < n - PART; i += PART) gatherPart(sa, i, i + PART);
  gatherPart(sa, i, n);
  memory.fill(sa + (<usize>lmsCount << 2), 0, <usize>(n - lmsCount) << 2);
  const names = nameLms<T>(text, n, sa, lmsCount);
  if (names == lmsCount) return;
  filled = n;
  // There is a name for every second place of the text at most.
  let last = min(n, lmsCount + (n >> 1) + 1);
  for (; last > lmsCount + PART; last -= PART) packPart(sa, last - PART, last);
  packPart(sa, lmsCount, last);
  const reduced = sa + (<usize>(n - lmsCount) << 2);
  sortText<i32>(reduced, lmsCount, sa, names, sa + (<usize>lmsCount << 2), n - 2 * lmsCount);
  listLms<T>(text, n, reduced, lmsCount);
  for (i = 0; i < lmsCount - PART; i += PART) lookUpPart(sa, reduced, i, i + PART);
  lookUpPart(sa, reduced, i, lmsCount);
}

/** Sorted LMS suffixes to the front. */
function gatherPart(sa: usize, from: i32, end: i32): void {
  let front = filled;
  for (let i = from; i < end; i++) {
    const p = get(sa, i);
    if (p < 0) set(sa, front++, ~p);
  }
  filled = front;
}

/** Names to the end, in the order of the text. */
function packPart(sa: usize, from: i32, end: i32): void {
  let last = filled;
  for (let i = end - 1; i >= from; i--) {
    const name = get(sa, i);
    if (name > 0) set(sa, --last, name - 1);
  }
  filled = last;
}

function lookUpPart(sa: usize, positions: usize, from: i32, end: i32): void {
  for (let i = from; i < end; i++) set(sa, i, get(positions, get(sa, i)));
}

function spreadLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32, values: i32, counts: usize, buckets: usize): void {
  memory.fill(sa + (<usize>lmsCount << 2), 0, <usize>(n - lmsCount) << 2);
  bucketEnds(values, counts, buckets);
  let end = lmsCount;
  for (; end > PART; end -= PART) spreadPart<T>(text, sa, buckets, end - PART, end);
  spreadPart<T>(text, sa, buckets, 0, end);
}

function spreadPart<T>(text: usize, sa: usize, buckets: usize, from: i32, end: i32): void {
  for (let i = end - 1; i >= from; i--) {
    const p = get(sa, i);
    set(sa, i, 0);
    set(sa, bump(buckets, at<T>(text, p), -1), p);
  }
}

function induceL<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketStarts(values, counts, buckets);
  beginRightwards<T>(text, n, sa, buckets);
  let i = 0;
  for (; i < n - PART; i += PART) lPart<T>(text, sa, buckets, i, i + PART);
  lPart<T>(text, sa, buckets, i, n);
}

function lPart<T>(text: usize, sa: usize, buckets: usize, from: i32, end: i32): void {
  let current = bucket;
  let next = to;
  for (let i = from; i < end; i++) {
    const p = get(sa, i);
    set(sa, i, ~p);
    if (p <= 0) continue;
    const q = p - 1;
    const value = at<T>(text, q);
    if (value != current) {
      set(buckets, current, next);
      current = value;
      next = get(buckets, current);
    }
    set(sa, next++, q > 0 && at<T>(text, q - 1) < value ? ~q : q);
  }
  bucket = current;
  to = next;
}

function induceS<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketEnds(values, counts, buckets);
  beginLeftwards(buckets);
  let end = n;
  for (; end > PART; end -= PART) sPart<T>(text, sa, buckets, end - PART, end);
  sPart<T>(text, sa, buckets, 0, end);
}

function sPart<T>(text: usize, sa: usize, buckets: usize, from: i32, end: i32): void {
  let current = bucket;
  let next = to;
  for (let i = end - 1; i >= from; i--) {
    const p = get(sa, i);
    if (p <= 0) {
      set(sa, i, ~p);
      continue;
    }
    const q = p - 1;
    const value = at<T>(text, q);
    if (value != current) {
      set(buckets, current, next);
      current = value;
      next = get(buckets, current);
    }
    set(sa, --next, q == 0 || at<T>(text, q - 1) > value ? ~q : q);
  }
  bucket = current;
  to = next;
}
