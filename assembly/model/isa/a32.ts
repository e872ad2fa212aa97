/** The twin of native-free/predict/isa/a32.ts. */
import { NOWHERE } from '../knowledge.ts';
import { byteAt, end, wordAt } from '../run.ts';
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
import { NO_REFERENCE, refer, setPlain } from './unit.ts';

const CALL: u32 = 1;
const JUMP: u32 = 2;
const COND: u32 = 3;
const EXCHANGE: u32 = 4;
const LOAD: u32 = 5;
const HALF: u32 = 6;
const FLOAT: u32 = 7;
const NEAR: u32 = 8;
const LOW: u32 = 9;
const HIGH: u32 = 10;
const PLACED: u32 = 11;
const USER: u32 = 12;

const LOOK_AHEAD: i32 = 8;
const UP: u32 = 1 << 23;
const DOWN: u32 = 1 << 22;
const IMM24: u32 = 0xffffff;
const IMM16: u32 = 0xf0fff;
const EXCHANGE_FIELD: u32 = IMM24 | (1 << 24);
const NEAR_FIELD: u32 = UP | DOWN | 0xfff;

export function beginA32(): void {
  beginPools(SOURCE_POOLS);
  beginPools(ACTUAL_POOLS);
  beginHalves(SOURCE_HALVES);
  beginHalves(ACTUAL_HALVES);
}

function fieldOf(kind: u32): u32 {
  switch (kind) {
    case EXCHANGE:
      return EXCHANGE_FIELD;
    case LOAD:
      return UP | 0xfff;
    case HALF:
      return UP | 0xf0f;
    case FLOAT:
      return UP | 0xff;
    case NEAR:
      return NEAR_FIELD;
    case LOW:
    case HIGH:
      return IMM16;
    case PLACED:
      return 0xffffffff;
    default:
      return IMM24;
  }
}

function classOf(word: u32): u32 {
  if (word >> 28 == 15) return (word & 0x0e000000) == 0x0a000000 ? EXCHANGE : NO_REFERENCE;
  switch ((word >> 24) & 15) {
    case 0:
      return (word & 0x00ff0ff0) == 0x008f0000 ? USER : NO_REFERENCE;
    case 1:
      return (word & 0x006f0090) == 0x004f0090 ? halfClass(word) : NO_REFERENCE;
    case 2:
      return (word & 0x00ff0000) == 0x008f0000 || (word & 0x00ff0000) == 0x004f0000 ? NEAR : NO_REFERENCE;
    case 3:
      return (word & 0x00b00000) != 0 ? NO_REFERENCE : (word & DOWN) == 0 ? LOW : HIGH;
    case 5:
      return (word & 0x003f0000) == 0x001f0000 ? LOAD : NO_REFERENCE;
    case 7:
      return (word & 0x00ff0ff0) == 0x009f0000 ? USER : NO_REFERENCE;
    case 10:
      return word >> 28 == 14 ? JUMP : COND;
    case 11:
      return CALL;
    case 13:
      return (word & 0x003f0e00) == 0x001f0a00 ? FLOAT : NO_REFERENCE;
    default:
      return NO_REFERENCE;
  }
}

function halfClass(word: u32): u32 {
  const operation = (word >> 5) & 3;
  return operation != 0 && ((word & 0x00100000) != 0 || operation == 2) ? HALF : NO_REFERENCE;
}

function imm16(word: u32): u32 {
  return ((word >> 4) & 0xf000) | (word & 0xfff);
}

function rotated(word: u32): u32 {
  return rotr<u32>(word & 0xff, (word >> 7) & 30);
}

function offset(word: u32, magnitude: u32): u32 {
  return (word & UP) != 0 ? magnitude : -magnitude;
}

function direct(word: u32, kind: u32, va: u32): u32 {
  const pc = va + 8;
  switch (kind) {
    case CALL:
    case JUMP:
    case COND:
      return pc + <u32>(<i32>(word << 8) >> 6);
    case EXCHANGE:
      return pc + <u32>(<i32>(word << 8) >> 6) + ((word >> 23) & 2);
    case LOAD:
      return pc + offset(word, word & 0xfff);
    case HALF:
      return pc + offset(word, ((word >> 4) & 0xf0) | (word & 0xf));
    case FLOAT:
      return pc + offset(word, (word & 0xff) << 2);
    default:
      return pc + offset(word, rotated(word));
  }
}

export function readA32(at: i32, va: u32): void {
  if (at + 4 > end()) {
    setPlain(byteAt(at), 1);
    return;
  }
  const word = wordAt(at);
  setPlain(word, 4);
  const literal = findPool(SOURCE_POOLS, va);
  if (literal != NONE) {
    if (literal == PLACED_WORD) refer(PLACED, word + userAt(SOURCE_POOLS, va), 0);
    return;
  }
  const kind = classOf(word);
  if (kind == NO_REFERENCE) return;
  if (kind == LOW) readLow(word, at, va);
  else if (kind == HIGH) {
    const address = completed(SOURCE_HALVES, (word >> 12) & 15, imm16(word), va);
    if (address != NOWHERE) refer(HIGH, <u32>address, word & ~IMM16);
  } else if (kind == USER) addPool(SOURCE_POOLS, word & 15, va + 8, va);
  else {
    const target = direct(word, kind, va);
    refer(kind, target, word & ~fieldOf(kind));
    if (kind == LOAD) loadPool(SOURCE_POOLS, (word >> 12) & 15, target, va);
    else if (kind == FLOAT) {
      mark(SOURCE_POOLS, target);
      if ((word & 0x100) != 0) mark(SOURCE_POOLS, target + 4);
    }
  }
}

function readLow(word: u32, at: i32, va: u32): void {
  setHalf(SOURCE_HALVES, (word >> 12) & 15, imm16(word), va);
  const same = word & 0xfff0f000;
  const last = min(end() - 4, at + 4 * LOOK_AHEAD);
  for (let next = at + 4; next <= last; next += 4) {
    const other = wordAt(next);
    if ((other & 0xfff0f000) == (same | DOWN)) {
      refer(LOW, (imm16(other) << 16) | imm16(word), word & ~IMM16);
      return;
    }
    if ((other & 0xfff0f000) == same) return;
  }
}

function directed(word: u32, kind: u32, distance: i32): u32 {
  const up = distance == 0 ? word & UP : distance > 0 ? UP : 0;
  return (word & ~fieldOf(kind)) | up;
}

/** Modulo 2^32, so that the most negative distance has a magnitude too. */
function magnitudeOf(distance: i32): u32 {
  return <u32>(distance < 0 ? -distance : distance);
}

function writeNear(word: u32, distance: i32): u32 {
  // The lowest distance of all is one downwards in no encoding: its magnitude has no sign.
  const isLowest = distance == i32.MIN_VALUE && (word & UP) == 0;
  if (offset(word, rotated(word)) == <u32>distance && !isLowest) return word;
  const magnitude = magnitudeOf(distance);
  for (let turn: u32 = 0; turn < 16; turn++) {
    const turned = rotl<u32>(magnitude, turn * 2);
    if (turned > 0xff) continue;
    return (word & ~NEAR_FIELD) | (distance < 0 ? DOWN : UP) | (turn << 8) | turned;
  }
  return word;
}

export function writeA32(word: u32, kind: u32, va: u32, target: u32): u32 {
  const distance = <i32>(target - va - 8);
  const magnitude = magnitudeOf(distance);
  switch (kind) {
    case CALL:
    case JUMP:
    case COND:
      return (word & ~IMM24) | (<u32>(distance >> 2) & IMM24);
    case EXCHANGE:
      return (word & ~EXCHANGE_FIELD) | (<u32>(distance >> 2) & IMM24) | (<u32>(distance & 2) << 23);
    case LOAD:
      return directed(word, LOAD, distance) | (magnitude & 0xfff);
    case HALF:
      return directed(word, HALF, distance) | ((magnitude & 0xf0) << 4) | (magnitude & 0xf);
    case FLOAT:
      return directed(word, FLOAT, distance) | ((magnitude >> 2) & 0xff);
    case NEAR:
      return writeNear(word, distance);
    case LOW:
      return (word & ~IMM16) | ((target & 0xf000) << 4) | (target & 0xfff);
    case HIGH:
      return (word & ~IMM16) | ((target >> 12) & 0xf0000) | ((target >> 16) & 0xfff);
    default:
      return target - placeOf(ACTUAL_POOLS, va);
  }
}

export function resolveA32(kind: u32, actual: u32, va: u32): i64 {
  if (kind == PLACED) {
    if (findPool(ACTUAL_POOLS, va) != PLACED_WORD) return NOWHERE;
    return <i64>(<u64>(actual + userAt(ACTUAL_POOLS, va)));
  }
  const actualClass = classOf(actual);
  const register = (actual >> 12) & 15;
  if (actualClass == USER) addPool(ACTUAL_POOLS, actual & 15, va + 8, va);
  else if (actualClass == LOW) setHalf(ACTUAL_HALVES, register, imm16(actual), va);
  else if (actualClass == HIGH) {
    if (kind == HIGH) return completed(ACTUAL_HALVES, register, imm16(actual), va);
  } else if (actualClass != NO_REFERENCE) {
    const target = direct(actual, actualClass, va);
    if (actualClass == LOAD) loadPool(ACTUAL_POOLS, register, target, va);
    if (actualClass == kind) return <i64>(<u64>target);
  }
  return NOWHERE;
}
