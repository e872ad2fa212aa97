/**
 * The run at hand, and the block of units that is read from it: the twin of native-free/predict/unit-block.ts. The host
 * copies the run to the source's window, and the target's window has the same places: offset 0 is where the run begins.
 */

const WINDOW_BYTES: i32 = 65536;
const BLOCK_BYTES: i32 = 64;
const UNITS_MAX: i32 = BLOCK_BYTES + 4;
const BASES_MAX: i32 = 8;
/** No reader looks farther than this behind what it reads. */
const ROOM: i32 = 64;

export const SOURCE = memory.data(WINDOW_BYTES + ROOM, 16);
export const TARGET = memory.data(WINDOW_BYTES + ROOM, 16);
/** Bases of the run's region: source, target, scale. */
export const BASES = memory.data(BASES_MAX * 12, 16);
/** Units of 24 bytes: word, kind, target, opcode, expected, offset from the block's start; one more for the end. */
const UNITS = memory.data((UNITS_MAX + 1) * 24, 16);

export function sourceRoom(): usize {
  return SOURCE;
}

export function targetRoom(): usize {
  return TARGET;
}

export function baseRoom(): usize {
  return BASES;
}

let unitCount: i32 = 0;
let blockBytes: i32 = 0;
let runEnd: i32 = 0;
let sourceAddress: u32 = 0;
let targetAddress: u32 = 0;
let regionIndex: u32 = 0;
let baseCount: i32 = 0;

export function setRun(end: i32, sourceVa: u32, targetVa: u32, region: u32, bases: i32): void {
  runEnd = end;
  sourceAddress = sourceVa;
  targetAddress = targetVa;
  regionIndex = region;
  baseCount = bases;
}

// @ts-ignore: decorator
@inline
export function end(): i32 {
  return runEnd;
}

// @ts-ignore: decorator
@inline
export function sourceVa(at: i32): u32 {
  return sourceAddress + <u32>at;
}

// @ts-ignore: decorator
@inline
export function targetVa(at: i32): u32 {
  return targetAddress + <u32>at;
}

// @ts-ignore: decorator
@inline
export function region(): u32 {
  return regionIndex;
}

// @ts-ignore: decorator
@inline
export function bases(): i32 {
  return baseCount;
}

// @ts-ignore: decorator
@inline
export function byteAt(at: i32): u32 {
  return <u32>load<u8>(SOURCE + <usize>at);
}

// @ts-ignore: decorator
@inline
export function wordAt(at: i32): u32 {
  return load<u32>(SOURCE + <usize>at);
}

export function clearBlock(): void {
  unitCount = 0;
  blockBytes = 0;
}

// @ts-ignore: decorator
@inline
export function units(): i32 {
  return unitCount;
}

/** Bytes of the block. */
// @ts-ignore: decorator
@inline
export function bytes(): i32 {
  return blockBytes;
}

// @ts-ignore: decorator
@inline
function unit(i: i32): usize {
  return UNITS + <usize>(i * 24);
}

export function push(length: i32, word: u32, kind: u32, target: u32, opcode: u32): void {
  const at = unit(unitCount++);
  store<u32>(at, word);
  store<u32>(at, kind, 4);
  store<u32>(at, target, 8);
  store<u32>(at, opcode, 12);
  store<i32>(at, blockBytes, 20);
  blockBytes += length;
  store<i32>(at, blockBytes, 44);
}

// @ts-ignore: decorator
@inline
export function word(i: i32): u32 {
  return load<u32>(unit(i));
}

// @ts-ignore: decorator
@inline
export function kind(i: i32): u32 {
  return load<u32>(unit(i), 4);
}

// @ts-ignore: decorator
@inline
export function target(i: i32): u32 {
  return load<u32>(unit(i), 8);
}

// @ts-ignore: decorator
@inline
export function opcode(i: i32): u32 {
  return load<u32>(unit(i), 12);
}

// @ts-ignore: decorator
@inline
export function expected(i: i32): u32 {
  return load<u32>(unit(i), 16);
}

export function expect(i: i32, value: u32): void {
  store<u32>(unit(i), value, 16);
}

/** Offset of unit `i` from the block's start, and its length. */
// @ts-ignore: decorator
@inline
export function offset(i: i32): i32 {
  return load<i32>(unit(i), 20);
}

// @ts-ignore: decorator
@inline
export function lengthOf(i: i32): i32 {
  return load<i32>(unit(i), 44) - load<i32>(unit(i), 20);
}
