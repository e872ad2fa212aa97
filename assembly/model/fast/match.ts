/** The twin of native-free/model/fast/literal-match.ts. */
import { SOURCE } from '../run.ts';

const RING_BYTES: i32 = 1 << 18;
const MASK: i32 = RING_BYTES - 1;
const PLACE_BITS: u32 = 16;
const LENGTH_MIN: i32 = 5;
const LENGTH_MAX: i32 = 32;
const LENGTH_KEPT: i32 = 8;
const HELD_MAX: i32 = 60;
const TROUBLE_MAX: i32 = 24;
const TROUBLE: i32 = 8;

let ring: usize = 0;
let places: usize = 0;
let ringEnd: i32 = 0;
let last_: u32 = 0;
let older_: u32 = 0;
let held_: i32 = 0;
let trouble_: i32 = 0;
let followBytes: i32 = 0;
let inFollow: bool = false;
let matchAt: i32 = -1;

/** Lays the ring and the places out from `at` on; returns where they end. */
export function placeMatch(at: usize): usize {
  ring = at;
  places = ring + RING_BYTES;
  return places + (4 << PLACE_BITS);
}

export function forgetMatch(): void {
  memory.fill(ring, 0, RING_BYTES);
  memory.fill(places, 0, 4 << PLACE_BITS);
  ringEnd = 0;
  last_ = 0;
  older_ = 0;
}

/** A run begins, behind bytes that were put; what follows the last cover is in the source's window. */
export function beginMatch(follow: i32): void {
  followBytes = follow;
  inFollow = true;
  matchAt = follow > 0 ? 0 : -1;
  held_ = 0;
  trouble_ = 0;
}

// @ts-ignore: decorator
@inline
export function last(): u32 {
  return last_;
}

// @ts-ignore: decorator
@inline
export function older(): u32 {
  return older_;
}

// @ts-ignore: decorator
@inline
export function held(): u32 {
  return <u32>held_;
}

// @ts-ignore: decorator
@inline
export function trouble(): u32 {
  return <u32>trouble_;
}

// @ts-ignore: decorator
@inline
export function put(byte: u32): void {
  store<u8>(ring + <usize>(ringEnd & MASK), byte);
  ringEnd++;
  older_ = (older_ << 8) | (last_ >> 24);
  last_ = (last_ << 8) | byte;
}

// @ts-ignore: decorator
@inline
function placeOfLast(): usize {
  const low = last_ & 0xffffff;
  const high = (last_ >> 24) | ((older_ & 0xffff) << 8);
  const hash = (low * 0x9e3779b1) ^ (high * 0x85ebca6b) ^ (low >> 3);
  return places + ((<usize>hash >> (32 - PLACE_BITS)) << 2);
}

export function hasMatch(count: i32): bool {
  if (trouble_ > TROUBLE_MAX) matchAt = -1;
  const place = placeOfLast();
  if (matchAt < 0 || held_ < LENGTH_KEPT) find(load<i32>(place));
  store<i32>(place, ringEnd);
  if (matchAt + count > (inFollow ? followBytes : ringEnd)) matchAt = -1;
  return matchAt >= 0;
}

export function matchBytes(count: i32): u32 {
  let value: u32 = 0;
  for (let i = 0; i < count; i++) {
    const at = matchAt + i;
    const byte = load<u8>(inFollow ? SOURCE + <usize>at : ring + <usize>(at & MASK));
    value |= <u32>byte << (8 * i);
  }
  return value;
}

export function followed(count: i32, holds: bool): void {
  if (matchAt < 0) return;
  matchAt += count;
  held_ = holds ? min(HELD_MAX, held_ + count) : 0;
  trouble_ = holds ? max(0, trouble_ - 1) : trouble_ + TROUBLE;
}

export function storedMatch(): void {
  store<i32>(placeOfLast(), ringEnd);
  matchAt = -1;
  held_ = 0;
  trouble_ = 0;
}

// @ts-ignore: decorator
@inline
function ringAt(at: i32): u8 {
  return load<u8>(ring + <usize>(at & MASK));
}

function find(place: i32): void {
  if (place == 0 || place == ringEnd || ringEnd - place > RING_BYTES - LENGTH_MAX) return;
  const most = min(LENGTH_MAX, place);
  let length = 0;
  while (length < most && ringAt(place - 1 - length) == ringAt(ringEnd - 1 - length)) length++;
  if (length < LENGTH_MIN || (matchAt >= 0 && length <= held_)) return;
  inFollow = false;
  matchAt = place;
  held_ = length;
  trouble_ = 0;
}
