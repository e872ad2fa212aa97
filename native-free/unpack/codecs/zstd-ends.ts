/**
 * Where blocks of a zstd frame end. The reference implementation takes 128 KiB of content at a time (a *region*), and may
 * cut its sequences in halves, and those again: a region costs a flag for each cut that could be.
 * @module
 */
import type { NumberCoder } from '../../model/number-coder.ts';
import { OP, type TokenList } from '../tokens.ts';
import { BLOCK_BYTES_MAX } from '../zstd/codes.ts';
import type { ZstdParams } from '../zstd/params.ts';
import { codeBounded } from './fields.ts';
import { FLAG, NUMBER } from './zstd-kinds.ts';

/** Fewer sequences are not cut. */
const SEQUENCES_MIN = 300;
/** More cuts than that of a region are not made. */
const REGION_BLOCKS_MAX = 200;
/** A cut near one of the other frame's is likely. */
const NEAR = [256, 2048, 16_384];

export interface FrameTokens {
  readonly numbers: NumberCoder;
  readonly tokens: TokenList;
  readonly contentBytes: number;
  /** What is taken at a time. */
  readonly regionBytes: number;
}

/** Calls `each` for every block, with its length; a decoder gives no params. */
export function codeBlockEnds(
  frame: FrameTokens,
  params: ZstdParams | null,
  like: ZstdParams | null,
  each: (contentBytes: number) => void,
): void {
  const { numbers, contentBytes, regionBytes } = frame;
  const ends = params === null ? null : endsOf(params);
  const likeEnds = like === null ? [] : endsOf(like);
  const walk = new TokenWalk(frame.tokens);
  let at = 0;
  let blocks = 0;
  // A frame has a block at least, and may have empty ones behind its content.
  while (blocks === 0 || at < contentBytes || numbers.flag(blocks < (ends?.length ?? 0), FLAG.more)) {
    const usual = Math.min(contentBytes - at, regionBytes);
    const given = ends?.[blocks] ?? 0;
    const chosen = ends === null ? null : endsUpTo(ends, blocks, at + usual);
    // Only a region that is taken whole is worth looking through: explicit blocks may be many.
    const mayBe = chosen !== null && chosen.length > 0 && isHalved(walk.cuts(at + usual), at + usual, chosen);
    const isUsual = numbers.flag(mayBe, FLAG.region);
    const bytes = isUsual ? usual : codeBounded(numbers, given - at, BLOCK_BYTES_MAX, NUMBER.regionBytes);
    const before = at;
    const cut = (end: number): void => {
      each(end - at);
      at = end;
      blocks++;
    };
    if (isUsual) {
      const cuts = walk.cuts(at + usual);
      codeCuts({ numbers, cuts, chosen, likeEnds, cut }, 0, cuts.length, 0);
    }
    cut(Math.min(before + bytes, contentBytes));
    walk.skip(at);
  }
}

function endsOf({ blocks }: ZstdParams): readonly number[] {
  let at = 0;
  return blocks.map(({ contentBytes }) => (at += contentBytes));
}

/** Those from `first` on that lie within a region; none where no block ends where it does, or there are too many. */
function endsUpTo(ends: readonly number[], first: number, end: number): readonly number[] {
  for (let i = first; i < ends.length && i < first + REGION_BLOCKS_MAX && ends[i]! <= end; i++)
    if (ends[i] === end) return ends.slice(first, i + 1);
  return [];
}

/** Goes along tokens to find where their sequences end. */
class TokenWalk {
  readonly #tokens: TokenList;
  #token = 0;
  #at = 0;

  constructor(tokens: TokenList) {
    this.#tokens = tokens;
  }

  /** Ends of the sequences before `end`, which stays ahead. */
  cuts(end: number): readonly number[] {
    const tokens = this.#tokens;
    const cuts: number[] = [];
    for (let token = this.#token, at = this.#at; token < tokens.count && at < end; token++) {
      at += tokens.lengthAt(token);
      if (tokens.opAt(token) !== OP.literal) cuts.push(at);
    }
    return cuts;
  }

  skip(to: number): void {
    const tokens = this.#tokens;
    for (; this.#token < tokens.count && this.#at < to; this.#token++) this.#at += tokens.lengthAt(this.#token);
  }
}

interface Cutting {
  readonly numbers: NumberCoder;
  /** Ends of all sequences of the region. */
  readonly cuts: readonly number[];
  /** Ends of its blocks, in an encoder. */
  readonly chosen: readonly number[] | null;
  readonly likeEnds: readonly number[];
  readonly cut: (end: number) => void;
}

/** Cuts of sequences [from, to), in order. */
function codeCuts(cutting: Cutting, from: number, to: number, depth: number): void {
  if (to - from < SEQUENCES_MIN) return;
  const { numbers, cuts, chosen, likeEnds, cut } = cutting;
  const middle = (from + to) >> 1;
  const end = cuts[middle - 1]!;
  const near = NEAR.findIndex((most) => likeEnds.some((other) => Math.abs(other - end) <= most));
  const size = 31 - Math.clz32(to - from);
  const isCut = numbers.flag(chosen?.includes(end) ?? false, FLAG.split, near + 1, size, depth);
  if (!isCut) return;
  codeCuts(cutting, from, middle, depth + 1);
  cut(end);
  codeCuts(cutting, middle, to, depth + 1);
}

/** Whether these are the ends that halving makes of a region up to `end`. */
function isHalved(cuts: readonly number[], end: number, chosen: readonly number[]): boolean {
  const made: number[] = [];
  const halve = (from: number, to: number): void => {
    const middle = (from + to) >> 1;
    if (to - from < SEQUENCES_MIN || !chosen.includes(cuts[middle - 1]!)) return;
    halve(from, middle);
    made.push(cuts[middle - 1]!);
    halve(middle, to);
  };
  halve(0, cuts.length);
  made.push(end);
  return made.length === chosen.length && made.every((place, i) => place === chosen[i]);
}
