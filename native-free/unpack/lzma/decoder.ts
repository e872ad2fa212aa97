/**
 * LZMA symbols out of a range decoder: the content, and which symbol stood for it.
 *
 * After the LZMA specification of the LZMA SDK, "LZMA Decoder". A symbol makes one byte of content at least, and costs
 * at most 50 decisions, so work is bounded by the content that the caller allows.
 * @module
 */
import { malformed, OP, type TokenList, type UnpackLimits } from '../tokens.ts';
import {
  ALIGN,
  IS_MATCH,
  IS_REP,
  IS_REP0_LATER,
  IS_REP0_LONG,
  IS_REP1_LATER,
  IS_REP2_LATER,
  LENGTH,
  LENGTH_HIGH_TREE,
  LENGTH_LOW_TREE,
  LENGTH_MIDDLE,
  LENGTH_MIDDLE_TREE,
  LENGTH_MIN,
  LzmaModel,
  REP_LENGTH,
  SLOT,
  SLOT_DIRECT,
  SLOT_WITH_BITS,
  SPECIAL,
  STATE_MATCHED,
} from './model.ts';
import { RangeDecoder } from './range-decoder.ts';

export interface LzmaLimits extends UnpackLimits {
  /** How far back a stream may reach: all of the content by default. What it declares beyond is no fault if unused. */
  readonly dictionaryBytesMax?: number;
}

/** A dictionary that is declared smaller is still this large, as liblzma has it. */
const DICTIONARY_BYTES_MIN = 4096;

/** How far back distances may go in a stream that declares a dictionary of that size. */
export function reachOf(limits: LzmaLimits, dictionaryBytes = 2 ** 32): number {
  const declared = Math.max(dictionaryBytes, DICTIONARY_BYTES_MIN);
  return Math.min(declared, limits.dictionaryBytesMax ?? limits.contentBytesMax);
}

/** The content as far as it is decoded, and how far symbols may go. */
export interface DecodeRange {
  readonly content: Uint8Array;
  /** Where the dictionary begins: nothing before it is referred to. */
  readonly start: number;
  /** How far back distances go at most. */
  readonly dictionaryBytes: number;
  /** The first byte to decode. */
  readonly from: number;
  /** No symbol is begun from here on… */
  readonly stop: number;
  /** …and none goes past here. */
  readonly end: number;
  readonly mayEnd: boolean;
}

export class LzmaDecoder {
  readonly model = new LzmaModel();
  readonly range = new RangeDecoder();
  /** True once an end marker has been read. */
  ended = false;
  /** Where the stream was read up to when the last symbol began. */
  lastSymbolAt = 0;

  /**
   * Symbols until `stop` is reached or an end marker comes. Returns the end of the content.
   * @throws UpdateError unit_malformed
   */
  run(where: DecodeRange, tokens: TokenList): number {
    const { content, start, dictionaryBytes, stop, end } = where;
    const { model, range } = this;
    const probabilities = model.probabilities;
    let at = where.from;
    while (at < stop) {
      this.lastSymbolAt = range.at;
      const position = at - start;
      const column = (model.state << 4) + (position & model.positionMask);
      if (range.bit(probabilities, IS_MATCH + column) === 0) {
        content[at] = this.#literal(content, at, position);
        at++;
        tokens.push(OP.literal, 1, 0);
        continue;
      }
      const op = range.bit(probabilities, IS_REP + model.state) === 0 ? OP.match : this.#rep(column);
      let length = 1;
      if (op === OP.match) {
        length = this.#match(position & model.positionMask);
        if (model.rep0 === 0 && where.mayEnd) return this.#end(length, at);
      } else if (op !== OP.shortRep) {
        length = this.#length(REP_LENGTH, position & model.positionMask);
      }
      const distance = model.rep0;
      if (distance <= 0 || distance > position || distance > dictionaryBytes)
        malformed('lzma', `byte ${at} refers to ${distance >>> 0} bytes before`);
      if (length > end - at) malformed('lzma', `a match at byte ${at} leaves its chunk`);
      for (const until = at + length; at < until; at++) content[at] = content[at - distance]!;
      tokens.push(op, length, distance);
    }
    return at;
  }

  /** True if the next symbol is an end marker, which ends the content at `position` then. */
  readsEnd(position: number): boolean {
    const { model, range } = this;
    const place = position & model.positionMask;
    if (range.bit(model.probabilities, IS_MATCH + (model.state << 4) + place) === 0) return false;
    if (range.bit(model.probabilities, IS_REP + model.state) === 1) return false;
    const length = this.#match(place);
    if (model.rep0 === 0) this.#end(length, position);
    return this.ended;
  }

  #end(length: number, at: number): number {
    // Every encoder writes the shortest; another could not be written again.
    if (length !== LENGTH_MIN) malformed('lzma', `the end marker has length ${length}`);
    this.ended = true;
    return at;
  }

  #literal(content: Uint8Array, at: number, position: number): number {
    const { model, range } = this;
    const first = model.literalAt(position, position === 0 ? 0 : content[at - 1]!);
    const isMatched = model.state >= STATE_MATCHED;
    model.afterLiteral();
    if (!isMatched) return range.tree(model.probabilities, first, 8);
    return range.matchedLiteral(model.probabilities, first, content[at - model.rep0]!);
  }

  /** Which repeated distance; it is the latest then. */
  #rep(column: number): number {
    const { model, range } = this;
    const { probabilities, state } = model;
    if (range.bit(probabilities, IS_REP0_LATER + state) === 0) {
      if (range.bit(probabilities, IS_REP0_LONG + column) === 0) {
        model.afterShortRep();
        return OP.shortRep;
      }
      model.afterRep(0);
      return OP.rep0;
    }
    let index = 1;
    if (range.bit(probabilities, IS_REP1_LATER + state) === 1)
      index = 2 + range.bit(probabilities, IS_REP2_LATER + state);
    model.afterRep(index);
    return OP.rep0 + index;
  }

  /** The length of a match, whose distance is the latest then; 0 for the end marker. */
  #match(place: number): number {
    const { model, range } = this;
    const { probabilities } = model;
    const length = this.#length(LENGTH, place);
    const tree = SLOT + ((length < 5 ? length - LENGTH_MIN : 3) << 6);
    const slot = range.tree(probabilities, tree, 6);
    let distance = slot;
    if (slot >= SLOT_WITH_BITS) {
      const bits = (slot >> 1) - 1;
      distance = (2 | (slot & 1)) << bits;
      if (slot < SLOT_DIRECT) distance += range.reverseTree(probabilities, SPECIAL + distance - slot, bits);
      else distance += (range.direct(bits - 4) << 4) + range.reverseTree(probabilities, ALIGN, 4);
    }
    model.afterMatch((distance + 1) | 0);
    return length;
  }

  #length(coder: number, place: number): number {
    const { range } = this;
    const { probabilities } = this.model;
    if (range.bit(probabilities, coder) === 0)
      return LENGTH_MIN + range.tree(probabilities, coder + LENGTH_LOW_TREE + (place << 3), 3);
    if (range.bit(probabilities, coder + LENGTH_MIDDLE) === 0)
      return LENGTH_MIN + 8 + range.tree(probabilities, coder + LENGTH_MIDDLE_TREE + (place << 3), 3);
    return LENGTH_MIN + 16 + range.tree(probabilities, coder + LENGTH_HIGH_TREE, 8);
  }
}
