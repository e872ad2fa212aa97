/**
 * LMS suffixes of the twin of native-free/diff/match/suffix-array.ts: walks over the text that find them, and names of the
 * substrings between them. Parts of loops are functions for the reason that suffix-sort.ts gives.
 */
import { at, bump, get, set } from './words.ts';

/** Entries that one call works on. */
export const PART: i32 = 1 << 14;
/** LMS suffixes that are named together. What they touch fits into the fastest cache. */
const NAMED_TOGETHER: i32 = 256;

/** Of a walk from the end of the text: whether suffixes rise here, the byte to the right, and what was found. */
let rising: bool = false;
let right: i32 = 0;
let walked: i32 = 0;
/** Of the names: how many there are, and the last substring with its length. */
let names: i32 = 0;
let before: usize = 0;
let beforeLength: i32 = 0;

function beginWalk<T>(text: usize, n: i32, found: i32): void {
  rising = false;
  right = at<T>(text, n - 1);
  walked = found;
}

/** Puts LMS suffixes at the ends of their buckets; how many there are. */
export function walkLms<T>(text: usize, n: i32, sa: usize, buckets: usize): i32 {
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

/** Gives LMS substrings, which are sorted, their names; how many there are. */
export function nameLms<T>(text: usize, n: i32, sa: usize, lmsCount: i32): i32 {
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

export function listLms<T>(text: usize, n: i32, positions: usize, count: i32): void {
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
