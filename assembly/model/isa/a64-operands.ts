/** The twin of native-free/predict/isa/a64-operands.ts. */
import { add, REGISTERS, STACK, STACK_BEFORE } from '../candidates.ts';

const RN: u32 = 31 << 5;
const RM: u32 = 31 << 16;
const RENAMED = memory.data(32, 16);
let stack: i32 = 0;
let stackBefore: i32 = 0;

export function beginOperandsA64(): void {
  for (let i: usize = 0; i < 32; i++) store<u8>(RENAMED + i, <u8>i);
  stack = 0;
  stackBefore = 0;
}

export function proposeOperandsA64(word: u32): void {
  const form = stackForm(word);
  if (form != 0 && stack != 0) {
    const offset = stackOffset(word, form);
    add(withStackOffset(word, form, offset + stack), STACK);
    if (stackBefore != 0) add(withStackOffset(word, form, offset + stackBefore), STACK_BEFORE);
    return;
  }
  const renamed = rename(word);
  if (renamed != word) add(renamed, REGISTERS);
}

export function learnOperandsA64(word: u32, actual: u32): void {
  const form = stackForm(word);
  if (form != 0 && actual != word && stackForm(actual) == form) {
    const change = stackOffset(actual, form) - stackOffset(word, form);
    if (change != stack && change != 0) {
      stackBefore = stack;
      stack = change;
    }
  }
  learnRegisters(word, actual);
}

// @ts-ignore: decorator
@inline
function nameOf(register: u32): u32 {
  return <u32>load<u8>(RENAMED + <usize>(register & 31));
}

// @ts-ignore: decorator
@inline
function setName(register: u32, name: u32): void {
  store<u8>(RENAMED + <usize>(register & 31), <u8>(name & 31));
}

function rename(word: u32): u32 {
  const fields = registerFields(word);
  if (fields == 0) return word;
  let renamed = (word & ~31) | nameOf(word);
  if ((fields & RN) != 0) renamed = (renamed & ~RN) | (nameOf(word >> 5) << 5);
  if ((fields & RM) != 0) renamed = (renamed & ~RM) | (nameOf(word >> 16) << 16);
  return renamed;
}

function learnRegisters(word: u32, actual: u32): void {
  const fields = registerFields(word);
  if (fields == 0 || ((word ^ actual) & ~fields) != 0) return;
  setName(word, actual);
  if ((fields & RN) != 0) setName(word >> 5, actual >> 5);
  if ((fields & RM) != 0) setName(word >> 16, actual >> 16);
}

function registerFields(word: u32): u32 {
  const group = (word >> 25) & 15;
  if (group == 10 || group == 11) return 0;
  let fields: u32 = 31;
  if (group == 8 || group == 9) {
    if (((word >> 23) & 7) != 5) fields |= RN;
  } else if (group >= 4) fields |= RN;
  const hasRm = (group & 7) == 5 || (word & 0x3b200c00) == 0x38200800 || (group & 7) == 7;
  return hasRm ? fields | RM : fields;
}

const SCALED: i32 = 1;
const ADD_SUB: i32 = 2;
const PAIR: i32 = 3;
const UNSCALED: i32 = 4;

function stackForm(word: u32): i32 {
  if (((word >> 5) & 31) != 31) return 0;
  if ((word & 0x3b000000) == 0x39000000) return SCALED;
  if ((word & 0x1fc00000) == 0x11000000) return ADD_SUB;
  if ((word & 0x3a000000) == 0x28000000) return PAIR;
  if ((word & 0x3b200000) == 0x38000000) return UNSCALED;
  return 0;
}

function stackScale(word: u32, form: i32): i32 {
  if (form == SCALED) return (word & 0x04800000) == 0x04800000 ? 4 : <i32>(word >> 30);
  if (form == PAIR) return ((word >> 26) & 1) != 0 ? 2 + <i32>(word >> 30) : 2 + <i32>(word >> 31);
  return 0;
}

function stackOffset(word: u32, form: i32): i32 {
  const scale = stackScale(word, form);
  if (form == PAIR) return (<i32>(word << 10) >> 25) << scale;
  if (form == UNSCALED) return <i32>(word << 11) >> 23;
  return <i32>((word >> 10) & 0xfff) << scale;
}

function withStackOffset(word: u32, form: i32, offset: i32): u32 {
  const steps = <u32>(offset >> stackScale(word, form));
  if (form == PAIR) return (word & ~(0x7f << 15)) | ((steps & 0x7f) << 15);
  if (form == UNSCALED) return (word & ~(0x1ff << 12)) | ((steps & 0x1ff) << 12);
  return (word & ~(0xfff << 10)) | ((steps & 0xfff) << 10);
}
