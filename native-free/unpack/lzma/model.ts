/**
 * The adaptive probabilities of LZMA and the little state beside them, which decoder and encoder keep alike.
 *
 * After the LZMA specification of the LZMA SDK (Pavlov, public domain), "Context model" and following. All
 * probabilities stand in one array; the constants below say where each kind begins.
 * @module
 */
import { malformed } from '../tokens.ts';

/** Flags by state and position: 12 states of 16 positions each. */
export const IS_MATCH = 0;
export const IS_REP = 192;
export const IS_REP0_LATER = 204;
export const IS_REP1_LATER = 216;
export const IS_REP2_LATER = 228;
export const IS_REP0_LONG = 240;
/** Distance slots: 4 trees of 64, by length. */
export const SLOT = 432;
/** Low bits of middle distances: trees that overlap as the specification says; the first entry of none is used. */
export const SPECIAL = 688;
/** The low four bits of long distances. */
export const ALIGN = 816;
/** Two coders of lengths: of matches and of repeated distances. */
export const LENGTH = 832;
export const REP_LENGTH = 1346;
/** Within a coder of lengths: its second flag, and its trees. */
export const LENGTH_MIDDLE = 1;
export const LENGTH_LOW_TREE = 2;
export const LENGTH_MIDDLE_TREE = 130;
export const LENGTH_HIGH_TREE = 258;
const LITERAL = 1860;
const LITERAL_SIZE = 0x300;

/** Slots from here on have low bits; from there on, low bits without a model. */
export const SLOT_WITH_BITS = 4;
export const SLOT_DIRECT = 14;
export const LENGTH_MIN = 2;
export const LENGTH_MAX = 273;
/** States below this one follow a literal. */
export const STATE_MATCHED = 7;
/** An interval below 2^24 is widened by a byte. */
export const RANGE_BITS_LOW = 24;
export const PROBABILITY_BITS = 11;
export const PROBABILITY_ONE = 1 << PROBABILITY_BITS;
export const PROBABILITY_SHIFT = 5;

/** lc, lp and pb of a properties byte. More than four literal bits are refused, as liblzma refuses them. */
const CONTEXT_BITS_MAX = 4;
const PROPERTIES_MAX = 9 * 5 * 5;

export class LzmaModel {
  probabilities = new Uint16Array(LITERAL);
  state = 0;
  /** The last four distances, the latest first; a match of the one before has 1. Signed 32 bits, which stay fast. */
  rep0 = 1;
  rep1 = 1;
  rep2 = 1;
  rep3 = 1;
  literalContextBits = 0;
  literalPositionMask = 0;
  positionMask = 0;

  /**
   * Takes a properties byte; `reset` must follow.
   * @throws UpdateError unit_malformed
   */
  setProperties(properties: number): void {
    const lc = properties % 9;
    const lp = Math.floor(properties / 9) % 5;
    const pb = Math.floor(properties / 45);
    if (properties >= PROPERTIES_MAX || lc + lp > CONTEXT_BITS_MAX) malformed('lzma', `no properties: ${properties}`);
    this.literalContextBits = lc;
    this.literalPositionMask = (1 << lp) - 1;
    this.positionMask = (1 << pb) - 1;
    const size = LITERAL + (LITERAL_SIZE << (lc + lp));
    if (this.probabilities.length !== size) this.probabilities = new Uint16Array(size);
  }

  /** Forgets everything but the properties. */
  reset(): void {
    this.probabilities.fill(PROBABILITY_ONE >> 1);
    this.state = 0;
    this.rep0 = this.rep1 = this.rep2 = this.rep3 = 1;
  }

  /** Where the probabilities of a literal begin, by its position and the byte before it. */
  literalAt(position: number, before: number): number {
    const lc = this.literalContextBits;
    const context = ((position & this.literalPositionMask) << lc) + (before >> (8 - lc));
    return LITERAL + LITERAL_SIZE * context;
  }

  afterLiteral(): void {
    const state = this.state;
    this.state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  }

  afterMatch(distance: number): void {
    this.rep3 = this.rep2;
    this.rep2 = this.rep1;
    this.rep1 = this.rep0;
    this.rep0 = distance;
    this.state = this.state < STATE_MATCHED ? 7 : 10;
  }

  /** The repeated distance of that index becomes the latest. */
  afterRep(index: number): void {
    if (index > 0) {
      const distance = index === 1 ? this.rep1 : index === 2 ? this.rep2 : this.rep3;
      if (index === 3) this.rep3 = this.rep2;
      if (index >= 2) this.rep2 = this.rep1;
      this.rep1 = this.rep0;
      this.rep0 = distance;
    }
    this.state = this.state < STATE_MATCHED ? 8 : 11;
  }

  afterShortRep(): void {
    this.state = this.state < STATE_MATCHED ? 9 : 11;
  }
}
