/**
 * Tokens that are not what was expected: a literal or a match; which recent distance; how long; how far.
 *
 * The longest match here, and those of the recent distances, are what a compressor chose from, so that lengths are said
 * by how much they fall short of them, and distances by how many nearer ones would have done.
 * @module
 */
import { bitLength, contextHash } from '../../model/hash.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import type { TokenRules } from '../unit-codec.ts';
import { malformed, OP } from '../tokens.ts';
import { SET, TAG, TOKEN_NUMBER } from './decisions.ts';
import { BYTES_A_STEP, RANKED_MIN, type MatchFinder, matchLength, RANKS } from './match-finder.ts';
import { BoundedNumbers } from './numbers.ts';
import type { RecentDistances } from './recent-distances.ts';

const REPS_MAX = 4;

/** What is known of a place when its token is a surprise. */
export interface Surprise {
  at: number;
  /** It is known to be no literal. */
  noLiteral: boolean;
  /** What was expected: 63 nothing, 0 a literal, else 1 and up by length. */
  expected: number;
  /** The longest match here, and by how much that at the next byte is longer. */
  length: number;
  distance: number;
  nextLonger: number;
  /** Where the source's next two tokens begin, from here; 0 if not known. */
  sourceNext: number;
  sourceSecond: number;
  /** Bits of the last tokens: which were matches, which were missed. */
  kinds: number;
  misses: number;
}

export class SurpriseCoder {
  op = 0;
  length = 0;
  distance = 0;
  readonly #coder: ModelCoder;
  readonly #numbers: BoundedNumbers;
  readonly #finder: MatchFinder;
  readonly #recent: RecentDistances;
  /** Length of the match of each recent distance. */
  readonly #repLength = new Uint32Array(REPS_MAX);
  #lastPlain = 0;
  #strangers = 0;
  #rules: TokenRules | null = null;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(coder: ModelCoder, finder: MatchFinder, recent: RecentDistances) {
    this.#coder = coder;
    this.#numbers = new BoundedNumbers(coder);
    this.#finder = finder;
    this.#recent = recent;
  }

  reset(): void {
    this.#lastPlain = 0;
    this.#strangers = 0;
  }

  start(bytes: Uint8Array, rules: TokenRules): void {
    this.#repLength.fill(0); // a codec without recent distances must not see those of another's unit
    this.#bytes = bytes;
    this.#rules = rules;
  }

  /** An encoder has put the token into `op`, `length` and `distance`; a decoder finds it there. */
  code(place: Surprise): void {
    const { matchMin, matchMax, hasShortRep } = this.#rules!;
    const { at } = place;
    const max = Math.min(matchMax, this.#bytes.length - at);
    const best = this.#measureReps(at, max);
    const possible = at > 0 && (max >= matchMin || (hasShortRep && max > 0));
    if (possible) {
      const isMatch = place.noLiteral ? 1 : this.#kindFlag(place, best);
      if (isMatch !== 0) {
        this.#match(place, max);
        return;
      }
    }
    this.op = OP.literal;
    this.length = 1;
    this.distance = 0;
  }

  #measureReps(at: number, max: number): number {
    const recent = this.#recent;
    let best = 0;
    for (let i = 0; i < recent.count; i++) {
      const distance = recent.distance[i]!;
      const length = distance > at ? 0 : matchLength(this.#bytes, at, distance, max);
      this.#repLength[i] = length;
      this.#finder.steps += 1 + length / BYTES_A_STEP;
      if (length > best) best = length;
    }
    return best;
  }

  #kindFlag(place: Surprise, repBest: number): number {
    const { expected, kinds, misses } = place;
    const contexts = this.#coder.contexts;
    const longest = Math.min(place.length, 34);
    const next = place.nextLonger;
    const far = bitLength(place.distance);
    contexts[0] = contextHash(TAG.kind, longest, next, kinds & 15);
    contexts[1] = contextHash(TAG.kind + 1, expected, longest);
    contexts[2] = contextHash(TAG.kind + 2, Math.min(this.#repLength[0]!, 20), longest, kinds & 15);
    contexts[3] = contextHash(TAG.kind + 3, far, longest, next);
    contexts[4] = contextHash(TAG.kind + 4, misses & 15, expected, next);
    contexts[5] = contextHash(TAG.kind + 5, (far << 6) | longest, Math.min(repBest, 20));
    contexts[6] = contextHash(TAG.kind + 6, repBest >= place.length ? 1 : 0, Math.min(repBest, 20), longest);
    const step = Math.min(place.sourceNext, 20);
    contexts[7] = contextHash(
      TAG.kind + 7,
      step,
      (relation(place.length, place) << 4) | next,
      relation(repBest, place),
    );
    contexts[8] = contextHash(TAG.kind + 8, step, longest, (expected << 4) | (kinds & 15));
    this.#coder.work.spent += 9;
    return this.#coder.flag(
      this.op === OP.literal ? 0 : 1,
      9,
      SET.kind + Math.min(longest >> 1, 15) + (next > 0 ? 16 : 0),
    );
  }

  #match(place: Surprise, max: number): void {
    const { matchMin, hasShortRep } = this.#rules!;
    const recent = this.#recent;
    if (recent.count > 0 && this.#strangerFlag() !== 0) {
      this.#stranger(place, max);
      return;
    }
    for (let i = 0; i < recent.count; i++) {
      const distance = recent.distance[i]!;
      const length = this.#repLength[i]!;
      if (length < (i === 0 && hasShortRep ? 1 : matchMin) || recent.opOf(distance) !== OP.rep0 + i) continue;
      if (this.#repFlag(place, i, this.distance === distance ? 1 : 0) === 0) continue;
      this.distance = distance;
      this.#length(place, length, max, i);
      if (this.length > length) malformed('tokens', `a match at byte ${place.at} that is none`);
      this.op = hasShortRep && this.length === 1 ? OP.shortRep : this.exactOp(OP.rep0 + i, place.expected, 8);
      return;
    }
    if (max < matchMin) malformed('tokens', `a match at byte ${place.at}, where ${max} bytes are left`);
    this.#length(place, place.length, max, REPS_MAX);
    this.#distance(place);
    this.op = OP.match;
  }

  /** The codec's recent distances are others than ours: they began anew within the unit, as LZMA2's do. */
  isStranger(): boolean {
    if (this.op < OP.shortRep) return false;
    return this.#recent.distance[this.op === OP.shortRep ? 0 : this.op - OP.rep0] !== this.distance;
  }

  #strangerFlag(): number {
    this.#coder.contexts[0] = contextHash(TAG.plain + 3, 16, this.#strangers);
    this.#coder.work.spent++;
    const flag = this.#coder.flag(this.isStranger() ? 1 : 0, 1, SET.plain + 5);
    this.#strangers = ((this.#strangers << 1) | flag) & 7;
    return flag;
  }

  #stranger(place: Surprise, max: number): void {
    const { matchMin, hasShortRep } = this.#rules!;
    const last = OP.rep0 + this.#recent.count - 1;
    let op: number = hasShortRep ? OP.shortRep : OP.rep0;
    for (; op < last; op++) {
      this.#coder.contexts[0] = contextHash(TAG.plain + 3, 32 + op);
      this.#coder.work.spent++;
      if (this.#coder.flag(this.op === op ? 1 : 0, 1, SET.plain + 6) !== 0) break;
    }
    this.op = op;
    if (op === OP.shortRep) this.length = 1;
    else {
      if (max < matchMin) malformed('tokens', `a match at byte ${place.at}, where ${max} bytes are left`);
      this.#length(place, place.length, max, REPS_MAX);
    }
    this.#distance(place);
  }

  /** Which op says a distance whose usual one is `usual`: LZMA may also say it in full, or by a later place of the list. */
  exactOp(usual: number, expected: number, sourceOp: number): number {
    const recent = this.#recent;
    const contexts = this.#coder.contexts;
    const i = usual - OP.rep0;
    contexts[0] = contextHash(TAG.plain, sourceOp, i);
    contexts[1] = contextHash(TAG.plain + 1, sourceOp, Math.min(expected, 20), i);
    contexts[2] = contextHash(TAG.plain + 2, this.#lastPlain, sourceOp, i);
    this.#coder.work.spent += 3;
    const isUsual = this.#coder.flag(this.op === usual ? 1 : 0, 3, SET.plain + i);
    this.#lastPlain = ((this.#lastPlain << 1) | (isUsual ^ 1)) & 7;
    if (isUsual !== 0) return usual;
    for (let later = i + 1; later < recent.count; later++) {
      if (recent.distance[later] !== recent.distance[i]) continue;
      contexts[0] = contextHash(TAG.plain + 3, later);
      this.#coder.work.spent++;
      if (this.#coder.flag(this.op === OP.rep0 + later ? 1 : 0, 1, SET.plain + 4) !== 0) return OP.rep0 + later;
    }
    return OP.match;
  }

  #repFlag(place: Surprise, i: number, wanted: number): number {
    const contexts = this.#coder.contexts;
    const length = this.#repLength[i]!;
    const longest = Math.min(place.length, 34);
    contexts[0] = contextHash(TAG.rep, i, Math.min(length, 20), longest);
    contexts[1] = contextHash(TAG.rep + 1, i, length >= place.length ? 0 : Math.min(place.length - length, 40));
    contexts[2] = contextHash(TAG.rep + 2, i, place.expected, bitLength(place.distance));
    contexts[3] = contextHash(TAG.rep + 3, i, place.kinds & 15, place.misses & 3);
    this.#coder.work.spent += 4;
    return this.#coder.flag(wanted, 4, SET.rep + i);
  }

  /** A length, by how much it falls short of `full`; `which` is the recent distance, or none. */
  #length(place: Surprise, full: number, max: number, which: number): void {
    const { matchMin, hasShortRep } = this.#rules!;
    const min = which === 0 && hasShortRep ? 1 : matchMin;
    const { expected } = place;
    const short = Math.min(full, 40);
    if (full >= min) {
      const step = this.length === full ? 0 : this.length < full ? 1 : 2;
      if (this.#lengthFlag(step === 0 ? 1 : 0, place, short, which, 0) !== 0) {
        this.length = full;
        return;
      }
      if (full > min && this.#lengthFlag(step === 1 ? 1 : 0, place, short, which, 1) !== 0) {
        const less = this.#numbers.code(
          full - this.length - 1,
          full - min - 1,
          TOKEN_NUMBER.shorter,
          (short << 3) | which,
          Math.max(0, full - (place.sourceNext < full ? place.sourceNext : full)),
        );
        this.length = full - 1 - less;
        this.#checkLength(place, min, max);
        return;
      }
    }
    this.length =
      min + this.#numbers.code(this.length - min, max - min, TOKEN_NUMBER.length, (short << 3) | which, expected);
    this.#checkLength(place, min, max);
  }

  #checkLength(place: Surprise, min: number, max: number): void {
    const isShort = min < this.#rules!.matchMin && this.length === 1;
    if (this.length <= max && (this.length >= this.#rules!.matchMin || isShort)) return;
    malformed('tokens', `a match of ${this.length} bytes at byte ${place.at}`);
  }

  #lengthFlag(value: number, place: Surprise, full: number, which: number, step: number): number {
    const contexts = this.#coder.contexts;
    const key = (which << 1) | step;
    contexts[0] = contextHash(TAG.full, full, key);
    contexts[1] = contextHash(TAG.full + 1, place.expected, key, full);
    contexts[2] = contextHash(TAG.full + 2, place.nextLonger, key, place.misses & 3);
    contexts[3] = contextHash(TAG.full + 3, bitLength(place.distance), full, key);
    contexts[4] = contextHash(TAG.full + 4, relation(full, place), key, Math.min(place.sourceNext, 20));
    contexts[5] = contextHash(
      TAG.full + 5,
      full,
      key,
      (Math.min(place.sourceNext, 40) << 6) | Math.min(place.sourceSecond, 60),
    );
    this.#coder.work.spent += 6;
    return this.#coder.flag(value, 6, SET.full + step * 8 + which);
  }

  /** A distance, by how many nearer matches are as long. */
  #distance(place: Surprise): void {
    const { at } = place;
    const finder = this.#finder;
    const isFull = this.length === place.length;
    const hasRank = this.length >= RANKED_MIN;
    let nearest = isFull ? place.distance : 0;
    if (hasRank && !isFull) {
      finder.walk(at, this.length, 0, 0);
      nearest = finder.rankedDistance;
    }
    if (nearest > 0) {
      if (this.#nearestFlag(this.distance === nearest ? 1 : 0, place, isFull ? 1 : 0) !== 0) {
        this.distance = nearest;
        return;
      }
      if (hasRank && this.#ranked(place)) return;
    }
    const max = Math.min(at, this.#rules!.distanceMax);
    const short = Math.min(this.length, 10);
    this.distance = 1 + this.#numbers.code(this.distance - 1, max - 1, TOKEN_NUMBER.distance, short, bitLength(at));
    if (matchLength(this.#bytes, at, this.distance, this.length) < this.length)
      malformed('tokens', `a match at byte ${at} that is none`);
    finder.steps += this.length / BYTES_A_STEP;
  }

  /** The distance by its rank, if it has one; 0 says that it has none. */
  #ranked(place: Surprise): boolean {
    const { at } = place;
    const finder = this.#finder;
    let rank = 0;
    if (this.#coder.encoding) {
      const { steps } = finder;
      finder.walk(at, this.length, -1, this.distance);
      finder.steps = steps; // a decoder does not walk here
      rank = Math.max(0, finder.rank);
    }
    rank = this.#numbers.code(rank, RANKS, TOKEN_NUMBER.rank, Math.min(this.length, 10), bitLength(place.distance));
    if (rank === 0) return false;
    finder.walk(at, this.length, rank, 0);
    if (finder.rank < 0) malformed('tokens', `no match of rank ${rank} at byte ${at}`);
    this.distance = finder.rankedDistance;
    return true;
  }

  #nearestFlag(value: number, place: Surprise, isFull: number): number {
    const contexts = this.#coder.contexts;
    contexts[0] = contextHash(TAG.nearest, Math.min(this.length, 20), isFull);
    contexts[1] = contextHash(TAG.nearest + 1, place.expected, isFull);
    contexts[2] = contextHash(TAG.nearest + 2, place.misses & 3, isFull, bitLength(place.distance));
    this.#coder.work.spent += 3;
    return this.#coder.flag(value, 3, SET.nearest + isFull);
  }
}

/** How the end of a match of `length` bytes stands to the ends of the source's tokens. */
function relation(length: number, { sourceNext, sourceSecond }: Surprise): number {
  if (sourceNext === 0) return 0;
  if (length === sourceNext) return 1;
  if (length < sourceNext) return 2;
  if (length === sourceSecond) return 3;
  return length < sourceSecond ? 4 : 5;
}
