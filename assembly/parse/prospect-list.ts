/** The twin of native-free/diff/parse/prospect-list.ts: where each begins, and its displacement, 4 bytes each. */
import { allocate, moved } from '../match/memory.ts';

const PROSPECT_BYTES: usize = 8;
const PROSPECTS_MIN: i32 = 4096;

let list: usize = 0;
let room: i32 = 0;
export let prospectCount: i32 = 0;

export function forgetProspects(): void {
  prospectCount = 0;
}

// @ts-ignore: decorator
@inline
function at(i: i32): usize {
  return list + <usize>i * PROSPECT_BYTES;
}

export function prospectFrom(i: i32): i32 {
  return load<i32>(at(i));
}

export function prospectDisplacement(i: i32): i32 {
  return load<i32>(at(i), 4);
}

export function addProspect(from: i32, displacement: i32): void {
  if (prospectCount == room) grow();
  let i = prospectCount++;
  for (; i > 0 && prospectFrom(i - 1) > from; i--) store<u64>(at(i), load<u64>(at(i - 1)));
  store<i32>(at(i), from);
  store<i32>(at(i), displacement, 4);
}

export function shiftProspects(count: i32): void {
  memory.copy(list, at(count), <usize>(prospectCount - count) * PROSPECT_BYTES);
  prospectCount -= count;
}

function grow(): void {
  const bytes = <usize>room * PROSPECT_BYTES;
  room = max(PROSPECTS_MIN, 2 * room);
  list = moved(list, bytes, <usize>room * PROSPECT_BYTES);
}
