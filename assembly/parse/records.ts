/** Records of native-free/diff/parse/displacement-beam.ts: before, from, displacement, whether a cover; 4 bytes each. */
import { allocate, moved } from '../match/memory.ts';

const RECORD_BYTES: usize = 16;
const RECORDS_MIN: i32 = 4096;

let list: usize = 0;
let room: i32 = 0;
let count: i32 = 0;

export function forgetRecords(): void {
  count = 0;
}

// @ts-ignore: decorator
@inline
function at(r: i32): usize {
  return list + <usize>r * RECORD_BYTES;
}

export function recordBefore(r: i32): i32 {
  return load<i32>(at(r));
}

export function recordFrom(r: i32): i32 {
  return load<i32>(at(r), 4);
}

export function recordDisplacement(r: i32): i32 {
  return load<i32>(at(r), 8);
}

export function isCoverRecord(r: i32): bool {
  return load<i32>(at(r), 12) != 0;
}

export function addRecord(before: i32, from: i32, displacement: i32, isCover: i32): i32 {
  if (count == room) grow();
  store<i32>(at(count), before);
  store<i32>(at(count), from, 4);
  store<i32>(at(count), displacement, 8);
  store<i32>(at(count), isCover, 12);
  return count++;
}

function grow(): void {
  const bytes = <usize>room * RECORD_BYTES;
  room = max(RECORDS_MIN, 2 * room);
  list = moved(list, bytes, <usize>room * RECORD_BYTES);
}
