/**
 * Where source and target lie, and comparing them. All offsets are those of the images: of the target only a piece is in
 * memory, and `target` is where its first byte would be.
 *
 * Bytes are compared 8 or 16 at a time; what a load has beyond what is compared is not looked at.
 */

/** So many bytes behind the end of what is compared may be loaded. */
export const SLACK_BYTES: i32 = 16;

export let source: usize = 0;
export let sourceBytes: i32 = 0;
export let target: usize = 0;
export let targetBytes: i32 = 0;

/** The images that both are canonical copies of, where there are such. */
let plainSource: usize = 0;
let plainTarget: usize = 0;

export function placePlainSource(at: usize): void {
  plainSource = at;
}

/** A piece at address `at`, which begins at offset `from`. */
export function placePlainTarget(at: usize, from: i32): void {
  plainTarget = at - <usize>from;
}

// @ts-ignore: decorator
@inline
export function plainSourceAt(i: i32): i32 {
  return <i32>load<u8>(plainSource + <usize>i);
}

// @ts-ignore: decorator
@inline
export function plainTargetAt(i: i32): i32 {
  return <i32>load<u8>(plainTarget + <usize>i);
}

export function placeSource(at: usize, count: i32): void {
  source = at;
  sourceBytes = count;
}

/** A piece at address `at`, which begins at offset `from` of a target of `count` bytes. */
export function placeTarget(at: usize, from: i32, count: i32): void {
  target = at - <usize>from;
  targetBytes = count;
}

// @ts-ignore: decorator
@inline
export function sourceAt(i: i32): i32 {
  return <i32>load<u8>(source + <usize>i);
}

// @ts-ignore: decorator
@inline
export function targetAt(i: i32): i32 {
  return <i32>load<u8>(target + <usize>i);
}

/** Equal bytes from `a` in the source and `b` in the target, at least `known` and at most `limit`. */
export function matchLength(a: i32, b: i32, known: i32, limit: i32): i32 {
  const end = min(min(limit, sourceBytes - a), targetBytes - b);
  const p = source + <usize>a;
  const q = target + <usize>b;
  let length = known;
  while (length < end) {
    const difference = load<u64>(p + <usize>length) ^ load<u64>(q + <usize>length);
    if (difference != 0) return min(end, length + <i32>(ctz(difference) >> 3));
    length += 8;
  }
  return max(known, end);
}

/** How many of `length` bytes are equal; bytes outside either image are not. */
export function countEqual(a: i32, b: i32, length: i32): i32 {
  const end = min(min(length, sourceBytes - a), targetBytes - b);
  return countEqualIn(a, b, max(0, -a), end);
}

/** How many bytes [from, end) behind `a` and `b` are equal; they are all there. */
export function countEqualIn(a: i32, b: i32, from: i32, end: i32): i32 {
  let equal = 0;
  for (let i = from; i < end; i += 16) {
    const mask = equalMask(a + i, b + i);
    const left = end - i;
    equal += popcnt(left < 16 ? mask & ((1 << left) - 1) : mask);
  }
  return equal;
}

/** A bit for each of 16 bytes that are equal; bytes behind the end of an image have any bit. */
// @ts-ignore: decorator
@inline
export function equalMask(a: i32, b: i32): i32 {
  return i8x16.bitmask(i8x16.eq(v128.load(source + <usize>a), v128.load(target + <usize>b)));
}
