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
import { reserve } from './memory.ts';

const BYTE_VALUES: i32 = 256;
/** LMS suffixes that are named together. What they touch fits into the fastest cache. */
const NAMED_TOGETHER: i32 = 256;

/** Entries that one call works on. */
const PART: i32 = 1 << 14;

let free: usize = 0;
/** Of an induction: the bucket that is written to, and where. */
let bucket: i32 = 0;
let to: i32 = 0;
/** Of a walk from the end of the text: whether suffixes rise here, the byte to the right, and what was found. */
let rising: bool = false;
let right: i32 = 0;
let walked: i32 = 0;
/** Of the names: how many there are, and the last substring with its length. */
let names: i32 = 0;
let before: usize = 0;
let beforeLength: i32 = 0;

/** Sorts all suffixes of the `count` bytes at `text` into `array`; `spare` is the address of free memory. */
export function sortSuffixes(text: usize, count: i32, array: usize, spare: usize): void {
  free = spare + 4 * 2 * BYTE_VALUES;
  reserve(free);
  sortText<u8>(text, count, array, BYTE_VALUES, spare, 2 * BYTE_VALUES);
}

// @ts-ignore: decorator
@inline
function at<T>(text: usize, i: i32): i32 {
  if (sizeof<T>() == 1) return <i32>load<u8>(text + <usize>i);
  return load<i32>(text + (<usize>i << 2));
}

// @ts-ignore: decorator
@inline
function get(base: usize, i: i32): i32 {
  return load<i32>(base + (<usize>i << 2));
}

// @ts-ignore: decorator
@inline
function set(base: usize, i: i32, value: i32): void {
  store<i32>(base + (<usize>i << 2), value);
}

/** Adds to an entry and gives its new value. */
// @ts-ignore: decorator
@inline
function bump(base: usize, i: i32, by: i32): i32 {
  const value = get(base, i) + by;
  set(base, i, value);
  return value;
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

function beginWalk<T>(text: usize, n: i32, found: i32): void {
  rising = false;
  right = at<T>(text, n - 1);
  walked = found;
}

function placeLms<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): i32 {
  memory.fill(sa, 0, <usize>n << 2);
  bucketEnds(values, counts, buckets);
  beginWalk<T>(text, n, 0);
  let end = n - 1;
  for (; end > PART; end -= PART) placePart<T>(text, sa, buckets, end - PART, end);
  placePart<T>(text, sa, buckets, 0, end);
  return walked;
}

function placePart<T>(text: usize, sa: usize, buckets: usize, from: i32, end: i32): void {
  let isRising = rising;
  let last = right;
  for (let p = end - 1; p >= from; p--) {
    const here = at<T>(text, p);
    if (here < last) {
      isRising = true;
    } else if (here > last && isRising) {
      isRising = false;
      set(sa, bump(buckets, last, -1), p + 1);
      walked++;
    }
    last = here;
  }
  rising = isRising;
  right = last;
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
  walked = 0;
  for (; i < n - PART; i += PART) gatherPart(sa, i, i + PART);
  gatherPart(sa, i, n);
  memory.fill(sa + (<usize>lmsCount << 2), 0, <usize>(n - lmsCount) << 2);
  if (nameLms<T>(text, n, sa, lmsCount) == lmsCount) return;
  walked = n;
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
  let front = walked;
  for (let i = from; i < end; i++) {
    const p = get(sa, i);
    if (p < 0) set(sa, front++, ~p);
  }
  walked = front;
}

/** Names to the end, in the order of the text. */
function packPart(sa: usize, from: i32, end: i32): void {
  let last = walked;
  for (let i = end - 1; i >= from; i--) {
    const name = get(sa, i);
    if (name > 0) set(sa, --last, name - 1);
  }
  walked = last;
}

function lookUpPart(sa: usize, positions: usize, from: i32, end: i32): void {
  for (let i = from; i < end; i++) set(sa, i, get(positions, get(sa, i)));
}

function nameLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32): i32 {
  lmsLengths<T>(text, n, sa, lmsCount);
  names = 0;
  before = text;
  beforeLength = -1;
  let i = 0;
  for (; i < lmsCount - NAMED_TOGETHER; i += NAMED_TOGETHER) namePart<T>(text, sa, lmsCount, i, i + NAMED_TOGETHER);
  namePart<T>(text, sa, lmsCount, i, lmsCount);
  return names;
}

function namePart<T>(text: usize, sa: usize, lmsCount: i32, from: i32, end: i32): void {
  // Nothing is done with these: loads that nothing waits for reach the memory at the same time. A load can trap, so
  // no compiler leaves it out.
  for (let k = from; k < end; k++) {
    const p = get(sa, k);
    get(sa, lmsCount + (p >> 1));
    at<T>(text, p);
  }
  for (let i = from; i < end; i++) {
    const p = get(sa, i);
    const slot = lmsCount + (p >> 1);
    const here = text + <usize>p * sizeof<T>();
    const length = get(sa, slot);
    const alike = i32(length == beforeLength);
    // Of another length nothing is compared, or loads could run far out of the text.
    names += 1 - (alike & equal(here, before, <usize>(length & -alike) * sizeof<T>()));
    before = here;
    beforeLength = length;
    set(sa, slot, names);
  }
}

/** 1 if the `count` bytes at both addresses are equal, else 0. Loads up to 8 bytes more. */
// @ts-ignore: decorator
@inline
function equal(a: usize, b: usize, count: usize): i32 {
  while (count > 8 && load<u64>(a) == load<u64>(b)) {
    a += 8;
    b += 8;
    count -= 8;
  }
  return i32(count <= 8) & i32((load<u64>(a) ^ load<u64>(b)) << (64 - (<u64>count << 3)) == 0);
}

/** The substring that runs into the end of the text equals no other: it gets the length 0. */
function lmsLengths<T>(text: usize, n: i32, sa: usize, lmsCount: i32): void {
  beginWalk<T>(text, n, n);
  let end = n - 1;
  for (; end > PART; end -= PART) lengthsPart<T>(text, n, sa, lmsCount, end - PART, end);
  lengthsPart<T>(text, n, sa, lmsCount, 0, end);
}

function lengthsPart<T>(text: usize, n: i32, sa: usize, lmsCount: i32, from: i32, end: i32): void {
  let isRising = rising;
  let last = right;
  let next = walked;
  for (let p = end - 1; p >= from; p--) {
    const here = at<T>(text, p);
    if (here < last) {
      isRising = true;
    } else if (here > last && isRising) {
      isRising = false;
      set(sa, lmsCount + ((p + 1) >> 1), next == n ? 0 : next - p);
      next = p + 1;
    }
    last = here;
  }
  rising = isRising;
  right = last;
  walked = next;
}

function listLms<T>(text: usize, n: i32, positions: usize, count: i32): void {
  beginWalk<T>(text, n, count);
  let end = n - 1;
  for (; end > PART; end -= PART) listPart<T>(text, positions, end - PART, end);
  listPart<T>(text, positions, 0, end);
}

function listPart<T>(text: usize, positions: usize, from: i32, end: i32): void {
  let isRising = rising;
  let last = right;
  let next = walked;
  for (let p = end - 1; p >= from; p--) {
    const here = at<T>(text, p);
    if (here < last) {
      isRising = true;
    } else if (here > last && isRising) {
      isRising = false;
      set(positions, --next, p + 1);
    }
    last = here;
  }
  rising = isRising;
  right = last;
  walked = next;
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
