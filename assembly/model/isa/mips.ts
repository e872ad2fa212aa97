/** The twin of native-free/predict/isa/mips.ts. */
import { NOWHERE } from '../knowledge.ts';
import { byteAt, end, wordAt } from '../run.ts';
import { NO_REFERENCE, refer, setPlain } from './unit.ts';

const CALL: u32 = 1;
const JUMP: u32 = 2;
const ALWAYS: u32 = 3;
const BRANCH: u32 = 4;
const HIGH: u32 = 5;
const HIGH_PLAIN: u32 = 6;
const LOW: u32 = 7;
const LOW_PLAIN: u32 = 8;

const REGISTER_AGE_MAX: i32 = 32;
const INDEX26: u32 = 0x3ffffff;
const IMM16: u32 = 0xffff;

/** Upper halves in the registers of each side, where they were loaded, and a bit for each register that has one. */
const SINCE: usize = 128;
const REGISTERS: usize = 256;
const SOURCE_SIDE = memory.data(272, 16);
const ACTUAL_SIDE = memory.data(272, 16);
let isBig: bool = false;

export function beginMips(big: bool): void {
  isBig = big;
  store<u32>(SOURCE_SIDE, 0, REGISTERS);
  store<u32>(ACTUAL_SIDE, 0, REGISTERS);
}

function classOf(word: u32): u32 {
  switch (word >> 26) {
    case 1:
      return (word & 0x0c0000) == 0 ? BRANCH : NO_REFERENCE;
    case 2:
      return JUMP;
    case 3:
      return CALL;
    case 4:
      return (word & 0x03ff0000) == 0 ? ALWAYS : BRANCH;
    case 5:
    case 6:
    case 7:
    case 20:
    case 21:
    case 22:
    case 23:
      return BRANCH;
    case 15:
      return (word & 0x03e00000) == 0 && (word & 0x1f0000) != 0 ? HIGH : NO_REFERENCE;
    case 17:
      return (word & 0x03e00000) == 0x01000000 ? BRANCH : NO_REFERENCE;
    default:
      return NO_REFERENCE;
  }
}

/** A bit for each major opcode whose imm16 is added to rs. */
const LOW_USERS: u64 = 0xb3b37fff0f000300;
const ORI: u32 = 13;

function lowUser(word: u32): u32 {
  const major = word >> 26;
  if (major == ORI) return LOW_PLAIN;
  return ((LOW_USERS >> major) & 1) != 0 ? LOW : NO_REFERENCE;
}

function destination(word: u32): u32 {
  const major = word >> 26;
  if (major == 0) {
    const register = (word >> 11) & 31;
    if ((word & 0x7ff) != 0x21 && (word & 0x7ff) != 0x2d) return register;
    return register == ((word >> 21) & 31) || register == ((word >> 16) & 31) ? 0 : register;
  }
  const isImmediate = (major >= 8 && major < 16) || (major >= 24 && major < 28) || (major >= 32 && major < 40);
  const isLong = major == 48 || major == 52 || major == 55 || major == 56 || major == 60;
  return isImmediate || isLong ? (word >> 16) & 31 : 0;
}

function immLow(word: u32, lowKind: u32): u32 {
  return lowKind == LOW ? <u32>(<i32>(word << 16) >> 16) : word & IMM16;
}

function direct(word: u32, kind: u32, va: u32): u32 {
  if (kind <= JUMP) return ((va + 4) & 0xf0000000) | ((word & INDEX26) << 2);
  return va + 4 + <u32>(<i32>(word << 16) >> 14);
}

function setHigh(side: usize, word: u32, va: u32): void {
  const register = (word >> 16) & 31;
  store<u32>(side + <usize>(register << 2), word << 16);
  store<u32>(side + <usize>(register << 2), va, SINCE);
  store<u32>(side, load<u32>(side, REGISTERS) | (1 << register), REGISTERS);
}

function lowKind(side: usize, word: u32, va: u32): u32 {
  const register = (word >> 21) & 31;
  if (((load<u32>(side, REGISTERS) >> register) & 1) == 0) return NO_REFERENCE;
  const age = va - load<u32>(side + <usize>(register << 2), SINCE);
  return age <= <u32>REGISTER_AGE_MAX ? lowUser(word) : NO_REFERENCE;
}

function address(side: usize, word: u32, lowKind: u32): u32 {
  return load<u32>(side + <usize>(((word >> 21) & 31) << 2)) + immLow(word, lowKind);
}

function pass(side: usize, word: u32): void {
  const known = load<u32>(side, REGISTERS);
  if (known != 0) store<u32>(side, known & ~(1 << destination(word)), REGISTERS);
}

function loadAt(at: i32): u32 {
  return isBig ? bswap(wordAt(at)) : wordAt(at);
}

export function readMips(at: i32, va: u32): void {
  if (at + 4 > end()) {
    setPlain(byteAt(at), 1);
    return;
  }
  const word = loadAt(at);
  setPlain(word, 4);
  const kind = classOf(word);
  if (kind == HIGH) {
    readHigh(word, at);
    setHigh(SOURCE_SIDE, word, va);
  } else if (kind != NO_REFERENCE) {
    refer(kind, direct(word, kind, va), word & ~(kind <= JUMP ? INDEX26 : IMM16));
  } else {
    const low = lowKind(SOURCE_SIDE, word, va);
    if (low != NO_REFERENCE) refer(low, address(SOURCE_SIDE, word, low), word & ~IMM16);
    pass(SOURCE_SIDE, word);
  }
}

function readHigh(word: u32, at: i32): void {
  const register = (word >> 16) & 31;
  const last = min(end() - 4, at + REGISTER_AGE_MAX);
  for (let next = at + 4; next <= last; next += 4) {
    const other = loadAt(next);
    const low = lowUser(other);
    if (low != NO_REFERENCE && ((other >> 21) & 31) == register) {
      refer(low == LOW ? HIGH : HIGH_PLAIN, (word << 16) + immLow(other, low), word & ~IMM16);
      return;
    }
    if (destination(other) == register) return;
  }
}

export function writeMips(word: u32, kind: u32, va: u32, target: u32): u32 {
  switch (kind) {
    case CALL:
    case JUMP:
      return (word & ~INDEX26) | ((target >> 2) & INDEX26);
    case ALWAYS:
    case BRANCH:
      return (word & ~IMM16) | (<u32>(<i32>(target - va - 4) >> 2) & IMM16);
    case HIGH:
      return (word & ~IMM16) | (((target + 0x8000) >> 16) & IMM16);
    case HIGH_PLAIN:
      return (word & ~IMM16) | (target >> 16);
    default:
      return (word & ~IMM16) | (target & IMM16);
  }
}

export function resolveMips(kind: u32, actual: u32, va: u32): i64 {
  const actualClass = classOf(actual);
  if (actualClass == HIGH) {
    setHigh(ACTUAL_SIDE, actual, va);
    return NOWHERE;
  }
  if (actualClass != NO_REFERENCE) return actualClass == kind ? <i64>(<u64>direct(actual, kind, va)) : NOWHERE;
  const isLow = kind >= LOW && lowKind(ACTUAL_SIDE, actual, va) == kind;
  const reached = isLow ? <i64>(<u64>address(ACTUAL_SIDE, actual, kind)) : NOWHERE;
  pass(ACTUAL_SIDE, actual);
  return reached;
}
