/** The twin of native-free/predict/isa/a32-operands.ts. */
import { add, REGISTERS, STACK, STACK_BEFORE } from '../candidates.ts';

const SP: u32 = 13;
const UP: u32 = 1 << 23;
const RM: u32 = 1;
const RS: u32 = 2;
const RD: u32 = 4;
const RN: u32 = 8;
const RENAMED = memory.data(16, 16);
let stack: i32 = 0;
let stackBefore: i32 = 0;

export function beginOperandsA32(): void {
  for (let i: usize = 0; i < 16; i++) store<u8>(RENAMED + i, <u8>i);
  stack = 0;
  stackBefore = 0;
}

export function proposeOperandsA32(word: u32): void {
  const renamed = rename(word);
  const form = stackForm(word);
  if (form != 0 && stack != 0) {
    const offset = stackOffset(word, form);
    add(withStackOffset(renamed, form, offset + stack), STACK);
    if (stackBefore != 0) add(withStackOffset(renamed, form, offset + stackBefore), STACK_BEFORE);
  }
  if (renamed != word) add(renamed, REGISTERS);
}

export function learnOperandsA32(word: u32, actual: u32): void {
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

/** Where field 0 to 3 stands: 0, 8, 12, 16. */
// @ts-ignore: decorator
@inline
function shiftOf(field: i32): u32 {
  return field == 0 ? 0 : 4 + 4 * field;
}

function rename(word: u32): u32 {
  const fields = registerFields(word);
  let renamed = word;
  for (let f = 0; f < 4; f++) {
    if ((fields & (1 << f)) == 0) continue;
    const shift = shiftOf(f);
    renamed = (renamed & ~(15 << shift)) | (<u32>load<u8>(RENAMED + ((word >> shift) & 15)) << shift);
  }
  return renamed;
}

function learnRegisters(word: u32, actual: u32): void {
  const fields = registerFields(word);
  let operands = stackBits(stackForm(word));
  for (let f = 0; f < 4; f++) if ((fields & (1 << f)) != 0) operands |= 15 << shiftOf(f);
  if (((word ^ actual) & ~operands) != 0) return;
  for (let f = 0; f < 4; f++) {
    const shift = shiftOf(f);
    if ((fields & (1 << f)) != 0) store<u8>(RENAMED + ((word >> shift) & 15), <u8>((actual >> shift) & 15));
  }
}

function registerFields(word: u32): u32 {
  if (word >> 28 == 15) return 0;
  switch ((word >> 25) & 7) {
    case 0:
      if ((word & 0x90) == 0x90) return multiplyFields(word);
      return processingFields(word) | ((word & 0x10) != 0 ? RM | RS : RM);
    case 1:
      return processingFields(word);
    case 2:
      return RN | RD;
    case 3:
      return RN | RD | RM;
    case 4:
      return RN;
    default:
      return 0;
  }
}

function multiplyFields(word: u32): u32 {
  if ((word & 0x60) != 0) return (word & 0x00400000) == 0 ? RN | RD | RM : RN | RD;
  if ((word & 0x01000000) != 0) return 0;
  return (word & 0x00e00000) == 0 ? RN | RS | RM : RN | RD | RS | RM;
}

function processingFields(word: u32): u32 {
  const operation = (word >> 21) & 15;
  if (operation >= 8 && operation < 12) return (word & 0x00100000) != 0 ? RN : 0;
  return operation == 13 || operation == 15 ? RD : RN | RD;
}

const WORD: i32 = 1;
const HALF: i32 = 2;
const ADD_SUB: i32 = 3;
const FLOAT: i32 = 4;

function stackBits(form: i32): u32 {
  switch (form) {
    case WORD:
      return UP | 0xfff;
    case HALF:
      return UP | 0xf0f;
    case ADD_SUB:
      return 0xfff;
    case FLOAT:
      return UP | 0xff;
    default:
      return 0;
  }
}

function stackForm(word: u32): i32 {
  if (((word >> 16) & 15) != SP || word >> 28 == 15) return 0;
  if ((word & 0x0f200000) == 0x05000000) return WORD;
  if ((word & 0x0f600090) == 0x01400090) return HALF;
  if ((word & 0x0fe00000) == 0x02800000 || (word & 0x0fe00000) == 0x02400000) return ADD_SUB;
  if ((word & 0x0f200e00) == 0x0d000a00) return FLOAT;
  return 0;
}

function stackOffset(word: u32, form: i32): i32 {
  if (form == ADD_SUB) return <i32>rotr<u32>(word & 0xff, (word >> 7) & 30);
  const magnitude: u32 =
    form == HALF ? ((word >> 4) & 0xf0) | (word & 15) : form == FLOAT ? (word & 0xff) << 2 : word & 0xfff;
  return (word & UP) != 0 ? <i32>magnitude : -(<i32>magnitude);
}

function withStackOffset(word: u32, form: i32, offset: i32): u32 {
  if (form == ADD_SUB) return withRotated(word, <u32>offset);
  const magnitude = <u32>(offset < 0 ? -offset : offset);
  const turned = offset < 0 ? word & ~UP : word | UP;
  if (form == HALF) return (turned & ~0xf0f) | ((magnitude & 0xf0) << 4) | (magnitude & 15);
  if (form == FLOAT) return (turned & ~0xff) | ((magnitude >> 2) & 0xff);
  return (turned & ~0xfff) | (magnitude & 0xfff);
}

function withRotated(word: u32, value: u32): u32 {
  for (let by: u32 = 0; by < 32; by += 2) {
    const turned = rotl<u32>(value, by);
    if (turned < 256) return (word & ~0xfff) | (by << 7) | turned;
  }
  return word;
}
