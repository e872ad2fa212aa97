/**
 * How long an LZ4 block and its content are, where the file system says only how much of it a file takes: nothing is
 * unpacked, lengths are added up.
 * @module
 */

export interface Lz4Length {
  readonly packedBytes: number;
  readonly contentBytes: number;
}

const MATCH_MIN = 4;
const HALF_FULL = 15;
const BYTE_FULL = 255;

/**
 * The block at the start of `packed`, which ends in literals and has nothing but zeros behind it, and whose content has
 * from `contentBytesMin` to `contentBytesMax` bytes; null: there is no such block.
 */
export function measureLz4(packed: Uint8Array, contentBytesMin: number, contentBytesMax: number): Lz4Length | null {
  let end = packed.length;
  while (end > 0 && packed[end - 1] === 0) end--;
  let [at, contentBytes] = [0, 0];
  /** A length whose half byte is `half`; not a number behind the end, and then nothing else is. */
  const length = (half: number): number => {
    let sum = half;
    for (let more = half === HALF_FULL; more;) {
      const byte = packed[at++] ?? NaN;
      sum += byte;
      more = byte === BYTE_FULL;
    }
    return sum;
  };
  while (at < packed.length && contentBytes <= contentBytesMax) {
    const first = packed[at++]!;
    const literals = length(first >> 4);
    at += literals;
    contentBytes += literals;
    // Zeros may be literals too, and are never a match: its distance would be 0.
    if (at >= end && contentBytes >= contentBytesMin)
      return at <= packed.length && contentBytes <= contentBytesMax ? { packedBytes: at, contentBytes } : null;
    at += 2;
    contentBytes += MATCH_MIN + length(first & HALF_FULL);
  }
  return null;
}
