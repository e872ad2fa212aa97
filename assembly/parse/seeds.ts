/** Covers that the host knows already, as covers.ts has them. */

const SEED_BYTES: usize = 12;

let list: usize = 0;
export let seedCount: i32 = 0;

export function placeSeeds(at: usize, count: i32): void {
  list = at;
  seedCount = count;
}

// @ts-ignore: decorator
@inline
function at(i: i32): usize {
  return list + <usize>i * SEED_BYTES;
}

export function seedFrom(i: i32): i32 {
  return load<i32>(at(i), 4);
}

export function seedEnd(i: i32): i32 {
  return seedFrom(i) + load<i32>(at(i), 8);
}

export function seedDisplacement(i: i32): i32 {
  return load<i32>(at(i)) - seedFrom(i);
}
