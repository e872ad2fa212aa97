/** The twin of native-free/model/hash.ts. */

export function contextHash(tag: u32, a: u32, b: u32 = 0, c: u32 = 0): u32 {
  let hash = (tag * 0x2c1b3c6d) ^ (a * 0x297a2d39) ^ (b * 0x85ebca6b) ^ (c * 0xc2b2ae35);
  hash ^= hash >> 15;
  hash *= 0x9e3779b1;
  hash ^= hash >> 13;
  return hash * 0x045d9f3b + tag;
}

// @ts-ignore: decorator
@inline
export function bitLength(value: u32): u32 {
  return 32 - clz(value);
}
