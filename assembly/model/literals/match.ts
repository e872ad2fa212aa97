/** The match of literals: where they are most likely continued. The twin of that of reference-literals.ts. */
import { byteAt, FOLLOW, near } from './segment.ts';

const MATCH_BITS: i32 = 16;
const MATCH_BYTES: i32 = 6;
const MATCH_BYTES_MIN: i32 = 5;
const LENGTH_MAX: i32 = 32;
const MATCHED_MAX: i32 = 60;
const TROUBLE_MAX: i32 = 24;
const TROUBLE: i32 = 8;
const STORED_STEP: i32 = 16;
const KNOWN_BYTES: i32 = 8;
const PLACES = memory.data(4 << MATCH_BITS, 16);

let hasStored: bool = false;
let looksBack: bool = false;
/** Bytes of the follow bytes, where the match leads into them; -1 where it leads into the segment. */
let followBytes: i32 = -1;
let matchAt: i32 = -1;
let matchedBytes: i32 = 0;
let troubleNow: i32 = 0;

export function forgetMatch(): void {
  memory.fill(PLACES, 0, 4 << MATCH_BITS);
  hasStored = false;
  looksBack = false;
}

/** A run begins, behind which the source goes on with so many bytes that are known; of code that needs the match, or not. */
export function beginMatch(follow: i32, needed: bool): void {
  looksBack = hasStored || needed;
  followBytes = follow;
  matchAt = follow > 0 ? 0 : -1;
  matchedBytes = 0;
  troubleNow = 0;
}

export function matched(): u32 {
  return <u32>matchedBytes;
}

export function trouble(): u32 {
  return <u32>troubleNow;
}

/** What the match has of the next `count` bytes, from place `from` of it; least significant first. */
export function matchedWord(from: i32, count: i32): u32 {
  let value: u32 = 0;
  for (let i = 0; i < count; i++) {
    const byte = followBytes >= 0 ? <u32>load<u8>(FOLLOW + <usize>(from + i)) : byteAt(from + i);
    value |= byte << (8 * i);
  }
  return value;
}

/** Where the match has the next `count` bytes, or -1 when there is none. */
export function expectedAt(at: i32, count: i32): i32 {
  if (troubleNow > TROUBLE_MAX) matchAt = -1;
  if (matchAt < 0 || matchedBytes < 8) findMatch(at);
  if (looksBack) note(at);
  const available = followBytes >= 0 ? followBytes : at;
  if (matchAt + count > available) matchAt = -1;
  return matchAt;
}

export function followed(at: i32, count: i32, held: bool): void {
  if (matchAt >= 0) {
    matchAt += count;
    matchedBytes = held ? min(MATCHED_MAX, matchedBytes + count) : 0;
    troubleNow = held ? max(0, troubleNow - 1) : troubleNow + TROUBLE;
  }
  if (!looksBack) note(at + count);
}

/** The block [at, end) was stored. */
export function passStored(at: i32, end: i32): void {
  for (let next = at + STORED_STEP; next <= end; next += STORED_STEP) note(next);
  hasStored = true;
  looksBack = true;
  matchAt = -1;
  matchedBytes = 0;
  troubleNow = 0;
}

export function isKnown(at: i32, end: i32): bool {
  for (let next = at + KNOWN_BYTES; next <= end; next++) {
    const place = load<i32>(slotOf(next)) - 1;
    if (place >= KNOWN_BYTES && sameBefore(place, next, KNOWN_BYTES) == KNOWN_BYTES) return true;
  }
  return false;
}

function note(place: i32): void {
  if (place >= MATCH_BYTES) store<i32>(slotOf(place), place + 1);
}

function findMatch(at: i32): void {
  if (at < MATCH_BYTES) return;
  const place = load<i32>(slotOf(at)) - 1;
  if (place < 0) return;
  const length = sameBefore(place, at, min(LENGTH_MAX, place));
  if (length < MATCH_BYTES_MIN || (matchAt >= 0 && length <= matchedBytes)) return;
  followBytes = -1;
  matchAt = place;
  matchedBytes = length;
  troubleNow = 0;
}

/** How many bytes before both places are the same, at most `most`. */
function sameBefore(place: i32, at: i32, most: i32): i32 {
  let length = 0;
  while (length < most && byteAt(place - 1 - length) == byteAt(at - 1 - length)) length++;
  return length;
}

/** By the bytes before a place of the block. */
function slotOf(place: i32): usize {
  const at = near(place);
  const low = bswap(load<u32>(at - 4)) & 0xffffff;
  const high = bswap(load<u32>(at - 7)) & 0xffffff;
  const hash = (low * 0x9e3779b1) ^ (high * 0x85ebca6b) ^ (low >> 3);
  return PLACES + <usize>((hash >> (32 - MATCH_BITS)) << 2);
}
