/**
 * The twin of native-free/predict/memories.ts: memories at addresses that their users give.
 *
 * Known values are entries of twelve bytes: key, value, then space (16 bits) below count. Neighbour changes are the
 * changes, then the checks, a byte each.
 */

const LEVELS: i32 = 4;
const NEIGHBOUR_BITS: i32 = 14;
const NEIGHBOURS: usize = LEVELS << NEIGHBOUR_BITS;
export const NEIGHBOUR_BYTES: i32 = 5 * (LEVELS << NEIGHBOUR_BITS);
export const KNOWN_BYTES: i32 = 12;

// @ts-ignore: decorator
@inline
function mix(a: u32, b: u32): u32 {
  let hash = (a * 0x9e3779b1) ^ (b * 0x85ebca6b);
  hash ^= hash >> 15;
  hash *= 0x2c1b3c6d;
  return hash ^ (hash >> 13);
}

/** What the last successful search found: the change; the value, and how often it was confirmed in a row. */
let foundChange: u32 = 0;
let foundValue: u32 = 0;
let foundConfirmed: u32 = 0;

// @ts-ignore: decorator
@inline
export function change(): u32 {
  return foundChange;
}

// @ts-ignore: decorator
@inline
export function value(): u32 {
  return foundValue;
}

// @ts-ignore: decorator
@inline
export function confirmed(): u32 {
  return foundConfirmed;
}

export function forgetNeighbours(memory_: usize): void {
  memory.fill(memory_ + (NEIGHBOURS << 2), 0, NEIGHBOURS);
}

// @ts-ignore: decorator
@inline
function neighbourAt(level: i32, hash: u32): usize {
  return <usize>((level << NEIGHBOUR_BITS) | (hash >> (32 - NEIGHBOUR_BITS)));
}

// @ts-ignore: decorator
@inline
function checkOf(hash: u32): u32 {
  return (hash & 127) | 128;
}

export function findNeighbour(memory_: usize, space: u32, key: u32): bool {
  const checks = memory_ + (NEIGHBOURS << 2);
  for (let level = 0; level < LEVELS; level++) {
    const hash = mix(key >> (2 + 4 * level), space);
    const at = neighbourAt(level, hash);
    if (load<u8>(checks + at) != checkOf(hash)) continue;
    foundChange = load<u32>(memory_ + (at << 2));
    return true;
  }
  return false;
}

export function learnNeighbour(memory_: usize, space: u32, key: u32, change: u32): void {
  const checks = memory_ + (NEIGHBOURS << 2);
  for (let level = 0; level < LEVELS; level++) {
    const hash = mix(key >> (2 + 4 * level), space);
    const at = neighbourAt(level, hash);
    store<u8>(checks + at, checkOf(hash));
    store<u32>(memory_ + (at << 2), change);
  }
}

export function forgetKnown(memory_: usize, bits: i32): void {
  memory.fill(memory_, 0, <usize>(KNOWN_BYTES << bits));
}

// @ts-ignore: decorator
@inline
function knownAt(memory_: usize, bits: i32, space: u32, key: u32): usize {
  return memory_ + <usize>(mix(key, space) >> (32 - bits)) * KNOWN_BYTES;
}

export function findKnown(memory_: usize, bits: i32, space: u32, key: u32): bool {
  const at = knownAt(memory_, bits, space, key);
  const count = load<u32>(at, 8) >> 16;
  if (count == 0 || load<u32>(at) != key || (load<u32>(at, 8) & 0xffff) != space) return false;
  foundValue = load<u32>(at, 4);
  foundConfirmed = count - 1;
  return true;
}

export function learnKnown(memory_: usize, bits: i32, space: u32, key: u32, value: u32): void {
  const at = knownAt(memory_, bits, space, key);
  const meta = load<u32>(at, 8);
  const isSame = meta >> 16 > 0 && load<u32>(at) == key && (meta & 0xffff) == space;
  if (isSame && load<u32>(at, 4) == value) {
    if (meta >> 16 < 255) store<u32>(at, meta + 0x10000, 8);
    return;
  }
  store<u32>(at, key);
  store<u32>(at, value, 4);
  store<u32>(at, (space & 0xffff) | 0x10000, 8);
}

export function forgetOne(memory_: usize, bits: i32, space: u32, key: u32): void {
  const at = knownAt(memory_, bits, space, key);
  const meta = load<u32>(at, 8);
  if (load<u32>(at) == key && (meta & 0xffff) == space) store<u32>(at, meta & 0xffff, 8);
}
