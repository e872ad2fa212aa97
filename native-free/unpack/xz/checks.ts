/**
 * The checks of the xz format: none, CRC32, CRC64, SHA-256.
 *
 * Section 2.1.1.2 and section 6 of the xz file format 1.1.0. A check is no parameter: whoever packs computes it. CRC64 is
 * made of two halves of 32 bits, since numbers of 64 bits are slow in every engine.
 * @module
 */
import { digestOf, sha256Pure } from '../../hash.ts';
import { crc32 } from '../checksums.ts';
import { malformed } from '../tokens.ts';

const CRC64_POLYNOMIAL_LOW = 0xd7870f42;
const CRC64_POLYNOMIAL_HIGH = 0xc96c5795;

/** Low and high halves, in turn. */
const CRC64_TABLE = (() => {
  const table = new Uint32Array(512);
  for (let byte = 0; byte < 256; byte++) {
    let [low, high] = [byte, 0];
    for (let bit = 0; bit < 8; bit++) {
      const out = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (out === 0) continue;
      low ^= CRC64_POLYNOMIAL_LOW;
      high ^= CRC64_POLYNOMIAL_HIGH;
    }
    table[byte * 2] = low;
    table[byte * 2 + 1] = high;
  }
  return table;
})();

/** Eight bytes, the lowest first. */
function crc64(bytes: Uint8Array): Uint8Array {
  let [low, high] = [-1, -1];
  for (let i = 0; i < bytes.length; i++) {
    const entry = ((low ^ bytes[i]!) & 255) * 2;
    low = ((low >>> 8) | (high << 24)) ^ CRC64_TABLE[entry]!;
    high = (high >>> 8) ^ CRC64_TABLE[entry + 1]!;
  }
  return Uint8Array.from({ length: 8 }, (_, i) => ~(i < 4 ? low : high) >>> (8 * (i & 3)));
}

/** Four bytes, the lowest first. */
export function littleBytes(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

interface CheckKind {
  readonly bytes: number;
  readonly of: (content: Uint8Array) => Uint8Array;
}

const CHECKS: Readonly<Record<number, CheckKind>> = {
  0: { bytes: 0, of: () => new Uint8Array(0) },
  1: { bytes: 4, of: (content) => littleBytes(crc32(content)) },
  4: { bytes: 8, of: crc64 },
  10: { bytes: 32, of: (content) => digestOf(sha256Pure, content) },
};

/**
 * A check by its number in the stream's flags.
 * @throws UpdateError unit_malformed for the numbers that are reserved
 */
export function checkOf(id: number): CheckKind {
  const kind = CHECKS[id];
  if (kind === undefined) malformed('xz', `no check has the number ${id}`);
  return kind;
}
