/**
 * What stands before the tokens of a block with codes of its own: two lists of code lengths, run-length coded, in a
 * Huffman code that is described before them. Read as RFC 1951 has it, written as zlib writes it.
 * @module
 */
import type { BitReader } from './bit-reader.ts';
import { BitWriter } from './bit-writer.ts';
import {
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  LENGTH_CODE_BITS_MAX,
  LENGTH_CODE_EXTRA,
  LENGTH_CODE_ORDER,
  LENGTH_CODE_SYMBOLS,
  LITERAL_SYMBOLS,
} from './symbols.ts';
import { codesOf, type HuffmanDecoder } from './huffman.ts';
import { readSymbol } from './inflate.ts';
import { malformed } from '../tokens.ts';
import type { ZlibTree } from './zlib-tree.ts';

const LITERALS_MIN = 257;
const DISTANCES_MIN = 1;
const LENGTH_CODES_MIN = 4;
const REPEAT = 16;
const ZEROS = 17;
const MANY_ZEROS = 18;

/** Code lengths by symbol. */
export interface BlockCodes {
  readonly literals: Uint8Array;
  readonly distances: Uint8Array;
}

/** Bits that stand before the tokens of a block; the first is the lowest of the first byte. */
export interface BlockHeader {
  readonly bitCount: number;
  readonly bytes: Uint8Array;
}

/**
 * Takes `decoder` for the code of code lengths.
 * @throws UpdateError unit_malformed
 */
export function readBlockHeader(reader: BitReader, decoder: HuffmanDecoder): BlockCodes {
  const literals = reader.bits(5) + LITERALS_MIN;
  const distances = reader.bits(5) + DISTANCES_MIN;
  if (literals > LITERAL_SYMBOLS || distances > DISTANCE_SYMBOLS)
    malformed('deflate', `a block has codes for ${literals} literals and lengths and ${distances} distances`);
  const lengthCodes = new Uint8Array(LENGTH_CODE_SYMBOLS);
  const count = reader.bits(4) + LENGTH_CODES_MIN;
  for (let i = 0; i < count; i++) lengthCodes[LENGTH_CODE_ORDER[i]!] = reader.bits(3);
  decoder.load(lengthCodes, 'code lengths', false);
  const lengths = new Uint8Array(literals + distances);
  for (let at = 0; at < lengths.length;) at += readLengths(reader, decoder, lengths, at);
  if (lengths[END_OF_BLOCK] === 0) malformed('deflate', 'a block has no code for its end');
  return { literals: lengths.subarray(0, literals), distances: lengths.subarray(literals) };
}

/** One length, or several equal ones; how many. */
function readLengths(reader: BitReader, decoder: HuffmanDecoder, lengths: Uint8Array, at: number): number {
  const symbol = readSymbol(reader, decoder);
  if (symbol < REPEAT) {
    lengths[at] = symbol;
    return 1;
  }
  if (symbol === REPEAT && at === 0) malformed('deflate', 'the first code length repeats the one before');
  const count = reader.bits(LENGTH_CODE_EXTRA[symbol]!) + (symbol === MANY_ZEROS ? 11 : 3);
  if (at + count > lengths.length) malformed('deflate', 'code lengths run over the end of their list');
  lengths.fill(symbol === REPEAT ? lengths[at - 1]! : 0, at, at + count);
  return count;
}

/** What zlib writes before a block with these codes. */
export function buildBlockHeader(codes: BlockCodes, tree: ZlibTree): BlockHeader {
  const occurrences = new Uint32Array(LENGTH_CODE_SYMBOLS);
  for (const lengths of [codes.literals, codes.distances]) forRuns(lengths, (symbol) => occurrences[symbol]!++);
  const codeLengths = new Uint8Array(LENGTH_CODE_SYMBOLS);
  codeLengths.set(tree.lengthsOf(occurrences, LENGTH_CODE_BITS_MAX));
  let count = LENGTH_CODE_SYMBOLS;
  while (count > LENGTH_CODES_MIN && codeLengths[LENGTH_CODE_ORDER[count - 1]!] === 0) count--;

  const writer = new BitWriter(0);
  writer.bits(codes.literals.length - LITERALS_MIN, 5);
  writer.bits(codes.distances.length - DISTANCES_MIN, 5);
  writer.bits(count - LENGTH_CODES_MIN, 4);
  for (let i = 0; i < count; i++) writer.bits(codeLengths[LENGTH_CODE_ORDER[i]!]!, 3);
  const bits = codesOf(codeLengths);
  for (const lengths of [codes.literals, codes.distances])
    forRuns(lengths, (symbol, extra) => {
      writer.bits(bits[symbol]!, codeLengths[symbol]!);
      writer.bits(extra, LENGTH_CODE_EXTRA[symbol]!);
    });
  const bitCount = writer.at * 8 + writer.held;
  writer.align(0);
  return { bitCount, bytes: writer.finish() };
}

/** Symbols of the length code for a list of lengths, with their extra bits: zlib's way of cutting runs. */
function forRuns(lengths: Uint8Array, emit: (symbol: number, extra: number) => void): void {
  let before = -1;
  for (let at = 0; at < lengths.length;) {
    const length = lengths[at]!;
    // The first of a new value stands for itself, and up to six more of it are a repeat.
    const runMax = length === 0 ? 138 : length === before ? 6 : 7;
    const runMin = length === 0 || length === before ? 3 : 4;
    let run = 1;
    while (run < runMax && lengths[at + run] === length) run++;
    if (run < runMin) for (let i = 0; i < run; i++) emit(length, 0);
    else if (length === 0) emit(run <= 10 ? ZEROS : MANY_ZEROS, run - (run <= 10 ? 3 : 11));
    else {
      if (length !== before) emit(length, 0);
      emit(REPEAT, length === before ? run - 3 : run - 4);
    }
    before = length;
    at += run;
  }
}

export function isSameHeader(a: BlockHeader, b: BlockHeader): boolean {
  return a.bitCount === b.bitCount && a.bytes.every((byte, i) => byte === b.bytes[i]);
}
