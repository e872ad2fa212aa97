/** Covers as the host reads them: source offset, target offset and length, 4 bytes each. */
import { allocate, moved } from './memory.ts';

const COVER_BYTES: usize = 12;
const COVERS_MIN: i32 = 1024;

let list: usize = 0;
let room: i32 = 0;
export let coverCount: i32 = 0;

export function covers(): usize {
  return list;
}

export function forgetCovers(): void {
  coverCount = 0;
}

export function pushCover(sourceOffset: i32, targetOffset: i32, length: i32): void {
  if (coverCount == room) grow();
  const at = list + <usize>coverCount * COVER_BYTES;
  coverCount++;
  store<i32>(at, sourceOffset);
  store<i32>(at, targetOffset, 4);
  store<i32>(at, length, 8);
}

function grow(): void {
  const bytes = <usize>room * COVER_BYTES;
  room = max(COVERS_MIN, 2 * room);
  list = moved(list, bytes, <usize>room * COVER_BYTES);
}

// @ts-ignore: decorator
@inline
function last(): usize {
  return list + <usize>(coverCount - 1) * COVER_BYTES;
}

export function lastTarget(): i32 {
  return load<i32>(last(), 4);
}

export function lastDisplacement(): i32 {
  return load<i32>(last()) - lastTarget();
}

export function endOfLast(): i32 {
  return lastTarget() + load<i32>(last(), 8);
}

export function lengthenLast(length: i32): void {
  store<i32>(last(), length, 8);
}
