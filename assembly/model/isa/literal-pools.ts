/**
 * The twin of native-free/predict/isa/literal-pools.ts: of each side addresses of words, program counters of their users,
 * states, then what each register was loaded from and where; and the number of the run, and which registers are known.
 */

export const NONE: u32 = 0;
export const DATA: u32 = 1;
export const PLACED: u32 = 2;

const SLOTS: u32 = 1024;
const REGISTER_AGE_MAX: u32 = 512;
const USERS: usize = 4096;
const STATES: usize = 8192;
const REGISTER_WORDS: usize = 12288;
const REGISTER_SINCE: usize = 12352;
const RUN: usize = 12416;
const REGISTERS: usize = 12420;
const SIDE_BYTES: i32 = 12432;

export const SOURCE_POOLS = memory.data(SIDE_BYTES, 16);
export const ACTUAL_POOLS = memory.data(SIDE_BYTES, 16);

export function beginPools(pools: usize): void {
  store<u32>(pools, load<u32>(pools, RUN) + 1, RUN);
  store<u32>(pools, 0, REGISTERS);
}

// @ts-ignore: decorator
@inline
function slotOf(pools: usize, address: u32): usize {
  return pools + <usize>(((address >> 2) & (SLOTS - 1)) << 2);
}

// @ts-ignore: decorator
@inline
function stateOf(pools: usize, state: u32): u32 {
  return (load<u32>(pools, RUN) << 2) | state;
}

export function mark(pools: usize, address: u32): void {
  const word = address & ~3;
  const slot = slotOf(pools, word);
  if (load<u32>(slot) == word && load<u32>(slot, STATES) >> 2 == stateOf(pools, 0) >> 2) return;
  store<u32>(slot, word);
  store<u32>(slot, stateOf(pools, DATA), STATES);
}

export function loadPool(pools: usize, register: u32, word: u32, va: u32): void {
  mark(pools, word);
  store<u32>(pools + <usize>(register << 2), word & ~3, REGISTER_WORDS);
  store<u32>(pools + <usize>(register << 2), va, REGISTER_SINCE);
  store<u32>(pools, load<u32>(pools, REGISTERS) | (1 << register), REGISTERS);
}

export function addPool(pools: usize, register: u32, pc: u32, va: u32): void {
  const known = load<u32>(pools, REGISTERS);
  if (((known >> register) & 1) == 0) return;
  store<u32>(pools, known & ~(1 << register), REGISTERS);
  if (va - load<u32>(pools + <usize>(register << 2), REGISTER_SINCE) > REGISTER_AGE_MAX) return;
  const word = load<u32>(pools + <usize>(register << 2), REGISTER_WORDS);
  const slot = slotOf(pools, word);
  store<u32>(slot, word);
  store<u32>(slot, pc, USERS);
  store<u32>(slot, stateOf(pools, PLACED), STATES);
}

export function findPool(pools: usize, va: u32): u32 {
  const slot = slotOf(pools, va);
  if (load<u32>(slot) != va) return NONE;
  const state = load<u32>(slot, STATES);
  return state >> 2 == stateOf(pools, 0) >> 2 ? state & 3 : NONE;
}

/** The program counter that was added to the word at `va`, which `findPool` has just found. */
export function userAt(pools: usize, va: u32): u32 {
  return load<u32>(slotOf(pools, va), USERS);
}

/** The program counter that the word at `va` is relative to, or its own place. */
export function placeOf(pools: usize, va: u32): u32 {
  return findPool(pools, va) == PLACED ? userAt(pools, va) : va;
}
