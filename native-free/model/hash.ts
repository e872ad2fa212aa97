/**
 * Hashes of contexts: a few numbers into 32 bits.
 * @module
 */

/** Numbers are taken modulo 2^32; different `tag`s keep the contexts of one decision apart. */
export function contextHash(tag: number, a: number, b = 0, c = 0): number {
  let hash =
    Math.imul(tag, 0x2c1b3c6d) ^ Math.imul(a, 0x297a2d39) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x9e3779b1);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0x045d9f3b) + tag;
}

/** Number of bits of an unsigned number: 0 for 0, 32 for 2^31 and more. */
export function bitLength(value: number): number {
  return 32 - Math.clz32(value);
}
