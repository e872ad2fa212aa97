/**
 * zstd frames (RFC 8878) to tokens and back.
 *
 * A block's literals and sequences are the tokens; what else its writer chose are params: where blocks end, how literals
 * are coded and with which Huffman code, and the tables of the sequences. From these all bits follow. Of the checksum only
 * its being there is kept. Frames with dictionaries are refused, and skippable frames are no units.
 * @module
 */
import { BitWriter } from '../deflate/bit-writer.ts';
import { ContentBuffer } from '../content-buffer.ts';
import { malformed, OP, TokenList, type Unpacked, type UnpackLimits } from '../tokens.ts';
import { BLOCK_BYTES_MAX } from './codes.ts';
import { readFrameHead, writeFrameHead } from './frame.ts';
import { LiteralsReader } from './literals.ts';
import { Offsets } from './offsets.ts';
import { BLOCK, blocksAllowed, type ZstdBlock, type ZstdParams } from './params.ts';
import { SLACK_BYTES } from './reverse-reader.ts';
import { readSequences, SequenceList, type Tables } from './sequences.ts';
import { BlockWriter } from './block-writer.ts';
import { xxh64Low } from './xxh64.ts';

const BLOCK_HEAD_BYTES = 3;
const CHECKSUM_BYTES = 4;
/** A guess at what a byte unpacks to. */
const CONTENT_FOR_PACKED = 4;

/** A frame while it is unpacked. */
interface Unpacking {
  readonly content: ContentBuffer;
  readonly tokens: TokenList;
  readonly literals: LiteralsReader;
  readonly sequences: SequenceList;
  readonly tables: Tables;
  readonly offsets: Offsets;
  /** The block at hand, and room to look past its end. */
  readonly block: Uint8Array;
}

/**
 * The frame at the start of `packed`; what follows is not looked at.
 * @throws UpdateError unit_malformed
 */
export function unpackZstd(packed: Uint8Array, limits: UnpackLimits): Unpacked<ZstdParams> {
  const { head, contentBytes, end } = readFrameHead(packed);
  if (contentBytes !== null && contentBytes > limits.contentBytesMax)
    malformed('zstd', `it unpacks to ${contentBytes} bytes, over ${limits.contentBytesMax}`);
  const state: Unpacking = {
    content: new ContentBuffer(
      'zstd',
      contentBytes ?? limits.contentBytesMax,
      packed.length * CONTENT_FOR_PACKED,
      limits.isExact,
    ),
    tokens: new TokenList(limits.tokensMax ?? limits.contentBytesMax),
    literals: new LiteralsReader(),
    sequences: new SequenceList(),
    tables: [null, null, null],
    offsets: new Offsets(),
    block: new Uint8Array(BLOCK_BYTES_MAX + SLACK_BYTES),
  };
  const blocks: ZstdBlock[] = [];
  let at = end;
  let empty = 0;
  for (let isLast = false; !isLast;) {
    if (packed.length - at < BLOCK_HEAD_BYTES) malformed('zstd', `the frame is cut off at byte ${at}`);
    const blockHead = packed[at]! | (packed[at + 1]! << 8) | (packed[at + 2]! << 16);
    isLast = (blockHead & 1) === 1;
    const size = blockHead >> 3;
    const type = (blockHead >> 1) & 3;
    at += BLOCK_HEAD_BYTES;
    const used = type === BLOCK.rle ? 1 : size;
    if (size > BLOCK_BYTES_MAX || used > packed.length - at) malformed('zstd', `the block at byte ${at} is cut off`);
    const block = unpackBlock(state, type, size, packed.subarray(at, at + used));
    blocks.push(block);
    at += used;
    if (block.contentBytes === 0) empty++;
    if (!blocksAllowed(blocks.length, empty))
      malformed('zstd', `${empty} of ${blocks.length} blocks are empty, or there are too many`);
  }
  const content = state.content.finish();
  if (contentBytes !== null && contentBytes !== content.length)
    malformed('zstd', `it unpacks to ${content.length} bytes, not ${contentBytes}`);
  if (head.hasChecksum) at = checkSum(packed, at, content);
  return { content, tokens: state.tokens, params: { head, plain: state.offsets.plain, blocks }, packedBytes: at };
}

/** Where the checksum ends. */
function checkSum(packed: Uint8Array, at: number, content: Uint8Array): number {
  const sum = xxh64Low(content);
  for (let i = 0; i < CHECKSUM_BYTES; i++)
    if (packed[at + i] !== ((sum >>> (8 * i)) & 255)) malformed('zstd', 'the checksum is not that of the content');
  return at + CHECKSUM_BYTES;
}

/** One block; `bytes` are its payload, and `size` what its head says. */
function unpackBlock(state: Unpacking, type: number, size: number, bytes: Uint8Array): ZstdBlock {
  const { content, tokens } = state;
  if (type === BLOCK.compressed) return unpackCompressed(state, bytes);
  if (type > BLOCK.compressed) malformed('zstd', `there is no block of type ${type}`);
  content.reserve(size);
  tokens.pushLiterals(size);
  if (type === BLOCK.raw) content.append(bytes);
  else {
    content.bytes.fill(bytes[0]!, content.length, content.length + size);
    content.length += size;
  }
  return { type, contentBytes: size, literals: null, tables: [] };
}

function unpackCompressed(state: Unpacking, bytes: Uint8Array): ZstdBlock {
  const { block, content, literals, sequences, tables } = state;
  block.set(bytes);
  // What is looked at behind a block must not depend on the one before.
  block.fill(0, bytes.length, bytes.length + SLACK_BYTES);
  const start = content.length;
  const at = literals.read(block, bytes.length);
  const choices = readSequences(block, at, bytes.length, tables, sequences);
  runSequences(state);
  return { type: BLOCK.compressed, contentBytes: content.length - start, literals: literals.params, tables: choices };
}

/** Tokens and content of a block whose literals and sequences are read. */
function runSequences({ content, tokens, literals: { literals }, sequences, offsets }: Unpacking): void {
  const { count, literals: runs, lengths, offsets: coded } = sequences;
  content.reserve(Math.min(content.allowed, BLOCK_BYTES_MAX));
  const { bytes } = content;
  const end = Math.min(bytes.length, content.length + BLOCK_BYTES_MAX);
  let at = content.length;
  let literal = 0;
  for (let i = 0; i <= count; i++) {
    const run = i < count ? runs[i]! : literals.length - literal;
    if (run > literals.length - literal || run > end - at)
      malformed('zstd', `a block has more literals than it may at byte ${at}`);
    for (const until = at + run; at < until;) {
      bytes[at++] = literals[literal++]!;
      tokens.push(OP.literal, 1, 0);
    }
    if (i === count) break;
    const size = lengths[i]!;
    const op = offsets.read(coded[i]!, run > 0);
    const back = offsets.first;
    if (back > at || size > end - at) malformed('zstd', `a match at byte ${at} points before the start or is too long`);
    tokens.push(op, size, back);
    for (const until = at + size; at < until; at++) bytes[at] = bytes[at - back]!;
  }
  content.length = at;
}

/**
 * Exactly what was unpacked, if the params are right.
 * @throws UpdateError unit_malformed where content, tokens and params do not belong together
 */
export function packZstd(content: Uint8Array, tokens: TokenList, { head, plain, blocks }: ZstdParams): Uint8Array {
  const writer = new BitWriter(Math.min(content.length, tokens.count));
  writeFrameHead(writer, head, content.length);
  if (blocks.length === 0) malformed('zstd', 'a frame has a block at least');
  const blockWriter = new BlockWriter(writer, content, tokens, plain);
  blocks.forEach((block, i) => blockWriter.write(block, i === blocks.length - 1));
  if (blockWriter.at !== content.length || blockWriter.token !== tokens.count)
    malformed('zstd', `tokens make ${blockWriter.at} of the content's ${content.length} bytes`);
  const sum = head.hasChecksum ? xxh64Low(content) : 0;
  for (let i = 0; head.hasChecksum && i < CHECKSUM_BYTES; i++) writer.bits((sum >>> (8 * i)) & 255, 8);
  return writer.finish();
}
