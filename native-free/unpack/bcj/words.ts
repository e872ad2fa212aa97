/**
 * Words of four bytes in code, and the loop over aligned ones that most of the filters are.
 * @module
 */

export const littleWord = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

export const bigWord = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

export function setLittleWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

export function setBigWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

/**
 * Addresses of branches: relative in code, absolute where a compressor finds the same call again. `position` is the
 * address of the first byte and wraps at 2^32; `encode` makes addresses absolute. In place, a bijection on any bytes.
 */
export type BranchFilter = (bytes: Uint8Array, position: number, encode: boolean) => void;

/** A position added when encoding and taken away when decoding. */
export const moved = (value: number, by: number, encode: boolean): number => (encode ? value + by : value - by) | 0;
