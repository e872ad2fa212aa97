/**
 * The twin of native-free/diff/parse/prospect-scan.ts. What lies before and after a place is compared many bytes at a
 * time; costs of mismatches are counted from masks of them.
 */
import { allocate } from '../match/memory.ts';
import {
  countEqualIn,
  equalMask,
  matchLength,
  sourceAt,
  sourceBytes,
  targetAt,
} from '../match/images.ts';
import { found, foundBytes, mayMatch, neighbour, search } from '../match/source-index.ts';
import { freshCoverCost, MISS, NEXT_MISS } from './prices.ts';
import { addProspect, forgetProspects } from './prospect-list.ts';
import { seedCount, seedDisplacement, seedEnd, seedFrom } from './seeds.ts';

export const REACH_BACK_BYTES: i32 = 512;
const COST_UNITS_PER_BIT: i32 = 64;
const ANCHOR_BYTES_MIN: i32 = 6;
const TRUSTED_RUN_BYTES: i32 = 32;
const TAIL_BYTES: i32 = 24;
const LEAD_BYTES: i32 = 24;
const MEDIUM_BYTES: i32 = 16;
const LONG_BYTES: i32 = 64;
const AHEAD_BYTES: i32 = 32;
const DEBT_MAX: i32 = 30 * COST_UNITS_PER_BIT;
const FORGIVEN_COST: i32 = COST_UNITS_PER_BIT / 2;
const REMIND_RUN_BYTES: i32 = 8;
const REMIND_AFTER_BYTES: i32 = 32;
const EQUAL_GAIN: i32 = 3 * COST_UNITS_PER_BIT;
const UNEQUAL_LOSS: i32 = 4 * COST_UNITS_PER_BIT;
const NEITHER_LOSS: i32 = COST_UNITS_PER_BIT;
const FALL_MAX: i32 = 24 * COST_UNITS_PER_BIT;
const FORWARD_BYTES: i32 = 64;
const CONTEXT_BYTES: i32 = 32;
const CONTEXT_GAIN: i32 = 6 * COST_UNITS_PER_BIT;
const RIVALS_MAX: i32 = 8;
const STALE_BYTES: i32 = 12;
const MEASURED_BITS: i32 = 10;
const GAIN_MIN: i32 = -24 * COST_UNITS_PER_BIT;
const GAIN_GOOD: i32 = 8 * COST_UNITS_PER_BIT;
const FUTILE_SHIFT: i32 = 2;
const STRIDE_MORE_MAX: i32 = 3;
const KNOWN_COUNT: i32 = 8;
const KNOWN_BYTES: i32 = 64;

/** Displacements measured lately, by hash, and where: 8 bytes each. Behind them those that are known, and up to where. */
let measured: usize = 0;
const MEASURED_ROOM: usize = 8 << MEASURED_BITS;

let start: i32 = 0;
let end: i32 = 0;
let at: i32 = 0;
let seed: i32 = 0;
let running: i32 = 0;
let runningTo: i32 = 0;
let debt: i32 = 0;
let futile: i32 = 0;
let knownNext: i32 = 0;
/** Results of `measure`. */
let gained: i32 = 0;
let gainedFrom: i32 = 0;

export function beginScan(from: i32, to: i32): void {
  if (measured == 0) measured = allocate(MEASURED_ROOM + 8 * KNOWN_COUNT);
  for (let slot: usize = 0; slot < MEASURED_ROOM; slot += 8) {
    store<i32>(measured + slot, 0);
    store<i32>(measured + slot, -STALE_BYTES, 4);
  }
  for (let k = 0; k < KNOWN_COUNT; k++) {
    store<i32>(known(k), 0);
    store<i32>(known(k), from, 4);
  }
  start = from;
  end = to;
  at = from;
  seed = 0;
  running = 0;
  runningTo = 0;
  debt = 0;
  futile = 0;
  knownNext = 0;
  forgetProspects();
  addProspect(from, 0);
}

// @ts-ignore: decorator
@inline
function known(k: i32): usize {
  return measured + MEASURED_ROOM + (<usize>k << 3);
}

export function scan(to: i32): void {
  while (at < to) {
    let run = runLength(running);
    if (run < TRUSTED_RUN_BYTES) run = followSeed(run);
    remind(run);
    const mismatch = at + run;
    if (mismatch >= end) {
      at = end;
      return;
    }
    if (run >= TRUSTED_RUN_BYTES) forgive(run);
    if (isGoodAt(mismatch)) {
      if (run < TRUSTED_RUN_BYTES) forgive(run);
      at = mismatch;
      passMismatch();
      continue;
    }
    if (run >= TRUSTED_RUN_BYTES) {
      at = mismatch - TAIL_BYTES;
      run = TAIL_BYTES;
    }
    at += look(run);
  }
}

function runLength(displacement: i32): i32 {
  const place = at + displacement;
  if (place < 0 || place >= sourceBytes) return 0;
  return matchLength(place, at, 0, end - at);
}

function followSeed(run: i32): i32 {
  while (seed < seedCount && seedEnd(seed) <= at) seed++;
  if (seed == seedCount || seedFrom(seed) > at) return run;
  const displacement = seedDisplacement(seed);
  if (displacement == running) return run;
  const other = runLength(displacement);
  if (other < MEDIUM_BYTES || other <= run) return run;
  lead(displacement, at);
  return other;
}

function lead(displacement: i32, agreesTo: i32): void {
  running = displacement;
  runningTo = agreesTo;
  debt = 0;
}

function remind(run: i32): void {
  if (run < REMIND_RUN_BYTES) return;
  if (run >= TRUSTED_RUN_BYTES || at > runningTo + REMIND_AFTER_BYTES) addProspect(at, running);
  runningTo = at + run;
}

function forgive(run: i32): void {
  debt = <i32>max(<i64>0, <i64>debt - <i64>run * FORGIVEN_COST);
}

function isGoodAt(place: i32): bool {
  const last = min(min(end, sourceBytes - running), place + AHEAD_BYTES);
  if (place + running < 0 || place >= last) return false;
  const a = place + running;
  let unequal = ~(equalMask(a, place) | (equalMask(a + 16, place + 16) << 16));
  const count = last - place;
  if (count < AHEAD_BYTES) unequal &= (1 << count) - 1;
  const following = popcnt(unequal & (unequal << 1));
  return debt + (popcnt(unequal) - following) * MISS + following * NEXT_MISS < DEBT_MAX;
}

function passMismatch(): void {
  const last = min(end, sourceBytes - running);
  let miss = MISS;
  while (at < last && sourceAt(at + running) != targetAt(at)) {
    debt += miss;
    miss = NEXT_MISS;
    at++;
  }
}

function look(run: i32): i32 {
  if (!mayMatch(at)) return 1;
  const stride = 1 + min(futile++ >> FUTILE_SHIFT, STRIDE_MORE_MAX);
  search(at);
  const length = min(foundBytes, end - at);
  if (length < ANCHOR_BYTES_MIN) return stride;
  const isRunning = run >= length || (run >= MEDIUM_BYTES && run * 2 >= length);
  if (run < length) offerBest(length, !isRunning && length >= LEAD_BYTES);
  if (length >= LONG_BYTES) return length - TAIL_BYTES;
  return length >= MEDIUM_BYTES ? length >> 1 : stride + 1;
}

function offerBest(length: i32, isLead: bool): void {
  let best = found - at;
  let bestGain = contextGain(best, length) - freshCoverCost(best - running);
  for (let direction = -1; direction <= 1; direction += 2) {
    for (let k = 1; k <= RIVALS_MAX; k++) {
      const place = neighbour(direction * k, at);
      if (place < 0) break;
      const displacement = place - at;
      if (isStale(displacement)) continue;
      const gain = contextGain(displacement, length) - freshCoverCost(displacement - running);
      if (gain < bestGain || (gain == bestGain && displacement > best)) continue;
      best = displacement;
      bestGain = gain;
    }
  }
  measure(best, length);
  const gain = gained - freshCoverCost(best - running);
  if (isLead || gain >= GAIN_MIN) offer(best, gainedFrom, isLead || gain > GAIN_GOOD);
  if (isLead) lead(best, at + length);
}

function contextGain(displacement: i32, length: i32): i32 {
  const from = max(max(start, at - CONTEXT_BYTES), -displacement);
  const last = min(min(end, sourceBytes - displacement), at + length + CONTEXT_BYTES);
  return (countEqualIn(displacement, 0, from, at) + countEqualIn(displacement, 0, at + length, last)) * CONTEXT_GAIN;
}

function measure(displacement: i32, length: i32): void {
  const runningFrom = -running;
  const runningEnd = sourceBytes - running;
  const limit = max(max(start, at - REACH_BACK_BYTES), -displacement);
  let gain = 0;
  let best = 0;
  let from = at;
  for (let i = at - 1; i >= limit && gain >= best - FALL_MAX; i--) {
    const byte = targetAt(i);
    const isRunning = i >= runningFrom && i < runningEnd && sourceAt(i + running) == byte;
    if (sourceAt(i + displacement) == byte) {
      if (isRunning) continue;
      gain += EQUAL_GAIN;
      if (gain > best) {
        best = gain;
        from = i;
      }
    } else gain -= isRunning ? UNEQUAL_LOSS : NEITHER_LOSS;
  }
  gain = best;
  const last = min(min(end, sourceBytes - displacement), at + max(length, FORWARD_BYTES));
  for (let i = at; i < last && gain >= best - FALL_MAX; i++) {
    const byte = targetAt(i);
    const isRunning = i >= runningFrom && i < runningEnd && sourceAt(i + running) == byte;
    if (sourceAt(i + displacement) == byte) {
      if (isRunning) continue;
      gain += EQUAL_GAIN;
      if (gain > best) best = gain;
    } else gain -= isRunning ? UNEQUAL_LOSS : NEITHER_LOSS;
  }
  gainedFrom = from;
  gained = best;
}

function isStale(displacement: i32): bool {
  const hash = <u32>(displacement * <i32>0x9e3779b1) >>> (32 - MEASURED_BITS);
  const slot = measured + (<usize>hash << 3);
  if (load<i32>(slot) == displacement && at - load<i32>(slot, 4) < STALE_BYTES) return true;
  store<i32>(slot, displacement);
  store<i32>(slot, at, 4);
  return false;
}

function offer(displacement: i32, from: i32, isGood: bool): void {
  for (let k = 0; k < KNOWN_COUNT; k++) {
    if (load<i32>(known(k)) != displacement) continue;
    const to = load<i32>(known(k), 4);
    store<i32>(known(k), at, 4);
    if (at - to >= KNOWN_BYTES) addProspect(max(from, to), displacement);
    return;
  }
  if (isGood) futile = 0;
  store<i32>(known(knownNext), displacement);
  store<i32>(known(knownNext), at, 4);
  knownNext = (knownNext + 1) % KNOWN_COUNT;
  addProspect(from, displacement);
}
