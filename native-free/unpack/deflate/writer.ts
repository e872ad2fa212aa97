/**
 * Deflate blocks from tokens: which symbols occur, which codes they get, and their bits.
 * @module
 */
import { BitReader } from './bit-reader.ts';
import type { BitWriter } from './bit-writer.ts';
import { buildBlockHeader, readBlockHeader, type BlockCodes, type BlockHeader } from './header.ts';
import {
  CODE_BITS_MAX,
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCE_MAX,
  DISTANCE_SYMBOLS,
  distanceSymbol,
  END_OF_BLOCK,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LENGTH_SYMBOL,
  LITERAL_SYMBOLS,
  MATCH_MAX,
  MATCH_MIN,
} from './symbols.ts';
import { codesOf, HuffmanDecoder } from './huffman.ts';
import { malformed, OP, type TokenList } from '../tokens.ts';
import type { ZlibTree } from './zlib-tree.ts';

const FIRST_LENGTH = END_OF_BLOCK + 1;
const TOKEN_BYTES_MAX = 6;
const STRIDE = 4096;

/** Tokens of one block, and where their content begins and ends. */
export interface BlockTokens {
  readonly content: Uint8Array;
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly tokens: TokenList;
  readonly first: number;
  readonly end: number;
}

/** How often each symbol occurs. */
export interface Occurrences {
  readonly literals: Uint32Array;
  readonly distances: Uint32Array;
}

/**
 * Looks up where the content of tokens ends, and whether deflate can say them at all. `reach` bytes stood before the content.
 * @throws UpdateError unit_malformed
 */
export function spanTokens(
  content: Uint8Array,
  contentStart: number,
  tokens: TokenList,
  first: number,
  end: number,
  reach = 0,
): BlockTokens {
  let at = contentStart;
  for (let i = first; i < end; i++) {
    const length = tokens.lengthAt(i);
    const distance = tokens.distanceAt(i);
    const isLiteral = tokens.opAt(i) === OP.literal && length === 1;
    const isMatch = tokens.opAt(i) === OP.match && length >= MATCH_MIN && length <= MATCH_MAX;
    if (!isLiteral && !(isMatch && distance >= 1 && distance <= DISTANCE_MAX && distance <= at + reach))
      malformed('deflate', `token ${i} is none of deflate's (${tokens.opAt(i)}, ${length}, ${distance})`);
    at += length;
  }
  if (at > content.length) malformed('deflate', `tokens make more than the content's ${content.length} bytes`);
  return { content, contentStart, contentEnd: at, tokens, first, end };
}

export function countSymbols({ content, contentStart, tokens, first, end }: BlockTokens): Occurrences {
  const literals = new Uint32Array(LITERAL_SYMBOLS);
  const distances = new Uint32Array(DISTANCE_SYMBOLS);
  literals[END_OF_BLOCK] = 1;
  let at = contentStart;
  for (let i = first; i < end; i++) {
    const length = tokens.lengthAt(i);
    if (tokens.opAt(i) === OP.literal) literals[content[at]!]!++;
    else {
      literals[FIRST_LENGTH + LENGTH_SYMBOL[length]!]!++;
      distances[distanceSymbol(tokens.distanceAt(i))]!++;
    }
    at += length;
  }
  return { literals, distances };
}

/** The header that zlib gives a block, and its codes. */
export function rebuildHeader(
  { literals, distances }: Occurrences,
  tree: ZlibTree,
): { readonly codes: BlockCodes; readonly header: BlockHeader } {
  const codes = {
    literals: tree.lengthsOf(literals, CODE_BITS_MAX),
    distances: tree.lengthsOf(distances, CODE_BITS_MAX),
  };
  return { codes, header: buildBlockHeader(codes, tree) };
}

/** The codes of a header that is none of zlib's; every symbol that occurs needs one. */
export function codesOfHeader({ bytes, bitCount }: BlockHeader, { literals, distances }: Occurrences): BlockCodes {
  const reader = new BitReader(bytes);
  const decoder = new HuffmanDecoder();
  const codes = readBlockHeader(reader, decoder);
  decoder.load(codes.literals, 'literals and lengths', true);
  decoder.load(codes.distances, 'distances', true);
  if (reader.position !== bitCount || bytes.length !== (bitCount + 7) >> 3)
    malformed('deflate', `a header of ${bitCount} bits ends after ${reader.position}`);
  const lacks = (lengths: Uint8Array, counts: Uint32Array): boolean =>
    counts.some((count, symbol) => count > 0 && (lengths[symbol] ?? 0) === 0);
  if (lacks(codes.literals, literals) || lacks(codes.distances, distances))
    malformed('deflate', 'a header has no code for a symbol that occurs');
  return codes;
}

/** Bits of all tokens and of the block's end. */
export function writeTokens(writer: BitWriter, block: BlockTokens, codes: BlockCodes): void {
  const literalCodes = codesOf(codes.literals);
  const distanceCodes = codesOf(codes.distances);
  let at = block.contentStart;
  for (let i = block.first; i < block.end; i += STRIDE) {
    writer.reserve(STRIDE * TOKEN_BYTES_MAX + TOKEN_BYTES_MAX);
    at = writeStride(writer, block, codes, literalCodes, distanceCodes, i, Math.min(i + STRIDE, block.end), at);
  }
  writer.bits(literalCodes[END_OF_BLOCK]!, codes.literals[END_OF_BLOCK]!);
}

/** Tokens that there is room for; where their content ends. */
function writeStride(
  writer: BitWriter,
  { content, tokens }: BlockTokens,
  { literals: literalBits, distances: distanceBits }: BlockCodes,
  literalCodes: Uint16Array,
  distanceCodes: Uint16Array,
  first: number,
  end: number,
  contentStart: number,
): number {
  const output = writer.bytes;
  let { at, hold, held } = writer;
  let from = contentStart;
  for (let i = first; i < end; i++) {
    if (tokens.opAt(i) === OP.literal) {
      const byte = content[from++]!;
      hold |= literalCodes[byte]! << held;
      held += literalBits[byte]!;
      for (; held >= 8; held -= 8, hold >>>= 8) output[at++] = hold;
      continue;
    }
    const length = tokens.lengthAt(i);
    from += length;
    const symbol = LENGTH_SYMBOL[length]!;
    hold |= literalCodes[FIRST_LENGTH + symbol]! << held;
    held += literalBits[FIRST_LENGTH + symbol]!;
    hold |= (length - LENGTH_BASE[symbol]!) << held;
    held += LENGTH_EXTRA[symbol]!;
    for (; held >= 8; held -= 8, hold >>>= 8) output[at++] = hold;
    const distance = tokens.distanceAt(i);
    const far = distanceSymbol(distance);
    hold |= distanceCodes[far]! << held;
    held += distanceBits[far]!;
    for (; held >= 8; held -= 8, hold >>>= 8) output[at++] = hold;
    hold |= (distance - DISTANCE_BASE[far]!) << held;
    held += DISTANCE_EXTRA[far]!;
    for (; held >= 8; held -= 8, hold >>>= 8) output[at++] = hold;
  }
  Object.assign(writer, { at, hold, held });
  writer.flush();
  return from;
}
