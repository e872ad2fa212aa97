/** The twin of native-free/predict/isa/riscv.ts. */
import { NOWHERE } from '../knowledge.ts';
import { byteAt, end, SOURCE, wordAt } from '../run.ts';
import { NO_REFERENCE, refer, setPlain } from './unit.ts';

const CALL: u32 = 1;
const JUMP: u32 = 2;
const BRANCH: u32 = 3;
const SHORT: u32 = 4;
const ZERO: u32 = 5;
const PAGE: u32 = 6;
const HIGH: u32 = 7;
const ABSOLUTE: u32 = 8;
const LOW: u32 = 9;

const DISTANCE_MAX: i32 = 16;
const IMM_J: u32 = 0xfffff000;
const IMM_B: u32 = 0xfe000f80;
const IMM_I: u32 = 0xfff00000;
const IMM_CJ: u32 = 0x1ffc;
const IMM_CB: u32 = 0x1c7c;

const NO_FORM: u32 = 0;
const I_FORM: u32 = 1;
const S_FORM: u32 = 2;

/** What AUIPC and LUI left in the registers of each side, and where; a bit for each that has any, and for LUI's. */
const SINCE: usize = 128;
const REGISTERS: usize = 256;
const ABSOLUTES: usize = 260;
const SOURCE_SIDE = memory.data(272, 16);
const ACTUAL_SIDE = memory.data(272, 16);

export function beginRiscV(): void {
  store<u32>(SOURCE_SIDE, 0, REGISTERS);
  store<u32>(ACTUAL_SIDE, 0, REGISTERS);
}

function classOf(word: u32): u32 {
  if ((word & 3) != 3) {
    if ((word & 0xe003) == 0xa001) return SHORT;
    return (word & 0xc003) == 0xc001 ? ZERO : NO_REFERENCE;
  }
  const hasRegister = (word & 0xf80) != 0;
  switch (word & 0x7f) {
    case 0x6f:
      return hasRegister ? CALL : JUMP;
    case 0x63:
      return (word & 0x6000) == 0x2000 ? NO_REFERENCE : BRANCH;
    case 0x17:
      return hasRegister ? PAGE : NO_REFERENCE;
    case 0x37:
      return hasRegister ? HIGH : NO_REFERENCE;
    default:
      return NO_REFERENCE;
  }
}

function formOf(word: u32): u32 {
  switch (word & 0x7f) {
    case 0x03:
    case 0x07:
    case 0x13:
    case 0x67:
      return I_FORM;
    case 0x23:
    case 0x27:
      return S_FORM;
    default:
      return NO_FORM;
  }
}

function lowForm(word: u32): u32 {
  const opcode = word & 0x7f;
  return (opcode == 0x13 || opcode == 0x67) && (word & 0x7000) != 0 ? NO_FORM : formOf(word);
}

function destination(word: u32): u32 {
  const opcode = word & 0x7f;
  const writes = opcode != 0x07 && opcode != 0x23 && opcode != 0x27 && opcode != 0x63;
  return (word & 3) == 3 && writes ? (word >> 7) & 31 : 0;
}

// @ts-ignore: decorator
@inline
function shiftedDown(word: u32, by: i32): u32 {
  return <u32>(<i32>word >> by);
}

function immLow(word: u32): u32 {
  return formOf(word) == S_FORM ? (shiftedDown(word, 25) << 5) | ((word >> 7) & 31) : shiftedDown(word, 20);
}

export function immJ(word: u32): u32 {
  return (shiftedDown(word, 31) << 20) | (word & 0xff000) | ((word >> 9) & 0x800) | ((word >> 20) & 0x7fe);
}

function immB(word: u32): u32 {
  return (shiftedDown(word, 31) << 12) | ((word << 4) & 0x800) | ((word >> 20) & 0x7e0) | ((word >> 7) & 0x1e);
}

function immCJ(word: u32): u32 {
  const lower = ((word >> 7) & 0x10) | ((word >> 2) & 0xe) | ((word << 3) & 0x20);
  const middle = ((word >> 1) & 0x340) | ((word << 2) & 0x400) | ((word << 1) & 0x80);
  return (shiftedDown(word << 19, 31) << 11) | middle | lower;
}

function immCB(word: u32): u32 {
  const lower = ((word >> 7) & 0x18) | ((word >> 2) & 0x6) | ((word << 3) & 0x20);
  return (shiftedDown(word << 19, 31) << 8) | ((word << 1) & 0xc0) | lower;
}

function lengthOf(word: u32): i32 {
  return (word & 3) == 3 ? 4 : 2;
}

function direct(word: u32, kind: u32, va: u32): u32 {
  switch (kind) {
    case CALL:
    case JUMP:
      return va + immJ(word);
    case BRANCH:
      return va + immB(word);
    case SHORT:
      return va + immCJ(word);
    case ZERO:
      return va + immCB(word);
    case PAGE:
      return va + (word & IMM_J);
    default:
      return word & IMM_J;
  }
}

function setPart(side: usize, register: u32, value: u32, va: u32, kind: u32): void {
  const bit: u32 = 1 << register;
  const absolutes = load<u32>(side, ABSOLUTES);
  store<u32>(side + <usize>(register << 2), value);
  store<u32>(side + <usize>(register << 2), va, SINCE);
  store<u32>(side, load<u32>(side, REGISTERS) | bit, REGISTERS);
  store<u32>(side, kind == HIGH ? absolutes | bit : absolutes & ~bit, ABSOLUTES);
}

function lowKind(side: usize, word: u32, va: u32): u32 {
  const known = load<u32>(side, REGISTERS);
  if (known == 0 || lowForm(word) == NO_FORM) return NO_REFERENCE;
  const register = (word >> 15) & 31;
  if (((known >> register) & 1) == 0) return NO_REFERENCE;
  const distance = va - load<u32>(side + <usize>(register << 2), SINCE);
  if (distance > <u32>DISTANCE_MAX || distance < 4) return NO_REFERENCE;
  return ((load<u32>(side, ABSOLUTES) >> register) & 1) != 0 ? ABSOLUTE : LOW + ((distance - 4) >> 1);
}

function address(side: usize, word: u32): u32 {
  return load<u32>(side + <usize>(((word >> 15) & 31) << 2)) + immLow(word);
}

function pass(side: usize, word: u32): void {
  const known = load<u32>(side, REGISTERS);
  if (known != 0) store<u32>(side, known & ~(1 << destination(word)), REGISTERS);
}

export function readRiscV(at: i32, va: u32): void {
  const left = end() - at;
  const word = left >= 4 ? wordAt(at) : left >= 2 ? <u32>load<u16>(SOURCE + <usize>at) : byteAt(at);
  const length = lengthOf(word);
  if (length > left) {
    if (left >= 2) setPlain(word & 0xffff, 2);
    else setPlain(word & 0xff, 1);
    return;
  }
  const unit = length == 2 ? word & 0xffff : word;
  setPlain(unit, length);
  readField(unit, at, va);
}

function readField(word: u32, at: i32, va: u32): void {
  const kind = classOf(word);
  if (kind == PAGE || kind == HIGH) readHigh(word, at, va, kind);
  else if (kind != NO_REFERENCE) {
    refer(kind, direct(word, kind, va), word & ~fieldOf(word, kind));
    pass(SOURCE_SIDE, word);
  } else if ((word & 3) == 3) {
    const low = lowKind(SOURCE_SIDE, word, va);
    if (low != NO_REFERENCE) refer(low, address(SOURCE_SIDE, word), word & ~fieldOf(word, low));
    pass(SOURCE_SIDE, word);
  }
}

function readHigh(word: u32, at: i32, va: u32, kind: u32): void {
  const register = (word >> 7) & 31;
  const part = direct(word, kind, va);
  setPart(SOURCE_SIDE, register, part, va, kind);
  if (kind == PAGE) refer(PAGE, part, word & ~IMM_J);
  const last = min(at + DISTANCE_MAX, end() - 4);
  for (let next = at + 4; next <= last; ) {
    const other = wordAt(next);
    if ((other & 3) == 3) {
      if (lowForm(other) != NO_FORM && ((other >> 15) & 31) == register) {
        refer(kind, part + immLow(other), word & ~IMM_J);
        return;
      }
      if (destination(other) == register) return;
    }
    next += lengthOf(other);
  }
}

export function writeRiscV(word: u32, kind: u32, va: u32, target: u32): u32 {
  const distance = target - va;
  switch (kind) {
    case CALL:
    case JUMP:
      return writeJ(word, distance);
    case BRANCH:
      return writeB(word, distance);
    case SHORT:
      return writeCJ(word, distance);
    case ZERO:
      return writeCB(word, distance);
    case PAGE:
      return (word & ~IMM_J) | ((distance + 0x800) & IMM_J);
    case HIGH:
      return (word & ~IMM_J) | ((target + 0x800) & IMM_J);
    case ABSOLUTE:
      return writeLow(word, target);
    default:
      return writeLow(word, distance + ((kind - LOW) << 1) + 4);
  }
}

export function resolveRiscV(word: u32, kind: u32, actual: u32, va: u32): i64 {
  const actualClass = classOf(actual);
  if (actualClass == PAGE || actualClass == HIGH) {
    setPart(ACTUAL_SIDE, (actual >> 7) & 31, direct(actual, actualClass, va), va, actualClass);
    return NOWHERE;
  }
  let reached = NOWHERE;
  if (kind >= ABSOLUTE) {
    const isSame = (word & 3) == 3 && (actual & 3) == 3 && lowKind(ACTUAL_SIDE, actual, va) == kind;
    if (isSame) reached = <i64>(<u64>address(ACTUAL_SIDE, actual));
  } else if (kind != NO_REFERENCE && actualClass == kind) {
    reached = <i64>(<u64>direct(actual, kind, va));
  }
  pass(ACTUAL_SIDE, actual);
  return reached;
}

function fieldOf(word: u32, kind: u32): u32 {
  switch (kind) {
    case CALL:
    case JUMP:
      return IMM_J;
    case BRANCH:
      return IMM_B;
    case SHORT:
      return IMM_CJ;
    case ZERO:
      return IMM_CB;
    default:
      return formOf(word) == S_FORM ? IMM_B : IMM_I;
  }
}

export function writeJ(word: u32, distance: u32): u32 {
  const upper = ((distance << 11) & 0x80000000) | ((distance << 20) & 0x7fe00000) | ((distance << 9) & 0x100000);
  return (word & ~IMM_J) | upper | (distance & 0xff000);
}

function writeB(word: u32, distance: u32): u32 {
  const upper = ((distance << 19) & 0x80000000) | ((distance << 20) & 0x7e000000);
  return (word & ~IMM_B) | upper | ((distance << 7) & 0xf00) | ((distance >> 4) & 0x80);
}

function writeCJ(word: u32, distance: u32): u32 {
  const lower = ((distance << 7) & 0x800) | ((distance << 2) & 0x38) | ((distance >> 3) & 0x4);
  const upper = ((distance << 1) & 0x1680) | ((distance >> 2) & 0x100) | ((distance >> 1) & 0x40);
  return (word & ~IMM_CJ) | upper | lower;
}

function writeCB(word: u32, distance: u32): u32 {
  const upper = ((distance << 4) & 0x1000) | ((distance << 7) & 0xc00);
  return (word & ~IMM_CB) | upper | ((distance >> 1) & 0x60) | ((distance << 2) & 0x18) | ((distance >> 3) & 0x4);
}

function writeLow(word: u32, value: u32): u32 {
  if (formOf(word) == S_FORM) return (word & ~IMM_B) | ((value << 20) & 0xfe000000) | ((value << 7) & 0xf80);
  return (word & ~IMM_I) | (value << 20);
}

/** A word with the places of AUIPC and JAL in place of their distances (`by` 1), or back (-1). */
export function absoluteRiscV(word: u32, va: u32, by: u32): u32 {
  const opcode = word & 0x7f;
  if (opcode == 0x17) return word + by * (va & ~0xfff);
  return opcode == 0x6f ? writeJ(word, immJ(word) + by * (va & ~1)) : word;
}
