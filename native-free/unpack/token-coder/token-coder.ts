/**
 * Tokens of a unit, priced by how they differ from what is expected.
 *
 * Expected is what the source had at the aligned place (SourceGuide). Up to 64 tokens that are all as expected cost one
 * flag; else each has a flag, and only surprises are said (SurpriseCoder). Models go on from unit to unit until `reset`.
 * @module
 */
import { bitLength, contextHash } from '../../model/hash.ts';
import type { ModelCoder } from '../../model/model-coder.ts';
import type { AlignedRun, TokenRules } from '../unit-codec.ts';
import { malformed, OP, TokenList } from '../tokens.ts';
import { SET, TAG } from './decisions.ts';
import { BYTES_A_STEP, MatchFinder, matchLength } from './match-finder.ts';
import { RecentDistances } from './recent-distances.ts';
import { KNOWN, SourceGuide } from './source-guide.ts';
import { type Surprise, SurpriseCoder } from './surprise-coder.ts';

/** Tokens that one flag may stand for, and the fewest for which one is worth it. */
const GROUP = 64;
const GROUP_MIN = 4;
/** Equal bytes counted behind a group, and before. */
const BEHIND_MAX = 2048;
const BEFORE_MAX = 40_000;
/** Equal bytes counted behind a place. */
const AHEAD_MAX = 64;
/** Steps of guide and finder that take the time of a look-up. */
const STEPS_A_LOOKUP = 8;
/**
 * A group has a flag only where such groups were as expected often enough, in 1/65536: one that is not costs a bit and
 * more, where tokens one by one, with a longest match to compare with, cost next to nothing.
 */
const TRUSTED = 60_000;
const TRUST_FIRST = 62_000;
const TRUST_LEARNING = 4;
const NOTHING_EXPECTED = 63;

const NO_BYTES = new Uint8Array(0);

/** A unit whose tokens are coded. */
export interface TokenUnit {
  /** What tokens are about (`tokenBytes` of its codec), complete. */
  readonly bytes: Uint8Array;
  /** Where the first token begins; what is before may be matched. Default: 0. */
  readonly first?: number;
  readonly rules: TokenRules;
  /** As many as a decoder has memory for; default: one for each byte. */
  readonly tokensMax?: number;
  /** By `at`; they do not overlap. */
  readonly runs: readonly AlignedRun[];
}

export class TokenCoder {
  readonly #coder: ModelCoder;
  readonly #recent = new RecentDistances();
  /** Recent distances as they will be if a group is as expected. */
  readonly #ahead = new RecentDistances();
  readonly #guide = new SourceGuide();
  readonly #finder = new MatchFinder();
  readonly #surprises: SurpriseCoder;
  readonly #surprise: Surprise = {
    at: 0,
    noLiteral: false,
    expected: 0,
    length: 0,
    distance: 0,
    nextLonger: 0,
    sourceNext: 0,
    sourceSecond: 0,
    kinds: 0,
    misses: 0,
  };
  readonly #op = new Uint8Array(GROUP);
  readonly #length = new Uint32Array(GROUP);
  readonly #distance = new Uint32Array(GROUP);
  #bytes: Uint8Array = new Uint8Array(0);
  /** The tokens: an encoder's to be coded, of which `#next` is the next, or a decoder's so far. */
  #tokens = new TokenList(0);
  #next = 0;
  /** Bits of the last ones, the latest lowest: groups and tokens that were missed, tokens that were matches. */
  #groupMisses = 0;
  #misses = 0;
  #kinds = 0;
  #sinceMiss = 0;
  /** All misses, to see whether there were some. */
  #missed = 0;
  readonly #trust = new Uint16Array(1024);
  /** Tokens that are expected in a row, how many of them in changed content, and where they end. */
  #expected = 0;
  #risks = 0;
  #end = 0;

  constructor(coder: ModelCoder) {
    this.#coder = coder;
    this.#surprises = new SurpriseCoder(coder, this.#finder, this.#recent);
  }

  /** A segment begins, with fresh models. */
  reset(): void {
    this.#finder.release();
    this.#groupMisses = 0;
    this.#trust.fill(TRUST_FIRST);
    this.#misses = 0;
    this.#kinds = 0;
    this.#sinceMiss = 0;
    this.#surprises.reset();
  }

  /**
   * Codes the tokens of a unit: an encoder gives them, a decoder null, and both get them back.
   * @throws UpdateError unit_malformed, payload_work
   */
  code(unit: TokenUnit, tokens: TokenList | null): TokenList {
    const { bytes, rules, first = 0, tokensMax = Infinity } = unit;
    this.#bytes = bytes;
    this.#tokens = tokens ?? new TokenList(Math.min(tokensMax, bytes.length - first));
    this.#next = 0;
    this.#recent.start(rules.reps);
    this.#guide.start(bytes, rules, unit.runs);
    this.#finder.start(bytes, first, rules);
    this.#surprises.start(bytes, rules);
    if (tokens !== null) checkTokens(unit, tokens);
    for (let at = first; at < bytes.length;) {
      at = this.#group(at);
      this.#spend();
    }
    const coded = this.#tokens;
    this.#forget(rules);
    return coded;
  }

  /** What a unit had must not stay for the sake of those who do not need it any more. */
  #forget(rules: TokenRules): void {
    this.#bytes = NO_BYTES;
    this.#tokens = new TokenList(0);
    this.#guide.start(NO_BYTES, rules, []);
    this.#surprises.start(NO_BYTES, rules);
    this.#finder.forget();
  }

  #spend(): void {
    const { work } = this.#coder;
    work.spent += Math.floor((this.#guide.steps + this.#finder.steps) / STEPS_A_LOOKUP);
    this.#guide.steps = 0;
    this.#finder.steps = 0;
    work.check();
  }

  /** Codes some tokens from `at` on; returns where they end. */
  #group(at: number): number {
    const guide = this.#guide;
    guide.mark();
    const before = this.#expectGroup(at);
    const count = this.#expected;
    const trust = this.#trustAt(at, before);
    if (count >= GROUP_MIN && this.#trust[trust]! >= TRUSTED) {
      const same = this.#coder.encoding && this.#isAsExpected() ? 1 : 0;
      const flag = this.#groupFlag(same, at, before);
      this.#groupMisses = (this.#groupMisses << 1) | (flag ^ 1);
      if (flag !== 0) {
        this.#learnTrust(trust, true);
        this.#take();
        return this.#end;
      }
    }
    guide.goBack();
    let to = at;
    const missed = this.#missed;
    for (let i = Math.max(1, count); i > 0 && to < this.#bytes.length; i--) to = this.#token(to);
    if (count >= GROUP_MIN) this.#learnTrust(trust, missed === this.#missed);
    return to;
  }

  #learnTrust(i: number, good: boolean): void {
    const trust = this.#trust[i]!;
    this.#trust[i] = good ? trust + ((65_536 - trust) >> TRUST_LEARNING) : trust - (trust >> TRUST_LEARNING);
  }

  /** Which groups are like this one. */
  #trustAt(at: number, before: number): number {
    const guide = this.#guide;
    const clean = guide.equalFrom <= at ? 1 : 0;
    const behind = clean === 0 ? 0 : bitLength(guide.ahead(this.#end, BEHIND_MAX)) + 1;
    const back = bitLength(Math.min(BEFORE_MAX, at - before)) >> 1;
    return (((back << 4) | behind) << 2) | (this.#groupMisses & 3);
  }

  /** Fills the group with what is expected from `start` on. Returns the start of the equal bytes before. */
  #expectGroup(start: number): number {
    const guide = this.#guide;
    const ahead = this.#ahead;
    const { length: end } = this.#bytes;
    ahead.copyFrom(this.#recent);
    let at = start;
    let count = 0;
    let risks = 0;
    let before = start;
    while (count < GROUP && at < end) {
      guide.look(at, ahead);
      if (count === 0) before = guide.equalFrom;
      if (guide.known !== KNOWN.literal && guide.known !== KNOWN.match) break;
      if (!guide.safe) risks++;
      this.#op[count] = guide.op;
      this.#length[count] = guide.length;
      this.#distance[count++] = guide.distance;
      ahead.follow(guide.op, guide.distance);
      at += guide.length;
    }
    this.#expected = count;
    this.#risks = risks;
    this.#end = at;
    this.#guide.steps += count / 2;
    return before;
  }

  #isAsExpected(): boolean {
    const tokens = this.#tokens;
    const next = this.#next;
    if (next + this.#expected > tokens.count) return false;
    for (let i = 0; i < this.#expected; i++) {
      if (tokens.opAt(next + i) !== this.#op[i] || tokens.lengthAt(next + i) !== this.#length[i]) return false;
      if (tokens.distanceAt(next + i) !== this.#distance[i]) return false;
    }
    return true;
  }

  #groupFlag(same: number, at: number, before: number): number {
    const contexts = this.#coder.contexts;
    const guide = this.#guide;
    const misses = this.#groupMisses;
    const clean = guide.equalFrom <= at ? 1 : 0;
    const behind = clean === 0 ? 0 : bitLength(guide.ahead(this.#end, BEHIND_MAX)) + 1;
    const back = bitLength(Math.min(BEFORE_MAX, at - before));
    const risks = Math.min(this.#risks, 15);
    const count = bitLength(this.#expected);
    contexts[0] = contextHash(TAG.group, behind, misses & 7, risks);
    contexts[1] = contextHash(TAG.group + 1, back, behind, count);
    contexts[2] = contextHash(TAG.group + 2, misses & 255, count);
    contexts[3] = contextHash(TAG.group + 3, back, misses & 15, risks);
    contexts[4] = contextHash(TAG.group + 4, risks, clean, count);
    contexts[5] = contextHash(TAG.group + 5, Math.min(15, bitLength(this.#sinceMiss)), behind, misses & 3);
    this.#coder.work.spent += 6;
    return this.#coder.flag(same, 6, SET.group + clean * 8 + count);
  }

  /** All tokens of the group are as expected. */
  #take(): void {
    const count = this.#expected;
    let kinds = this.#kinds;
    for (let i = 0; i < count; i++) {
      const op = this.#op[i]!;
      if (!this.#coder.encoding) this.#tokens.push(op, this.#length[i]!, this.#distance[i]!);
      kinds = (kinds << 1) | (op === OP.literal ? 0 : 1);
    }
    this.#recent.copyFrom(this.#ahead);
    this.#kinds = kinds & 255;
    this.#misses = (this.#misses << Math.min(count, 8)) & 255;
    this.#sinceMiss += count;
    this.#next += count;
  }

  /** One token; returns where it ends. */
  #token(at: number): number {
    const guide = this.#guide;
    const surprises = this.#surprises;
    guide.look(at, this.#recent);
    const isKnown = guide.known === KNOWN.literal || guide.known === KNOWN.match;
    if (this.#coder.encoding) {
      surprises.op = this.#tokens.opAt(this.#next);
      surprises.length = this.#tokens.lengthAt(this.#next);
      surprises.distance = this.#tokens.distanceAt(this.#next);
    }
    this.#search(at);
    if (isKnown && this.#hitFlag(at) !== 0) {
      surprises.length = guide.length;
      surprises.distance = guide.distance;
      surprises.op = guide.op >= OP.rep0 ? surprises.exactOp(guide.op, guide.length, guide.sourceOp) : guide.op;
      this.#sinceMiss++;
      this.#misses = (this.#misses << 1) & 255;
    } else {
      this.#surprise.noLiteral = guide.known === KNOWN.literal;
      this.#surprise.expected = isKnown
        ? guide.op === OP.literal
          ? 0
          : Math.min(guide.length, 30) + 1
        : NOTHING_EXPECTED;
      surprises.code(this.#surprise);
      if (isKnown) {
        this.#sinceMiss = 0;
        this.#missed++;
        this.#misses = ((this.#misses << 1) | 1) & 255;
      }
    }
    const { op, length, distance } = surprises;
    if (!this.#coder.encoding) this.#tokens.push(op, length, distance);
    this.#next++;
    this.#recent.follow(op, distance);
    this.#kinds = ((this.#kinds << 1) | (op === OP.literal ? 0 : 1)) & 255;
    return at + length;
  }

  /** What a compressor would find here, and at the next byte. */
  #search(at: number): void {
    const finder = this.#finder;
    const place = this.#surprise;
    const next = finder.search(at, this.#guide.known === KNOWN.match ? this.#guide.length : 0);
    place.at = at;
    place.length = finder.length;
    place.distance = finder.distance;
    place.sourceNext = this.#guide.next;
    place.sourceSecond = this.#guide.second;
    place.kinds = this.#kinds;
    place.misses = this.#misses;
    place.nextLonger = next > place.length ? Math.min(next - place.length, 3) : 0;
  }

  /** Of a recent distance the op may be another one, which is said behind the hit. */
  #isHit(): boolean {
    const guide = this.#guide;
    const { op, length, distance } = this.#surprises;
    if (length !== guide.length || distance !== guide.distance) return false;
    return op === guide.op || (guide.op >= OP.rep0 && !this.#surprises.isStranger());
  }

  #hitFlag(at: number): number {
    const guide = this.#guide;
    const place = this.#surprise;
    const contexts = this.#coder.contexts;
    const { op, length, distance, sourceOp, changes, known } = guide;
    const hit = this.#isHit() ? 1 : 0;
    const ahead = bitLength(guide.ahead(at, AHEAD_MAX));
    const short = Math.min(length, 20);
    const misses = this.#misses;
    const longer = place.length > length ? 2 : place.length === length ? 1 : 0;
    const found =
      (longer << 4) | (place.distance === distance ? 8 : 0) | (longer === 2 ? Math.min(place.length - length, 7) : 0);
    const since = Math.min(15, bitLength(this.#sinceMiss));
    const reps = this.#recent.count === 0 ? 0 : this.#repsAt(at);
    const key = (op << 3) | sourceOp;
    contexts[0] = contextHash(TAG.hit, short, ahead, changes);
    contexts[1] = contextHash(TAG.hit + 1, misses, known, op === OP.literal ? 0 : 1);
    contexts[2] = contextHash(TAG.hit + 2, since, ahead, known);
    contexts[3] = contextHash(TAG.hit + 3, (found << 6) | key, short | (reps << 8), misses & 3);
    contexts[4] = contextHash(TAG.hit + 4, ahead, changes | ((misses & 15) << 8), short);
    contexts[5] = contextHash(TAG.hit + 5, (found << 6) | key, (ahead << 8) | changes, reps);
    contexts[6] = contextHash(TAG.hit + 6, bitLength(distance), short, (ahead << 1) | (misses & 1));
    contexts[7] = contextHash(TAG.hit + 7, found, place.nextLonger, (Math.min(place.length, 20) << 8) | short);
    this.#coder.work.spent += 8;
    return this.#coder.flag(hit, 8, SET.hit + ((op === OP.literal ? 0 : 1) << 6) + (longer << 4) + ahead);
  }

  /** How the longest match of a recent distance compares with what is expected. */
  #repsAt(at: number): number {
    const recent = this.#recent;
    const { length } = this.#guide;
    const max = Math.min(this.#bytes.length - at, length + 4);
    let best = 0;
    for (let i = 0; i < recent.count; i++) {
      const distance = recent.distance[i]!;
      if (distance > at) continue;
      const reached = matchLength(this.#bytes, at, distance, max);
      this.#finder.steps += 1 + reached / BYTES_A_STEP;
      if (reached > best) best = reached;
    }
    return best > length ? 2 + Math.min(best - length, 3) : best === length ? 1 : 0;
  }
}

/** What an encoder is given must be what the rules allow, and make the bytes. */
function checkTokens(unit: TokenUnit, tokens: TokenList): void {
  const { bytes, rules, first = 0 } = unit;
  let at = first;
  for (let i = 0; i < tokens.count; i++) {
    const op = tokens.opAt(i);
    const length = tokens.lengthAt(i);
    const distance = tokens.distanceAt(i);
    if (!isLegal(rules, op, length, distance)) malformed('tokens', `token ${i} is none of the codec's`);
    const isMatch = op !== OP.literal;
    if (isMatch && (distance > at || matchLength(bytes, at, distance, length) < length))
      malformed('tokens', `token ${i} does not make the content`);
    at += length;
  }
  if (at !== bytes.length) malformed('tokens', `they make ${at - first} of ${bytes.length - first} bytes`);
}

/** Which distances are recent is the codec's affair: they may begin anew within a unit. */
function isLegal(rules: TokenRules, op: number, length: number, distance: number): boolean {
  if (op === OP.literal) return length === 1 && distance === 0;
  if (distance < 1 || distance > rules.distanceMax) return false;
  if (op === OP.shortRep) return rules.hasShortRep && length === 1;
  return length >= rules.matchMin && length <= rules.matchMax && op < OP.rep0 + rules.reps.length;
}
