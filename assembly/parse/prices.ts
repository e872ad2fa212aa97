/** The twin of native-free/diff/parse/parse-costs.ts: what the host says that things cost. */

export let EXACT: i32 = 0;
export let MISS: i32 = 0;
export let NEXT_MISS: i32 = 0;
export let REPEATED_MISS: i32 = 0;
export let PLAIN_MISS: i32 = 0;
export let LITERAL_OPEN: i32 = 0;
export let SAME: i32 = 0;
export let RECENT: i32 = 0;
let FRESH: i32 = 0;
let CHANGE_BIT: i32 = 0;

export function setPrices(
  exact: i32,
  miss: i32,
  nextMiss: i32,
  repeatedMiss: i32,
  plainMiss: i32,
  literalOpen: i32,
  same: i32,
  recent: i32,
  fresh: i32,
  changeBit: i32,
): void {
  EXACT = exact;
  MISS = miss;
  NEXT_MISS = nextMiss;
  REPEATED_MISS = repeatedMiss;
  PLAIN_MISS = plainMiss;
  LITERAL_OPEN = literalOpen;
  SAME = same;
  RECENT = recent;
  FRESH = fresh;
  CHANGE_BIT = changeBit;
}

// @ts-ignore: decorator
@inline
export function freshCoverCost(change: i32): i32 {
  return FRESH + (32 - <i32>clz(abs(change))) * CHANGE_BIT;
}
