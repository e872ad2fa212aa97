/**
 * The cheapest way through a window: a Viterbi search over the few displacements that are in play at each byte.
 *
 * At each target byte there is one literal state and up to STATES_MAX states that copy with one displacement each. A
 * state goes on, or is begun anew after the cheapest state if that is cheaper. What lies behind a state is a chain of
 * records in arrays of numbers; a record is only made when another state branches off, so that their number follows
 * the number of changes, not of bytes. While all states go on exactly, whole runs are one step.
 * @module
 */
import { coverListOf, coversIn, type Cover } from '../../format/cover.ts';
import {
  EXACT_COST,
  freshCoverCost,
  LITERAL_OPEN_COST,
  MISS_COST,
  NEXT_MISS_COST,
  PLAIN_MISS_COST,
  RECENT_COST,
  REPEATED_MISS_COST,
  SAME_COST,
} from './parse-costs.ts';
import { joinCovers } from '../match/join-covers.ts';
import { matchLength } from '../match/source-index.ts';

const STATES_MAX = 12;
/** A state that collects so many strikes is given up: every miss is one, every exact byte takes one away. */
const STRIKES_MAX = 64;
/** After this many exact bytes in every state a longer run is worth looking for. */
const JUMP_AFTER_BYTES = 8;
/** With several states, so that a long run of one is not compared again and again. */
const JUMP_BYTES_MAX = 64;
/** Records that are looked back for a displacement used before. */
const RECENT_RECORDS = 8;
/** Costs are brought back to zero from here, so that they never leave 32 bits. */
const COST_HIGH = 2 ** 28;
/** No step is longer: the cost of that many literals stays below COST_HIGH. */
const STEP_BYTES_MAX = 2 ** 20;
/** The change of a byte that lies behind the end of the source. */
const OUTSIDE = 256;
const NONE = -1;
const LITERAL = -1;

/** Two images as they are. */
export interface PlainPair {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

export class DisplacementBeam {
  /** Bytes compared or passed so far, over all states. */
  steps = 0;
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #plain: PlainPair | null;
  readonly #start: number;
  #at: number;

  #count = 0;
  readonly #cost = new Int32Array(STATES_MAX);
  readonly #displacement = new Int32Array(STATES_MAX);
  readonly #from = new Int32Array(STATES_MAX);
  readonly #before = new Int32Array(STATES_MAX);
  readonly #record = new Int32Array(STATES_MAX);
  readonly #isMissing = new Uint8Array(STATES_MAX);
  /** The last change of a byte of each place in a word of four, for each state. */
  readonly #lastChange = new Uint8Array(4 * STATES_MAX);
  /** The one before: tables have two numbers in turn that change differently, such as offset and addend. */
  readonly #olderChange = new Uint8Array(4 * STATES_MAX);
  /** The same two of the images themselves, where their copies differ. */
  readonly #plainChange = new Uint8Array(4 * STATES_MAX);
  readonly #olderPlainChange = new Uint8Array(4 * STATES_MAX);
  readonly #changes = [this.#lastChange, this.#olderChange, this.#plainChange, this.#olderPlainChange];
  readonly #strikes = new Int32Array(STATES_MAX);
  /** What beginning a state's displacement anew after the best state costs; NONE if not known. */
  readonly #openCost = new Int32Array(STATES_MAX);

  readonly #literalByteCost: number;
  #literalCost = 0;
  #literalFrom: number;
  #literalBefore = NONE;
  #literalRecord = NONE;
  #literalDisplacement = 0;

  /** The best state of the current byte, and where it began when #openCost was worked out. */
  #best = LITERAL;
  #bestCost = 0;
  #openBest = LITERAL;
  #openFrom = NONE;

  readonly #records = new Records();

  /** `plain` are the images that `source` and `target` are canonical copies of, if they are. */
  constructor(
    source: Uint8Array,
    target: Uint8Array,
    start: number,
    literalByteCost: number,
    plain: PlainPair | null = null,
  ) {
    this.#source = source;
    this.#target = target;
    this.#plain = plain;
    this.#start = start;
    this.#at = start;
    this.#literalFrom = start;
    this.#literalByteCost = literalByteCost;
  }

  /** The current byte. */
  get at(): number {
    return this.#at;
  }

  /** Puts a displacement in play from the current byte on. */
  activate(displacement: number): void {
    const place = this.#at + displacement;
    if (place < 0 || place >= this.#source.length) return;
    for (let k = 0; k < this.#count; k++) if (this.#displacement[k] === displacement) return;
    this.#findBest();
    const cost = this.#bestCost + this.#costAfterBest(displacement);
    const before = this.#recordOfBest();
    const k = this.#count < STATES_MAX ? this.#count++ : this.#worst();
    this.#displacement[k] = displacement;
    this.#begin(k, cost, before);
    this.#strikes[k] = 0;
    for (const changes of this.#changes) changes.fill(0, 4 * k, 4 * k + 4);
    this.#openCost[k] = NONE;
  }

  /** Goes on to target offset `to` with the displacements that are in play. */
  advance(to: number): void {
    while (this.#at < to) {
      this.#advanceStep(Math.min(to, this.#at + STEP_BYTES_MAX));
      this.#rebase();
    }
  }

  /** The covers of the cheapest way to the current byte. */
  covers(): Cover[] {
    this.#findBest();
    const covers: Cover[] = [];
    const records = this.#records;
    let end = this.#at;
    for (let r = this.#recordOfBest(); r !== NONE; r = records.before[r]!) {
      const from = records.from[r]!;
      if (records.isCover[r] === 1 && end > from) {
        covers.push({ sourceOffset: from + records.displacement[r]!, targetOffset: from, length: end - from });
      }
      end = from;
    }
    return coversIn(joinCovers([coverListOf(covers.reverse())]));
  }

  #advanceStep(to: number): void {
    let exact = 0;
    while (this.#at < to) {
      if (this.#count === 0) {
        this.#literalCost += this.#literalByteCost * (to - this.#at);
        this.#at = to;
        return;
      }
      this.#findBest();
      this.#branch();
      if (exact >= JUMP_AFTER_BYTES) {
        this.#jump(to);
        exact = 0;
        continue;
      }
      exact = this.#passByte() ? exact + 1 : 0;
    }
  }

  #findBest(): void {
    let best = LITERAL;
    let bestCost = this.#literalCost;
    const cost = this.#cost;
    for (let k = 0; k < this.#count; k++) {
      if (cost[k]! < bestCost) {
        bestCost = cost[k]!;
        best = k;
      }
    }
    this.#best = best;
    this.#bestCost = bestCost;
    const from = best === LITERAL ? this.#literalFrom : this.#from[best]!;
    if (best !== this.#openBest || from !== this.#openFrom) {
      this.#openBest = best;
      this.#openFrom = from;
      this.#openCost.fill(NONE);
    }
  }

  /** Begins states anew behind the best one where that is cheaper than what they have. */
  #branch(): void {
    const cost = this.#cost;
    const bestCost = this.#bestCost;
    for (let k = 0; k < this.#count; k++) {
      if (cost[k]! <= bestCost + SAME_COST) continue;
      let open = this.#openCost[k]!;
      if (open === NONE) {
        open = this.#costAfterBest(this.#displacement[k]!);
        this.#openCost[k] = open;
      }
      if (bestCost + open < cost[k]!) this.#begin(k, bestCost + open, this.#recordOfBest());
    }
    if (this.#best !== LITERAL && bestCost + LITERAL_OPEN_COST < this.#literalCost) {
      this.#literalBefore = this.#recordOfBest();
      this.#literalCost = bestCost + LITERAL_OPEN_COST;
      this.#literalFrom = this.#at;
      this.#literalRecord = NONE;
      this.#literalDisplacement = this.#displacement[this.#best]!;
    }
  }

  #begin(k: number, cost: number, before: number): void {
    this.#cost[k] = cost;
    this.#from[k] = this.#at;
    this.#before[k] = before;
    this.#record[k] = NONE;
    this.#isMissing[k] = 0;
  }

  /** One byte in every state. Whether all agreed with it. */
  #passByte(): boolean {
    const source = this.#source;
    const at = this.#at;
    const byte = this.#target[at]!;
    const count = this.#count;
    let isExact = true;
    let isAnyLost = false;
    this.#literalCost += this.#literalByteCost;
    for (let k = 0; k < count; k++) {
      const place = at + this.#displacement[k]!;
      const change = place < source.length ? (byte - source[place]!) & 255 : OUTSIDE;
      if (change === 0) {
        this.#cost[k]! += EXACT_COST;
        this.#isMissing[k] = 0;
        if (this.#strikes[k]! > 0) this.#strikes[k]!--;
        continue;
      }
      isExact = false;
      if (change !== OUTSIDE && this.#isPlain((k << 2) | (at & 3), at, place)) {
        this.#cost[k]! += PLAIN_MISS_COST;
        this.#isMissing[k] = 0;
        continue;
      }
      if (change === OUTSIDE) this.#strikes[k] = STRIKES_MAX;
      this.#cost[k]! += this.#missCost(k, (k << 2) | (at & 3), change);
      if (++this.#strikes[k]! > STRIKES_MAX) isAnyLost = true;
    }
    this.steps += count;
    this.#at++;
    if (isAnyLost) this.#dropLost();
    return isExact;
  }

  /** Whether the image's byte, unlike its copy's, is the source's or differs as one of the last two in its lane did. */
  #isPlain(lane: number, at: number, place: number): boolean {
    if (this.#plain === null) return false;
    const change = (this.#plain.target[at]! - this.#plain.source[place]!) & 255;
    const last = this.#plainChange[lane]!;
    if (change === 0 || change === last || change === this.#olderPlainChange[lane]) return true;
    this.#olderPlainChange[lane] = last;
    this.#plainChange[lane] = change;
    return false;
  }

  /** What the mismatch of state `k` costs; remembers the change. `lane` is its place in a word, in the state's memory. */
  #missCost(k: number, lane: number, change: number): number {
    if (change === this.#lastChange[lane] || change === this.#olderChange[lane]) {
      this.#isMissing[k] = 0;
      return REPEATED_MISS_COST;
    }
    this.#olderChange[lane] = this.#lastChange[lane]!;
    this.#lastChange[lane] = change & 255;
    const isFirst = this.#isMissing[k] === 0;
    this.#isMissing[k] = 1;
    return isFirst ? MISS_COST : NEXT_MISS_COST;
  }

  /** Goes on over the bytes, up to `to`, that are exact in every state. */
  #jump(to: number): void {
    let run = this.#count === 1 ? to - this.#at : Math.min(to - this.#at, JUMP_BYTES_MAX);
    for (let k = 0; k < this.#count; k++) {
      run = matchLength(this.#source, this.#at + this.#displacement[k]!, this.#target, this.#at, 0, run);
      this.steps += run;
    }
    if (run === 0) {
      this.#passByte();
      return;
    }
    for (let k = 0; k < this.#count; k++) {
      this.#cost[k]! += EXACT_COST * run;
      this.#strikes[k] = Math.max(0, this.#strikes[k]! - run);
    }
    this.#literalCost += this.#literalByteCost * run;
    this.#at += run;
    this.steps += this.#count;
  }

  /** Removes the states that have missed too often or run out of source; the order of the others stays. */
  #dropLost(): void {
    let kept = 0;
    for (let k = 0; k < this.#count; k++) {
      if (this.#strikes[k]! > STRIKES_MAX && this.#cost[k]! > this.#bestCost + SAME_COST) continue;
      if (kept !== k) this.#move(k, kept);
      kept++;
    }
    this.#count = kept;
    this.#openFrom = NONE - 1;
  }

  #move(from: number, to: number): void {
    for (const field of [this.#cost, this.#displacement, this.#from, this.#before, this.#record, this.#isMissing]) {
      field[to] = field[from]!;
    }
    this.#strikes[to] = this.#strikes[from]!;
    for (const changes of this.#changes) changes.copyWithin(4 * to, 4 * from, 4 * from + 4);
  }

  #worst(): number {
    let worst = this.#best === 0 ? 1 : 0;
    for (let k = worst + 1; k < this.#count; k++) {
      if (k === this.#best) continue;
      const strikes = this.#strikes[k]! - this.#strikes[worst]!;
      if (strikes > 0 || (strikes === 0 && this.#cost[k]! > this.#cost[worst]!)) worst = k;
    }
    return worst;
  }

  #costAfterBest(displacement: number): number {
    const isLiteral = this.#best === LITERAL;
    const last = isLiteral ? this.#literalDisplacement : this.#displacement[this.#best]!;
    if (last === displacement) return SAME_COST;
    let r = isLiteral ? this.#literalBefore : this.#before[this.#best]!;
    for (let i = 0; i < RECENT_RECORDS && r !== NONE; i++) {
      if (this.#records.displacement[r] === displacement) return RECENT_COST;
      r = this.#records.before[r]!;
    }
    return freshCoverCost(displacement - last);
  }

  #recordOfBest(): number {
    const k = this.#best;
    if (k === LITERAL) {
      if (this.#literalRecord === NONE && this.#at > this.#start) {
        const displacement = this.#literalDisplacement;
        this.#literalRecord = this.#records.add(this.#literalBefore, this.#literalFrom, displacement, 0);
      }
      return this.#literalRecord;
    }
    if (this.#record[k] === NONE) {
      this.#record[k] = this.#records.add(this.#before[k]!, this.#from[k]!, this.#displacement[k]!, 1);
    }
    return this.#record[k]!;
  }

  /** Takes the same from all costs when they are high: only differences count. */
  #rebase(): void {
    this.#findBest();
    const low = this.#bestCost;
    if (low < COST_HIGH) return;
    this.#literalCost -= low;
    this.#bestCost = 0;
    for (let k = 0; k < this.#count; k++) this.#cost[k]! -= low;
  }
}

/** Chains of decisions: each record is a stretch that began at `from` after record `before`. */
class Records {
  #count = 0;
  before: Int32Array = new Int32Array(1024);
  from: Int32Array = new Int32Array(1024);
  displacement: Int32Array = new Int32Array(1024);
  isCover = new Uint8Array(1024);

  add(before: number, from: number, displacement: number, isCover: number): number {
    const r = this.#count++;
    if (r === this.from.length) this.#grow();
    this.before[r] = before;
    this.from[r] = from;
    this.displacement[r] = displacement;
    this.isCover[r] = isCover;
    return r;
  }

  #grow(): void {
    const longer = (values: Int32Array): Int32Array => {
      const grown = new Int32Array(values.length * 2);
      grown.set(values);
      return grown;
    };
    this.before = longer(this.before);
    this.from = longer(this.from);
    this.displacement = longer(this.displacement);
    const grown = new Uint8Array(this.from.length);
    grown.set(this.isCover);
    this.isCover = grown;
  }
}
