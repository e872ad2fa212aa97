/** The twin of native-free/predict/isa/arm-halves.ts: halves by register, where they were loaded, which there are. */
import { NOWHERE } from '../knowledge.ts';

const AGE_MAX: u32 = 32;
const SINCE: usize = 64;
const REGISTERS: usize = 128;

export const SOURCE_HALVES = memory.data(144, 16);
export const ACTUAL_HALVES = memory.data(144, 16);

export function beginHalves(halves: usize): void {
  store<u32>(halves, 0, REGISTERS);
}

export function setHalf(halves: usize, register: u32, half: u32, va: u32): void {
  store<u32>(halves + <usize>(register << 2), half);
  store<u32>(halves + <usize>(register << 2), va, SINCE);
  store<u32>(halves, load<u32>(halves, REGISTERS) | (1 << register), REGISTERS);
}

export function completed(halves: usize, register: u32, half: u32, va: u32): i64 {
  const at = halves + <usize>(register << 2);
  const isKnown = ((load<u32>(halves, REGISTERS) >> register) & 1) != 0 && va - load<u32>(at, SINCE) <= AGE_MAX;
  return isKnown ? <i64>(<u64>((half << 16) | load<u32>(at))) : NOWHERE;
}
