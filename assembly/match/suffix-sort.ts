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
 */
import { reserve } from './memory.ts';

const BYTE_VALUES: i32 = 256;
/** LMS suffixes that are named together. What they touch fits into the fastest cache. */
const NAMED_TOGETHER: i32 = 256;

let free: usize = 0;

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
  for (let i = 0; i < n; i++) bump(counts, at<T>(text, i), 1);
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
  let found = 0;
  let rising = false;
  let right = at<T>(text, n - 1);
  for (let p = n - 2; p >= 0; p--) {
    const here = at<T>(text, p);
    if (here < right) {
      rising = true;
    } else if (here > right && rising) {
      rising = false;
      set(sa, bump(buckets, right, -1), p + 1);
      found++;
    }
    right = here;
  }
  return found;
}

function induceLmsFromL<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketStarts(values, counts, buckets);
  let bucket = at<T>(text, n - 1);
  let to = get(buckets, bucket);
  set(sa, to++, at<T>(text, n - 2) < bucket ? ~(n - 1) : n - 1);
  for (let i = 0; i < n; i++) {
    const p = get(sa, i);
    if (p > 0) {
      set(sa, i, 0);
      const q = p - 1;
      const value = at<T>(text, q);
      if (value != bucket) {
        set(buckets, bucket, to);
        bucket = value;
        to = get(buckets, bucket);
      }
      set(sa, to++, q > 0 && at<T>(text, q - 1) < value ? ~q : q);
    } else if (p < 0) {
      set(sa, i, ~p);
    }
  }
}

function induceLmsFromS<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketEnds(values, counts, buckets);
  let bucket = 0;
  let to = get(buckets, 0);
  for (let i = n - 1; i >= 0; i--) {
    const p = get(sa, i);
    if (p <= 0) continue;
    set(sa, i, 0);
    const q = p - 1;
    const value = at<T>(text, q);
    if (value != bucket) {
      set(buckets, bucket, to);
      bucket = value;
      to = get(buckets, bucket);
    }
    set(sa, --to, q > 0 && at<T>(text, q - 1) > value ? ~q : q);
  }
}

function sortLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32): void {
  let front = 0;
  for (let i = 0; front < lmsCount; i++) {
    const p = get(sa, i);
    if (p < 0) set(sa, front++, ~p);
  }
  memory.fill(sa + (<usize>lmsCount << 2), 0, <usize>(n - lmsCount) << 2);
  const names = nameLms<T>(text, n, sa, lmsCount);
  if (names == lmsCount) return;
  for (let i = lmsCount + (n >> 1), end = n; i >= lmsCount; i--) {
    const name = i < n ? get(sa, i) : 0;
    if (name > 0) set(sa, --end, name - 1);
  }
  const reduced = sa + (<usize>(n - lmsCount) << 2);
  sortText<i32>(reduced, lmsCount, sa, names, sa + (<usize>lmsCount << 2), n - 2 * lmsCount);
  listLms<T>(text, n, reduced, lmsCount);
  for (let i = 0; i < lmsCount; i++) set(sa, i, get(reduced, get(sa, i)));
}

function nameLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32): i32 {
  lmsLengths<T>(text, n, sa, lmsCount);
  let names = 0;
  let before = text;
  let beforeLength = -1;
  for (let i = 0; i < lmsCount; ) {
    const end = min(i + NAMED_TOGETHER, lmsCount);
    // Nothing is done with these: loads that nothing waits for reach the memory at the same time. A load can trap, so
    // no compiler leaves it out.
    for (let k = i; k < end; k++) {
      const p = get(sa, k);
      get(sa, lmsCount + (p >> 1));
      at<T>(text, p);
    }
    for (; i < end; i++) {
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
  return names;
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
  let rising = false;
  let right = at<T>(text, n - 1);
  let next = n;
  for (let p = n - 2; p >= 0; p--) {
    const here = at<T>(text, p);
    if (here < right) {
      rising = true;
    } else if (here > right && rising) {
      rising = false;
      set(sa, lmsCount + ((p + 1) >> 1), next == n ? 0 : next - p);
      next = p + 1;
    }
    right = here;
  }
}

function listLms<T>(text: usize, n: i32, positions: usize, count: i32): void {
  let rising = false;
  let right = at<T>(text, n - 1);
  let to = count;
  for (let p = n - 2; p >= 0; p--) {
    const here = at<T>(text, p);
    if (here < right) {
      rising = true;
    } else if (here > right && rising) {
      rising = false;
      set(positions, --to, p + 1);
    }
    right = here;
  }
}

function spreadLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32, values: i32, counts: usize, buckets: usize): void {
  memory.fill(sa + (<usize>lmsCount << 2), 0, <usize>(n - lmsCount) << 2);
  bucketEnds(values, counts, buckets);
  for (let i = lmsCount - 1; i >= 0; i--) {
    const p = get(sa, i);
    set(sa, i, 0);
    set(sa, bump(buckets, at<T>(text, p), -1), p);
  }
}

function induceL<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketStarts(values, counts, buckets);
  let bucket = at<T>(text, n - 1);
  let to = get(buckets, bucket);
  set(sa, to++, at<T>(text, n - 2) < bucket ? ~(n - 1) : n - 1);
  for (let i = 0; i < n; i++) {
    const p = get(sa, i);
    set(sa, i, ~p);
    if (p <= 0) continue;
    const q = p - 1;
    const value = at<T>(text, q);
    if (value != bucket) {
      set(buckets, bucket, to);
      bucket = value;
      to = get(buckets, bucket);
    }
    set(sa, to++, q > 0 && at<T>(text, q - 1) < value ? ~q : q);
  }
}

function induceS<T>(text: usize, n: i32, sa: usize, values: i32, counts: usize, buckets: usize): void {
  bucketEnds(values, counts, buckets);
  let bucket = 0;
  let to = get(buckets, 0);
  for (let i = n - 1; i >= 0; i--) {
    const p = get(sa, i);
    if (p <= 0) {
      set(sa, i, ~p);
      continue;
    }
    const q = p - 1;
    const value = at<T>(text, q);
    if (value != bucket) {
      set(buckets, bucket, to);
      bucket = value;
      to = get(buckets, bucket);
    }
    set(sa, --to, q == 0 || at<T>(text, q - 1) > value ? ~q : q);
  }
}
