/** The twin of native-free/predict/isa/t32.ts. */
import { NOWHERE } from '../knowledge.ts';
import { byteAt, end, SOURCE, wordAt } from '../run.ts';
import { ACTUAL_HALVES, beginHalves, completed, setHalf, SOURCE_HALVES } from './arm-halves.ts';
import {
  ACTUAL_POOLS,
  addPool,
  beginPools,
  findPool,
  loadPool,
  mark,
  NONE,
  PLACED as PLACED_WORD,
  placeOf,
  SOURCE_POOLS,
  userAt,
} from './literal-pools.ts';
import { IMM16, IMM21, IMM25, imm12, imm16, offset21, offset25, withImm16, write21, write25 } from './t32-fields.ts';
import { NO_REFERENCE, refer, setPlain } from './unit.ts';

const CALL: u32 = 1;
const EXCHANGE: u32 = 2;
const JUMP: u32 = 3;
const COND: u32 = 4;
const COND_SHORT: u32 = 5;
const JUMP_SHORT: u32 = 6;
const ZERO: u32 = 7;
const NEARBY: u32 = 8;
const LOAD: u32 = 9;
const SCALED: u32 = 10;
const NEAR: u32 = 11;
const LOW: u32 = 12;
const HIGH: u32 = 13;
const PLACED: u32 = 14;
const USER: u32 = 15;

const LOOK_AHEAD: i32 = 8;
const UP: u32 = 0x80;
const DOWN_NEAR: u32 = 0xa0;

/** Of A32 and T32 in one run there is only one, so that pools and halves are shared. */
export function beginT32(): void {
  beginPools(SOURCE_POOLS);
  beginPools(ACTUAL_POOLS);
  beginHalves(SOURCE_HALVES);
  beginHalves(ACTUAL_HALVES);
}

function fieldOf(kind: u32): u32 {
  switch (kind) {
    case COND:
      return IMM21;
    case COND_SHORT:
    case NEARBY:
      return 0xff;
    case JUMP_SHORT:
      return 0x7ff;
    case ZERO:
      return 0x2f8;
    case LOAD:
      return 0x0fff0000 | UP;
    case SCALED:
      return 0x00ff0000 | UP;
    case NEAR:
      return 0x70ff0400 | DOWN_NEAR;
    default:
      return IMM25;
  }
}

function isWide(word: u32): bool {
  return (word & 0xf800) >= 0xe800;
}

function classOf(word: u32): u32 {
  if (isWide(word)) return (word & 0x1000) != 0 ? wideClass(word) : scaledClass(word);
  const upper = (word >> 8) & 0xff;
  if (upper >= 0xd0) return upper < 0xde ? COND_SHORT : upper >= 0xe0 ? JUMP_SHORT : NO_REFERENCE;
  if (upper == 0x44) return (word & 0x78) == 0x78 ? USER : NO_REFERENCE;
  if (upper >> 3 == 9 || upper >> 3 == 20) return NEARBY;
  return (upper & 0xf5) == 0xb1 ? ZERO : NO_REFERENCE;
}

function wideClass(word: u32): u32 {
  if ((word & 0x0800) != 0) {
    return (word & 0xfe1f) == 0xf81f && (word & 0x60) != 0x60 ? LOAD : NO_REFERENCE;
  }
  if (word >> 31 != 0) return branchClass(word);
  if ((word & 0x03f0) == 0x0240) return LOW;
  if ((word & 0x03f0) == 0x02c0) return HIGH;
  return (word & 0x03ff) == 0x020f || (word & 0x03ff) == 0x02af ? NEAR : NO_REFERENCE;
}

function branchClass(word: u32): u32 {
  switch ((word >> 28) & 5) {
    case 5:
      return CALL;
    case 4:
      return (word & 0x10000) == 0 ? EXCHANGE : NO_REFERENCE;
    case 1:
      return JUMP;
    default:
      return (word & 0x0380) == 0x0380 ? NO_REFERENCE : COND;
  }
}

function scaledClass(word: u32): u32 {
  if ((word & 0xff7f) == 0xe95f) return SCALED;
  return (word & 0x0e00ff3f) == 0x0a00ed1f ? SCALED : NO_REFERENCE;
}

/** A distance upwards where its bit is set. */
function signed(isUp: bool, magnitude: u32): u32 {
  return isUp ? magnitude : -magnitude;
}

function direct(word: u32, kind: u32, va: u32): u32 {
  const pc = va + 4;
  const aligned = pc & ~3;
  switch (kind) {
    case CALL:
    case JUMP:
      return pc + offset25(word);
    case EXCHANGE:
      return aligned + offset25(word);
    case COND:
      return pc + offset21(word);
    case COND_SHORT:
      return pc + <u32>(<i32>(word << 24) >> 23);
    case JUMP_SHORT:
      return pc + <u32>(<i32>(word << 21) >> 20);
    case ZERO:
      return pc + ((word >> 2) & 0x3e) + ((word >> 3) & 0x40);
    case NEARBY:
      return aligned + ((word & 0xff) << 2);
    case LOAD:
      return aligned + signed((word & UP) != 0, (word >> 16) & 0xfff);
    case SCALED:
      return aligned + signed((word & UP) != 0, (word >> 14) & 0x3fc);
    default:
      return aligned + signed((word & DOWN_NEAR) == 0, imm12(word));
  }
}

export function readT32(at: i32, va: u32): void {
  if (at + 4 > end()) {
    readLast(at, va);
    return;
  }
  if ((va & 3) == 0 && readLiteral(at, va)) return;
  const word = wordAt(at);
  if (isWide(word)) {
    setPlain(word, 4);
    readField(word, at, va);
  } else {
    setPlain(word & 0xffff, 2);
    readField(word & 0xffff, at, va);
  }
}

function readLast(at: i32, va: u32): void {
  if (at + 2 > end()) {
    setPlain(byteAt(at), 1);
    return;
  }
  const word = <u32>load<u16>(SOURCE + <usize>at);
  setPlain(word, 2);
  if (!isWide(word)) readField(word, at, va);
}

function readLiteral(at: i32, va: u32): bool {
  const literal = findPool(SOURCE_POOLS, va);
  if (literal == NONE) return false;
  const word = wordAt(at);
  setPlain(word, 4);
  if (literal == PLACED_WORD) refer(PLACED, word + userAt(SOURCE_POOLS, va), 0);
  return true;
}

function readField(word: u32, at: i32, va: u32): void {
  const kind = classOf(word);
  if (kind == NO_REFERENCE) return;
  if (kind == LOW) readLow(word, at, va);
  else if (kind == HIGH) {
    const address = completed(SOURCE_HALVES, (word >> 24) & 15, imm16(word), va);
    if (address != NOWHERE) refer(HIGH, <u32>address, word & ~IMM16);
  } else if (kind == USER) addPool(SOURCE_POOLS, userRegister(word), va + 4, va);
  else {
    const target = direct(word, kind, va);
    refer(kind, target, word & ~fieldOf(kind));
    if (kind >= NEARBY) notePool(SOURCE_POOLS, word, kind, target, va);
  }
}

function readLow(word: u32, at: i32, va: u32): void {
  const register = (word >> 24) & 15;
  setHalf(SOURCE_HALVES, register, imm16(word), va);
  let next = at + 4;
  for (let i = 1; i <= LOOK_AHEAD && next + 4 <= end(); i++) {
    const other = wordAt(next);
    if ((other & 0x8f00fbf0) == ((register << 24) | 0xf2c0)) {
      refer(LOW, (imm16(other) << 16) | imm16(word), word & ~IMM16);
      return;
    }
    if ((other & 0x8f00fbf0) == ((register << 24) | 0xf240)) return;
    next += isWide(other) ? 4 : 2;
  }
}

export function writeT32(word: u32, kind: u32, va: u32, target: u32): u32 {
  const distance = target - va - 4;
  const rounded = target - ((va + 4) & ~3);
  switch (kind) {
    case CALL:
    case JUMP:
      return write25(word, distance);
    case EXCHANGE:
      return write25(word, rounded & ~3);
    case COND:
      return write21(word, distance);
    case COND_SHORT:
      return (word & ~0xff) | ((distance >> 1) & 0xff);
    case JUMP_SHORT:
      return (word & ~0x7ff) | ((distance >> 1) & 0x7ff);
    case ZERO:
      return (word & ~0x2f8) | ((distance << 2) & 0xf8) | ((distance << 3) & 0x200);
    case NEARBY:
      return (word & ~0xff) | ((rounded >> 2) & 0xff);
    case LOAD:
    case SCALED:
    case NEAR:
      return writeSigned(word, kind, <i32>rounded);
    case LOW:
      return withImm16(word, target & 0xffff);
    case HIGH:
      return withImm16(word, target >> 16);
    default:
      return target - placeOf(ACTUAL_POOLS, va);
  }
}

export function resolveT32(kind: u32, actual: u32, va: u32): i64 {
  if (kind == PLACED) {
    if (findPool(ACTUAL_POOLS, va) != PLACED_WORD) return NOWHERE;
    return <i64>(<u64>(actual + userAt(ACTUAL_POOLS, va)));
  }
  const actualClass = classOf(actual);
  const register = (actual >> 24) & 15;
  if (actualClass == USER) addPool(ACTUAL_POOLS, userRegister(actual), va + 4, va);
  else if (actualClass == LOW) setHalf(ACTUAL_HALVES, register, imm16(actual), va);
  else if (actualClass == HIGH) {
    if (kind == HIGH) return completed(ACTUAL_HALVES, register, imm16(actual), va);
  } else if (actualClass != NO_REFERENCE) {
    const target = direct(actual, actualClass, va);
    if (actualClass >= NEARBY) notePool(ACTUAL_POOLS, actual, actualClass, target, va);
    if (actualClass == kind) return <i64>(<u64>target);
  }
  return NOWHERE;
}

function userRegister(word: u32): u32 {
  return (word & 7) | ((word >> 4) & 8);
}

function notePool(pools: usize, word: u32, kind: u32, target: u32, va: u32): void {
  if (kind == NEARBY) {
    if ((word & 0x8000) == 0) loadPool(pools, (word >> 8) & 7, target, va);
  } else if (kind == LOAD) {
    if ((word & 0xff7f) == 0xf85f) loadPool(pools, word >> 28, target, va);
  } else if (kind == SCALED) {
    const isSingle = (word & 0x0100ff3f) == 0x0000ed1f;
    mark(pools, target);
    if (!isSingle) mark(pools, target + 4);
  }
}

function writeSigned(word: u32, kind: u32, distance: i32): u32 {
  const magnitude = <u32>(distance < 0 ? -distance : distance);
  const rest = word & ~fieldOf(kind);
  if (kind == NEAR) {
    const down = distance == 0 ? word & DOWN_NEAR : distance < 0 ? DOWN_NEAR : 0;
    const value = ((magnitude >> 1) & 0x400) | ((magnitude & 0x700) << 20) | ((magnitude & 0xff) << 16);
    return rest | down | value;
  }
  const up = distance == 0 ? word & UP : distance > 0 ? UP : 0;
  const value = kind == LOAD ? magnitude & 0xfff : (magnitude >> 2) & 0xff;
  return rest | up | (value << 16);
}
