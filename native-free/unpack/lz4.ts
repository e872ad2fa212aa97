/**
 * LZ4 blocks to tokens and back. Frames and file systems around them are the caller's.
 *
 * A block is a list of sequences: some literals, then a match. All numbers have one form each, so tokens say everything
 * but how the block ends: what is accepted comes back exactly, whoever wrote it.
 * @module
 */
import { BitWriter } from './deflate/bit-writer.ts';
import { ContentBuffer } from './content-buffer.ts';
import { malformed, OP, TokenList, type Unpacked, type UnpackLimits } from './tokens.ts';

const MATCH_MIN = 4;
const DISTANCE_MAX = 65_535;
/** A half byte that is full is followed by bytes to add, up to the first that is not. */
const HALF_FULL = 15;
const BYTE_FULL = 255;
/** A guess at what a byte unpacks to. */
const CONTENT_FOR_PACKED = 3;

export interface Lz4Params {
  /** The last sequence has literals only, as the format asks for; else the last match ends the block. */
  readonly endsInLiterals: boolean;
  /** The half byte that would be that sequence's match length; all writers leave it 0. */
  readonly spareHalf: number;
}

export interface Lz4Options {
  /** The block is over where the content has `contentBytesMax`, and not where the input ends. */
  readonly endsAtContent?: boolean;
}

class Lz4Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    if (this.at >= this.bytes.length) this.#ends();
    return this.bytes[this.at++]!;
  }

  take(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) this.#ends();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** A length whose half byte is `half`, at most `max`. */
  length(half: number, max: number): number {
    let length = half;
    for (let more = half === HALF_FULL; more && length <= max;) {
      const byte = this.byte();
      length += byte;
      more = byte === BYTE_FULL;
    }
    if (length > max) malformed('lz4', `${length} bytes at byte ${this.at}, where at most ${max} may come`);
    return length;
  }

  #ends(): never {
    malformed('lz4', `it ends at byte ${this.bytes.length}, inside a sequence`, { offset: this.bytes.length });
  }
}

/** @throws UpdateError unit_malformed */
export function unpackLz4(
  packed: Uint8Array,
  limits: UnpackLimits,
  { endsAtContent = false }: Lz4Options = {},
): Unpacked<Lz4Params> {
  const reader = new Lz4Reader(packed);
  const content = new ContentBuffer('lz4', limits.contentBytesMax, packed.length * CONTENT_FOR_PACKED, limits.isExact);
  const tokens = new TokenList(limits.tokensMax ?? limits.contentBytesMax);
  const isOver = (): boolean => (endsAtContent ? content.allowed === 0 : reader.at === packed.length);
  for (;;) {
    const first = reader.byte();
    const literals = reader.take(reader.length(first >> 4, content.allowed));
    content.append(literals);
    tokens.pushLiterals(literals.length);
    if (isOver()) return finish(reader, content, tokens, { endsInLiterals: true, spareHalf: first & HALF_FULL });
    const distance = reader.byte() | (reader.byte() << 8);
    const length = MATCH_MIN + reader.length(first & HALF_FULL, content.allowed);
    content.repeat(length, distance);
    tokens.push(OP.match, length, distance);
    if (isOver()) return finish(reader, content, tokens, { endsInLiterals: false, spareHalf: 0 });
  }
}

function finish(reader: Lz4Reader, content: ContentBuffer, tokens: TokenList, params: Lz4Params): Unpacked<Lz4Params> {
  return { content: content.finish(), tokens, params, packedBytes: reader.at };
}

/**
 * Exactly what was unpacked.
 * @throws UpdateError unit_malformed where the tokens do not make the content, or LZ4 cannot say them
 */
export function packLz4(content: Uint8Array, tokens: TokenList, params: Lz4Params): Uint8Array {
  const writer = new BitWriter(Math.min(content.length, tokens.count));
  let literalsFrom = 0;
  let at = 0;
  for (let i = 0; i < tokens.count; i++) {
    const length = tokens.lengthAt(i);
    const distance = tokens.distanceAt(i);
    if (length > content.length - at) malformed('lz4', `tokens make more than the content's ${content.length} bytes`);
    if (tokens.opAt(i) !== OP.literal) {
      const isMatch = tokens.opAt(i) === OP.match && length >= MATCH_MIN;
      if (!isMatch || distance < 1 || distance > Math.min(at, DISTANCE_MAX)) foreign(tokens, i);
      writeSequence(writer, content.subarray(literalsFrom, at), length, distance);
      literalsFrom = at + length;
    } else if (length !== 1) foreign(tokens, i);
    at += length;
  }
  if (at !== content.length) malformed('lz4', `tokens make ${at} of the content's ${content.length} bytes`);
  if (params.endsInLiterals) {
    writeSequence(writer, content.subarray(literalsFrom), MATCH_MIN + (params.spareHalf & HALF_FULL), 0);
  } else if (literalsFrom !== at || at === 0) malformed('lz4', 'a block without a last sequence ends in a match');
  return writer.finish();
}

/** Distance 0 for the last sequence, which has no match. */
function writeSequence(writer: BitWriter, literals: Uint8Array, length: number, distance: number): void {
  const literalHalf = Math.min(literals.length, HALF_FULL);
  const matchHalf = Math.min(length - MATCH_MIN, HALF_FULL);
  writer.bits((literalHalf << 4) | matchHalf, 8);
  writeMore(writer, literals.length);
  writer.append(literals);
  if (distance === 0) return;
  writer.bits(distance, 16);
  writeMore(writer, length - MATCH_MIN);
}

/** What of a length is not in its half byte. */
function writeMore(writer: BitWriter, length: number): void {
  if (length < HALF_FULL) return;
  let rest = length - HALF_FULL;
  for (; rest >= BYTE_FULL; rest -= BYTE_FULL) writer.bits(BYTE_FULL, 8);
  writer.bits(rest, 8);
}

function foreign(tokens: TokenList, i: number): never {
  malformed('lz4', `token ${i} is none of LZ4's (${tokens.opAt(i)}, ${tokens.lengthAt(i)}, ${tokens.distanceAt(i)})`);
}
