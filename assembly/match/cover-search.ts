/** The twin of native-free/diff/match/cover-search.ts. Score is counted over runs of equal bytes at a time. */
import { coverCount, endOfLast, lastDisplacement, lengthenLast, pushCover, forgetCovers, lastTarget } from './covers.ts';
import { countEqual, matchLength, source, sourceAt, sourceBytes, target, targetAt } from './images.ts';
import { chooseRival, found, foundBytes, mayMatch, search } from './source-index.ts';

const TRUSTED_RUN_BYTES: i32 = 32;
const ADVANTAGE_BYTES: i32 = 8;
const ANCHOR_BYTES_MIN: i32 = 6;
const AHEAD_BYTES: i32 = 64;
const AHEAD_ADVANTAGE_BYTES: i32 = 24;
const COVER_COST_BYTES: i32 = 12;
const BRIDGE_BYTES_MAX: i32 = 16;

let end: i32 = 0;
let from: i32 = 0;
let anchored: i32 = 0;
let displacement: i32 = 0;
let isOpen: bool = false;

/** Finds the covers of target bytes [windowStart, windowEnd); how many there are. */
export function searchCovers(windowStart: i32, windowEnd: i32): i32 {
  forgetCovers();
  from = windowStart;
  anchored = windowStart;
  end = windowEnd;
  displacement = 0;
  isOpen = false;
  let anchor = nextAnchor(from);
  // Called from two places, as in suffix-sort.ts: a call of its own for each anchor.
  while (anchor != end) {
    const length = min(foundBytes, end - anchor);
    switchTo(anchor, found - anchor);
    anchor = nextAnchor(anchor + length);
  }
  if (isOpen) close(from + forward(end));
  return coverCount;
}

function nextAnchor(from: i32): i32 {
  let at = from;
  while (at < end) {
    const run = openRun(at, TRUSTED_RUN_BYTES);
    if (run >= TRUSTED_RUN_BYTES) {
      at += openRun(at, end - at);
      continue;
    }
    if (mayMatch(at)) {
      search(at);
      const length = min(foundBytes, end - at);
      if (length >= ANCHOR_BYTES_MIN) {
        const advantage = length - openMatches(at, length);
        if (advantage > 0) {
          chooseRival(at, at + displacement);
          if (advantage > ADVANTAGE_BYTES || isBetterAhead(at)) return at;
        }
      }
    }
    at += run + 1;
  }
  return end;
}

function isBetterAhead(at: i32): bool {
  const length = min(AHEAD_BYTES, end - at);
  return countEqual(found, at, length) - openMatches(at, length) >= AHEAD_ADVANTAGE_BYTES;
}

function openRun(at: i32, limit: i32): i32 {
  const a = at + displacement;
  if (!isOpen || a < 0) return 0;
  return matchLength(a, at, 0, min(limit, end - at));
}

function openMatches(at: i32, length: i32): i32 {
  return isOpen ? countEqual(at + displacement, at, length) : 0;
}

function switchTo(anchor: i32, next: i32): void {
  const ahead = isOpen ? forward(anchor) : 0;
  let border = anchor - backward(anchor, next);
  const overlap = from + ahead - border;
  if (overlap > 0) border += split(border, overlap, next);
  if (isOpen) close(min(from + ahead, border));
  from = border;
  anchored = anchor;
  displacement = next;
  isOpen = true;
}

function forward(limit: i32): i32 {
  const last = min(limit, sourceBytes - displacement);
  let score = 0;
  let best = 0;
  let length = 0;
  for (let i = from; i < last; i++) {
    const difference = load<u64>(source + <usize>(i + displacement)) ^ load<u64>(target + <usize>i);
    const run = min(last - i, difference == 0 ? 8 : <i32>(ctz(difference) >> 3));
    i += run;
    score += run;
    if (score > best) {
      best = score;
      length = i - from;
    }
    // Behind eight equal bytes nothing is known to differ.
    if (difference == 0) i--;
    else score--;
  }
  return length;
}

function backward(anchor: i32, other: i32): i32 {
  const first = max(max(from, anchored), -other);
  let score = 0;
  let best = 0;
  let length = 0;
  for (let i = anchor - 1; i >= first; i--) {
    score += sourceAt(i + other) == targetAt(i) ? 1 : -1;
    if (score > best) {
      best = score;
      length = anchor - i;
    }
  }
  return length;
}

function split(start: i32, overlap: i32, other: i32): i32 {
  let score = 0;
  let best = 0;
  let kept = 0;
  for (let i = start; i < start + overlap; i++) {
    const byte = targetAt(i);
    if (sourceAt(i + displacement) == byte) score++;
    if (sourceAt(i + other) == byte) score--;
    if (score > best) {
      best = score;
      kept = i + 1 - start;
    }
  }
  return kept;
}

function close(to: i32): void {
  const length = to - from;
  if (length <= 0) return;
  if (coverCount > 0 && lastDisplacement() == displacement && from - endOfLast() <= BRIDGE_BYTES_MAX) {
    lengthenLast(to - lastTarget());
    return;
  }
  if (openMatches(from, length) < COVER_COST_BYTES) return;
  pushCover(from + displacement, from, length);
}
