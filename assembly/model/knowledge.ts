/**
 * The twin of native-free/predict/knowledge.ts, with the module at hand: its addresses, and its part of the address map,
 * which the host lays down (starts, last bytes, changes, one array behind the other).
 */
import {
  change,
  findKnown,
  findNeighbour,
  forgetKnown,
  forgetNeighbours,
  forgetOne,
  KNOWN_BYTES,
  learnKnown,
  learnNeighbour,
  NEIGHBOUR_BYTES,
  value,
} from './memories.ts';

/** Results that are addresses are 64 bits wide, so that this is none of them. */
export const NOWHERE: i64 = -1;

const OVERRIDE_BITS: i32 = 15;
const WORD_BITS: i32 = 14;
const OVERRIDES = memory.data(KNOWN_BYTES << OVERRIDE_BITS, 16);
const WORDS = memory.data(KNOWN_BYTES << WORD_BITS, 16);
const MOVES = memory.data(NEIGHBOUR_BYTES, 16);
const CHANGES = memory.data(NEIGHBOUR_BYTES, 16);

let module_: u32 = 0xffffffff;
let sourceHighWord: u32 = 0;
let targetHighWord: u32 = 0;
let first: u32 = 0xffffffff;
let last: u32 = 0;

let starts: usize = 0;
let lasts: usize = 0;
let deltas: usize = 0;
let from: i32 = 0;
let to: i32 = 0;
let recent: i32 = 0;

/** Where the map is, of `count` stretches. */
export function placeMap(at: usize, count: usize): void {
  starts = at;
  lasts = at + (count << 2);
  deltas = at + (count << 3);
  from = 0;
  to = 0;
}

/** Chooses a module: its addresses, and stretches [mapFrom, mapTo). */
export function selectModule(
  module: u32,
  sourceHigh: u32,
  targetHigh: u32,
  firstAddress: u32,
  lastAddress: u32,
  mapFrom: i32,
  mapTo: i32,
): void {
  module_ = module;
  sourceHighWord = sourceHigh;
  targetHighWord = targetHigh;
  first = firstAddress;
  last = lastAddress;
  from = mapFrom;
  to = mapTo;
  recent = mapFrom;
}

export function forgetAll(): void {
  forgetKnown(OVERRIDES, OVERRIDE_BITS);
  forgetKnown(WORDS, WORD_BITS);
  forgetNeighbours(MOVES);
  forgetNeighbours(CHANGES);
}

export function sourceHigh(): u32 {
  return sourceHighWord;
}

export function targetHigh(): u32 {
  return targetHighWord;
}

// @ts-ignore: decorator
@inline
export function isAddress(value: u32): bool {
  return value >= first && value <= last;
}

// @ts-ignore: decorator
@inline
function at32(array: usize, i: i32): u32 {
  return load<u32>(array + (<usize>i << 2));
}

export function mapped(va: u32): i64 {
  if (from == to) return NOWHERE;
  let at = recent;
  if (va < at32(starts, at) || va > at32(lasts, at)) {
    at = search(va);
    recent = at;
    const end = at32(lasts, at);
    if (va > end && at + 1 < to && at32(starts, at + 1) - va < va - end - 1) at++;
  }
  return <i64>(<u64>(va + at32(deltas, at)));
}

function search(va: u32): i32 {
  let low = from;
  let high = to - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (at32(starts, middle) <= va) low = middle;
    else high = middle - 1;
  }
  return low;
}

export function findOverride(address: u32): bool {
  return findKnown(OVERRIDES, OVERRIDE_BITS, module_, address);
}

export function findMove(address: u32): bool {
  return findNeighbour(MOVES, module_, address);
}

/** Where an address of the source leads, or NOWHERE; `isNear`: like its neighbours, rather than by the map. */
export function expectedAddress(address: u32, isNear: bool): i64 {
  if (findOverride(address)) return <i64>(<u64>value());
  if (isNear && findMove(address)) return <i64>(<u64>(address + change()));
  return mapped(address);
}

export function findWord(length: u32, word: u32): bool {
  return findKnown(WORDS, WORD_BITS, length, word);
}

export function learnWord(length: u32, word: u32, actual: u32): void {
  learnKnown(WORDS, WORD_BITS, length, word, actual);
}

export function findChange(region: u32, word: u32): bool {
  return findNeighbour(CHANGES, region, word);
}

export function learnChange(region: u32, word: u32, change: u32): void {
  learnNeighbour(CHANGES, region, word, change);
}

export function learnAddress(address: u32, reached: u32): void {
  if (mapped(address) == <i64>(<u64>reached)) forgetOne(OVERRIDES, OVERRIDE_BITS, module_, address);
  else learnKnown(OVERRIDES, OVERRIDE_BITS, module_, address, reached);
  learnNeighbour(MOVES, module_, address, reached - address);
}
