/**
 * The twin of native-free/model/fast/fast-units.ts and decisions.ts, for decoders. What the contexts mean is said there.
 */
import { count, follow, forgetScores, learn, originOf, originsOf, valueOf } from '../candidates.ts';
import { bitLength, contextHash } from '../hash.ts';
import { forgetAll } from '../knowledge.ts';
import { expectUnit, isBigEndian, learnUnit, passUnit, propose, read } from '../readers.ts';
import { bytes, clearBlock, kind, lengthOf, offset, region, TARGET, target, units, word } from '../run.ts';
import { fastByte, fastFlag, resetModels, spentByModels } from './models.ts';
import { forgetLiterals } from './literals.ts';

const CANDIDATE: u32 = 1;
const MISS: u32 = 5;
const RUN: u32 = 9;
const RUN_BITS: u32 = 13;
const RUN_SET: i32 = 6144;
const RUN_BITS_MAX: u32 = 14;
const TREE_BITS: u32 = 3;
const BLOCK_BYTES: i32 = 64;
const WORK_UNIT: u32 = 8;
const RISK_BITS: i32 = 16;
const RISK_FIRST: u8 = 24;
const RISKY: u32 = 28;
const BEST_BITS: i32 = 12;
const ORIGIN_MAP: u8 = 2;
const RECENT_MISSES: u32 = 7;
const NO_MISS: u32 = 15;

let riskTable: usize = 0;
let bestTable: usize = 0;
let origins: u32 = 0;
let kindBase: u32 = 0;
let missHistory: u32 = 0;
let before: u32 = 0;
let safe: u32 = 0;
let runLength: u32 = 0;
let lastRun: u32 = 0;
let work: u32 = 0;

/** Lays the loop's own memory out from `at` on; returns where it ends. */
export function placeFastUnits(at: usize): usize {
  riskTable = at;
  bestTable = riskTable + (1 << RISK_BITS);
  return bestTable + (1 << BEST_BITS);
}

/** A segment begins. */
export function resetFast(): void {
  resetModels();
  forgetAll();
  forgetScores();
  forgetLiterals();
  memory.fill(riskTable, RISK_FIRST, 1 << RISK_BITS);
  memory.fill(bestTable, ORIGIN_MAP, 1 << BEST_BITS);
  origins = 0;
  missHistory = 0;
  before = 0;
  lastRun = 0;
}

/** A cover begins. */
export function beginFastCover(): void {
  missHistory = 0;
}

/** Look-ups since this was asked last. */
export function spentFast(): u32 {
  const sum = work + spentByModels();
  work = 0;
  return sum;
}

/** Decodes [from, to) of the run that was begun, or a little more; see `codeUnits`. */
export function decodeUnits(regionKind: u32, from: i32, to: i32, phase: i32): i32 {
  kindBase = regionKind << 5;
  const ahead = phase - from;
  let at = from;
  beginSafe();
  while (at < to) {
    const limit = min(to, at + BLOCK_BYTES - ((at + ahead) & (BLOCK_BYTES - 1)));
    clearBlock();
    read(at, limit);
    const n = units();
    work += WORK_UNIT * n;
    for (let i = 0; i < n; i++) decodeUnit(i, at);
    at += bytes();
  }
  lastRun = NO_MISS;
  return at;
}

function beginSafe(): void {
  safe = 0;
  runLength = decodeRun(kindBase, lastRun);
}

function decodeRun(a: u32, b: u32): u32 {
  let length: u32 = 0;
  for (; length < RUN_BITS_MAX; length++) {
    const first = contextHash(RUN, length);
    const second = contextHash(RUN + 1, length, a);
    const third = contextHash(RUN + 2, length, b);
    if (fastFlag(RUN_SET + length, first, second, third, contextHash(RUN + 3, length, a, b)) == 0) break;
  }
  let result: u32 = length == 0 ? 0 : 1;
  for (let left = <i32>length - 2; left >= 0; left--) {
    const depth = length - 2 - <u32>left;
    const place = (length << 8) | (depth < TREE_BITS ? result : 64 + <u32>left);
    const bit = fastFlag(
      RUN_SET + RUN_BITS_MAX,
      contextHash(RUN_BITS, place),
      contextHash(RUN_BITS + 1, place, a),
      contextHash(RUN_BITS + 2, place, b),
      contextHash(RUN_BITS + 3, left),
    );
    result = (result << 1) | <u32>bit;
  }
  return result;
}

// @ts-ignore: decorator
@inline
function riskOf(i: i32): usize {
  const kind_ = kind(i);
  const key = kind_ == 0 ? word(i) : target(i);
  const hash = ((key ^ (kind_ << 24)) * 0x9e3779b1) ^ (kindBase * 0x85ebca6b);
  return riskTable + <usize>(hash >> (32 - RISK_BITS));
}

function decodeUnit(i: i32, at: i32): void {
  const place = TARGET + <usize>(at + offset(i));
  const length = lengthOf(i);
  const riskAt = riskOf(i);
  const risk = <u32>load<u8>(riskAt);
  const bestAt = bestOf(kind(i));
  const isSafe = risk < RISKY && (missHistory & RECENT_MISSES) == 0;
  let expected: i64 = -1;
  if (isSafe) {
    const origin = <i32>load<u8>(bestAt);
    const value = expectUnit(i, at, origin);
    if (++safe != runLength) {
      missHistory <<= 1;
      origins = (origins << 4) | (<u32>origin & 15);
      before = value;
      passUnit(i, at, value);
      storeUnit(place, length, value);
      return;
    }
    lastRun = bitLength(safe);
    expected = <i64>(<u64>value);
  }
  work += WORK_UNIT;
  propose(i, at);
  const which = whichCandidate(i, expected, risk);
  follow(which);
  const coded = which < 0 ? spell(i, length) : valueOf(which);
  const missed = isSafe || which != 0;
  if (which >= 0) store<u8>(bestAt, <u8>originOf(which));
  origins = (origins << 4) | (which < 0 ? 15 : <u32>originOf(which) & 15);
  missHistory = (missHistory << 1) | <u32>missed;
  store<u8>(riskAt, missed ? risk + ((256 - risk) >> 1) : risk - ((risk + 3) >> 2));
  before = coded;
  storeUnit(place, length, coded);
  learn(coded);
  learnUnit(i, at, coded);
  if (isSafe) beginSafe();
}

// @ts-ignore: decorator
@inline
function bestOf(kind: u32): usize {
  const hash = (((region() << 5) | kind) * 0x9e3779b1) ^ ((origins & 0xff) * 0x85ebca6b);
  return bestTable + <usize>((hash ^ (hash >> 15)) & ((1 << BEST_BITS) - 1));
}

function whichCandidate(i: i32, not: i64, risk: u32): i32 {
  const own = kind(i);
  const kind_ = kindBase | own;
  const value = own == 0 ? word(i) >> (kind_ < 32 ? 0 : 12) : target(i);
  const misses = missHistory;
  const followed = origins;
  const known: u32 = not < 0 ? 0 : 1;
  const n = count();
  for (let c = 0; c < n; c++) {
    if (<i64>(<u64>valueOf(c)) == not) continue;
    const agreed = originsOf(c);
    const place = (min<u32>(2, c) << 1) | (n - c > 1 ? 1 : 0);
    const what = (kind_ << 9) | (<u32>originOf(c) << 4) | (place << 1) | known;
    const hit = fastFlag(
      <i32>((kind_ << 4) | (c == 0 && known == 0 ? risk >> 5 : 8 + place)),
      contextHash(CANDIDATE, what, misses & 0xff, agreed),
      contextHash(CANDIDATE + 1, what, ((risk >> 3) << 3) | (misses & 7)),
      contextHash(CANDIDATE + 2, what, followed & 0xfff, agreed),
      contextHash(CANDIDATE + 3, what, value),
    );
    if (hit != 0) return c;
  }
  return -1;
}

function spell(i: i32, length: i32): u32 {
  const source = word(i);
  const first = valueOf(0);
  const kind_ = kindBase | kind(i);
  let value: u32 = 0;
  let likeExpected: u32 = 1;
  let likeSource: u32 = 1;
  for (let left: u32 = length - 1; <i32>left >= 0; left--) {
    const shift = 8 * left;
    const e = (first >> shift) & 255;
    const s = (source >> shift) & 255;
    const like = (left << 2) | (likeExpected << 1) | likeSource;
    const place = (kind_ << 8) | like;
    const coded = fastByte(
      <i32>((kind_ << 4) | like),
      contextHash(MISS, place, e),
      contextHash(MISS + 1, place, s, value & 255),
      contextHash(MISS + 2, (kind_ << 2) | left, value),
      contextHash(MISS + 3, place, (before >> shift) & 255, value & 255),
    );
    if (coded != e) likeExpected = 0;
    if (coded != s) likeSource = 0;
    value = (value << 8) | coded;
  }
  return value;
}

function storeUnit(at: usize, length: i32, value: u32): void {
  const big = isBigEndian();
  if (length == 4) {
    store<u32>(at, big ? bswap(value) : value);
    return;
  }
  for (let i = 0; i < length; i++) store<u8>(at + i, value >> (8 * (big ? length - 1 - i : i)));
}
