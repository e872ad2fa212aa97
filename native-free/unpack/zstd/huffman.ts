/**
 * Huffman codes of literals (RFC 8878, 4.2): a code is a list of weights; a symbol of weight w has 2^(w - 1) of the
 * 2^bits entries of the decoding table, those of lower weights first.
 * @module
 */
import { malformed } from '../tokens.ts';
import type { BitWriter } from '../deflate/bit-writer.ts';
import { ReverseReader } from './reverse-reader.ts';

export const CODE_BITS_MAX = 11;
export const SYMBOLS = 256;

/** By entry: the symbol, and its bits (from bit 8). */
export class HuffmanDecoding {
  bits = 0;
  readonly entries = new Uint16Array(1 << CODE_BITS_MAX);
}

/** How many bits the longest code of these weights has. */
export function bitsOf(weights: Uint8Array): number {
  let sum = 0;
  for (const weight of weights) sum += (1 << weight) >> 1;
  return 31 - Math.clz32(sum);
}

/** Sums up to a power of two are checked by who read the weights. */
export function loadDecoding(decoding: HuffmanDecoding, weights: Uint8Array): void {
  const bits = bitsOf(weights);
  decoding.bits = bits;
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    const span = 1 << (weight - 1);
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      decoding.entries.fill(symbol | ((bits + 1 - weight) << 8), at, at + span);
      at += span;
    }
  }
}

/**
 * One stream in `[start, end)` of `bytes`, into `[from, to)` of `out`.
 * @throws UpdateError unit_malformed unless it has exactly these symbols
 */
export function decodeStream(
  bytes: Uint8Array,
  start: number,
  end: number,
  { entries, bits }: HuffmanDecoding,
  out: Uint8Array,
  from: number,
  to: number,
): void {
  let left = new ReverseReader(bytes, start, end).left;
  const mask = (1 << bits) - 1;
  const shift = 32 - bits;
  let at = from;
  // Two symbols a load, while 32 bits are left.
  for (const pairs = to - 1; at < pairs && left >= 32; at += 2) {
    const byte = start + ((left - 25) >> 3);
    const low = (left - 25) & 7;
    let word = bytes[byte]! | (bytes[byte + 1]! << 8) | (bytes[byte + 2]! << 16) | (bytes[byte + 3]! << 24);
    word <<= 7 - low;
    const first = entries[word >>> shift]!;
    word <<= first >> 8;
    const second = entries[word >>> shift]!;
    out[at] = first;
    out[at + 1] = second;
    left -= (first >> 8) + (second >> 8);
  }
  for (; at < to; at++) {
    const place = left - bits;
    const byte = start + (Math.max(place, 0) >> 3);
    const word = (bytes[byte]! | (bytes[byte + 1]! << 8) | (bytes[byte + 2]! << 16)) >>> (Math.max(place, 0) & 7);
    const entry = entries[(place < 0 ? word << -place : word) & mask]!;
    out[at] = entry;
    left -= entry >> 8;
    if (left < 0) break;
  }
  if (left !== 0) malformed('zstd', `the literals at byte ${start} do not end where their stream ends`);
}

/** By symbol: its code, and how many bits it has (from bit 16); 0 for none. */
export function codesOf(weights: Uint8Array): Uint32Array {
  const bits = bitsOf(weights);
  const codes = new Uint32Array(SYMBOLS);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++)
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      codes[symbol] = (at >> (weight - 1)) | ((bits + 1 - weight) << 16);
      at += 1 << (weight - 1);
    }
  return codes;
}

/**
 * Writes symbols `[from, to)` as `decodeStream` reads them.
 * @throws UpdateError unit_malformed where one has no code
 */
export function encodeStream(
  writer: BitWriter,
  symbols: Uint8Array,
  from: number,
  to: number,
  codes: Uint32Array,
): void {
  writer.reserve(((to - from) * CODE_BITS_MAX) / 8 + 8);
  const { bytes } = writer;
  let { at, hold, held } = writer;
  for (let i = to - 1; i >= from; i--) {
    const code = codes[symbols[i]!]!;
    if (code === 0) malformed('zstd', `there is no code for the literal ${symbols[i]}`);
    hold |= (code & 0xffff) << held;
    held += code >> 16;
    if (held < 16) continue;
    bytes[at] = hold;
    bytes[at + 1] = hold >> 8;
    at += 2;
    hold >>>= 16;
    held -= 16;
  }
  writer.at = at;
  writer.hold = hold;
  writer.held = held;
  writer.flush();
  writer.bits(1, 1);
  writer.align(0);
}
