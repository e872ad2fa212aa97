/**
 * Coding of bytes under a cover: blocks that are all as predicted, units that are one of their candidates, and what is
 * neither.
 *
 * Most blocks cost one flag. In the others every unit has a flag for each distinct candidate in turn, and a unit that is
 * none of them is spelled out, most significant byte first, in the light of the candidate, the source and the unit
 * before.
 * @module
 */
import { storeBytes } from '../format/words.ts';
import type { Candidates } from '../predict/candidates.ts';
import { BLOCK_BYTES, UnitBlock } from '../predict/unit-block.ts';
import type { UnitReader } from '../predict/unit-reader.ts';
import { BYTE_SETS_OF, CONTEXT_TAGS, FLAG_SETS_OF, NEAR_SETS_OF } from './contexts.ts';
import { bitLength, contextHash } from './hash.ts';
import type { ModelCoder } from './model-coder.ts';
import { STREAM, type CostMeter } from './costs.ts';
import type { Stretch } from './unit-loop.ts';
import { WORK } from '../format/work.ts';

const { block: BLOCK, candidate: CANDIDATE, miss: MISS } = CONTEXT_TAGS;
/** Units of known trouble: how often a word or address was a miss lately, in 1/256. */
const RISK_BITS = 16;
const RISK_FIRST = 24;

export class UnitCoder {
  readonly #coder: ModelCoder;
  readonly #meter: CostMeter;
  readonly #candidates: Candidates;
  readonly #block = new UnitBlock();
  readonly #risk = new Uint8Array(1 << RISK_BITS);
  #blockHistory = 0;
  #missHistory = 0;
  #sinceMiss = 0;
  #sinceStart = 0;
  #before = 0;
  /** How the last unit that was spelled out differs from the source's. */
  #change = 0;
  #expectedTrail = 0;
  #kindBase = 0;
  #region = 0;

  constructor(coder: ModelCoder, candidates: Candidates, meter: CostMeter) {
    this.#coder = coder;
    this.#candidates = candidates;
    this.#meter = meter;
  }

  reset(): void {
    this.#risk.fill(RISK_FIRST);
    this.#blockHistory = 0;
    this.#missHistory = 0;
    this.#sinceMiss = 0;
    this.#before = 0;
    this.#change = 0;
  }

  /** A new cover begins. */
  begin(): void {
    this.#missHistory = 0;
    this.#sinceStart = 0;
  }

  /**
   * Codes source bytes [from, end) of a run that the reader has begun, or a little more where a unit crosses `end`;
   * returns where it stopped. `target[at..]`, for `from`, is read by an encoder and filled by a decoder.
   */
  code(reader: UnitReader, stretch: Stretch, target: Uint8Array, at: number): number {
    const { run, end } = stretch;
    const block = this.#block;
    this.#kindBase = stretch.regionKind << 5;
    this.#region = run.region;
    let from = stretch.from;
    while (from < end) {
      const to = at + from - stretch.from;
      const limit = Math.min(end, from + BLOCK_BYTES - (to % BLOCK_BYTES));
      block.clear();
      reader.read(block, from, limit);
      this.#codeBlock(reader, from, target, to, stretch.coverLeft + run.end - from);
      from += block.bytes;
    }
    return from;
  }

  #codeBlock(reader: UnitReader, from: number, target: Uint8Array, to: number, toEnd: number): void {
    const block = this.#block;
    const { work } = this.#coder;
    work.spent += WORK.unit * block.count;
    const risk = this.#expect(reader, from);
    this.#meter.stream(STREAM.flags);
    const same = this.#coder.encoding && this.#isAsExpected(reader, target, to) ? 1 : 0;
    const exact = this.#blockFlag(same, risk, toEnd);
    this.#blockHistory = (this.#blockHistory << 1) | (exact ^ 1);
    if (exact !== 0) {
      for (let i = 0; i < block.count; i++) {
        if (!this.#coder.encoding)
          storeBytes(target, to + block.at[i]!, this.#length(i), block.expected[i]!, reader.bigEndian);
        reader.learn(block, i, from, block.expected[i]!);
        this.#learnRisk(i, false);
      }
      this.#candidates.trail = this.#expectedTrail;
      this.#before = block.expected[block.count - 1]!;
      this.#sinceMiss += block.bytes;
      this.#sinceStart += block.bytes;
      this.#missHistory <<= 1;
      return;
    }
    work.spent += WORK.unit * block.count;
    for (let i = 0; i < block.count; i++) {
      const place = to + block.at[i]!;
      const length = this.#length(i);
      reader.propose(block, i, from, this.#candidates);
      const actual = this.#coder.encoding ? load(target, place, length, reader.bigEndian) : 0;
      const coded = this.#unit(i, length, actual, toEnd - block.at[i]!);
      if (!this.#coder.encoding) storeBytes(target, place, length, coded, reader.bigEndian);
      this.#candidates.learn(coded);
      reader.learn(block, i, from, coded);
      this.#before = coded;
      this.#sinceStart += length;
    }
  }

  /** Fills in what is expected of each unit; returns a summary of how risky the block is. */
  #expect(reader: UnitReader, from: number): number {
    const block = this.#block;
    const candidates = this.#candidates;
    const { trail } = candidates;
    let worst = 0;
    let second = 0;
    let disagreements = 0;
    for (let i = 0; i < block.count; i++) {
      reader.propose(block, i, from, candidates);
      block.expected[i] = candidates.value[0]!;
      candidates.follow(0);
      if (candidates.count > 1) disagreements += candidates.origins[0]! === 2 ? 2 : 1;
      const risk = this.#risk[this.#riskAt(i)]!;
      if (risk > worst) {
        second = worst;
        worst = risk;
      } else if (risk > second) second = risk;
    }
    this.#expectedTrail = candidates.trail;
    candidates.trail = trail;
    return (worst >> 4) | ((second >> 4) << 4) | (Math.min(15, disagreements) << 8) | (Math.min(15, block.count) << 12);
  }

  #riskAt(i: number): number {
    const block = this.#block;
    const key = this.#kindBase === 0 ? this.#pair(i) : block.kind[i] === 0 ? block.word[i]! : block.target[i]!;
    return (
      (Math.imul(key ^ (block.kind[i]! << 24), 0x9e3779b1) ^ Math.imul(this.#kindBase, 0x85ebca6b)) >>> (32 - RISK_BITS)
    );
  }

  #learnRisk(i: number, missed: boolean): void {
    const at = this.#riskAt(i);
    const risk = this.#risk[at]!;
    this.#risk[at] = missed ? risk + ((256 - risk) >> 1) : risk - ((risk + 3) >> 2);
  }

  #isAsExpected(reader: UnitReader, target: Uint8Array, to: number): boolean {
    const block = this.#block;
    for (let i = 0; i < block.count; i++) {
      if (load(target, to + block.at[i]!, this.#length(i), reader.bigEndian) !== block.expected[i]!) return false;
    }
    return true;
  }

  #blockFlag(same: number, risk: number, toEnd: number): number {
    const contexts = this.#coder.contexts;
    const kind = this.#kindBase;
    const history = this.#blockHistory;
    const since = (Math.min(14, bitLength(this.#sinceMiss)) << 4) | Math.min(12, bitLength(this.#sinceStart));
    contexts[0] = contextHash(BLOCK, kind, history & 0xff);
    contexts[1] = contextHash(BLOCK + 1, kind, since);
    contexts[2] = contextHash(BLOCK + 2, kind, risk & 0xff);
    contexts[3] = contextHash(BLOCK + 3, kind, risk & 0xfff, history & 3);
    contexts[4] = contextHash(BLOCK + 4, this.#region, (risk >> 8) & 15, history & 7);
    contexts[5] = contextHash(BLOCK + 5, Math.min(12, bitLength(toEnd)), risk & 0xf, history & 3);
    contexts[6] = contextHash(BLOCK + 6, risk, kind);
    this.#coder.work.spent += 7;
    return this.#coder.flag(same, 7, FLAG_SETS_OF.block + (risk & 15));
  }

  /** One unit: which candidate it is, or its bytes. */
  #unit(i: number, length: number, actual: number, toEnd: number): number {
    const candidates = this.#candidates;
    this.#meter.stream(STREAM.flags);
    for (let c = 0; c < candidates.count; c++) {
      const value = candidates.value[c]!;
      if (this.#candidateFlag(i, c, actual === value ? 1 : 0, toEnd) === 0) continue;
      candidates.follow(c);
      this.#sinceMiss += length;
      this.#missHistory = (this.#missHistory << 1) | (c === 0 ? 0 : 1);
      this.#learnRisk(i, c > 0);
      return value;
    }
    candidates.follow(-1);
    this.#meter.stream(STREAM.misses);
    const coded = this.#spell(i, length, actual);
    this.#change = coded ^ this.#block.word[i]!;
    this.#sinceMiss = 0;
    this.#missHistory = (this.#missHistory << 1) | 1;
    this.#learnRisk(i, true);
    return coded;
  }

  #candidateFlag(i: number, c: number, hit: number, toEnd: number): number {
    const block = this.#block;
    const candidates = this.#candidates;
    const contexts = this.#coder.contexts;
    const kind = this.#kindBase | block.kind[i]!;
    const left = candidates.count - c > 1 ? 1 : 0;
    const origins = candidates.origins[c]!;
    const what = (kind << 8) | (candidates.origin[c]! << 3) | (Math.min(2, c) << 1) | left;
    const { trail } = candidates;
    const misses = this.#missHistory;
    const since = (Math.min(12, bitLength(this.#sinceMiss)) << 4) | Math.min(10, bitLength(this.#sinceStart));
    contexts[0] = contextHash(CANDIDATE, what, misses & 0xff, origins);
    contexts[1] = contextHash(CANDIDATE + 1, what, since);
    contexts[2] = contextHash(CANDIDATE + 2, what, block.opcode[i]!);
    contexts[4] = contextHash(CANDIDATE + 4, what, block.kind[i] === 0 ? block.word[i]! >>> 12 : block.target[i]!);
    contexts[6] = contextHash(CANDIDATE + 6, what, this.#before, block.opcode[i]! >>> 16);
    const word = block.word[i]!;
    const previous = this.#word(i - 1);
    const next = this.#word(i + 1);
    if (this.#length(i) === 1) {
      // A byte by itself says little: what stands around it in the source tells which bytes change.
      contexts[3] = contextHash(CANDIDATE + 3, what, misses & 15, (next << 8) | word);
      contexts[5] = contextHash(CANDIDATE + 5, what, (previous << 16) | (word << 8) | next);
      contexts[7] = contextHash(CANDIDATE + 7, what, misses & 15, next);
    } else {
      const end = (Math.min(10, bitLength(toEnd)) << 8) | (misses & 7);
      contexts[3] = contextHash(CANDIDATE + 3, what, trail & 0xffff, origins);
      contexts[5] = contextHash(CANDIDATE + 5, what, end, trail & 15);
      contexts[7] = contextHash(CANDIDATE + 7, (what << 8) | (this.#region & 255), trail & 0xff, origins);
    }
    contexts[8] = contextHash(CANDIDATE + 8, what, previous, next);
    this.#coder.work.spent += 9;
    return this.#coder.flag(hit, 9, FLAG_SETS_OF.candidate + ((kind << 4) | Math.min(15, candidates.origin[c]!)));
  }

  /** The bytes of a unit that is no candidate, most significant first. */
  #spell(i: number, length: number, actual: number): number {
    const source = this.#block.word[i]!;
    const expected = this.#candidates.value[0]!;
    const contexts = this.#coder.contexts;
    const kind = this.#kindBase | this.#block.kind[i]!;
    const before = this.#before;
    const isByte = length === 1;
    const previous = this.#word(i - 1);
    const next = this.#word(i + 1);
    let value = 0;
    let likeExpected = 1;
    let likeSource = 1;
    this.#coder.work.spent += 8 * 8 * length;
    for (let left = length - 1; left >= 0; left--) {
      const shift = 8 * left;
      const e = (expected >>> shift) & 255;
      const s = (source >>> shift) & 255;
      const place = (kind << 8) | (left << 2) | (likeExpected << 1) | likeSource;
      contexts[0] = contextHash(MISS, place, e);
      contexts[1] = contextHash(MISS + 1, place, s, value & 255);
      contexts[3] = contextHash(MISS + 3, place, (before >>> shift) & 255, value & 255);
      contexts[4] = contextHash(MISS + 4, place);
      if (isByte) {
        contexts[2] = contextHash(MISS + 2, previous, source, next);
        contexts[5] = contextHash(MISS + 5, source, next);
        contexts[6] = contextHash(MISS + 6, previous, before, source);
      } else {
        contexts[2] = contextHash(MISS + 2, (kind << 2) | left, value);
        contexts[5] = contextHash(MISS + 5, place, (this.#change >>> shift) & 255, s);
        contexts[6] = contextHash(MISS + 6, (kind << 2) | left, source >>> shift, value);
      }
      contexts[7] = contextHash(MISS + 7, place, e, s);
      const set = BYTE_SETS_OF.miss + ((kind << 4) | (left << 2) | (likeExpected << 1) | likeSource);
      const byte = this.#coder.byte((actual >>> shift) & 255, 8, set, NEAR_SETS_OF.miss);
      if (byte !== e) likeExpected = 0;
      if (byte !== s) likeSource = 0;
      value = (value << 8) | byte;
    }
    return value >>> 0;
  }

  /** Byte `i` and the one behind it. */
  #pair(i: number): number {
    return (this.#block.word[i]! << 8) | this.#word(i + 1);
  }

  /** The source's unit `i` of the block, 0 outside of it. */
  #word(i: number): number {
    return i >= 0 && i < this.#block.count ? this.#block.word[i]! : 0;
  }

  #length(i: number): number {
    return this.#block.at[i + 1]! - this.#block.at[i]!;
  }
}

function load(bytes: Uint8Array, at: number, length: number, bigEndian: boolean): number {
  let value = 0;
  if (bigEndian) for (let i = 0; i < length; i++) value = (value << 8) | bytes[at + i]!;
  else for (let i = length - 1; i >= 0; i--) value = (value << 8) | bytes[at + i]!;
  return value >>> 0;
}
