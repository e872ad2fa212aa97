/**
 * Which displacements could be worth a cover, and from where on: the prospects that the parse chooses among.
 *
 * The walk follows one running displacement. Where that explains the target well enough nothing is searched: no other
 * place could bring in what a change and a return cost. Elsewhere the longest match of every few bytes is looked up,
 * and of the places that match equally long the one that saves most around there becomes a prospect. It begins where
 * it begins to be better than the running displacement, which lies before the match that gave it away.
 * @module
 */
import type { Cover } from '../../format/cover.ts';
import { ProspectList } from './prospect-list.ts';
import { COST_UNITS_PER_BIT, freshCoverCost, MISS_COST, NEXT_MISS_COST } from './parse-costs.ts';
import { matchLength, Searcher, type SourceIndex } from '../match/source-index.ts';

/** How far a prospect reaches back before the match that gave it away. */
export const REACH_BACK_BYTES = 512;
/** Shorter matches are chance. */
const ANCHOR_BYTES_MIN = 6;
/** An exact continuation of this length is not questioned but for its end: another place may share that and go on. */
const TRUSTED_RUN_BYTES = 32;
const TAIL_BYTES = 24;
/** A match of this length is where the walk goes on from. */
const LEAD_BYTES = 24;
/** Half of a match of this length is skipped, and all but the tail of a long one. */
const MEDIUM_BYTES = 16;
const LONG_BYTES = 64;
/** What the running displacement cost lately, and will in the next bytes; above DEBT_MAX others are looked for. */
const AHEAD_BYTES = 32;
const DEBT_MAX = 30 * COST_UNITS_PER_BIT;
/** How fast an exact byte makes the past forgotten. */
const FORGIVEN_COST = COST_UNITS_PER_BIT / 2;
/** The parse may have given the running displacement up: it is offered again where it agrees again. */
const REMIND_RUN_BYTES = 8;
const REMIND_AFTER_BYTES = 32;
/** Gain of a byte that only the prospect explains, loss of one that only the running displacement or neither does. */
const EQUAL_GAIN = 3 * COST_UNITS_PER_BIT;
const UNEQUAL_LOSS = 4 * COST_UNITS_PER_BIT;
const NEITHER_LOSS = COST_UNITS_PER_BIT;
/** Measuring a prospect ends where its gain fell this far below its best. */
const FALL_MAX = 24 * COST_UNITS_PER_BIT;
const FORWARD_BYTES = 64;
/** Places that match equally long are compared by so many bytes before and after; what each of them weighs. */
const CONTEXT_BYTES = 32;
const CONTEXT_GAIN = 6 * COST_UNITS_PER_BIT;
/** Neighbours in the suffix array, on each side, that are compared; none twice within STALE_BYTES. */
const RIVALS_MAX = 8;
const STALE_BYTES = 12;
const MEASURED_BITS = 10;
/** Prospects that save less than this, all but their opening paid, are left out; above GAIN_GOOD it was worth it. */
const GAIN_MIN = -24 * COST_UNITS_PER_BIT;
const GAIN_GOOD = 8 * COST_UNITS_PER_BIT;
/** Every 2^FUTILE_SHIFT searches in vain widen the steps by a byte. */
const FUTILE_SHIFT = 2;
const STRIDE_MORE_MAX = 3;
/** Displacements of which is remembered up to where they are prospects. */
const KNOWN_COUNT = 8;
const KNOWN_BYTES = 64;

export class ProspectScan {
  readonly list = new ProspectList();
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #searcher: Searcher;
  readonly #start: number;
  readonly #end: number;
  /** Displacements that are prospects anyway, in target order: the walk goes over to one where it goes on better. */
  readonly #seeds: readonly Cover[];
  #seed = 0;
  #at: number;
  #steps = 0;
  /** The running displacement, where it last agreed, and what it cost lately. */
  #running = 0;
  #runningTo = 0;
  #debt = 0;
  /** Searches since the last good prospect. */
  #futile = 0;
  /** Results of #measure. */
  #gain = 0;
  #from = 0;
  /** Displacements measured lately, by hash, and where. */
  readonly #measured = new Int32Array(1 << MEASURED_BITS);
  readonly #measuredAt = new Int32Array(1 << MEASURED_BITS).fill(-STALE_BYTES);
  readonly #known = new Int32Array(KNOWN_COUNT);
  readonly #knownTo: Int32Array;
  #knownNext = 0;

  constructor(index: SourceIndex, target: Uint8Array, start: number, end: number, seeds: readonly Cover[]) {
    this.#source = index.source;
    this.#target = target;
    this.#searcher = new Searcher(index, target);
    this.#start = start;
    this.#end = end;
    this.#at = start;
    this.#seeds = seeds;
    this.#knownTo = new Int32Array(KNOWN_COUNT).fill(start);
    this.list.add(start, this.#running);
  }

  /** Bytes compared and suffixes looked at so far. */
  get steps(): number {
    return this.#steps + this.#searcher.steps;
  }

  /** Collects the prospects that are given away before target offset `to`. */
  scan(to: number): void {
    while (this.#at < to) {
      let run = this.#runLength(this.#running);
      if (run < TRUSTED_RUN_BYTES) run = this.#followSeed(run);
      this.#remind(run);
      const mismatch = this.#at + run;
      if (mismatch >= this.#end) {
        this.#at = this.#end;
        return;
      }
      if (run >= TRUSTED_RUN_BYTES) this.#forgive(run);
      if (this.#isGoodAt(mismatch)) {
        if (run < TRUSTED_RUN_BYTES) this.#forgive(run);
        this.#at = mismatch;
        this.#passMismatch();
        continue;
      }
      if (run >= TRUSTED_RUN_BYTES) {
        this.#at = mismatch - TAIL_BYTES;
        run = TAIL_BYTES;
      }
      this.#at += this.#look(run);
    }
  }

  /** How far a displacement goes on exactly from #at. */
  #runLength(displacement: number): number {
    const place = this.#at + displacement;
    if (place < 0 || place >= this.#source.length) return 0;
    const run = matchLength(this.#source, place, this.#target, this.#at, 0, this.#end - this.#at);
    this.#steps += run + 1;
    return run;
  }

  /** Goes over to the seed of this place if that goes on for longer than `run` bytes; the length of the run. */
  #followSeed(run: number): number {
    const seeds = this.#seeds;
    const at = this.#at;
    let cover = seeds[this.#seed];
    while (cover !== undefined && cover.targetOffset + cover.length <= at) cover = seeds[++this.#seed];
    if (cover === undefined || cover.targetOffset > at) return run;
    const displacement = cover.sourceOffset - cover.targetOffset;
    if (displacement === this.#running) return run;
    const other = this.#runLength(displacement);
    if (other < MEDIUM_BYTES || other <= run) return run;
    this.#lead(displacement, at);
    return other;
  }

  #lead(displacement: number, agreesTo: number): void {
    this.#running = displacement;
    this.#runningTo = agreesTo;
    this.#debt = 0;
  }

  #remind(run: number): void {
    if (run < REMIND_RUN_BYTES) return;
    if (run >= TRUSTED_RUN_BYTES || this.#at > this.#runningTo + REMIND_AFTER_BYTES) {
      this.list.add(this.#at, this.#running);
    }
    this.#runningTo = this.#at + run;
  }

  #forgive(run: number): void {
    this.#debt = Math.max(0, this.#debt - run * FORGIVEN_COST);
  }

  /** Whether the running displacement explains what comes before and after its mismatch at `at` well enough. */
  #isGoodAt(at: number): boolean {
    const source = this.#source;
    const target = this.#target;
    const displacement = this.#running;
    const end = Math.min(this.#end, source.length - displacement, at + AHEAD_BYTES);
    if (at + displacement < 0 || at >= end) return false;
    let cost = this.#debt;
    let miss = MISS_COST;
    let i = at;
    for (; i < end && cost < DEBT_MAX; i++) {
      if (source[i + displacement] === target[i]) {
        miss = MISS_COST;
      } else {
        cost += miss;
        miss = NEXT_MISS_COST;
      }
    }
    this.#steps += i - at;
    return cost < DEBT_MAX;
  }

  /** Goes on behind the mismatching bytes of the running displacement. */
  #passMismatch(): void {
    const end = Math.min(this.#end, this.#source.length - this.#running);
    let miss = MISS_COST;
    while (this.#at < end && this.#source[this.#at + this.#running] !== this.#target[this.#at]) {
      this.#debt += miss;
      miss = NEXT_MISS_COST;
      this.#at++;
    }
  }

  /** Searches at #at, where the running displacement agrees with `run` bytes; by how much to go on. */
  #look(run: number): number {
    const at = this.#at;
    const searcher = this.#searcher;
    this.#steps++;
    if (!searcher.mayMatch(at)) return 1;
    const stride = 1 + Math.min(this.#futile++ >> FUTILE_SHIFT, STRIDE_MORE_MAX);
    searcher.search(at);
    const length = Math.min(searcher.length, this.#end - at);
    if (length < ANCHOR_BYTES_MIN) return stride;
    const isRunning = run >= length || (run >= MEDIUM_BYTES && run * 2 >= length);
    if (run < length) this.#offerBest(at, length, !isRunning && length >= LEAD_BYTES);
    if (length >= LONG_BYTES) return length - TAIL_BYTES;
    return length >= MEDIUM_BYTES ? length >> 1 : stride + 1;
  }

  /** Offers the best place of those that the searcher's match has; the walk goes on with it if it is to lead. */
  #offerBest(at: number, length: number, isLead: boolean): void {
    const searcher = this.#searcher;
    let best = searcher.offset - at;
    let bestGain = this.#context(at, best, length) - freshCoverCost(best - this.#running);
    for (let direction = -1; direction <= 1; direction += 2) {
      for (let k = 1; k <= RIVALS_MAX; k++) {
        const place = searcher.neighbour(direction * k, at);
        if (place < 0) break;
        const displacement = place - at;
        if (this.#isStale(at, displacement)) continue;
        const gain = this.#context(at, displacement, length) - freshCoverCost(displacement - this.#running);
        if (gain < bestGain || (gain === bestGain && displacement > best)) continue;
        best = displacement;
        bestGain = gain;
      }
    }
    this.#measure(at, best, length);
    const gain = this.#gain - freshCoverCost(best - this.#running);
    if (isLead || gain >= GAIN_MIN) this.#offer(at, best, this.#from, isLead || gain > GAIN_GOOD);
    if (isLead) this.#lead(best, at + length);
  }

  /** What the bytes around the `length` equal ones at `at` speak for a place. Without branches: they are unforeseeable. */
  #context(at: number, displacement: number, length: number): number {
    const source = this.#source;
    const target = this.#target;
    const from = Math.max(this.#start, at - CONTEXT_BYTES, -displacement);
    const end = Math.min(this.#end, source.length - displacement, at + length + CONTEXT_BYTES);
    let equal = 0;
    for (let i = from; i < at; i++) equal += ((source[i + displacement]! ^ target[i]!) - 1) >>> 31;
    for (let i = at + length; i < end; i++) equal += ((source[i + displacement]! ^ target[i]!) - 1) >>> 31;
    this.#steps += 2 * CONTEXT_BYTES;
    return equal * CONTEXT_GAIN;
  }

  /**
   * What a cover with this displacement around `at`, where `length` bytes agree, would save compared with the running
   * displacement, in #gain, and where it would begin, in #from.
   */
  #measure(at: number, displacement: number, length: number): void {
    const source = this.#source;
    const target = this.#target;
    const running = this.#running;
    const runningFrom = -running;
    const runningTo = source.length - running;
    const limit = Math.max(this.#start, at - REACH_BACK_BYTES, -displacement);
    let gain = 0;
    let best = 0;
    let from = at;
    let i = at - 1;
    for (; i >= limit && gain >= best - FALL_MAX; i--) {
      const byte = target[i]!;
      const isRunning = i >= runningFrom && i < runningTo && source[i + running] === byte;
      if (source[i + displacement] === byte) {
        if (isRunning) continue;
        gain += EQUAL_GAIN;
        if (gain > best) {
          best = gain;
          from = i;
        }
      } else gain -= isRunning ? UNEQUAL_LOSS : NEITHER_LOSS;
    }
    this.#steps += at - i;
    gain = best;
    const end = Math.min(this.#end, source.length - displacement, at + Math.max(length, FORWARD_BYTES));
    for (i = at; i < end && gain >= best - FALL_MAX; i++) {
      const byte = target[i]!;
      const isRunning = i >= runningFrom && i < runningTo && source[i + running] === byte;
      if (source[i + displacement] === byte) {
        if (isRunning) continue;
        gain += EQUAL_GAIN;
        if (gain > best) best = gain;
      } else gain -= isRunning ? UNEQUAL_LOSS : NEITHER_LOSS;
    }
    this.#steps += i - at;
    this.#from = from;
    this.#gain = best;
  }

  /** Whether this displacement was measured a few bytes before; remembers that it is measured now. */
  #isStale(at: number, displacement: number): boolean {
    const slot = Math.imul(displacement, 0x9e3779b1) >>> (32 - MEASURED_BITS);
    if (this.#measured[slot] === displacement && at - this.#measuredAt[slot]! < STALE_BYTES) return true;
    this.#measured[slot] = displacement;
    this.#measuredAt[slot] = at;
    return false;
  }

  /** Adds a prospect that agrees at `at` and begins at `from`, unless it is one already. */
  #offer(at: number, displacement: number, from: number, isGood: boolean): void {
    for (let k = 0; k < KNOWN_COUNT; k++) {
      if (this.#known[k] !== displacement) continue;
      const known = this.#knownTo[k]!;
      this.#knownTo[k] = at;
      if (at - known >= KNOWN_BYTES) this.list.add(Math.max(from, known), displacement);
      return;
    }
    if (isGood) this.#futile = 0;
    this.#known[this.#knownNext] = displacement;
    this.#knownTo[this.#knownNext] = at;
    this.#knownNext = (this.#knownNext + 1) % KNOWN_COUNT;
    this.list.add(from, displacement);
  }
}
