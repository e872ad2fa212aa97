/**
 * gzip members and zlib streams. Of the first, header and trailer stay raw; a zlib stream is a unit with both, unless it is
 * long.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { adler32, crc32 } from '../../../unpack/checksums.ts';
import { gzipHeaderBytes } from '../../../unpack/deflate/wrappers.ts';
import { malformed } from '../../../unpack/tokens.ts';
import { deflateParts, looksLikeDeflate, PART_CONTENT_BYTES_MAX } from './deflate-parts.ts';
import { beginsWith, streamFinder, wordAt, type StreamFinder } from './stream.ts';

const GZIP_MAGIC = [0x1f, 0x8b, 8];
const GZIP_FLAGS_RESERVED = 0xe0;
/** Names are shorter; who lies has no end of one looked for in all that follows. */
const GZIP_HEADER_BYTES_MAX = 4096;
const GZIP_TRAILER_BYTES = 8;
const WORD = 2 ** 32;
const ZLIB_HEADER_BYTES = 2;
const ZLIB_TRAILER_BYTES = 4;
const ZLIB_DICTIONARY = 0x20;

/** One member: those of a file with several are several containers. */
export const gzip: StreamFinder = streamFinder(
  'gzip',
  (bytes, offset) => beginsWith(bytes, offset, GZIP_MAGIC) && (bytes[offset + 3]! & GZIP_FLAGS_RESERVED) === 0,
  (bytes, offset, effort) => {
    effort.spend(GZIP_HEADER_BYTES_MAX);
    const from = offset + gzipHeaderBytes(bytes.subarray(offset, offset + GZIP_HEADER_BYTES_MAX));
    if (!looksLikeDeflate(bytes, from)) malformed('gzip', 'no stream follows its header');
    const { units, packedBytes, contentBytes, checksum } = deflateParts(bytes, from, crc32, effort);
    const end = from + packedBytes;
    if (wordAt(bytes, end) !== checksum || wordAt(bytes, end + 4) !== contentBytes % WORD)
      malformed('gzip', 'its trailer is not that of its content');
    return { units, end: end + GZIP_TRAILER_BYTES };
  },
);

/** Does a zlib stream's header stand there, of any window and level, without a dictionary? */
export function isZlibHeader(first: number, second: number): boolean {
  return (first & 0x8f) === 8 && ((first << 8) | second) % 31 === 0 && (second & ZLIB_DICTIONARY) === 0;
}

export const zlib: StreamFinder = streamFinder(
  'zlib',
  (bytes, offset) =>
    isZlibHeader(bytes[offset]!, bytes[offset + 1]!) && looksLikeDeflate(bytes, offset + ZLIB_HEADER_BYTES),
  (bytes, offset, effort) => {
    const from = offset + ZLIB_HEADER_BYTES;
    const { units, packedBytes, contentBytes, checksum } = deflateParts(bytes, from, adler32, effort);
    const end = from + packedBytes;
    const sum = [checksum >>> 24, (checksum >>> 16) & 255, (checksum >>> 8) & 255, checksum & 255];
    if (!beginsWith(bytes, end, sum)) malformed('zlib', 'its checksum is not that of its content');
    const whole = { offset, packedBytes: end + ZLIB_TRAILER_BYTES - offset, contentBytes, codec: CODEC_ID.zlib };
    return { units: contentBytes > PART_CONTENT_BYTES_MAX ? units : [whole], end: end + ZLIB_TRAILER_BYTES };
  },
);
