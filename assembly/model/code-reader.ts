/** The twin of native-free/predict/code-reader.ts. */
import { add, AGAIN, begin, KNOWN, MAP, NEAR, SAME, SURELY } from './candidates.ts';
import {
  A32,
  A64,
  beginOperands,
  beginSet,
  learnOperands,
  proposeOperands,
  readUnit,
  resolveUnit,
  RISCV,
  T32,
  writeUnit,
  X64,
} from './instruction-sets.ts';
import { NO_REFERENCE, readKind, readLength, readOpcode, readTarget, readWord } from './isa/unit.ts';
import {
  expectedAddress,
  findMove,
  findOverride,
  findWord,
  isAddress,
  learnAddress,
  learnWord,
  mapped,
  NOWHERE,
} from './knowledge.ts';
import { change, confirmed, value } from './memories.ts';
import { byteAt, bytes, end, kind, lengthOf, offset, push, region, sourceVa, target, targetVa, word, wordAt } from './run.ts';

const POOL: u32 = 31;
const TRAIL_UNITS: i32 = 0;
const EDGE: u32 = 30;

let set: i32 = A64;

export function beginCode(instructionSet: i32): void {
  set = instructionSet;
  beginSet(set);
  beginOperands(set);
}

/** What addresses of units are multiples of, less one. */
function unaligned(): u32 {
  if (set == X64) return 0;
  return set == T32 || set == RISCV ? 1 : 3;
}

export function readCode(first: i32, limit: i32): void {
  const edge = unaligned();
  const hasPools = set == A32 || set == T32;
  for (let at = first; at < limit; at = first + bytes()) {
    const va = sourceVa(at);
    if ((va & edge) != 0) {
      push(1, byteAt(at), EDGE, 0, byteAt(at));
      continue;
    }
    readUnit(set, at, va);
    if (hasPools && (va & 3) == 0 && at + 4 <= end() && !isPlaced()) {
      const word = wordAt(at);
      if (isAddress(word)) {
        push(4, word, POOL, word, 0);
        continue;
      }
    }
    push(readLength(), readWord(), readKind(), readTarget(), readOpcode());
  }
}

function isPlaced(): bool {
  return readKind() != NO_REFERENCE && readOpcode() == 0;
}

export function proposeCode(i: i32, at: i32): void {
  const source = word(i);
  const kind_ = kind(i);
  begin((region() << 5) | kind_, TRAIL_UNITS);
  if (kind_ == NO_REFERENCE) {
    if (findWord(lengthOf(i), source)) add(value(), confirmed() > 0 ? SURELY : AGAIN);
    proposeOperands(set, source);
  } else if (kind_ != EDGE) {
    const va = targetVa(at + offset(i));
    const address = target(i);
    if (findOverride(address)) add(written(source, kind_, va, value()), KNOWN);
    const to = mapped(address);
    if (to != NOWHERE) add(written(source, kind_, va, <u32>to), MAP);
    if (findMove(address)) add(written(source, kind_, va, address + change()), NEAR);
  }
  add(source, SAME);
}

export function expectCode(i: i32, at: i32, origin: i32): u32 {
  const source = word(i);
  const kind_ = kind(i);
  if (kind_ == NO_REFERENCE) return findWord(lengthOf(i), source) ? value() : source;
  if (kind_ == EDGE || origin == SAME) return source;
  const reached = expectedAddress(target(i), origin == NEAR);
  return reached == NOWHERE ? source : written(source, kind_, targetVa(at + offset(i)), <u32>reached);
}

export function passCode(i: i32, at: i32, actual: u32): void {
  const kind_ = kind(i);
  if (kind_ < EDGE) resolveUnit(set, word(i), kind_, actual, targetVa(at + offset(i)));
}

function written(source: u32, kind: u32, va: u32, target: u32): u32 {
  return kind == POOL ? target : writeUnit(set, source, kind, va, target);
}

export function learnCode(i: i32, at: i32, actual: u32): void {
  const source = word(i);
  const kind_ = kind(i);
  if (kind_ == EDGE) return;
  const va = targetVa(at + offset(i));
  const reached = kind_ == POOL ? <i64>(<u64>actual) : resolveUnit(set, source, kind_, actual, va);
  if (kind_ == NO_REFERENCE) {
    const length = lengthOf(i);
    learnOperands(set, source, actual);
    if (actual != source || findWord(length, source)) learnWord(length, source, actual);
  } else if (reached != NOWHERE) {
    learnAddress(target(i), <u32>reached);
  }
}
