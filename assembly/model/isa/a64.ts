/** The twin of native-free/predict/isa/a64.ts. */
import { NOWHERE } from '../knowledge.ts';
import { byteAt, end, wordAt } from '../run.ts';
import { NO_REFERENCE, refer, setPlain } from './unit.ts';

const CALL: u32 = 1;
const JUMP: u32 = 2;
const COND: u32 = 3;
const TEST: u32 = 4;
const PAGE: u32 = 5;
const NEAR: u32 = 6;
const LOAD: u32 = 7;
const LOW: u32 = 8;

const LOOK_AHEAD: i32 = 12;
const REGISTER_AGE_MAX: i32 = 64;

const IMM19: u32 = 0x7ffff << 5;
const IMM14: u32 = 0x3fff << 5;
const IMM12: u32 = 0xfff << 10;
const IMM21: u32 = (0x7ffff << 5) | (3 << 29);
const IMM26: u32 = 0x3ffffff;

/** A page in each register, and the unit that put it there; of both sides. */
const SINCE: usize = 128;
const PAGES = memory.data(256, 16);
const ACTUAL = memory.data(256, 16);
let units: i32 = 0;
let actualUnits: i32 = 0;

export function beginA64(): void {
  for (let i: usize = 0; i < 128; i += 4) {
    store<i32>(PAGES + SINCE + i, -REGISTER_AGE_MAX - 1);
    store<i32>(ACTUAL + SINCE + i, -REGISTER_AGE_MAX - 1);
  }
  units = 0;
  actualUnits = 0;
}

function classOf(word: u32): u32 {
  const top = word >> 26;
  if (top == 0x25) return CALL;
  if (top == 0x05) return JUMP;
  if (word >> 24 == 0x54 || (word & 0x7e000000) == 0x34000000) return COND;
  if ((word & 0x7e000000) == 0x36000000) return TEST;
  if ((word & 0x1f000000) == 0x10000000) return word >> 31 != 0 ? PAGE : NEAR;
  if ((word & 0x3b000000) == 0x18000000) return LOAD;
  return NO_REFERENCE;
}

function fieldOf(kind: u32): u32 {
  switch (kind) {
    case CALL:
    case JUMP:
      return IMM26;
    case COND:
    case LOAD:
      return IMM19;
    case TEST:
      return IMM14;
    default:
      return IMM21;
  }
}

// @ts-ignore: decorator
@inline
function lowScale(word: u32): i32 {
  if ((word & 0xffc00000) == 0x91000000) return 0;
  if ((word & 0x3b000000) != 0x39000000) return -1;
  return (word & 0x04800000) == 0x04800000 ? 4 : <i32>(word >> 30);
}

// @ts-ignore: decorator
@inline
function lowPart(word: u32, scale: i32): u32 {
  return ((word >> 10) & 0xfff) << scale;
}

// @ts-ignore: decorator
@inline
function isWithinPage(word: u32, scale: i32): bool {
  return lowPart(word, scale) < 4096;
}

export function imm21(word: u32): u32 {
  return <u32>((<i32>(word << 8) >> 13) << 2) | ((word >> 29) & 3);
}

function direct(word: u32, kind: u32, va: u32): u32 {
  switch (kind) {
    case CALL:
    case JUMP:
      return va + <u32>(<i32>(word << 6) >> 4);
    case COND:
    case LOAD:
      return va + <u32>((<i32>(word << 8) >> 13) << 2);
    case TEST:
      return va + <u32>((<i32>(word << 13) >> 18) << 2);
    case NEAR:
      return va + imm21(word);
    default:
      return (va & ~0xfff) + (imm21(word) << 12);
  }
}

export function readA64(at: i32, va: u32): void {
  if (at + 4 > end()) {
    setPlain(byteAt(at), 1);
    return;
  }
  units++;
  const word = wordAt(at);
  const kind = classOf(word);
  setPlain(word, 4);
  if (kind == PAGE) readPage(word, at, va);
  else if (kind != NO_REFERENCE) refer(kind, direct(word, kind, va), word & ~fieldOf(kind));
  else readLow(word);
}

function readPage(word: u32, at: i32, va: u32): void {
  const register = word & 31;
  const page = direct(word, PAGE, va);
  setPage(PAGES, register, page, units);
  refer(PAGE, page, word & ~IMM21);
  const last = min(end() - 4, at + 4 * LOOK_AHEAD);
  for (let next = at + 4; next <= last; next += 4) {
    const other = wordAt(next);
    const scale = lowScale(other);
    if (scale >= 0 && ((other >> 5) & 31) == register && isWithinPage(other, scale)) {
      refer(PAGE, page + lowPart(other, scale), word & ~IMM21);
      return;
    }
    if ((other & 31) == register && (other & 0x9f000000) == 0x90000000) return;
  }
}

function readLow(word: u32): void {
  const scale = lowScale(word);
  if (scale < 0 || !isWithinPage(word, scale)) return;
  const register = (word >> 5) & 31;
  if (units - sinceOf(PAGES, register) > REGISTER_AGE_MAX) return;
  refer(LOW + scale, pageOf(PAGES, register) + lowPart(word, scale), word & ~IMM12);
}

function setPage(side: usize, register: u32, page: u32, since: i32): void {
  store<u32>(side + (<usize>register << 2), page);
  store<i32>(side + SINCE + (<usize>register << 2), since);
}

// @ts-ignore: decorator
@inline
function pageOf(side: usize, register: u32): u32 {
  return load<u32>(side + (<usize>register << 2));
}

// @ts-ignore: decorator
@inline
function sinceOf(side: usize, register: u32): i32 {
  return load<i32>(side + SINCE + (<usize>register << 2));
}

export function writeA64(word: u32, kind: u32, va: u32, target: u32): u32 {
  const distance = <i32>(target - va);
  switch (kind) {
    case CALL:
    case JUMP:
      return (word & ~IMM26) | (<u32>(distance >> 2) & IMM26);
    case COND:
    case LOAD:
      return (word & ~IMM19) | (<u32>(distance << 3) & IMM19);
    case TEST:
      return (word & ~IMM14) | (<u32>(distance << 3) & IMM14);
    case NEAR:
      return writeImm21(word, <u32>distance);
    case PAGE:
      return writeImm21(word, <u32>(<i32>((target & ~0xfff) - (va & ~0xfff)) >> 12));
    default:
      return (word & ~IMM12) | ((((target & 0xfff) >> (kind - LOW)) << 10) & IMM12);
  }
}

export function writeImm21(word: u32, value: u32): u32 {
  return (word & ~IMM21) | ((value << 3) & (0x7ffff << 5)) | ((value & 3) << 29);
}

export function resolveA64(word: u32, kind: u32, actual: u32, va: u32): i64 {
  actualUnits++;
  const actualClass = classOf(actual);
  if (actualClass == PAGE) setPage(ACTUAL, actual & 31, direct(actual, PAGE, va), actualUnits);
  if (kind == NO_REFERENCE || kind == PAGE) return NOWHERE;
  if (kind < LOW) return actualClass == kind ? <i64>(<u64>direct(actual, kind, va)) : NOWHERE;
  const register = (actual >> 5) & 31;
  const scale = <i32>(kind - LOW);
  if (lowScale(actual) != scale || !isWithinPage(actual, scale) || register != ((word >> 5) & 31)) return NOWHERE;
  if (actualUnits - sinceOf(ACTUAL, register) > REGISTER_AGE_MAX) return NOWHERE;
  return <i64>(<u64>(pageOf(ACTUAL, register) + lowPart(actual, scale)));
}

/** A word with the places of BL and ADRP in place of their distances (`by` 1), or back (-1). */
export function absoluteA64(word: u32, va: u32, by: u32): u32 {
  if (word >> 26 == 0x25) return (word & 0xfc000000) | ((word + by * (va >> 2)) & 0x3ffffff);
  if ((word & 0x9f000000) != 0x90000000) return word;
  return writeImm21(word, imm21(word) + by * (va >> 12));
}
