/** The twin of native-free/diff/parse/displacement-beam.ts. A state is 64 bytes, its fields at fixed places in them. */
import { coverCount, forgetCovers, pushCover } from '../match/covers.ts';
import { allocate } from '../match/memory.ts';
import { matchLength, plainSourceAt, plainTargetAt, sourceAt, sourceBytes, targetAt } from '../match/images.ts';
import {
  EXACT,
  freshCoverCost,
  LITERAL_OPEN,
  MISS,
  NEXT_MISS,
  PLAIN_MISS,
  RECENT,
  REPEATED_MISS,
  SAME,
} from './prices.ts';
import {
  addRecord,
  forgetRecords,
  isCoverRecord,
  recordBefore,
  recordDisplacement,
  recordFrom,
} from './records.ts';

const STATES_MAX: i32 = 12;
const STRIKES_MAX: i32 = 64;
const JUMP_AFTER_BYTES: i32 = 8;
const JUMP_BYTES_MAX: i32 = 64;
const RECENT_RECORDS: i32 = 8;
const COST_HIGH: i32 = 1 << 28;
const STEP_BYTES_MAX: i32 = 1 << 20;
const OUTSIDE: i32 = 256;
const NONE: i32 = -1;
const LITERAL: i32 = -1;

const STATE_BYTES: usize = 64;
const COST: usize = 0;
const DISPLACEMENT: usize = 4;
const FROM: usize = 8;
const BEFORE: usize = 12;
const RECORD: usize = 16;
const IS_MISSING: usize = 20;
const STRIKES: usize = 24;
const OPEN_COST: usize = 28;
/** Four bytes each. */
const LAST_CHANGE: usize = 32;
const OLDER_CHANGE: usize = 36;
const PLAIN_CHANGE: usize = 40;
const OLDER_PLAIN_CHANGE: usize = 44;

let states: usize = 0;
let count: i32 = 0;
let begin: i32 = 0;
let at: i32 = 0;

let isWithPlain: bool = false;
let literalByteCost: i32 = 0;
let literalCost: i32 = 0;
let literalFrom: i32 = 0;
let literalBefore: i32 = NONE;
let literalRecord: i32 = NONE;
let literalDisplacement: i32 = 0;

let best: i32 = LITERAL;
let bestCost: i32 = 0;
let openBest: i32 = LITERAL;
let openFrom: i32 = NONE;

export function beginBeam(start: i32, literalByte: i32, withPlain: bool): void {
  if (states == 0) states = allocate(<usize>STATES_MAX * STATE_BYTES);
  forgetRecords();
  count = 0;
  begin = start;
  at = start;
  isWithPlain = withPlain;
  literalByteCost = literalByte;
  literalCost = 0;
  literalFrom = start;
  literalBefore = NONE;
  literalRecord = NONE;
  literalDisplacement = 0;
  best = LITERAL;
  bestCost = 0;
  openBest = LITERAL;
  openFrom = NONE;
}

export function position(): i32 {
  return at;
}

// @ts-ignore: decorator
@inline
function state(k: i32): usize {
  return states + <usize>k * STATE_BYTES;
}

export function activate(displacement: i32): void {
  const place = at + displacement;
  if (place < 0 || place >= sourceBytes) return;
  for (let k = 0; k < count; k++) if (load<i32>(state(k), DISPLACEMENT) == displacement) return;
  findBest();
  const cost = bestCost + costAfterBest(displacement);
  const before = recordOfBest();
  const k = state(count < STATES_MAX ? count++ : worst());
  store<i32>(k, displacement, DISPLACEMENT);
  beginState(k, cost, before);
  store<i32>(k, 0, STRIKES);
  store<u64>(k, 0, LAST_CHANGE);
  store<u64>(k, 0, PLAIN_CHANGE);
  store<i32>(k, NONE, OPEN_COST);
}

export function advance(to: i32): void {
  while (at < to) {
    advanceStep(to - at > STEP_BYTES_MAX ? at + STEP_BYTES_MAX : to);
    rebase();
  }
}

/** The covers of the cheapest way, last one first; how many there are. */
export function endBeam(): i32 {
  findBest();
  forgetCovers();
  let end = at;
  for (let r = recordOfBest(); r != NONE; r = recordBefore(r)) {
    const from = recordFrom(r);
    if (isCoverRecord(r) && end > from) pushCover(from + recordDisplacement(r), from, end - from);
    end = from;
  }
  return coverCount;
}

function advanceStep(to: i32): void {
  let exact = 0;
  while (at < to) {
    if (count == 0) {
      literalCost += literalByteCost * (to - at);
      at = to;
      return;
    }
    findBest();
    branch();
    if (exact >= JUMP_AFTER_BYTES) {
      jump(to);
      exact = 0;
      continue;
    }
    exact = passByte() ? exact + 1 : 0;
  }
}

function findBest(): void {
  let cheapest = LITERAL;
  let cost = literalCost;
  for (let k = 0; k < count; k++) {
    const other = load<i32>(state(k), COST);
    if (other < cost) {
      cost = other;
      cheapest = k;
    }
  }
  best = cheapest;
  bestCost = cost;
  const from = cheapest == LITERAL ? literalFrom : load<i32>(state(cheapest), FROM);
  if (cheapest != openBest || from != openFrom) {
    openBest = cheapest;
    openFrom = from;
    for (let k = 0; k < STATES_MAX; k++) store<i32>(state(k), NONE, OPEN_COST);
  }
}

function branch(): void {
  const same = bestCost + SAME;
  for (let i = 0; i < count; i++) {
    const k = state(i);
    const cost = load<i32>(k, COST);
    if (cost <= same) continue;
    let open = load<i32>(k, OPEN_COST);
    if (open == NONE) {
      open = costAfterBest(load<i32>(k, DISPLACEMENT));
      store<i32>(k, open, OPEN_COST);
    }
    if (bestCost + open < cost) beginState(k, bestCost + open, recordOfBest());
  }
  if (best != LITERAL && bestCost + LITERAL_OPEN < literalCost) {
    literalBefore = recordOfBest();
    literalCost = bestCost + LITERAL_OPEN;
    literalFrom = at;
    literalRecord = NONE;
    literalDisplacement = load<i32>(state(best), DISPLACEMENT);
  }
}

function beginState(k: usize, cost: i32, before: i32): void {
  store<i32>(k, cost, COST);
  store<i32>(k, at, FROM);
  store<i32>(k, before, BEFORE);
  store<i32>(k, NONE, RECORD);
  store<i32>(k, 0, IS_MISSING);
}

function passByte(): bool {
  const byte = targetAt(at);
  let isExact = true;
  let isAnyLost = false;
  literalCost += literalByteCost;
  for (let i = 0; i < count; i++) {
    const k = state(i);
    const place = at + load<i32>(k, DISPLACEMENT);
    const change = place < sourceBytes ? (byte - sourceAt(place)) & 255 : OUTSIDE;
    const cost = load<i32>(k, COST);
    let strikes = load<i32>(k, STRIKES);
    if (change == 0) {
      store<i32>(k, cost + EXACT, COST);
      store<i32>(k, 0, IS_MISSING);
      store<i32>(k, strikes - i32(strikes > 0), STRIKES);
      continue;
    }
    isExact = false;
    if (isWithPlain && change != OUTSIDE && isPlain(k, place)) {
      store<i32>(k, cost + PLAIN_MISS, COST);
      store<i32>(k, 0, IS_MISSING);
      continue;
    }
    if (change == OUTSIDE) strikes = STRIKES_MAX;
    store<i32>(k, cost + missCost(k, change), COST);
    store<i32>(k, ++strikes, STRIKES);
    if (strikes > STRIKES_MAX) isAnyLost = true;
  }
  at++;
  if (isAnyLost) dropLost();
  return isExact;
}

// @ts-ignore: decorator
@inline
function isPlain(k: usize, place: i32): bool {
  const lane = k + <usize>(at & 3);
  const change = (plainTargetAt(at) - plainSourceAt(place)) & 255;
  const last = <i32>load<u8>(lane, PLAIN_CHANGE);
  if (change == 0 || change == last || change == <i32>load<u8>(lane, OLDER_PLAIN_CHANGE)) return true;
  store<u8>(lane, last, OLDER_PLAIN_CHANGE);
  store<u8>(lane, change, PLAIN_CHANGE);
  return false;
}

// @ts-ignore: decorator
@inline
function missCost(k: usize, change: i32): i32 {
  const lane = k + <usize>(at & 3);
  const last = <i32>load<u8>(lane, LAST_CHANGE);
  if (change == last || change == <i32>load<u8>(lane, OLDER_CHANGE)) {
    store<i32>(k, 0, IS_MISSING);
    return REPEATED_MISS;
  }
  store<u8>(lane, last, OLDER_CHANGE);
  store<u8>(lane, change, LAST_CHANGE);
  const isFirst = load<i32>(k, IS_MISSING) == 0;
  store<i32>(k, 1, IS_MISSING);
  return isFirst ? MISS : NEXT_MISS;
}

function jump(to: i32): void {
  let run = count == 1 ? to - at : min(to - at, JUMP_BYTES_MAX);
  for (let k = 0; k < count; k++) run = matchLength(at + load<i32>(state(k), DISPLACEMENT), at, 0, run);
  if (run == 0) {
    passByte();
    return;
  }
  for (let i = 0; i < count; i++) {
    const k = state(i);
    store<i32>(k, load<i32>(k, COST) + EXACT * run, COST);
    store<i32>(k, max(0, load<i32>(k, STRIKES) - run), STRIKES);
  }
  literalCost += literalByteCost * run;
  at += run;
}

function dropLost(): void {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const k = state(i);
    if (load<i32>(k, STRIKES) > STRIKES_MAX && load<i32>(k, COST) > bestCost + SAME) continue;
    if (kept != i) memory.copy(state(kept), k, STATE_BYTES);
    kept++;
  }
  count = kept;
  openFrom = NONE - 1;
}

function worst(): i32 {
  let worst = best == 0 ? 1 : 0;
  for (let k = worst + 1; k < count; k++) {
    if (k == best) continue;
    const strikes = load<i32>(state(k), STRIKES) - load<i32>(state(worst), STRIKES);
    if (strikes > 0 || (strikes == 0 && load<i32>(state(k), COST) > load<i32>(state(worst), COST))) worst = k;
  }
  return worst;
}

function costAfterBest(displacement: i32): i32 {
  const isLiteral = best == LITERAL;
  const last = isLiteral ? literalDisplacement : load<i32>(state(best), DISPLACEMENT);
  if (last == displacement) return SAME;
  let r = isLiteral ? literalBefore : load<i32>(state(best), BEFORE);
  for (let i = 0; i < RECENT_RECORDS && r != NONE; i++) {
    if (recordDisplacement(r) == displacement) return RECENT;
    r = recordBefore(r);
  }
  return freshCoverCost(displacement - last);
}

function recordOfBest(): i32 {
  if (best == LITERAL) {
    if (literalRecord == NONE && at > begin) {
      literalRecord = addRecord(literalBefore, literalFrom, literalDisplacement, 0);
    }
    return literalRecord;
  }
  const k = state(best);
  let record = load<i32>(k, RECORD);
  if (record == NONE) {
    record = addRecord(load<i32>(k, BEFORE), load<i32>(k, FROM), load<i32>(k, DISPLACEMENT), 1);
    store<i32>(k, record, RECORD);
  }
  return record;
}

function rebase(): void {
  findBest();
  const low = bestCost;
  if (low < COST_HIGH) return;
  literalCost -= low;
  bestCost = 0;
  for (let i = 0; i < count; i++) store<i32>(state(i), load<i32>(state(i), COST) - low, COST);
}
