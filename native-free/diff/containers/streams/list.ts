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

/** The two bytes that something begins with, or whether it may begin with two. */
export type Beginning = readonly [number, number] | ((first: number, second: number) => boolean);

export interface StreamStart {
  readonly finder: StreamFinder;
  readonly begins: Beginning;
}

export const streams: readonly StreamStart[] = [
  { finder: gzip, begins: [0x1f, 0x8b] },
  { finder: zlib, begins: isZlibHeader },
  { finder: xz, begins: [0xfd, 0x37] },
  { finder: lzma, begins: isLzmaStart },
  { finder: lz4, begins: [0x04, 0x22] },
  { finder: lz4Legacy, begins: [0x02, 0x21] },
  { finder: zstd, begins: [0x28, 0xb5] },
];
