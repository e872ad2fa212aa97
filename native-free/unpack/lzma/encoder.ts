/**
 * LZMA symbols into a range encoder: from the content and its tokens, the very bytes that some compressor wrote.
 *
 * The decoder (decoder.ts) the other way round. There is nothing to choose: where a distance can be said in several
 * ways (a match whose distance is also a repeated one, equal repeated distances), the token says which it was.
 * @module
 */
import { malformed, OP, type TokenList } from '../tokens.ts';
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
  LENGTH_MAX,
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
import { RangeEncoder } from './range-encoder.ts';

/** What to encode, and where to stop. */
export interface EncodeRange {
  readonly content: Uint8Array;
  /** Where the dictionary begins. */
  readonly start: number;
  readonly from: number;
  /** No symbol is begun from here on… */
  readonly stop: number;
  /** …and none goes past here. */
  readonly end: number;
  readonly reachedMax: number;
}

export class LzmaEncoder {
  readonly model = new LzmaModel();
  readonly range: RangeEncoder;
  /** The next token to be encoded. */
  next = 0;

  constructor(bytesExpected: number) {
    this.range = new RangeEncoder(bytesExpected);
  }

  /**
   * Tokens from `from` on, of which none goes past `end`. Returns how far they came: to `stop`, or less where the output
   * came past `reachedMax` (see RangeEncoder.reached).
   * @throws UpdateError unit_malformed if they do not fit the range or contradict themselves
   */
  run({ content, start, from, stop, end, reachedMax }: EncodeRange, tokens: TokenList): number {
    const { model, range } = this;
    const probabilities = model.probabilities;
    let at = from;
    for (; at < stop && range.reached <= reachedMax; this.next++) {
      const index = this.next;
      if (index >= tokens.count) malformed('lzma', `no token for byte ${at}`);
      const op = tokens.opAt(index);
      const position = at - start;
      const column = (model.state << 4) + (position & model.positionMask);
      range.reserve();
      if (op === OP.literal) {
        range.bit(probabilities, IS_MATCH + column, 0);
        this.#literal(content, at, position);
        at++;
        continue;
      }
      const length = tokens.lengthAt(index);
      const distance = tokens.distanceAt(index);
      if (op > OP.rep3) malformed('lzma', `token ${index} is of no kind: ${op}`);
      if (length > end - at) malformed('lzma', `a match at byte ${at} leaves its chunk`);
      if (distance === 0 || distance > position) malformed('lzma', `byte ${at} refers to ${distance} bytes before`);
      if (op === OP.shortRep ? length !== 1 : length < LENGTH_MIN || length > LENGTH_MAX)
        malformed('lzma', `a match at byte ${at} has length ${length}`);
      range.bit(probabilities, IS_MATCH + column, 1);
      if (op === OP.match) this.#match(distance, length, position & model.positionMask);
      else this.#rep(op, distance, length, column);
      at += length;
    }
    return at;
  }

  /** The end marker: a match of the distance that no content can have. */
  end(position: number): void {
    const { model, range } = this;
    const place = position & model.positionMask;
    range.reserve();
    range.bit(model.probabilities, IS_MATCH + (model.state << 4) + place, 1);
    this.#match(0, LENGTH_MIN, place);
  }

  #literal(content: Uint8Array, at: number, position: number): void {
    const { model, range } = this;
    const first = model.literalAt(position, position === 0 ? 0 : content[at - 1]!);
    const literal = content[at]!;
    if (model.state < STATE_MATCHED) range.tree(model.probabilities, first, 8, literal);
    else range.matchedLiteral(model.probabilities, first, content[at - model.rep0]!, literal);
    model.afterLiteral();
  }

  #rep(op: number, distance: number, length: number, column: number): void {
    const { model, range } = this;
    const { probabilities, state } = model;
    range.bit(probabilities, IS_REP + state, 1);
    const index = op === OP.shortRep ? 0 : op - OP.rep0;
    range.bit(probabilities, IS_REP0_LATER + state, index === 0 ? 0 : 1);
    if (index === 0) {
      range.bit(probabilities, IS_REP0_LONG + column, op === OP.shortRep ? 0 : 1);
    } else {
      range.bit(probabilities, IS_REP1_LATER + state, index === 1 ? 0 : 1);
      if (index >= 2) range.bit(probabilities, IS_REP2_LATER + state, index - 2);
    }
    if (op === OP.shortRep) {
      model.afterShortRep();
    } else {
      this.#length(REP_LENGTH, column & 15, length);
      model.afterRep(index);
    }
    if (model.rep0 !== distance) malformed('lzma', `distance ${distance} is not repeated`);
  }

  /** A distance of 0 is the end marker's: it wraps to the largest of all. */
  #match(distance: number, length: number, place: number): void {
    const { model, range } = this;
    const { probabilities } = model;
    range.bit(probabilities, IS_REP + model.state, 0);
    this.#length(LENGTH, place, length);
    const coded = (distance - 1) >>> 0;
    const digits = 31 - Math.clz32(coded | 1);
    const slot = coded < SLOT_WITH_BITS ? coded : (digits << 1) | ((coded >>> (digits - 1)) & 1);
    range.tree(probabilities, SLOT + ((length < 5 ? length - LENGTH_MIN : 3) << 6), 6, slot);
    if (slot >= SLOT_WITH_BITS) {
      const bits = (slot >> 1) - 1;
      const base = (2 | (slot & 1)) << bits;
      if (slot < SLOT_DIRECT) {
        range.reverseTree(probabilities, SPECIAL + base - slot, bits, coded - base);
      } else {
        const rest = (coded - base) >>> 0;
        range.direct(rest >>> 4, bits - 4);
        range.reverseTree(probabilities, ALIGN, 4, rest & 15);
      }
    }
    model.afterMatch(distance);
  }

  #length(coder: number, place: number, length: number): void {
    const { range } = this;
    const { probabilities } = this.model;
    const rest = length - LENGTH_MIN;
    range.bit(probabilities, coder, rest < 8 ? 0 : 1);
    if (rest < 8) {
      range.tree(probabilities, coder + LENGTH_LOW_TREE + (place << 3), 3, rest);
      return;
    }
    range.bit(probabilities, coder + LENGTH_MIDDLE, rest < 16 ? 0 : 1);
    if (rest < 16) range.tree(probabilities, coder + LENGTH_MIDDLE_TREE + (place << 3), 3, rest - 8);
    else range.tree(probabilities, coder + LENGTH_HIGH_TREE, 8, rest - 16);
  }
}
