/**
 * The twin of native-free/model/unit-coder.ts: blocks and units under covers, in both directions. What the contexts mean
 * is said there.
 */
import { count, follow, forgetScores, learn, originOf, originsOf, setTrail, trail, valueOf } from './candidates.ts';
import { bitLength, contextHash } from './hash.ts';
import { forgetAll } from './knowledge.ts';
import { byte } from './byte-mixer.ts';
import { flag, isEncoder, setContext } from './mix-coder.ts';
import { beginReader, isBigEndian, learnUnit, propose, read } from './readers.ts';
import {
  bytes,
  clearBlock,
  end,
  expect,
  expected,
  kind,
  lengthOf,
  offset,
  opcode,
  region,
  setRun,
  TARGET,
  target,
  units,
  word,
} from './run.ts';

const BLOCK: u32 = 1;
const CANDIDATE: u32 = 11;
const MISS: u32 = 21;
const CANDIDATE_SET: i32 = 64;
const BLOCK_BYTES: i32 = 64;
const WORK_UNIT: u32 = 8;
const RISK_BITS: i32 = 16;
const RISK_FIRST: u8 = 24;
const RISK = memory.data(1 << RISK_BITS, 16);

let blockHistory: u32 = 0;
let missHistory: u32 = 0;
let sinceMiss: u32 = 0;
let sinceStart: u32 = 0;
let before: u32 = 0;
let change: u32 = 0;
let expectedTrail: u32 = 0;
let kindBase: u32 = 0;
let work: u32 = 0;

/** A segment begins. */
export function resetUnits(): void {
  forgetAll();
  forgetScores();
  memory.fill(RISK, RISK_FIRST, 1 << RISK_BITS);
  blockHistory = 0;
  missHistory = 0;
  sinceMiss = 0;
  before = 0;
  change = 0;
}

/** Another loop begins, which knows of no cover yet. */
export function forgetLoop(): void {
  sinceStart = 0;
}

/** A cover begins. */
export function beginCover(): void {
  missHistory = 0;
  sinceStart = 0;
}

/** A run of `length` bytes in a region of this kind begins, or begins again. */
export function beginRun(
  regionKind: i32,
  length: i32,
  sourceVa: u32,
  targetVa: u32,
  region: u32,
  bases: i32,
): void {
  setRun(length, sourceVa, targetVa, region, bases);
  beginReader(regionKind, sourceVa ^ targetVa);
  kindBase = <u32>regionKind << 5;
}

/** Look-ups since this was asked last. */
export function spent(): u32 {
  const sum = work;
  work = 0;
  return sum;
}

/**
 * Codes [from, end) of the run, or a little more; returns where it stopped. `phase` is how far `from` is into a block of
 * the target, `coverLeft` how many bytes of the cover follow the run.
 */
export function codeUnits(from: i32, to: i32, phase: i32, coverLeft: u32): i32 {
  const ahead = phase - from;
  let at = from;
  while (at < to) {
    const limit = min(to, at + BLOCK_BYTES - ((at + ahead) & (BLOCK_BYTES - 1)));
    clearBlock();
    read(at, limit);
    codeBlock(at, coverLeft + <u32>(end() - at));
    at += bytes();
  }
  return at;
}

function codeBlock(at: i32, toEnd: u32): void {
  const n = units();
  work += WORK_UNIT * n;
  const risk = expectBlock(at);
  const same = isEncoder() && isAsExpected(at) ? 1 : 0;
  const exact = blockFlag(same, risk, toEnd);
  blockHistory = (blockHistory << 1) | <u32>(exact ^ 1);
  if (exact != 0) {
    acceptBlock(at);
    return;
  }
  work += WORK_UNIT * n;
  for (let i = 0; i < n; i++) {
    const place = TARGET + <usize>(at + offset(i));
    const length = lengthOf(i);
    propose(i, at);
    const coded = codeUnit(i, length, isEncoder() ? loadUnit(place, length) : 0, toEnd - <u32>offset(i));
    if (!isEncoder()) storeUnit(place, length, coded);
    learn(coded);
    learnUnit(i, at, coded);
    before = coded;
    sinceStart += length;
  }
}

/** All units of the block are what was expected. */
function acceptBlock(at: i32): void {
  const n = units();
  for (let i = 0; i < n; i++) {
    if (!isEncoder()) storeUnit(TARGET + <usize>(at + offset(i)), lengthOf(i), expected(i));
    learnUnit(i, at, expected(i));
    learnRisk(i, false);
  }
  setTrail(expectedTrail);
  before = expected(n - 1);
  sinceMiss += bytes();
  sinceStart += bytes();
  missHistory <<= 1;
}

function expectBlock(at: i32): u32 {
  const n = units();
  const trailBefore = trail();
  let worst: u32 = 0;
  let second: u32 = 0;
  let disagreements: u32 = 0;
  for (let i = 0; i < n; i++) {
    propose(i, at);
    expect(i, valueOf(0));
    follow(0);
    if (count() > 1) disagreements += originsOf(0) == 2 ? 2 : 1;
    const risk = <u32>load<u8>(riskAt(i));
    if (risk > worst) {
      second = worst;
      worst = risk;
    } else if (risk > second) second = risk;
  }
  expectedTrail = trail();
  setTrail(trailBefore);
  return (worst >> 4) | ((second >> 4) << 4) | (min<u32>(15, disagreements) << 8) | (min<u32>(15, n) << 12);
}

// @ts-ignore: decorator
@inline
function riskAt(i: i32): usize {
  const kind_ = kind(i);
  const key = kindBase == 0 ? (word(i) << 8) | wordNear(i + 1) : kind_ == 0 ? word(i) : target(i);
  const hash = ((key ^ (kind_ << 24)) * 0x9e3779b1) ^ (kindBase * 0x85ebca6b);
  return RISK + <usize>(hash >> (32 - RISK_BITS));
}

function learnRisk(i: i32, missed: bool): void {
  const at = riskAt(i);
  const risk = <u32>load<u8>(at);
  store<u8>(at, missed ? risk + ((256 - risk) >> 1) : risk - ((risk + 3) >> 2));
}

function isAsExpected(at: i32): bool {
  const n = units();
  for (let i = 0; i < n; i++) {
    if (loadUnit(TARGET + <usize>(at + offset(i)), lengthOf(i)) != expected(i)) return false;
  }
  return true;
}

function blockFlag(same: i32, risk: u32, toEnd: u32): i32 {
  const kind = kindBase;
  const history = blockHistory;
  const since = (min<u32>(14, bitLength(sinceMiss)) << 4) | min<u32>(12, bitLength(sinceStart));
  setContext(0, contextHash(BLOCK, kind, history & 0xff));
  setContext(1, contextHash(BLOCK + 1, kind, since));
  setContext(2, contextHash(BLOCK + 2, kind, risk & 0xff));
  setContext(3, contextHash(BLOCK + 3, kind, risk & 0xfff, history & 3));
  setContext(4, contextHash(BLOCK + 4, region(), (risk >> 8) & 15, history & 7));
  setContext(5, contextHash(BLOCK + 5, min<u32>(12, bitLength(toEnd)), risk & 0xf, history & 3));
  setContext(6, contextHash(BLOCK + 6, risk, kind));
  work += 7;
  return flag(same, 7, <i32>(risk & 15));
}

function codeUnit(i: i32, length: i32, actual: u32, toEnd: u32): u32 {
  const n = count();
  for (let c = 0; c < n; c++) {
    const value = valueOf(c);
    if (candidateFlag(i, c, actual == value ? 1 : 0, toEnd) == 0) continue;
    follow(c);
    sinceMiss += length;
    missHistory = (missHistory << 1) | (c == 0 ? 0 : 1);
    learnRisk(i, c > 0);
    return value;
  }
  follow(-1);
  const coded = spell(i, length, actual);
  change = coded ^ word(i);
  sinceMiss = 0;
  missHistory = (missHistory << 1) | 1;
  learnRisk(i, true);
  return coded;
}

function candidateFlag(i: i32, c: i32, hit: i32, toEnd: u32): i32 {
  const own = kind(i);
  const kind_ = kindBase | own;
  const origin = <u32>originOf(c);
  const origins = originsOf(c);
  const what = (kind_ << 8) | (origin << 3) | (min<u32>(2, c) << 1) | (count() - c > 1 ? 1 : 0);
  const followed = trail();
  const misses = missHistory;
  const since = (min<u32>(12, bitLength(sinceMiss)) << 4) | min<u32>(10, bitLength(sinceStart));
  setContext(0, contextHash(CANDIDATE, what, misses & 0xff, origins));
  setContext(1, contextHash(CANDIDATE + 1, what, since));
  setContext(2, contextHash(CANDIDATE + 2, what, opcode(i)));
  setContext(4, contextHash(CANDIDATE + 4, what, own == 0 ? word(i) >> 12 : target(i)));
  setContext(6, contextHash(CANDIDATE + 6, what, before, opcode(i) >> 16));
  const previous = wordNear(i - 1);
  const next = wordNear(i + 1);
  if (lengthOf(i) == 1) {
    const source = word(i);
    setContext(3, contextHash(CANDIDATE + 3, what, misses & 15, (next << 8) | source));
    setContext(5, contextHash(CANDIDATE + 5, what, (previous << 16) | (source << 8) | next));
    setContext(7, contextHash(CANDIDATE + 7, what, misses & 15, next));
  } else {
    const left = (min<u32>(10, bitLength(toEnd)) << 8) | (misses & 7);
    setContext(3, contextHash(CANDIDATE + 3, what, followed & 0xffff, origins));
    setContext(5, contextHash(CANDIDATE + 5, what, left, followed & 15));
    setContext(7, contextHash(CANDIDATE + 7, (what << 8) | (region() & 255), followed & 0xff, origins));
  }
  setContext(8, contextHash(CANDIDATE + 8, what, previous, next));
  work += 9;
  return flag(hit, 9, CANDIDATE_SET + <i32>((kind_ << 4) | min<u32>(15, origin)));
}

/** The source's unit `i` of the block, 0 outside of it. */
// @ts-ignore: decorator
@inline
function wordNear(i: i32): u32 {
  return i >= 0 && i < units() ? word(i) : 0;
}

function spell(i: i32, length: i32, actual: u32): u32 {
  const source = word(i);
  const first = valueOf(0);
  const kind_ = kindBase | kind(i);
  const previous = wordNear(i - 1);
  const next = wordNear(i + 1);
  let value: u32 = 0;
  let likeExpected: u32 = 1;
  let likeSource: u32 = 1;
  work += 8 * 8 * length;
  for (let left: u32 = length - 1; <i32>left >= 0; left--) {
    const shift = 8 * left;
    const e = (first >> shift) & 255;
    const s = (source >> shift) & 255;
    const place = (kind_ << 8) | (left << 2) | (likeExpected << 1) | likeSource;
    setContext(0, contextHash(MISS, place, e));
    setContext(1, contextHash(MISS + 1, place, s, value & 255));
    setContext(3, contextHash(MISS + 3, place, (before >> shift) & 255, value & 255));
    setContext(4, contextHash(MISS + 4, place));
    if (length == 1) {
      setContext(2, contextHash(MISS + 2, previous, source, next));
      setContext(5, contextHash(MISS + 5, source, next));
      setContext(6, contextHash(MISS + 6, previous, before, source));
    } else {
      setContext(2, contextHash(MISS + 2, (kind_ << 2) | left, value));
      setContext(5, contextHash(MISS + 5, place, (change >> shift) & 255, s));
      setContext(6, contextHash(MISS + 6, (kind_ << 2) | left, source >> shift, value));
    }
    setContext(7, contextHash(MISS + 7, place, e, s));
    const set = (kind_ << 4) | (left << 2) | (likeExpected << 1) | likeSource;
    const coded = <u32>byte((actual >> shift) & 255, 8, <i32>set, 0);
    if (coded != e) likeExpected = 0;
    if (coded != s) likeSource = 0;
    value = (value << 8) | coded;
  }
  return value;
}

function loadUnit(at: usize, length: i32): u32 {
  const big = isBigEndian();
  if (length == 4) return big ? bswap(load<u32>(at)) : load<u32>(at);
  let value: u32 = 0;
  for (let i = 0; i < length; i++) value = (value << 8) | <u32>load<u8>(at + (big ? i : length - 1 - i));
  return value;
}

function storeUnit(at: usize, length: i32, value: u32): void {
  const big = isBigEndian();
  for (let i = 0; i < length; i++) store<u8>(at + i, value >> (8 * (big ? length - 1 - i : i)));
}
