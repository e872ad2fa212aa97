/**
 * The loop over units of the fast profile: one pass, in which most units cost neither a decision nor a list of candidates.
 *
 * A unit is safe if its word or address was not missed lately, nor a unit just before it. Of a safe unit one value is
 * expected, by the origin that was right last, and a run says how many are. Of the others every candidate has a flag.
 * Only those teach anything: what went as expected would say little that is new.
 * @module
 */
import { storeBytes } from '../../format/words.ts';
import { ORIGIN } from '../../format/origins.ts';
import type { Plan } from '../../format/plan.ts';
import type { RegionKind } from '../../format/regions.ts';
import { WORK } from '../../format/work.ts';
import { AddressMap } from '../../predict/address-map.ts';
import { AddressSpace } from '../../predict/address-space.ts';
import { Candidates } from '../../predict/candidates.ts';
import { Knowledge } from '../../predict/knowledge.ts';
import { Readers } from '../../predict/readers.ts';
import { BLOCK_BYTES, UnitBlock } from '../../predict/unit-block.ts';
import type { Run, UnitReader } from '../../predict/unit-reader.ts';
import type { CostMeter } from '../costs.ts';
import { bitLength, contextHash } from '../hash.ts';
import type { ModelCoder } from '../model-coder.ts';
import type { Stretch, UnitLoop } from '../unit-loop.ts';
import { Decisions } from './decisions.ts';
import { FAST_BYTE_SETS_OF, FAST_FLAG_SETS_OF, FAST_TAGS } from './fast-contexts.ts';
import type { FastModels } from './fast-models.ts';

const { candidate: CANDIDATE, miss: MISS } = FAST_TAGS;
/** How often a word or address was a miss lately, in 1/256; from where on it is risky. */
const RISK_BITS = 16;
const RISK_FIRST = 24;
const RISKY = 28;
/** Units behind a miss that are not safe, as bits of the history. */
const RECENT_MISSES = 7;
/** Places for what was right last; what stands in the trail of origins for none. */
const BEST_BITS = 12;
const NO_ORIGIN = 15;
/** Size of a run that no miss ended: above those of all others. */
const NO_MISS = 15;

/** What is known of a unit before it is coded: an encoder's value, one that it does not have (or -1), and its risk. */
interface Wanted {
  readonly actual: number;
  readonly not: number;
  readonly riskAt: number;
}

export class FastUnits implements UnitLoop {
  readonly #coder: ModelCoder;
  readonly #knowledge: Knowledge;
  readonly #candidates = new Candidates();
  readonly #readers: Readers;
  readonly #models: FastModels;
  readonly #decisions: Decisions;
  readonly #block = new UnitBlock();
  readonly #risk = new Uint8Array(1 << RISK_BITS);
  /** Which origin was right last, by region, kind and the origins of the two units before. */
  readonly #best = new Uint8Array(1 << BEST_BITS);
  #reader: UnitReader;
  #kindBase = 0;
  #region = 0;
  #missHistory = 0;
  #before = 0;
  /** Origins of the last units, four bits each, the newest lowest. */
  #trail = 0;
  /** Safe units since the run began; a decoder's are told at its beginning when it ends, or 0. */
  #safe = 0;
  #runLength = 0;
  /** Size of the last run that ended. */
  #lastRun = 0;

  constructor(plan: Plan, coder: ModelCoder, models: FastModels, meter: CostMeter) {
    const space = new AddressSpace(plan.source, plan.target);
    this.#coder = coder;
    this.#knowledge = new Knowledge(new AddressMap(plan.covers, plan.source, plan.target), space);
    this.#models = models;
    this.#decisions = new Decisions(models, meter, coder.encoding);
    this.#readers = new Readers(this.#knowledge, plan.bases);
    this.#reader = this.#readers.raw;
  }

  reset(): void {
    this.#models.reset();
    this.#knowledge.reset();
    this.#candidates.reset();
    this.#risk.fill(RISK_FIRST);
    this.#missHistory = 0;
    this.#before = 0;
    this.#lastRun = 0;
    this.#trail = 0;
    this.#best.fill(ORIGIN.map);
  }

  begin(): void {
    this.#missHistory = 0;
  }

  select(module: number): void {
    if (this.#knowledge.space.isSelected(module)) return;
    this.#knowledge.space.select(module);
    this.#knowledge.map.select(module);
  }

  beginRun(kind: RegionKind, run: Run): void {
    this.#reader = this.#readers.of(kind, run);
    this.#reader.begin(run);
    this.#kindBase = kind << 5;
    this.#region = run.region;
  }

  code(stretch: Stretch, target: Uint8Array, at: number): number {
    const block = this.#block;
    const reader = this.#reader;
    let { from } = stretch;
    this.#beginSafe();
    while (from < stretch.end) {
      const to = at + from - stretch.from;
      const limit = Math.min(stretch.end, from + BLOCK_BYTES - (to % BLOCK_BYTES));
      block.clear();
      reader.read(block, from, limit);
      this.#coder.work.spent += WORK.unit * block.count;
      for (let i = 0; i < block.count; i++) this.#unit(i, from, target, to + block.at[i]!);
      from += block.bytes;
    }
    // A run that the stretch ends says that there was no miss.
    this.#lastRun = NO_MISS;
    this.#decisions.flush();
    return from;
  }

  #beginSafe(): void {
    this.#safe = 0;
    this.#runLength = this.#decisions.beginRun(this.#kindBase, this.#lastRun);
  }

  /** Unit `i` of the block that begins at `from`, to be read from or written to `target[place]`. */
  #unit(i: number, from: number, target: Uint8Array, place: number): void {
    const block = this.#block;
    const reader = this.#reader;
    const { encoding } = this.#coder;
    const length = block.at[i + 1]! - block.at[i]!;
    const actual = encoding ? load(target, place, length, reader.bigEndian) : 0;
    const riskAt = this.#riskAt(i);
    const bestAt = this.#bestAt(block.kind[i]!);
    const origin = this.#best[bestAt]!;
    const isSafe = this.#risk[riskAt]! < RISKY && (this.#missHistory & RECENT_MISSES) === 0;
    const expected = isSafe ? reader.expect(block, i, from, origin) >>> 0 : -1;
    if (isSafe && !this.#isRunOver(encoding && expected !== actual)) {
      this.#missHistory <<= 1;
      this.#trail = (this.#trail << 4) | (origin & 15);
      this.#before = expected;
      reader.pass(block, i, from, expected);
    } else {
      const which = this.#decided(i, from, { actual, not: expected, riskAt });
      if (which >= 0) this.#best[bestAt] = this.#candidates.origin[which]!;
      if (isSafe) this.#beginSafe();
    }
    if (!encoding) storeBytes(target, place, length, this.#before, reader.bigEndian);
  }

  /** A unit that is not as expected, or not safe; leaves what it is in #before. Returns which candidate that was, or -1. */
  #decided(i: number, from: number, { actual, not, riskAt }: Wanted): number {
    const block = this.#block;
    const candidates = this.#candidates;
    const risk = this.#risk[riskAt]!;
    this.#coder.work.spent += WORK.unit;
    this.#reader.propose(block, i, from, candidates);
    const which = this.#which(i, not, risk, actual);
    const coded = which < 0 ? this.#spell(i, block.at[i + 1]! - block.at[i]!, actual) : candidates.value[which]!;
    const missed = not >= 0 || which !== 0;
    this.#trail = (this.#trail << 4) | (which < 0 ? NO_ORIGIN : candidates.origin[which]! & 15);
    this.#missHistory = (this.#missHistory << 1) | (missed ? 1 : 0);
    this.#risk[riskAt] = missed ? risk + ((256 - risk) >> 1) : risk - ((risk + 3) >> 2);
    this.#before = coded;
    candidates.follow(which);
    candidates.learn(coded);
    this.#reader.learn(block, i, from, coded);
    return which;
  }

  #bestAt(kind: number): number {
    const hash = Math.imul((this.#region << 5) | kind, 0x9e3779b1) ^ Math.imul(this.#trail & 0xff, 0x85ebca6b);
    return (hash ^ (hash >>> 15)) & ((1 << BEST_BITS) - 1);
  }

  /** Whether a safe unit is the one that is not as expected, behind the run; `missed` is what an encoder sees. */
  #isRunOver(missed: boolean): boolean {
    this.#safe++;
    if (!missed && this.#safe !== this.#runLength) return false;
    this.#decisions.endRun(this.#safe);
    this.#lastRun = bitLength(this.#safe);
    return true;
  }

  /** Which candidate the unit is, or -1; none that has the value `not`. */
  #which(i: number, not: number, risk: number, actual: number): number {
    const block = this.#block;
    const candidates = this.#candidates;
    const kind = this.#kindBase | block.kind[i]!;
    const word = block.kind[i] === 0 ? block.word[i]! >>> (kind < 32 ? 0 : 12) : block.target[i]!;
    const misses = this.#missHistory;
    const { count } = candidates;
    const trail = this.#trail;
    for (let c = 0; c < count; c++) {
      if (candidates.value[c] === not) continue;
      const origins = candidates.origins[c]!;
      const known = not < 0 ? 0 : 1;
      const place = (Math.min(2, c) << 1) | (count - c > 1 ? 1 : 0);
      const what = (kind << 9) | (candidates.origin[c]! << 4) | (place << 1) | known;
      const hit = this.#decisions.flag(
        actual === candidates.value[c] ? 1 : 0,
        FAST_FLAG_SETS_OF.candidate + ((kind << 4) | (c === 0 && known === 0 ? risk >> 5 : 8 + place)),
        contextHash(CANDIDATE, what, misses & 0xff, origins),
        contextHash(CANDIDATE + 1, what, ((risk >> 3) << 3) | (misses & 7)),
        contextHash(CANDIDATE + 2, what, trail & 0xfff, origins),
        contextHash(CANDIDATE + 3, what, word),
      );
      if (hit !== 0) return c;
    }
    return -1;
  }

  /** The bytes of a unit that is no candidate, most significant first. */
  #spell(i: number, length: number, actual: number): number {
    const source = this.#block.word[i]!;
    const expected = this.#candidates.value[0]!;
    const kind = this.#kindBase | this.#block.kind[i]!;
    const before = this.#before;
    let value = 0;
    let likeExpected = 1;
    let likeSource = 1;
    for (let left = length - 1; left >= 0; left--) {
      const shift = 8 * left;
      const e = (expected >>> shift) & 255;
      const s = (source >>> shift) & 255;
      const like = (left << 2) | (likeExpected << 1) | likeSource;
      const place = (kind << 8) | like;
      const byte = this.#decisions.byte(
        (actual >>> shift) & 255,
        FAST_BYTE_SETS_OF.miss + ((kind << 4) | like),
        contextHash(MISS, place, e),
        contextHash(MISS + 1, place, s, value & 255),
        contextHash(MISS + 2, (kind << 2) | left, value),
        contextHash(MISS + 3, place, (before >>> shift) & 255, value & 255),
      );
      if (byte !== e) likeExpected = 0;
      if (byte !== s) likeSource = 0;
      value = (value << 8) | byte;
    }
    return value >>> 0;
  }

  #riskAt(i: number): number {
    const block = this.#block;
    const key = block.kind[i] === 0 ? block.word[i]! : block.target[i]!;
    return (
      (Math.imul(key ^ (block.kind[i]! << 24), 0x9e3779b1) ^ Math.imul(this.#kindBase, 0x85ebca6b)) >>> (32 - RISK_BITS)
    );
  }
}

function load(bytes: Uint8Array, at: number, length: number, bigEndian: boolean): number {
  let value = 0;
  if (bigEndian) for (let i = 0; i < length; i++) value = (value << 8) | bytes[at + i]!;
  else for (let i = length - 1; i >= 0; i--) value = (value << 8) | bytes[at + i]!;
  return value >>> 0;
}
