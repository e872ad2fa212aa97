/**
 * Which displacements could be worth a cover, and from where on: the candidates that the parse chooses among.
 *
 * The walk follows one running displacement. While that goes on exactly nothing is searched; around its mismatches the
 * longest match of each few bytes is looked up. A candidate begins where its displacement begins to pay, which lies
 * before the match that gave it away.
 * @module
 */
import { COST_UNITS_PER_BIT, freshCoverCost, MISS_COST, NEXT_MISS_COST } from './parse-costs.ts';
import { matchLength, MATCH_BYTES_MAX, Searcher, type SourceIndex } from './source-index.ts';

/** Shorter matches are chance. */
export const ANCHOR_BYTES_MIN = 6;
/** How far a candidate reaches back before the match that gave it away. */
export const REACH_BACK_BYTES = 512;
/** An exact continuation of this length is not questioned. */
const TRUSTED_RUN_BYTES = 32;
/** A match of this length is where the walk goes on from. */
const LEAD_BYTES = 24;
/** The end of a long match is searched again from here: another place may agree with it and go on. */
const TAIL_BYTES = 24;
const MEDIUM_BYTES = 16;
const LONG_BYTES = 64;
const AHEAD_BYTES = 32;
const FORGIVEN_COST = 32;
const DEBT = 30 * 64;
/** Measuring ends where the gain fell this far below its best. */
const FALL_MAX = 24 * COST_UNITS_PER_BIT;
const EQUAL_GAIN = 3 * COST_UNITS_PER_BIT;
const UNEQUAL_LOSS = 4 * COST_UNITS_PER_BIT;
const BOTH_LOSS = COST_UNITS_PER_BIT;
const REMIND_BYTES = 8;
const REMIND_AFTER_BYTES = 32;
const RIVAL_BYTES = 48;
const FORWARD_BYTES = 64;
const LEAD_GAIN = 1000 * COST_UNITS_PER_BIT;
const GAIN_MIN = -24 * COST_UNITS_PER_BIT;
const GAIN_GOOD = 8 * COST_UNITS_PER_BIT;
const FUTILE_SHIFT = 2;
const STRIDE_MAX = 3;
const MEASURED_BITS = 10;
const STALE_BYTES = 12;
const RIVALS_MAX = 5;
/** Displacements of which is remembered how far they are known. */
const KNOWN_COUNT = 8;

/** Candidates in the order of their beginning. */
export class CandidateList {
  count = 0;
  from = new Int32Array(4096);
  displacement = new Int32Array(4096);

  add(from: number, displacement: number): void {
    if (this.count === this.from.length) this.#grow();
    let i = this.count++;
    for (; i > 0 && this.from[i - 1]! > from; i--) {
      this.from[i] = this.from[i - 1]!;
      this.displacement[i] = this.displacement[i - 1]!;
    }
    this.from[i] = from;
    this.displacement[i] = displacement;
  }

  /** Forgets the first `count` candidates. */
  shift(count: number): void {
    this.from.copyWithin(0, count, this.count);
    this.displacement.copyWithin(0, count, this.count);
    this.count -= count;
  }

  #grow(): void {
    const from = new Int32Array(this.count * 2);
    const displacement = new Int32Array(this.count * 2);
    from.set(this.from);
    displacement.set(this.displacement);
    this.from = from;
    this.displacement = displacement;
  }
}

export class CandidateScan {
  readonly list = new CandidateList();
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #searcher: Searcher;
  readonly #start: number;
  readonly #end: number;
  /** The running displacement. */
  #running: number;
  #at: number;
  #steps = 0;
  #gain = 0;
  #from = 0;
  #debt = 0;
  #runningTo = 0;
  #futile = 0;
  readonly #measured = new Int32Array(1 << MEASURED_BITS);
  readonly #measuredAt = new Int32Array(1 << MEASURED_BITS);
  readonly #known = new Int32Array(KNOWN_COUNT);
  readonly #knownTo = new Int32Array(KNOWN_COUNT);
  #knownNext = 0;

  constructor(index: SourceIndex, target: Uint8Array, start: number, end: number, displacement: number) {
    this.#source = index.source;
    this.#target = target;
    this.#searcher = new Searcher(index, target);
    this.#start = start;
    this.#end = end;
    this.#at = start;
    this.#running = displacement;
    this.#knownTo.fill(start);
  }

  /** Bytes compared and suffixes looked at so far. */
  get steps(): number {
    return this.#steps + this.#searcher.steps;
  }

  /** Collects the candidates that are given away before target offset `to`. */
  scan(to: number): void {
    while (this.#at < to) {
      const run = this.#runningRun();
      if (this.#at + run >= this.#end) {
        this.#at = this.#end;
        return;
      }
      if (run >= TRUSTED_RUN_BYTES) {
        this.#debt = Math.max(0, this.#debt - run * FORGIVEN_COST);
        if (this.#isGood(this.#at + run)) this.#at += run;
        else {
          this.#at += run - TAIL_BYTES;
          this.#at += this.#look(TAIL_BYTES);
        }
      } else if (this.#isGood(this.#at + run)) {
        this.#debt = Math.max(0, this.#debt - run * FORGIVEN_COST);
        this.#at += run;
        let cost = MISS_COST;
        while (this.#at < this.#end && this.#target[this.#at] !== this.#source[this.#at + this.#running]) {
          this.#debt += cost; cost = NEXT_MISS_COST;
          this.#at++;
        }
      } else this.#at += this.#look(run);
    }
  }

  #isGood(at: number): boolean {
    const d = this.#running;
    if (at + d < 0 || at + d >= this.#source.length) return false;
    let cost = this.#debt;
    let miss = MISS_COST;
    const end = Math.min(this.#end, at + AHEAD_BYTES);
    for (let i = at; i < end; i++) {
      if (this.#source[i + d] === this.#target[i]) miss = MISS_COST;
      else { cost += miss; miss = NEXT_MISS_COST; }
      this.#steps++;
    }
    return cost < DEBT;
  }

  /** How far the running displacement goes on exactly. */
  #runningRun(): number {
    const place = this.#at + this.#running;
    if (place < 0 || place >= this.#source.length) return 0;
    const run = matchLength(this.#source, place, this.#target, this.#at, 0, this.#end - this.#at);
    this.#steps += run + 1;
    if (run >= REMIND_BYTES) {
      if (run >= TRUSTED_RUN_BYTES || this.#at > this.#runningTo + REMIND_AFTER_BYTES) this.list.add(this.#at, this.#running);
      this.#runningTo = this.#at + run;
    }
    return run;
  }

  /** Searches at the current byte, where the running displacement agrees with `run` bytes; by how much to go on. */
  #look(run: number): number {
    const at = this.#at;
    const searcher = this.#searcher;
    this.#steps++;
    if (!searcher.mayMatch(at)) return 1;
    const stride = 1 + Math.min(this.#futile++ >> FUTILE_SHIFT, STRIDE_MAX);
    searcher.search(at);
    const length = Math.min(searcher.length, this.#end - at);
    if (length < ANCHOR_BYTES_MIN) return stride;
    const isRunning = run >= length || (run >= MEDIUM_BYTES && run * 2 >= length);
    if (run < length) this.#offerBest(at, length, !isRunning && length >= LEAD_BYTES);
    if (length >= LONG_BYTES) return length - TAIL_BYTES;
    return length >= MEDIUM_BYTES ? length >> 1 : stride + 1;
  }

  /** Offers the best place of those that the searcher's match has. */
  #offerBest(at: number, length: number, isLead: boolean): void {
    const searcher = this.#searcher;
    let best = searcher.offset - at;
    this.#measure(at, best, length, RIVAL_BYTES);
    let bestGain = this.#gain - freshCoverCost(best - this.#running);
    for (let direction = -1; direction <= 1; direction += 2) {
      for (let k = 1; k <= RIVALS_MAX; k++) {
        const place = searcher.neighbour(direction * k, at);
        if (place < 0) break;
        if (this.#isStale(at, place - at)) continue;
        this.#measure(at, place - at, length, RIVAL_BYTES);
        const gain = this.#gain - freshCoverCost(place - at - this.#running);
        if (gain < bestGain || (gain === bestGain && place - at > best)) continue;
        best = place - at;
        bestGain = gain;
      }
    }
    this.#measure(at, best, length, REACH_BACK_BYTES);
    this.#note(at, best, this.#from, isLead ? LEAD_GAIN : this.#gain - freshCoverCost(best - this.#running));
    if (!isLead) return;
    this.#running = best;
    this.#runningTo = at + length;
    this.#debt = 0;
  }

  /**
   * What a cover with this displacement around `at`, where `length` bytes agree, would save compared with the running
   * displacement, in #gain, and where it would begin, in #from.
   */
  #measure(at: number, displacement: number, length: number, reach: number): void {
    const source = this.#source;
    const target = this.#target;
    const running = this.#running;
    const runningFrom = -running;
    const runningTo = source.length - running;
    const limit = Math.max(this.#start, at - reach, -displacement);
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
      } else gain -= isRunning ? UNEQUAL_LOSS : BOTH_LOSS;
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
      } else gain -= isRunning ? UNEQUAL_LOSS : BOTH_LOSS;
    }
    this.#steps += i - at;
    this.#from = from;
    this.#gain = best;
  }

  /** Whether this displacement was measured a few bytes before; remembers that it is measured now. */
  #isStale(at: number, displacement: number): boolean {
    const slot = Math.imul(displacement, 0x9e3779b1) >>> (32 - MEASURED_BITS);
    const isSame = this.#measured[slot] === displacement && at - this.#measuredAt[slot]! < STALE_BYTES;
    if (isSame) return true;
    this.#measured[slot] = displacement;
    this.#measuredAt[slot] = at;
    return false;
  }

  /** Adds a candidate unless it cannot pay. */
  #note(at: number, displacement: number, from: number, gain: number): void {
    for (let k = 0; k < KNOWN_COUNT; k++) {
      if (this.#known[k] !== displacement) continue;
      if (at - this.#knownTo[k]! < 64) { this.#knownTo[k] = at; return; }
      this.list.add(Math.max(from, this.#knownTo[k]!), displacement);
      this.#knownTo[k] = at;
      return;
    }
    if (gain < GAIN_MIN) return;
    if (gain > GAIN_GOOD) this.#futile = 0;
    this.#known[this.#knownNext] = displacement;
    this.#knownTo[this.#knownNext] = at;
    this.#knownNext = (this.#knownNext + 1) % KNOWN_COUNT;
    this.list.add(from, displacement);
  }
}
