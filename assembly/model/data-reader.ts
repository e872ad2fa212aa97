/** The twin of native-free/predict/data-reader.ts. */
import { add, BASE, begin, KNOWN, MAP, NEAR, NEAR_VALUE, PLACE, SAME, SHIFT } from './candidates.ts';
import {
  expectedAddress,
  findChange,
  findMove,
  findOverride,
  isAddress,
  learnAddress,
  learnChange,
  mapped,
  NOWHERE,
  sourceHigh,
  targetHigh,
} from './knowledge.ts';
import { change, value } from './memories.ts';
import { BASES, bases, byteAt, bytes, end, kind, offset, push, region, sourceVa, targetVa, word, wordAt } from './run.ts';

const WORD_ODD: u32 = 1;
const ADDRESS: u32 = 2;
const ADDRESS_HIGH: u32 = 3;
const ADDRESS_32: u32 = 4;
const TRAIL_UNITS: i32 = 2;
const EDGE: u32 = 5;

let isWide: bool = false;
let shift: u32 = 0;

export function beginData(wide: bool): void {
  isWide = wide;
  shift = 0;
}

export function readData(first: i32, limit: i32): void {
  for (let at = first; at < limit; at = first + bytes()) {
    const va = sourceVa(at);
    if ((va & 3) != 0 || at + 4 > end()) {
      push(1, byteAt(at), EDGE, 0, byteAt(at));
      continue;
    }
    const word = wordAt(at);
    if (isWide && (va & 7) == 0 && at + 8 <= end()) {
      const high = wordAt(at + 4);
      if (high == sourceHigh() && isAddress(word)) {
        push(4, word, ADDRESS, word, 0);
        push(4, high, ADDRESS_HIGH, 0, 0);
        continue;
      }
    }
    push(4, word, !isWide && isAddress(word) ? ADDRESS_32 : (va >> 2) & 1, word, word);
  }
}

export function proposeData(i: i32, at: i32): void {
  const source = word(i);
  const kind_ = kind(i);
  begin((region() << 5) | kind_, TRAIL_UNITS);
  if (kind_ == ADDRESS || kind_ == ADDRESS_32) {
    if (findOverride(source)) add(value(), KNOWN);
    const to = mapped(source);
    if (to != NOWHERE) add(<u32>to, MAP);
    if (findMove(source)) add(source + change(), NEAR);
  } else if (kind_ == ADDRESS_HIGH) {
    add(targetHigh(), MAP);
  } else if (kind_ != EDGE && source != 0) {
    proposeMeanings(source, at + offset(i));
  }
  add(source, SAME);
}

function proposeMeanings(source: u32, at: i32): void {
  const place = sourceVa(at) + source;
  if (isAddress(place)) {
    const to = mapped(place);
    if (to != NOWHERE) add(<u32>to - targetVa(at), PLACE);
  }
  for (let b = 0; b < bases(); b++) {
    const base = BASES + <usize>(b * 12);
    const scale = load<i32>(base, 8);
    const address = load<u32>(base) + source * <u32>scale;
    if (!isAddress(address)) continue;
    const to = mapped(address);
    if (to == NOWHERE) continue;
    const distance = <i32>(<u32>to - load<u32>(base, 4));
    add(<u32>(scale == 1 ? distance : floored(distance, scale)), BASE + b);
  }
  if (findChange(region(), source)) add(source + change(), NEAR_VALUE);
  if (shift != 0) add(source + shift, SHIFT);
}

export function expectData(i: i32, at: i32, origin: i32): u32 {
  const source = word(i);
  const kind_ = kind(i);
  if (origin == SAME) return source;
  if (kind_ == ADDRESS || kind_ == ADDRESS_32) {
    const reached = expectedAddress(source, origin == NEAR);
    return reached == NOWHERE ? source : <u32>reached;
  }
  if (kind_ == ADDRESS_HIGH) return targetHigh();
  return kind_ == EDGE || source == 0 ? source : meaning(source, at + offset(i), origin);
}

function meaning(source: u32, at: i32, origin: i32): u32 {
  if (origin == NEAR_VALUE) return findChange(region(), source) ? source + change() : source;
  if (origin == SHIFT) return source + shift;
  const b = origin - BASE;
  const isBase = b >= 0 && b < bases();
  if (origin != PLACE && !isBase) return source;
  const base = BASES + <usize>(b * 12);
  const scale: i32 = isBase ? load<i32>(base, 8) : 1;
  const place = isBase ? load<u32>(base) + source * <u32>scale : sourceVa(at) + source;
  const to = isAddress(place) ? mapped(place) : NOWHERE;
  if (to == NOWHERE) return source;
  if (!isBase) return <u32>to - targetVa(at);
  const distance = <i32>(<u32>to - load<u32>(base, 4));
  return <u32>(scale == 1 ? distance : floored(distance, scale));
}

/** The quotient rounded down; `by` is positive. */
function floored(distance: i32, by: i32): i32 {
  const quotient = distance / by;
  return distance % by < 0 ? quotient - 1 : quotient;
}

export function learnData(i: i32, actual: u32): void {
  const source = word(i);
  const kind_ = kind(i);
  if (kind_ == ADDRESS || kind_ == ADDRESS_32) {
    learnAddress(source, actual);
    shift = actual - source;
  } else if (kind_ <= WORD_ODD) {
    learnChange(region(), source, actual - source);
    if (actual != source) shift = actual - source;
  }
}
