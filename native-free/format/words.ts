/**
 * Words of images, least significant byte first. The caller vouches for the bounds.
 * @module
 */

/** The 32-bit word at `at`, unsigned. */
export function loadWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
