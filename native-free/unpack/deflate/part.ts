/**
 * Some blocks of a deflate stream, as a unit of their own.
 *
 * A block needs nothing of those before it but the last 32 KiB of content, and that only to be unpacked: packing tokens
 * asks for no content before them. So a long stream is cut between blocks into units, each of which is a restart point
 * when it is made, and one of the places where reading may begin.
 * @module
 */
import { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import { ContentBuffer } from '../content-buffer.ts';
import { blocksAllowed, packBlock, unpackBlock, type DeflateBlock, type DeflateParams } from './deflate.ts';
import { DISTANCE_MAX } from './symbols.ts';
import { spanTokens } from './writer.ts';
import { HuffmanDecoder } from './huffman.ts';
import { malformed, TokenList } from '../tokens.ts';
import type { StreamState, UnitOptions, UnitSizes, UnpackedUnit } from '../unit-codec.ts';
import { ZlibTree } from './zlib-tree.ts';

export interface DeflatePartParams extends DeflateParams {
  /** Bits of the first byte that end the part before, and what they are. */
  readonly leadBits: number;
  readonly lead: number;
}

const STREAM_START: StreamState = { bit: 0, history: new Uint8Array(0) };

/**
 * The blocks from bit `before.bit` of `packed` on: to the end of the stream, or to the byte `packedBytes`, in which the
 * block behind them begins. `exact`: keep the headers that zlib would not have made.
 * @throws UpdateError unit_malformed
 */
export function unpackDeflatePart(
  packed: Uint8Array,
  { packedBytes, contentBytes }: UnitSizes,
  before: StreamState | null,
  { exact: headers, tokensMax = Infinity }: UnitOptions,
): UnpackedUnit<DeflatePartParams> {
  const { bit, history } = before ?? STREAM_START;
  const reader = new BitReader(packed);
  const lead = reader.bits(bit);
  const content = new ContentBuffer('deflate', history.length + contentBytes, 0, true);
  content.append(history); // matches reach into it
  const tokens = new TokenList(Math.min(contentBytes, tokensMax));
  const state = { reader, content, tokens, literals: new HuffmanDecoder(), distances: new HuffmanDecoder() };
  const tree = headers ? new ZlibTree() : null;
  const blocks: DeflateBlock[] = [];
  do {
    blocks.push(unpackBlock(state, tree));
    if (blocks.length > blocksAllowed(contentBytes)) malformed('deflate', 'it has more blocks than its content needs');
  } while (blocks.at(-1)!.isLast === false && reader.position >> 3 < packedBytes);
  const { isLast } = blocks.at(-1)!;
  const padding = isLast ? reader.align() : 0;
  const end = reader.position;
  const all = content.finish();
  if (all.length - history.length !== contentBytes || end >> 3 !== packedBytes)
    malformed('deflate', `a unit of ${end >> 3} bytes unpacks to ${all.length - history.length}`);
  const after = isLast ? null : { bit: end & 7, history: all.slice(Math.max(0, all.length - DISTANCE_MAX)) };
  const params = { leadBits: bit, lead, blocks, padding };
  return { content: all.subarray(history.length), tokens, params, after };
}

/**
 * Exactly the whole bytes that were unpacked.
 * @throws UpdateError unit_malformed where the tokens do not make the content, or deflate cannot say them
 */
export function packDeflatePart(content: Uint8Array, tokens: TokenList, params: DeflatePartParams): Uint8Array {
  const { blocks, padding, leadBits, lead } = params;
  const writer = new BitWriter(Math.min(content.length, tokens.count));
  const tree = new ZlibTree();
  writer.bits(lead & ((1 << leadBits) - 1), leadBits);
  let at = 0;
  blocks.forEach((block, i) => {
    const end = blocks[i + 1]?.firstToken ?? tokens.count;
    if (!(block.firstToken <= end && end <= tokens.count))
      malformed('deflate', `block ${i} has tokens ${block.firstToken} to ${end} of ${tokens.count}`);
    const span = spanTokens(content, at, tokens, block.firstToken, end, DISTANCE_MAX);
    packBlock(writer, block, span, tree);
    at = span.contentEnd;
  });
  if (at !== content.length) malformed('deflate', `tokens make ${at} of the content's ${content.length} bytes`);
  if (blocks.at(-1)?.isLast === true) writer.align(padding);
  return writer.finish();
}
