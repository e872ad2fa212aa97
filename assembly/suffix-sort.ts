/**
 * The suffix sort by itself. Memory: 1 KiB that is not used, the text, the suffix array (four bytes an entry), then
 * bucket tables. `create` gives the text's address, `sort` leaves the array at `suffixes()`. The text may not reach 2 GiB,
 * addresses being signed for the caller.
 */
import { reserve } from './match/memory.ts';
import { sortSuffixes } from './match/suffix-sort.ts';

const TEXT: usize = 1024;

let array: usize = 0;

/** Room for a text of `count` bytes and its suffix array; the address of the text. */
export function create(count: i32): usize {
  array = (TEXT + <usize>count + 15) & ~15;
  reserve(array + (<usize>count << 2));
  return TEXT;
}

export function suffixes(): usize {
  return array;
}

export function sort(count: i32): void {
  sortSuffixes(TEXT, count, array, array + (<usize>count << 2));
}
