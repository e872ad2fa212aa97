/**
 * Finders of single streams, and the bytes that they begin with.
 * @module
 */
import { gzip, isZlibHeader, zlib } from './deflate-streams.ts';
import { lz4, lz4Legacy } from './lz4.ts';
import { isLzmaStart, lzma } from './lzma.ts';
import type { StreamFinder } from './stream.ts';
import { xz } from './xz.ts';
import { zstd } from './zstd.ts';

export interface StreamStart {
  readonly finder: StreamFinder;
  /** May a stream begin with these two bytes? */
  readonly begins: (first: number, second: number) => boolean;
}

const both =
  (one: number, other: number) =>
  (first: number, second: number): boolean =>
    first === one && second === other;

export const streams: readonly StreamStart[] = [
  { finder: gzip, begins: both(0x1f, 0x8b) },
  { finder: zlib, begins: isZlibHeader },
  { finder: xz, begins: both(0xfd, 0x37) },
  { finder: lzma, begins: isLzmaStart },
  { finder: lz4, begins: both(0x04, 0x22) },
  { finder: lz4Legacy, begins: both(0x02, 0x21) },
  { finder: zstd, begins: both(0x28, 0xb5) },
];
