/**
 * What an encoder asks before it stores a block of literals: whether anything in it could be predicted. Counts of bytes,
 * of differences and of strings that come back, all in integers, so that every machine answers alike. A decoder is told.
 * @module
 */

/** Distances whose differences are counted: of samples, of tables of words. */
const STRIDES = [1, 2, 4, 8] as const;
const PAIR_BITS = 16;
const STRING_BITS = 12;
/** Strings of four bytes that come back; noise of a block has none in a million blocks. */
const STRINGS_MAX = 3;

/**
 * Whether each byte value is about as frequent in `[start, end)` as in noise: a gate that any decoder passes too, since it
 * sees nothing but the bytes before. `counts` is scratch for 256 counts.
 */
export function looksEven(bytes: Uint8Array, start: number, end: number, counts: Int32Array, slack: number): boolean {
  counts.fill(0, 0, 256);
  for (let i = start; i < end; i++) counts[bytes[i]!]!++;
  return isEven(counts, 256, end - start, slack);
}

/** `slack`: how far over the mean of noise (cells) the statistic of Pearson, cells · Σn²/N − N, may be. */
function isEven(counts: Int32Array, cells: number, count: number, slack: number): boolean {
  let squares = 0;
  for (let i = 0; i < cells; i++) squares += counts[i]! * counts[i]!;
  return squares * cells <= count * (count + cells + slack);
}

/** Scratch of an encoder. */
export class NoiseTest {
  readonly #counts = new Int32Array(256);
  readonly #pairs = new Uint16Array(1 << PAIR_BITS);
  readonly #strings = new Int32Array(1 << STRING_BITS);

  /** Whether nothing in `[start, end)` can be predicted from the rest of it, as far as counting tells. */
  isNoise(bytes: Uint8Array, start: number, end: number, slack: number): boolean {
    if (!looksEven(bytes, start, end, this.#counts, slack)) return false;
    for (const stride of STRIDES) if (!this.#differencesEven(bytes, start, end, stride, slack)) return false;
    return this.#pairsEven(bytes, start, end) && !this.#repeats(bytes, start, end);
  }

  #differencesEven(bytes: Uint8Array, start: number, end: number, stride: number, slack: number): boolean {
    const counts = this.#counts.fill(0);
    for (let i = start + stride; i < end; i++) counts[(bytes[i]! - bytes[i - stride]!) & 255]!++;
    return isEven(counts, 256, end - start - stride, slack);
  }

  #pairsEven(bytes: Uint8Array, start: number, end: number): boolean {
    const counts = this.#pairs;
    let again = 0;
    for (let i = start + 1; i < end; i++) again += counts[(bytes[i - 1]! << 8) | bytes[i]!]!++;
    for (let i = start + 1; i < end; i++) counts[(bytes[i - 1]! << 8) | bytes[i]!] = 0;
    // Noise has N²/2 of them in 2^16, give or take the root of that.
    const count = end - start;
    const mean = (count * count) >> (PAIR_BITS + 1);
    return again <= mean + (mean >> 1) + 16;
  }

  #repeats(bytes: Uint8Array, start: number, end: number): boolean {
    const places = this.#strings.fill(0);
    let found = 0;
    for (let i = start; i + 4 <= end; i++) {
      const string = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      const slot = Math.imul(string, 0x9e3779b1) >>> (32 - STRING_BITS);
      if (places[slot] === string && string !== 0) found++;
      places[slot] = string;
    }
    return found > STRINGS_MAX;
  }
}
