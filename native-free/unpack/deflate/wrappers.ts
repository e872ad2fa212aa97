/**
 * zlib (RFC 1950) and gzip (RFC 1952) around deflate: a header that is kept as it is, and a trailer that is computed.
 * One stream each; a file of several gzip members is several units.
 * @module
 */
import { concat } from '../../format/bytes.ts';
import { adler32, crc32 } from '../checksums.ts';
import { packDeflate, unpackDeflate, type DeflateOptions, type DeflateParams } from './deflate.ts';
import { malformed, type TokenList, type Unpacked, type UnpackLimits } from '../tokens.ts';

const DEFLATE = 8;
const ZLIB_HEADER_BYTES = 2;
/** zlib: the content begins in a dictionary that is not sent. */
const DICTIONARY = 0x20;
const GZIP_MAGIC = [0x1f, 0x8b, DEFLATE] as const;
const GZIP_HEADER_BYTES = 10;
const FLAGS_AT = 3;
const GZIP_FLAG = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

/** Deflate with a header before it. */
export interface WrappedParams extends DeflateParams {
  readonly header: Uint8Array;
}

/**
 * How many bytes stand before the deflate stream.
 * @throws UpdateError unit_malformed where it is no zlib stream, or one that needs a dictionary
 */
export function zlibHeaderBytes(packed: Uint8Array): number {
  if (packed.length < ZLIB_HEADER_BYTES) malformed('zlib', 'it is shorter than its header');
  const [method, flags] = packed as unknown as [number, number];
  if ((method & 15) !== DEFLATE || method >> 4 > 7 || ((method << 8) | flags) % 31 !== 0)
    malformed('zlib', 'there is no zlib header');
  if (flags & DICTIONARY) malformed('zlib', 'it needs a dictionary');
  return ZLIB_HEADER_BYTES;
}

function zlibTrailer(content: Uint8Array): Uint8Array {
  const sum = adler32(content);
  return Uint8Array.of(sum >>> 24, sum >>> 16, sum >>> 8, sum);
}

/**
 * How many bytes stand before the deflate stream: ten, and what their flags announce.
 * @throws UpdateError unit_malformed
 */
export function gzipHeaderBytes(packed: Uint8Array): number {
  if (GZIP_MAGIC.some((byte, i) => packed[i] !== byte)) malformed('gzip', 'there is no gzip header');
  const flags = packed[FLAGS_AT] ?? 0;
  if (flags & GZIP_FLAG.reserved) malformed('gzip', 'its header has flags that have no meaning');
  let at = GZIP_HEADER_BYTES;
  if (flags & GZIP_FLAG.extra) at += 2 + (packed[at] ?? 0) + 256 * (packed[at + 1] ?? 0);
  for (const text of [GZIP_FLAG.name, GZIP_FLAG.comment]) {
    if ((flags & text) === 0) continue;
    const end = packed.indexOf(0, at);
    at = end < 0 ? packed.length + 1 : end + 1;
  }
  if (flags & GZIP_FLAG.headerChecksum) at += 2;
  if (at > packed.length) malformed('gzip', `it ends at byte ${packed.length}, inside its header`);
  return at;
}

export function gzipTrailer(content: Uint8Array): Uint8Array {
  const [sum, size] = [crc32(content), content.length];
  return Uint8Array.of(sum, sum >>> 8, sum >>> 16, sum >>> 24, size, size >>> 8, size >>> 16, size >>> 24);
}

/** @throws UpdateError unit_malformed */
export function unpackZlib(
  packed: Uint8Array,
  limits: UnpackLimits,
  options?: DeflateOptions,
): Unpacked<WrappedParams> {
  return unwrap('zlib', packed, zlibHeaderBytes(packed), zlibTrailer, limits, options);
}

export function packZlib(content: Uint8Array, tokens: TokenList, params: WrappedParams): Uint8Array {
  return concat([params.header, packDeflate(content, tokens, params), zlibTrailer(content)]);
}

/** @throws UpdateError unit_malformed */
export function unpackGzip(
  packed: Uint8Array,
  limits: UnpackLimits,
  options?: DeflateOptions,
): Unpacked<WrappedParams> {
  return unwrap('gzip', packed, gzipHeaderBytes(packed), gzipTrailer, limits, options);
}

export function packGzip(content: Uint8Array, tokens: TokenList, params: WrappedParams): Uint8Array {
  return concat([params.header, packDeflate(content, tokens, params), gzipTrailer(content)]);
}

function unwrap(
  codec: string,
  packed: Uint8Array,
  headerBytes: number,
  trailerOf: (content: Uint8Array) => Uint8Array,
  limits: UnpackLimits,
  options: DeflateOptions | undefined,
): Unpacked<WrappedParams> {
  const unpacked = unpackDeflate(packed.subarray(headerBytes), limits, options);
  const trailer = trailerOf(unpacked.content);
  const at = headerBytes + unpacked.packedBytes;
  if (at + trailer.length > packed.length) malformed(codec, `it ends at byte ${packed.length}, inside its trailer`);
  if (trailer.some((byte, i) => packed[at + i] !== byte)) malformed(codec, 'its checksum is not that of its content');
  const header = new Uint8Array(packed.subarray(0, headerBytes));
  return { ...unpacked, params: { ...unpacked.params, header }, packedBytes: at + trailer.length };
}
