/**
 * The target as literals see it: places are offsets into the segment, all of which the host has. Here is a window of the
 * block at hand, what lies just before it, and what was asked for last of anything farther back.
 */

/** Most bytes of a block, and what a unit may cross its end by. */
const BLOCK_BYTES: i32 = 2176 + 8;
/** Bytes before a block that are there with it. */
const BEFORE: i32 = 64;
const FOLLOW_BYTES: i32 = 1024;
/** A match that is asked about at a place comes with what is before it and behind. */
const FAR_BEFORE: i32 = 32;
const FAR_BYTES: i32 = 512;

const WINDOW = memory.data(BEFORE + BLOCK_BYTES, 16);
export const FOLLOW = memory.data(FOLLOW_BYTES, 16);
const FAR = memory.data(FAR_BYTES, 16);

/** The host copies `count` bytes of the segment from `place` on to an address. */
// @ts-ignore: decorator
@external("host", "segment")
declare function hostSegment(place: i32, count: i32, to: usize): void;

/** The place that the block begins at. */
let block: i32 = 0;
let farFrom: i32 = 0;
let farTo: i32 = 0;

/** Where the host lays the block, BEFORE bytes before it: those from the segment's start on, and zeros in front of them. */
export function literalRoom(): usize {
  return WINDOW;
}

export function followRoom(): usize {
  return FOLLOW;
}

/** A segment begins. */
export function forgetFar(): void {
  farFrom = 0;
  farTo = 0;
}

export function setBlock(place: i32): void {
  block = place;
}

/** Address of a place in the block, or up to BEFORE bytes before it. */
// @ts-ignore: decorator
@inline
export function near(place: i32): usize {
  return WINDOW + <usize>(place - block + BEFORE);
}

/** The byte at any place that is known; places before the segment are none. */
export function byteAt(place: i32): u32 {
  if (place >= block - BEFORE) return <u32>load<u8>(near(place));
  if (place < farFrom || place >= farTo) {
    farFrom = max(0, place - FAR_BEFORE);
    farTo = min(farFrom + FAR_BYTES, block);
    hostSegment(farFrom, farTo - farFrom, FAR);
  }
  return <u32>load<u8>(FAR + <usize>(place - farFrom));
}

/** The four bytes before a place of the block, the nearest one lowest; zeros before the segment. */
export function history(place: i32): u32 {
  return bswap(load<u32>(near(place) - 4));
}

/** The four bytes before a place of the block as a word in memory order; 0 where there are not so many. */
// @ts-ignore: decorator
@inline
export function wordBefore(place: i32): u32 {
  return place < 4 ? 0 : load<u32>(near(place) - 4);
}
