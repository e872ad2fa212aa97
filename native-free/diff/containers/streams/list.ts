/**
 * Finders of single streams, and the bytes that they begin with.
 * @module
 */
import { gzip, isZlibHeader, zlib } from './deflate-streams.ts';
import type { StreamFinder } from './stream.ts';

export interface StreamStart {
  readonly finder: StreamFinder;
  /** May a stream begin with these two bytes? */
  readonly begins: (first: number, second: number) => boolean;
}

export const streams: readonly StreamStart[] = [
  { finder: gzip, begins: (first, second) => first === 0x1f && second === 0x8b },
  { finder: zlib, begins: isZlibHeader },
];
