/** The twin of native-free/predict/isa/x64-parts.ts. */
import {
  DISTANCE,
  EVEX,
  immediateBytes,
  MAP_0F,
  MAP_0F38,
  MAP_0F3A,
  MODRM,
  oneByte,
  POP_OR_XOP,
  PREFIX,
  REX,
  shapeInMap,
  twoBytes,
  VEX2,
  VEX3,
} from './x64-opcodes.ts';

const START: u32 = 0;
const SECOND: u32 = 1;
const MAPPED: u32 = 2;
const PAYLOAD: u32 = 3;
const AFTER_OPCODE: u32 = 4;
const SIB: u32 = 5;
const DISPLACEMENT: u32 = 6;
const IMMEDIATE: u32 = 7;

let part: u32 = START;
let left: i32 = 0;
let isDistance: bool = false;
let tailBytes: i32 = 0;
let fieldNow: u32 = 0;
let opcodeNow: u32 = 0;
let opcodeBefore: u32 = 0;
let opcodeEarlier: u32 = 0;
let modrmNow: u32 = 0;
let isNarrow: bool = false;
let isAddressNarrow: bool = false;
let rexNow: u32 = 0;
let mapNow: u32 = 0;
let shapeNow: u32 = 0;
let length: i32 = 0;

export function beginParts(): void {
  ended();
  opcodeNow = 0;
  opcodeBefore = 0;
  opcodeEarlier = 0;
  modrmNow = 0;
  fieldNow = 0;
}

/** Whether all of a distance of four bytes comes next. */
export function isAtDistance(): bool {
  return isDistance && part == DISPLACEMENT && left == 4;
}

export function place(): u32 {
  let index: u32 = 0;
  if (part == START) index = rexNow != 0 ? 2 : isNarrow ? 1 : 0;
  else if (part == DISPLACEMENT) index = (isDistance ? 4 : 0) + (length == 1 ? 8 : <u32>left - 1);
  else if (part == IMMEDIATE) index = length == 1 ? 8 : <u32>left - 1;
  return (part << 4) | index;
}

export function tail(): u32 {
  return <u32>tailBytes;
}

export function field(): u32 {
  return fieldNow;
}

export function opcode(): u32 {
  return opcodeNow;
}

export function before(): u32 {
  return opcodeBefore;
}

export function earlier(): u32 {
  return opcodeEarlier;
}

export function modrm(): u32 {
  return modrmNow;
}

export function rex(): u32 {
  return rexNow;
}

export function nextPart(byte: u32): void {
  switch (part) {
    case START:
      return atStart(byte);
    case SECOND:
      return atSecond(byte);
    case MAPPED:
      return atOpcode(byte, mapNow, shapeInMap(mapNow, byte));
    case PAYLOAD:
      return atPayload(byte);
    case AFTER_OPCODE:
      return atModrm(byte);
    case SIB:
      if ((modrmNow & 0xc0) == 0 && (byte & 7) == 5) length = 4;
      return beginDisplacement();
    default: {
      fieldNow = (fieldNow << 8) | byte;
      if (--left > 0) return;
      if (part == DISPLACEMENT) beginImmediate();
      else ended();
    }
  }
}

function ended(): void {
  part = START;
  isNarrow = false;
  isAddressNarrow = false;
  isDistance = false;
  rexNow = 0;
  left = 0;
  tailBytes = 0;
  length = 0;
}

function atStart(byte: u32): void {
  const shape = oneByte(byte);
  if (shape == PREFIX) {
    if (byte == 0x66) isNarrow = true;
    else if (byte == 0x67) isAddressNarrow = true;
  } else if (shape == REX) rexNow = byte;
  else if (shape == MAP_0F) part = SECOND;
  else if (shape == VEX2) beginVector(1, 1);
  else if (shape == VEX3) beginVector(2, 0);
  else if (shape == EVEX) beginVector(3, 0);
  else atOpcode(byte, 0, shape == POP_OR_XOP ? MODRM : shape);
}

function atSecond(byte: u32): void {
  const shape = twoBytes(byte);
  if (shape != MAP_0F38 && shape != MAP_0F3A) return atOpcode(byte, 1, shape);
  part = MAPPED;
  mapNow = shape == MAP_0F38 ? 2 : 3;
}

function beginVector(bytes: i32, map: u32): void {
  part = PAYLOAD;
  left = bytes;
  mapNow = map;
}

function atPayload(byte: u32): void {
  if (mapNow == 0) mapNow = byte & 7;
  if (--left == 0) part = MAPPED;
}

function atOpcode(byte: u32, map: u32, shape: u32): void {
  opcodeEarlier = opcodeBefore;
  opcodeBefore = opcodeNow;
  opcodeNow = (map << 8) | byte;
  modrmNow = 0;
  fieldNow = 0;
  shapeNow = shape;
  if (shape >= MODRM) part = AFTER_OPCODE;
  else if (shape >= DISTANCE) {
    isDistance = true;
    length = (shape & 15) > 3 ? 1 : 4;
    beginDisplacement();
  } else if (shape >= PREFIX) ended();
  else {
    tailBytes = immediateBytes(shape, isNarrow, isAddressNarrow, rexNow, 0);
    beginImmediate();
  }
}

function atModrm(byte: u32): void {
  const mod = byte >> 6;
  modrmNow = byte;
  tailBytes = immediateBytes(shapeNow & 15, isNarrow, isAddressNarrow, rexNow, byte);
  length = mod == 1 ? 1 : mod == 2 ? 4 : 0;
  if (mod != 3 && (byte & 7) == 4) {
    part = SIB;
    return;
  }
  if ((byte & 0xc7) == 5) {
    isDistance = true;
    length = 4;
  }
  beginDisplacement();
}

function beginDisplacement(): void {
  if (length == 0) return beginImmediate();
  part = DISPLACEMENT;
  left = length;
}

function beginImmediate(): void {
  if (tailBytes == 0) return ended();
  part = IMMEDIATE;
  isDistance = false;
  left = tailBytes;
  length = tailBytes;
  tailBytes = 0;
  fieldNow = 0;
}
