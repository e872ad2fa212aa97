/**
 * Telling blocks with fixed codes from other bytes, without making anything. They have no header that random bytes would
 * break, and x86-64 code looks like the beginning of a zlib stream every few hundred bytes; but matches among random
 * tokens soon reach before the start.
 * @module
 */
import { HuffmanDecoder, TABLE_BITS } from '../../../unpack/deflate/huffman.ts';
import {
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  FIXED_DISTANCE_LENGTHS,
  FIXED_LITERAL_LENGTHS,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LITERAL_SYMBOLS,
} from '../../../unpack/deflate/symbols.ts';

const LITERALS = new HuffmanDecoder().load(FIXED_LITERAL_LENGTHS, 'literals', false).table;
const DISTANCES = new HuffmanDecoder().load(FIXED_DISTANCE_LENGTHS, 'distances', false).table;
const TABLE_MASK = (1 << TABLE_BITS) - 1;
const FIXED_DISTANCE_BITS = 5;
/** So many tokens are looked at. */
const TOKENS = 64;

/** False where the first tokens from bit `bit` of byte `offset` on cannot be those of a stream's first block. */
export function mayBeFixedBlock(bytes: Uint8Array, offset: number, bit: number): boolean {
  let at = 8 * offset + bit;
  /** At least 16 bits, the first one lowest; behind the end there are zeros. */
  const ahead = (): number => {
    const byte = Math.floor(at / 8);
    return ((bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8) | ((bytes[byte + 2] ?? 0) << 16)) >>> (at & 7);
  };
  const take = (count: number): number => {
    const value = ahead() & ((1 << count) - 1);
    at += count;
    return value;
  };
  let made = 0;
  for (let i = 0; i < TOKENS; i++) {
    const entry = LITERALS[ahead() & TABLE_MASK]!;
    at += entry & 15;
    const symbol = entry >> 4;
    if (symbol === END_OF_BLOCK || at >= 8 * bytes.length) return true;
    if (symbol < END_OF_BLOCK) {
      made++;
      continue;
    }
    if (symbol >= LITERAL_SYMBOLS) return false;
    const which = symbol - END_OF_BLOCK - 1;
    const length = LENGTH_BASE[which]! + take(LENGTH_EXTRA[which]!);
    const far = DISTANCES[take(FIXED_DISTANCE_BITS)]! >> 4;
    if (far >= DISTANCE_SYMBOLS || DISTANCE_BASE[far]! + take(DISTANCE_EXTRA[far]!) > made) return false;
    made += length;
  }
  return true;
}
