/**
 * What the map, the token coder and the segments ask of a codec.
 * @module
 */
import type { NumberCoder } from '../model/number-coder.ts';
import type { TokenList, Unpacked, UnpackLimits } from './tokens.ts';

/** What tokens of a codec can say, so that one coder can price those of all. */
export interface TokenRules {
  readonly matchMin: number;
  readonly matchMax: number;
  readonly distanceMax: number;
  /** How many earlier distances have symbols of their own, and what they are at the start: [] where there are none. */
  readonly reps: readonly number[];
  /** A match of one byte at the last distance has a symbol (LZMA). */
  readonly hasShortRep: boolean;
}

/** `P` is what `unpack` gives besides content and tokens; `H` is the part of it that is known before the tokens. */
export interface UnitCodec<P = unknown, H = unknown> {
  readonly name: string;
  readonly rules: TokenRules;
  /** @throws UpdateError unit_malformed */
  unpack(packed: Uint8Array, limits: UnpackLimits): Unpacked<P>;
  /**
   * Exactly what was unpacked, if the params are right.
   * @throws UpdateError unit_malformed
   */
  pack(content: Uint8Array, tokens: TokenList, params: P): Uint8Array;
  /** The bytes that tokens are about, of the content's length: the content itself, or what a branch filter makes of it. */
  tokenBytes(content: Uint8Array, head: H): Uint8Array;
  headOf(params: P): H;
  /**
   * Codes what is known before the tokens. Both directions: an encoder gives `head`, a decoder null, and both get it
   * back. `like` are the params of the source's unit that resembles this one most, or null.
   * @throws UpdateError unit_malformed
   */
  codeHead(numbers: NumberCoder, head: H | null, like: P | null, content: Uint8Array): H;
  /** Codes the rest, once tokens are known. */
  codeTail(numbers: NumberCoder, head: H, params: P | null, like: P | null, content: Uint8Array, tokens: TokenList): P;
}

/** A unit of the source that tokens of the target's are predicted from. */
export interface SourceUnit {
  /** What its tokens are about (see `tokenBytes`). */
  readonly bytes: Uint8Array;
  readonly tokens: TokenList;
  /** Where in `bytes` each token begins, and, last, where they end. */
  readonly starts: Uint32Array;
}

/** Bytes [at, at + length) of a target unit resemble those of a source unit from `from`. */
export interface AlignedRun {
  readonly at: number;
  readonly length: number;
  readonly source: SourceUnit;
  readonly from: number;
}
