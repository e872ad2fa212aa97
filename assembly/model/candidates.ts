/** The twin of native-free/predict/candidates.ts. */

const CANDIDATES_MAX: i32 = 16;
const ORIGINS: i32 = 20;
const SCORE_MAX: i32 = 4096;
const CONTEXTS: i32 = 4096;
const MISSED: u32 = 15;

/** Native-free's `ORIGIN`. */
export const SAME: i32 = 0;
export const KNOWN: i32 = 1;
export const MAP: i32 = 2;
export const NEAR: i32 = 3;
export const AGAIN: i32 = 4;
export const SURELY: i32 = 5;
export const SHIFT: i32 = 6;
export const PLACE: i32 = 7;
export const NEAR_VALUE: i32 = 8;
export const REGISTERS: i32 = 9;
export const STACK: i32 = 10;
export const STACK_BEFORE: i32 = 11;
export const BASE: i32 = 12;

const TRAIL = memory.data<u8>([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 9, 10, 11, 12, 13, 14, 14, 14]);
const FIRST_SCORE = memory.data<i16>([
  2000, 3200, 3000, 2200, 2100, 3100, 1000, 1500, 1600, 1900, 2300, 1800, 1700, 1700, 1700, 1700, 1700, 1700, 1700,
  1700,
]);

/** Entries of sixteen bytes: value, set of origins, score, origin. */
const LIST = memory.data(CANDIDATES_MAX << 4, 16);
const SCORES = memory.data((CONTEXTS * ORIGINS) << 1, 16);

let length: i32 = 0;
let origins_: u32 = 0;
let context: usize = SCORES;

// @ts-ignore: decorator
@inline
function entry(i: i32): usize {
  return LIST + (<usize>i << 4);
}

// @ts-ignore: decorator
@inline
export function count(): i32 {
  return length;
}

// @ts-ignore: decorator
@inline
export function valueOf(i: i32): u32 {
  return load<u32>(entry(i));
}

// @ts-ignore: decorator
@inline
export function originsOf(i: i32): u32 {
  return load<u32>(entry(i), 4);
}

// @ts-ignore: decorator
@inline
export function originOf(i: i32): i32 {
  return load<i32>(entry(i), 12);
}

/** Origins of the last units, four bits each, the newest lowest. */
// @ts-ignore: decorator
@inline
export function trail(): u32 {
  return origins_;
}

export function setTrail(trail: u32): void {
  origins_ = trail;
}

export function forgetScores(): void {
  origins_ = 0;
  for (let i = 0; i < CONTEXTS; i++) memory.copy(SCORES + <usize>(i * ORIGINS * 2), FIRST_SCORE, ORIGINS * 2);
}

export function begin(kind: u32, trailLength: i32): void {
  length = 0;
  const before = origins_ & ((1 << (4 * trailLength)) - 1);
  const hash = (kind * 0x9e3779b1) ^ (before * 0x85ebca6b);
  context = SCORES + <usize>((hash ^ (hash >> 15)) & (CONTEXTS - 1)) * (ORIGINS * 2);
}

export function follow(i: i32): void {
  origins_ = (origins_ << 4) | (i < 0 ? MISSED : <u32>load<u8>(TRAIL + <usize>originOf(i)));
}

export function add(value: u32, origin: i32): void {
  const score = <i32>load<i16>(context + (<usize>origin << 1));
  for (let i = 0; i < length; i++) {
    const at = entry(i);
    if (load<u32>(at) != value) continue;
    store<u32>(at, load<u32>(at, 4) | (1 << origin), 4);
    if (score <= load<i32>(at, 8)) return;
    store<i32>(at, score, 8);
    store<i32>(at, origin, 12);
    rise(i);
    return;
  }
  if (length == CANDIDATES_MAX) return;
  const at = entry(length);
  store<u32>(at, value);
  store<u32>(at, 1 << origin, 4);
  store<i32>(at, score, 8);
  store<i32>(at, origin, 12);
  rise(length++);
}

function rise(from: i32): void {
  for (let at = entry(from); at > LIST && load<i32>(at - 16, 8) < load<i32>(at, 8); at -= 16) {
    const entry = v128.load(at);
    v128.store(at, v128.load(at - 16));
    v128.store(at - 16, entry);
  }
}

export function learn(actual: u32): void {
  if (length < 2) return;
  for (let i = 0; i < length; i++) {
    const hit = valueOf(i) == actual;
    for (let rest = originsOf(i); rest != 0; rest &= rest - 1) {
      const at = context + (<usize>ctz(rest) << 1);
      const score = <i32>load<i16>(at);
      store<i16>(at, <i16>(hit ? score + ((SCORE_MAX - score) >> 4) : score - (score >> 4)));
    }
  }
}
