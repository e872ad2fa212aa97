/**
 * The checksums behind compressed streams: Adler-32 (zlib) and CRC-32 (gzip, zip, xz). They find damage, not forgery.
 * @module
 */
const ADLER_MODULUS = 65_521;
/** Bytes whose sums stay exact before they are reduced. */
const ADLER_STRIDE = 4096;

/** `before`: the sum of what comes before these bytes. */
export function adler32(bytes: Uint8Array, before = 1): number {
  let low = before & 0xffff;
  let high = before >>> 16;
  for (let from = 0; from < bytes.length; from += ADLER_STRIDE) {
    const end = Math.min(from + ADLER_STRIDE, bytes.length);
    for (let at = from; at < end; at++) {
      low += bytes[at]!;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}

const CRC_POLYNOMIAL = 0xedb88320;

/** Four tables of 256: what a byte does to the checksum when 0 to 3 more bytes follow it. */
const CRC_TABLES = makeTables();

function makeTables(): Uint32Array {
  const tables = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = (before >>> 8) ^ tables[before & 255]!;
  }
  return tables;
}

/** `before`: the sum of what comes before these bytes. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      CRC_TABLES[768 | (crc & 255)]! ^
      CRC_TABLES[512 | ((crc >>> 8) & 255)]! ^
      CRC_TABLES[256 | ((crc >>> 16) & 255)]! ^
      CRC_TABLES[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ CRC_TABLES[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
