/**
 * Raw deflate (RFC 1951) to tokens and back.
 *
 * Where blocks begin and what type they have is kept; codes and headers are built anew from the tokens, as zlib and gzip
 * build them. Compressors with a tree builder of their own need their headers kept, which `headers: true` does where
 * they differ. What comes back is the caller's to compare: only the one who makes a patch has to.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import { ContentBuffer } from '../content-buffer.ts';
import { isSameHeader, readBlockHeader, type BlockCodes, type BlockHeader } from './header.ts';
import { FIXED_DISTANCE_LENGTHS, FIXED_LITERAL_LENGTHS } from './symbols.ts';
import { codesOfHeader, countSymbols, rebuildHeader, spanTokens, writeTokens, type BlockTokens } from './writer.ts';
import { HuffmanDecoder } from './huffman.ts';
import { inflateTokens, type Inflating } from './inflate.ts';
import { malformed, TokenList, type Unpacked, type UnpackLimits } from '../tokens.ts';
import { ZlibTree } from './zlib-tree.ts';

export type { BlockHeader } from './header.ts';

export const BLOCK = { stored: 0, fixed: 1, dynamic: 2 } as const;

const STORED_BYTES_MAX = 65_535;
const FIXED: BlockCodes = { literals: FIXED_LITERAL_LENGTHS, distances: FIXED_DISTANCE_LENGTHS };
/** A guess at what a byte of deflate unpacks to. */
const CONTENT_FOR_PACKED = 4;

export interface DeflateBlock {
  /** Its tokens end where the next block's begin. Bytes of a stored block are literals. */
  readonly firstToken: number;
  /** One of BLOCK. */
  readonly type: number;
  readonly isLast: boolean;
  /** Bits up to the next byte, before the length of a stored block; all writers leave them 0. */
  readonly padding: number;
  /** Only where zlib's tree builder would have made another one. */
  readonly header?: BlockHeader;
}

export interface DeflateParams {
  readonly blocks: readonly DeflateBlock[];
  /** Bits behind the last block, up to the next byte. */
  readonly padding: number;
}

export interface DeflateOptions {
  /** Keep the headers that zlib would not have made. Costs what packing them costs. */
  readonly headers?: boolean;
}

/** @throws UpdateError unit_malformed */
export function unpackDeflate(
  packed: Uint8Array,
  limits: UnpackLimits,
  { headers = false }: DeflateOptions = {},
): Unpacked<DeflateParams> {
  const reader = new BitReader(packed);
  const content = new ContentBuffer(
    'deflate',
    limits.contentBytesMax,
    packed.length * CONTENT_FOR_PACKED,
    limits.isExact,
  );
  const tokens = new TokenList(limits.tokensMax ?? limits.contentBytesMax);
  const state = { reader, content, tokens, literals: new HuffmanDecoder(), distances: new HuffmanDecoder() };
  const tree = headers ? new ZlibTree() : null;
  const blocks: DeflateBlock[] = [];
  let empty = 0;
  while (blocks.at(-1)?.isLast !== true) {
    const firstToken = tokens.count;
    blocks.push(unpackBlock(state, tree));
    if (tokens.count === firstToken) empty++;
    // Each block costs time, and an empty one makes nothing for it.
    if (blocks.length > LIMITS.unit_blocks_max || empty * 2 > blocks.length + LIMITS.unit_blocks_empty_max)
      malformed('deflate', `${empty} of ${blocks.length} blocks are empty, or there are too many`);
  }
  const padding = reader.align();
  return { content: content.finish(), tokens, params: { blocks, padding }, packedBytes: reader.at };
}

/** How many blocks a unit may have: flushes and tiny ones included, but not as many as anyone likes. */
export function blocksAllowed(contentBytes: number): number {
  return Math.min(LIMITS.unit_blocks_max, LIMITS.unit_blocks_empty_max + (contentBytes >>> 4));
}

/** The next block of a stream. */
export function unpackBlock(state: Inflating, tree: ZlibTree | null): DeflateBlock {
  const { reader, content, tokens, literals, distances } = state;
  const firstToken = tokens.count;
  const contentStart = content.length;
  const isLast = reader.bits(1) === 1;
  const type = reader.bits(2);
  if (type === BLOCK.stored) return { firstToken, type, isLast, padding: unpackStored(state) };
  if (type !== BLOCK.fixed && type !== BLOCK.dynamic) malformed('deflate', `there is no block of type ${type}`);
  const start = reader.position;
  const codes = type === BLOCK.fixed ? FIXED : readBlockHeader(reader, literals);
  const bitCount = reader.position - start;
  literals.load(codes.literals, 'literals and lengths', true);
  distances.load(codes.distances, 'distances', true);
  inflateTokens(state);
  const block = { firstToken, type, isLast, padding: 0 };
  if (tree === null || type === BLOCK.fixed) return block;
  const header = { bitCount, bytes: reader.copy(start, bitCount) };
  const { bytes, length: contentEnd } = content;
  const span = { content: bytes, contentStart, contentEnd, tokens, first: firstToken, end: tokens.count };
  return isSameHeader(header, rebuildHeader(countSymbols(span), tree).header) ? block : { ...block, header };
}

function unpackStored({ reader, content, tokens }: Inflating): number {
  const padding = reader.align();
  const length = reader.bits(16);
  if ((reader.bits(16) ^ length) !== STORED_BYTES_MAX) malformed('deflate', 'the length of a stored block is damaged');
  content.append(reader.aligned(length));
  tokens.pushLiterals(length);
  return padding;
}

/**
 * Exactly what was unpacked, if the codes are those of zlib or the params have the headers.
 * @throws UpdateError unit_malformed where the tokens do not make the content, or deflate cannot say them
 */
export function packDeflate(content: Uint8Array, tokens: TokenList, { blocks, padding }: DeflateParams): Uint8Array {
  const writer = new BitWriter(Math.min(content.length, tokens.count));
  const tree = new ZlibTree();
  if (blocks.length === 0 || blocks[0]!.firstToken !== 0)
    malformed('deflate', 'the first block has to begin at token 0');
  let at = 0;
  blocks.forEach((block, i) => {
    const end = blocks[i + 1]?.firstToken ?? tokens.count;
    if (!(block.firstToken <= end && end <= tokens.count))
      malformed('deflate', `block ${i} has tokens ${block.firstToken} to ${end} of ${tokens.count}`);
    const span = spanTokens(content, at, tokens, block.firstToken, end);
    packBlock(writer, block, span, tree);
    at = span.contentEnd;
  });
  if (at !== content.length) malformed('deflate', `tokens make ${at} of the content's ${content.length} bytes`);
  writer.align(padding);
  return writer.finish();
}

/** The opposite of `unpackBlock`. */
export function packBlock(writer: BitWriter, block: DeflateBlock, span: BlockTokens, tree: ZlibTree): void {
  writer.bits(block.isLast ? 1 : 0, 1);
  writer.bits(block.type, 2);
  if (block.type === BLOCK.stored) packStored(writer, block.padding, span);
  else if (block.type === BLOCK.fixed) writeTokens(writer, span, FIXED);
  else if (block.type === BLOCK.dynamic) {
    const occurrences = countSymbols(span);
    const built = block.header === undefined ? rebuildHeader(occurrences, tree) : null;
    const header = built === null ? block.header! : built.header;
    const codes = built === null ? codesOfHeader(header, occurrences) : built.codes;
    writer.copied(header.bytes, header.bitCount);
    writeTokens(writer, span, codes);
  } else malformed('deflate', `there is no block of type ${block.type}`);
}

function packStored(writer: BitWriter, padding: number, span: BlockTokens): void {
  const length = span.contentEnd - span.contentStart;
  if (length > STORED_BYTES_MAX || length !== span.end - span.first)
    malformed('deflate', 'a stored block has up to 65,535 literals and no match');
  writer.align(padding);
  writer.bits(length, 16);
  writer.bits(~length & STORED_BYTES_MAX, 16);
  writer.append(span.content.subarray(span.contentStart, span.contentEnd));
}
