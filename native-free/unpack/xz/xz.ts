/**
 * An xz stream taken apart and put together again: blocks of LZMA2 behind branch filters.
 *
 * After the xz file format 1.1.0, section 2. Also what squashfs has for a block: its streams have one block each. One
 * stream is one unit; several in a file, and the zeros between them, are the container's matter.
 * @module
 */
import { bytesEqual } from '../../hash.ts';
import { LIMITS } from '../../limits.ts';
import { filterBranches } from '../bcj/filters.ts';
import { ChunkList } from '../lzma/chunks.ts';
import { reachOf, type LzmaLimits } from '../lzma/decoder.ts';
import { LzmaEncoder } from '../lzma/encoder.ts';
import { decodeChunks, encodeLzma2, scanChunks, type Lzma2Params } from '../lzma/lzma2.ts';
import { malformed, TokenList, type Unpacked } from '../tokens.ts';
import { checkOf } from './checks.ts';
import {
  dictionaryBytesOf,
  padded,
  readBlockHeader,
  readStreamHeader,
  STREAM_HEADER_BYTES,
  writeBlockHeader,
  writeIndexAndFooter,
  writeStreamHeader,
  type XzBlockHead,
  type XzBranchFilter,
  type XzRecord,
} from './layout.ts';

export interface XzBlockParams extends XzBlockHead, Lzma2Params {
  readonly contentBytes: number;
}

export interface XzParams {
  /** 0 none, 1 CRC32, 4 CRC64, 10 SHA-256. */
  readonly check: number;
  readonly blocks: readonly XzBlockParams[];
}

/** A block of a parsed stream. */
export interface XzBlock extends XzBlockParams {
  /** Where its LZMA2 stream is. */
  readonly payloadAt: number;
  readonly payloadBytes: number;
}

export interface ParsedXz {
  readonly check: number;
  readonly blocks: readonly XzBlock[];
  readonly contentBytes: number;
  readonly packedBytes: number;
}

/**
 * What the xz stream at the start of `packed` consists of, nothing decoded; what follows is not looked at. All but the
 * blocks' payloads and checks is known to come back byte for byte.
 * @throws UpdateError unit_malformed for everything that is not such a stream, or over `contentBytesMax`
 */
export function parseXz(packed: Uint8Array, contentBytesMax: number): ParsedXz {
  const check = readStreamHeader(packed);
  const blocks: XzBlock[] = [];
  const records: XzRecord[] = [];
  let contentBytes = 0;
  let at = STREAM_HEADER_BYTES;
  for (; at < packed.length && packed[at] !== 0;) {
    if (blocks.length >= LIMITS.xz_blocks_max) malformed('xz', `more than ${LIMITS.xz_blocks_max} blocks`);
    const block = parseBlock(packed, at, contentBytesMax - contentBytes);
    contentBytes += block.contentBytes;
    blocks.push(block);
    const unpaddedBytes = block.headerBytes + block.payloadBytes + checkOf(check).bytes;
    records.push({ unpaddedBytes, contentBytes: block.contentBytes });
    at += padded(unpaddedBytes);
  }
  const ending = writeIndexAndFooter(check, records);
  if (!bytesEqual(ending, packed.subarray(at, at + ending.length)))
    malformed('xz', `index and footer at byte ${at} are not those of the blocks`);
  return { check, blocks, contentBytes, packedBytes: at + ending.length };
}

function parseBlock(packed: Uint8Array, at: number, contentBytesMax: number): XzBlock {
  const { packedBytes, contentBytes, ...head } = readBlockHeader(packed, at);
  const payloadAt = at + head.headerBytes;
  const chunks = new ChunkList(contentBytesMax);
  const payloadBytes = scanChunks(packed, payloadAt, contentBytesMax, chunks) - payloadAt;
  const { total } = chunks;
  if ((packedBytes ?? payloadBytes) !== payloadBytes || (contentBytes ?? total) !== total)
    malformed('xz', `the block at byte ${at} has not the lengths that its header says`);
  return { ...head, chunks, payloadAt, payloadBytes, contentBytes: total };
}

/**
 * The xz stream at the start of `packed`; what follows is not looked at.
 * @throws UpdateError unit_malformed for everything that is not such a stream within the limits, or fails its checks
 */
export function unpackXz(packed: Uint8Array, limits: LzmaLimits): Unpacked<XzParams> {
  const { check, blocks, contentBytes, packedBytes } = parseXz(packed, limits.contentBytesMax);
  const content = new Uint8Array(contentBytes);
  const tokens = new TokenList(limits.tokensMax ?? limits.contentBytesMax);
  const kept: XzBlockParams[] = [];
  let from = 0;
  for (const block of blocks) {
    const part = content.subarray(from, from + block.contentBytes);
    const dictionaryBytes = reachOf(limits, dictionaryBytesOf(block.dictionaryCode));
    const stream = { packed, at: block.payloadAt, chunks: block.chunks, content: part, dictionaryBytes };
    const { payloadAt: _at, payloadBytes: _bytes, ...head } = block;
    kept.push({ ...head, ...decodeChunks(stream, tokens) });
    filterAll([...block.filters].reverse(), part, false);
    const end = block.payloadAt + block.payloadBytes;
    const ending = blockEnding(check, block.payloadBytes, part);
    if (!bytesEqual(ending, packed.subarray(end, end + ending.length)))
      malformed('xz', `the block that ends at byte ${end} fails its check`);
    from += block.contentBytes;
  }
  return { content, tokens, params: { check, blocks: kept }, packedBytes };
}

/** Padding and check behind a payload. [3.3, 3.4] */
function blockEnding(check: number, payloadBytes: number, content: Uint8Array): Uint8Array {
  const padding = padded(payloadBytes) - payloadBytes;
  const sum = checkOf(check).of(content);
  const ending = new Uint8Array(padding + sum.length);
  ending.set(sum, padding);
  return ending;
}

/** What a block's compressor was given: its content, through the branch filters. */
export function filteredBytes(content: Uint8Array, filters: readonly XzBranchFilter[]): Uint8Array {
  if (filters.length === 0) return content;
  const bytes = content.slice();
  filterAll(filters, bytes, true);
  return bytes;
}

function filterAll(filters: readonly XzBranchFilter[], bytes: Uint8Array, encode: boolean): void {
  for (const { id, start } of filters) filterBranches(id, bytes, start ?? 0, encode);
}

/**
 * The stream that was unpacked to these, byte for byte.
 * @throws UpdateError unit_malformed if content, tokens and params do not belong together
 */
export function packXz(content: Uint8Array, tokens: TokenList, params: XzParams): Uint8Array {
  const encoder = new LzmaEncoder(content.length >> 1);
  const { range } = encoder;
  const records: XzRecord[] = [];
  range.append(writeStreamHeader(params.check));
  let from = 0;
  for (const block of params.blocks) {
    const { contentBytes } = block;
    if (contentBytes > content.length - from) malformed('xz', 'the blocks are not those of the content');
    const plain = content.subarray(from, from + contentBytes);
    const headAt = range.length;
    range.append(writeBlockHeader(block, { packedBytes: 0, contentBytes }));
    const filtered = filteredBytes(plain, block.filters);
    encodeLzma2(encoder, filtered, tokens, block);
    const packedBytes = range.length - headAt - block.headerBytes;
    range.overwrite(headAt, writeBlockHeader(block, { packedBytes, contentBytes }));
    range.append(blockEnding(params.check, packedBytes, plain));
    records.push({ unpaddedBytes: block.headerBytes + packedBytes + checkOf(params.check).bytes, contentBytes });
    from += contentBytes;
  }
  if (from !== content.length) malformed('xz', 'the blocks are not those of the content');
  if (encoder.next !== tokens.count) malformed('xz', `${tokens.count - encoder.next} tokens are left over`);
  range.append(writeIndexAndFooter(params.check, records));
  return range.written().slice();
}
