/**
 * Words of images. The caller vouches for the bounds.
 * @module
 */

/** The 32-bit word at `at`, least significant byte first, unsigned. */
export function loadWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** The same with a sign. */
export function loadInt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The word at `at` with its most significant byte first, with a sign. */
export function loadBigInt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Writes the lowest `length` bytes of a number. */
export function storeBytes(bytes: Uint8Array, at: number, length: number, value: number, bigEndian: boolean): void {
  for (let i = 0; i < length; i++) bytes[at + i] = value >>> (8 * (bigEndian ? length - 1 - i : i));
}
