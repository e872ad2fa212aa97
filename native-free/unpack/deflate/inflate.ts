/**
 * The tokens of a deflate block, decoded: a careful step that checks every bit, and a loop that runs as long as input,
 * content and tokens have room for whatever comes next, and so needs to check nothing but what a token says.
 * @module
 */
import type { BitReader } from './bit-reader.ts';
import type { ContentBuffer } from '../content-buffer.ts';
import {
  CODE_BITS_MAX,
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LITERAL_SYMBOLS,
  MATCH_MAX,
} from './symbols.ts';
import { NO_SYMBOL, TABLE_BITS, type HuffmanDecoder } from './huffman.ts';
import { malformed, OP, OP_SHIFT, type TokenList } from '../tokens.ts';

const TABLE_MASK = (1 << TABLE_BITS) - 1;
const FIRST_LENGTH = END_OF_BLOCK + 1;
const LAST_LENGTH = LITERAL_SYMBOLS - 1;
/** Bits that a refill leaves at least: for a code and the extra bits of a length. */
const FILLED = 24;
/** What three refills of a token take at most, in bytes. */
const TOKEN_INPUT_MAX = 10;

/** A stream that is being read, and the codes of the block at hand. */
export interface Inflating {
  readonly reader: BitReader;
  readonly content: ContentBuffer;
  readonly tokens: TokenList;
  readonly literals: HuffmanDecoder;
  readonly distances: HuffmanDecoder;
}

/** @throws UpdateError unit_malformed */
export function readSymbol(reader: BitReader, decoder: HuffmanDecoder): number {
  reader.fill(CODE_BITS_MAX);
  const entry = decoder.table[reader.hold & TABLE_MASK]! || decoder.decodeLong(reader.hold);
  // Fewer bits than a code may have are an end of the input that comes too early, whatever they say.
  if (entry === NO_SYMBOL && reader.held < CODE_BITS_MAX) reader.drop(CODE_BITS_MAX);
  if (entry === NO_SYMBOL) malformed('deflate', `there is no such code near bit ${reader.position}`);
  reader.drop(entry & 15);
  return entry >> 4;
}

/** Reads a block's tokens, up to and with its end. */
export function inflateTokens(state: Inflating): void {
  for (;;) {
    if (inflateFast(state)) return;
    if (inflateStep(state)) return;
  }
}

/** One token; true at the end of the block. */
function inflateStep({ reader, content, tokens, literals, distances }: Inflating): boolean {
  const symbol = readSymbol(reader, literals);
  if (symbol === END_OF_BLOCK) return true;
  if (symbol < END_OF_BLOCK) {
    content.push(symbol);
    tokens.push(OP.literal, 1, 0);
    return false;
  }
  if (symbol > LAST_LENGTH) noSuch('length', symbol);
  const length = LENGTH_BASE[symbol - FIRST_LENGTH]! + reader.bits(LENGTH_EXTRA[symbol - FIRST_LENGTH]!);
  if (length === MATCH_MAX && symbol < LAST_LENGTH) longForm();
  const far = readSymbol(reader, distances);
  if (far >= DISTANCE_SYMBOLS) noSuch('distance', far);
  const distance = DISTANCE_BASE[far]! + reader.bits(DISTANCE_EXTRA[far]!);
  content.repeat(length, distance);
  tokens.push(OP.match, length, distance);
  return false;
}

/** As many tokens as there is certainly room for; true at the end of the block. */
function inflateFast({ reader, content, tokens, literals, distances }: Inflating): boolean {
  const input = reader.bytes;
  const inputEnd = input.length - TOKEN_INPUT_MAX;
  const output = content.bytes;
  const outputEnd = output.length - MATCH_MAX;
  const { chunk } = tokens;
  // What stood before the content is no token's.
  const shift = content.length - tokens.end;
  const near = literals.table;
  const far = distances.table;
  let { at, hold, held } = reader;
  let size = content.length;
  let slot = tokens.slot;
  let isEnded = false;
  while (at <= inputEnd && size <= outputEnd && slot < chunk.length) {
    for (; held < FILLED; held += 8) hold |= input[at++]! << held;
    let entry = near[hold & TABLE_MASK]!;
    if (entry === 0) entry = longSymbol(literals, hold);
    hold >>>= entry & 15;
    held -= entry & 15;
    let symbol = entry >> 4;
    if (symbol < END_OF_BLOCK) {
      chunk[slot] = size - shift;
      chunk[slot + 1] = 0;
      slot += 2;
      output[size++] = symbol;
      continue;
    }
    if (symbol === END_OF_BLOCK) {
      isEnded = true;
      break;
    }
    if (symbol > LAST_LENGTH) noSuch('length', symbol);
    let extra = LENGTH_EXTRA[symbol - FIRST_LENGTH]!;
    const length = LENGTH_BASE[symbol - FIRST_LENGTH]! + (hold & ((1 << extra) - 1));
    if (length === MATCH_MAX && symbol < LAST_LENGTH) longForm();
    hold >>>= extra;
    held -= extra;
    for (; held < FILLED; held += 8) hold |= input[at++]! << held;
    entry = far[hold & TABLE_MASK]!;
    if (entry === 0) entry = longSymbol(distances, hold);
    hold >>>= entry & 15;
    held -= entry & 15;
    symbol = entry >> 4;
    if (symbol >= DISTANCE_SYMBOLS) noSuch('distance', symbol);
    for (; held < FILLED; held += 8) hold |= input[at++]! << held;
    extra = DISTANCE_EXTRA[symbol]!;
    const distance = DISTANCE_BASE[symbol]! + (hold & ((1 << extra) - 1));
    hold >>>= extra;
    held -= extra;
    if (distance > size) malformed('deflate', `a distance of ${distance} at byte ${size} points before the start`);
    chunk[slot] = size - shift;
    chunk[slot + 1] = (OP.match << OP_SHIFT) | distance;
    slot += 2;
    for (const end = size + length; size < end; size++) output[size] = output[size - distance]!;
  }
  Object.assign(reader, { at, hold, held });
  content.length = size;
  tokens.took(slot, size - shift);
  return isEnded;
}

function longSymbol(decoder: HuffmanDecoder, hold: number): number {
  const entry = decoder.decodeLong(hold);
  if (entry === NO_SYMBOL) malformed('deflate', 'there is no such code');
  return entry;
}

function noSuch(what: string, symbol: number): never {
  malformed('deflate', `symbol ${symbol} is no ${what}`);
}

/** Nobody writes it, and as a token it could not be told from the usual form. */
function longForm(): never {
  malformed('deflate', 'a length of 258 has the symbol of shorter ones');
}
