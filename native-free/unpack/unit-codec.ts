/**
 * What the map, the token coder and the segments ask of a codec.
 * @module
 */
import type { NumberCoder } from '../model/number-coder.ts';
import { malformed, type TokenList, type Unpacked, type UnpackLimits } from './tokens.ts';

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

/** Where a stream stands between two units: what the one that continues it needs. */
export interface StreamState {
  /** Bits of the first byte that belong to what came before. */
  readonly bit: number;
  /** The last content, as far back as matches reach. */
  readonly history: Uint8Array;
}

/** What is known of a unit before it is unpacked. */
export interface UnitSizes {
  readonly packedBytes: number;
  readonly contentBytes: number;
}

/** What is wanted of a unit, and what it may take. */
export interface UnitOptions {
  /** All params are wanted that packing needs, else only content and tokens count. */
  readonly exact: boolean;
  /** As many as there is memory for; default: as many as there are bytes of content. */
  readonly tokensMax?: number;
}

/** A unit taken apart; `after` where another unit may continue it. */
export interface UnpackedUnit<P> {
  readonly content: Uint8Array;
  readonly tokens: TokenList;
  readonly params: P;
  readonly after: StreamState | null;
}

/** `P` is what `unpack` gives besides content and tokens; `H` is the part of it that is known before the tokens. */
export interface UnitCodec<P = unknown, H = unknown> {
  readonly name: string;
  readonly rules: TokenRules;
  /**
   * `packed` begins with the unit and may go on behind it. `before` is null where a stream begins.
   * @throws UpdateError unit_malformed, also where the unit has other sizes, or too many tokens
   */
  unpack(packed: Uint8Array, sizes: UnitSizes, before: StreamState | null, options: UnitOptions): UnpackedUnit<P>;
  /**
   * Exactly what was unpacked, if the params are right.
   * @throws UpdateError unit_malformed
   */
  pack(content: Uint8Array, tokens: TokenList, params: P): Uint8Array;
  /** The bytes that tokens are about, of the content's length: the content itself, or what a branch filter makes of it. */
  tokenBytes(content: Uint8Array, head: H): Uint8Array;
  /** Whether these are other bytes than the content, in memory of their own. */
  isFiltered(head: H): boolean;
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
}

/** Bytes [at, at + length) of a target unit resemble those of a source unit from `from`. */
export interface AlignedRun {
  readonly at: number;
  readonly length: number;
  readonly source: SourceUnit;
  readonly from: number;
}

/** Exactly as much as the map says. */
export function unitLimits({ contentBytes }: UnitSizes, { tokensMax = Infinity }: UnitOptions): UnpackLimits {
  return { contentBytesMax: contentBytes, isExact: true, tokensMax: Math.min(contentBytes, tokensMax) };
}

/** @throws UpdateError unit_malformed where a unit has other sizes than its map says */
export function checkedUnit<P>(codec: string, unpacked: Unpacked<P>, sizes: UnitSizes): UnpackedUnit<P> {
  const { content, tokens, params, packedBytes } = unpacked;
  if (content.length !== sizes.contentBytes || packedBytes !== sizes.packedBytes)
    malformed(
      codec,
      `a unit of ${packedBytes} bytes unpacks to ${content.length}; ${sizes.packedBytes} and ${sizes.contentBytes} are said`,
    );
  return { content, tokens, params, after: null };
}
