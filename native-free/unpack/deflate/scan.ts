/**
 * Walks over a raw deflate stream of any length: where its blocks begin, how much it unpacks to and its checksum. Of the
 * content only a window is held.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import { BitReader } from './bit-reader.ts';
import { ContentBuffer } from '../content-buffer.ts';
import { unpackBlock } from './deflate.ts';
import { HuffmanDecoder } from './huffman.ts';
import { DISTANCE_MAX } from './symbols.ts';
import { malformed, TokenList } from '../tokens.ts';

/** So much content may lie before the block at hand until the window moves on. */
const WINDOW_BYTES = 2 ** 18;
const FIRST_WINDOW_BYTES = 2 ** 13;

export interface DeflateScan {
  readonly packedBytes: number;
  readonly contentBytes: number;
  readonly checksum: number;
}

export interface DeflateScanOptions {
  /** Of a piece of content, and of what comes before it: crc32 or adler32. Default: none is computed. */
  readonly checksum?: (content: Uint8Array, before?: number) => number;
  /**
   * Told at the end of each block: the bit behind it, counted from `offset`, and all the content up to there. May throw,
   * which ends the scan.
   */
  readonly onBlock?: (endBit: number, contentBytes: number) => void;
}

/**
 * The stream that begins at `offset`; what follows it is not looked at.
 * @throws UpdateError unit_malformed for what is no such stream, or has a block too large for a unit
 */
export function scanDeflate(
  bytes: Uint8Array,
  offset: number,
  { checksum, onBlock }: DeflateScanOptions = {},
): DeflateScan {
  const reader = new BitReader(bytes.subarray(offset));
  const blockBytesMax = LIMITS.unit_content_bytes_max;
  const content = new ContentBuffer('deflate', WINDOW_BYTES + blockBytesMax, FIRST_WINDOW_BYTES);
  const tokens = new TokenList(blockBytesMax);
  const state = { reader, content, tokens, literals: new HuffmanDecoder(), distances: new HuffmanDecoder() };
  let contentBytes = 0;
  let sum = checksum?.(new Uint8Array(0)) ?? 0;
  for (let isLast = false; !isLast;) {
    if (content.length >= WINDOW_BYTES) {
      content.bytes.copyWithin(0, content.length - DISTANCE_MAX, content.length);
      content.length = DISTANCE_MAX;
    }
    const start = content.length;
    tokens.clear();
    ({ isLast } = unpackBlock(state, null));
    if (content.length - start > blockBytesMax) malformed('deflate', 'a block unpacks to more than a unit may');
    contentBytes += content.length - start;
    if (checksum !== undefined) sum = checksum(content.bytes.subarray(start, content.length), sum);
    onBlock?.(reader.position, contentBytes);
  }
  reader.align();
  return { packedBytes: reader.at, contentBytes, checksum: sum };
}
