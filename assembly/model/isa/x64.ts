/** The twin of native-free/predict/isa/x64.ts. */
import { NOWHERE } from '../knowledge.ts';
import { end, SOURCE } from '../run.ts';
import { NO_REFERENCE, refer, setPlain } from './unit.ts';
import {
  BYTE,
  COND_SHORT,
  DISTANCE,
  EVEX,
  immediateBytes,
  INVALID,
  JUMP_SHORT,
  MAP_0F,
  MAP_0F38,
  MAP_0F3A,
  MODRM,
  NONE,
  oneByte,
  POP_OR_XOP,
  PREFIX,
  REX,
  shapeInMap,
  twoBytes,
  VEX2,
  VEX3,
} from './x64-opcodes.ts';

const PLACE: u32 = 6;
const INSTRUCTION_BYTES_MAX: i32 = 15;
const LOOK_MAX: i32 = 32;
/** The last bytes of a stretch, with zeros behind. */
const LAST = memory.data(LOOK_MAX, 16);

let head: i32 = 0;
let field: i32 = 0;
let rest: i32 = 0;
let fieldKind: u32 = NO_REFERENCE;
let summary: u32 = 0;
let next: u32 = 0;
let isNarrow: bool = false;
let isAddressNarrow: bool = false;
let rex: u32 = 0;

export function beginX64(): void {
  head = field = rest = 0;
}

// @ts-ignore: decorator
@inline
function isShort(kind: u32): bool {
  return kind == JUMP_SHORT || kind == COND_SHORT;
}

/** By number of bytes in the immediate behind the field. */
function placeByTail(tail: i32): u32 {
  return tail == 3 ? NO_REFERENCE : tail == 4 ? PLACE + 3 : PLACE + <u32>tail;
}

/** From the start of each kind's field to the end of its instruction. */
function toEnd(kind: u32): u32 {
  if (isShort(kind)) return 1;
  return kind <= PLACE ? 4 : kind == PLACE + 3 ? 8 : kind - PLACE + 4;
}

export function readX64(at: i32, va: u32): void {
  if ((head | field | rest) == 0 || va != next) decode(at);
  let length: i32;
  if (head > 0) head -= length = readPlain(at, head);
  else if (field > 0) {
    length = readPlain(at, field);
    field = 0;
    if (fieldKind != NO_REFERENCE) refer(fieldKind, reached(load<u32>(SOURCE + at), fieldKind, va), summary);
  } else rest -= length = readPlain(at, rest);
  next = va + <u32>length;
}

function readPlain(at: i32, left: i32): i32 {
  const place = SOURCE + <usize>at;
  const length = left >= 4 ? 4 : left >= 2 ? 2 : 1;
  setPlain(length == 4 ? load<u32>(place) : length == 2 ? <u32>load<u16>(place) : <u32>load<u8>(place), length);
  return length;
}

function decode(at: i32): void {
  const left = end() - at;
  if (left >= LOOK_MAX) split(SOURCE + <usize>at);
  else {
    memory.fill(LAST, 0, LOOK_MAX);
    memory.copy(LAST, SOURCE + <usize>at, <usize>left);
    split(LAST);
  }
  const length = head + field + rest;
  if (length > INSTRUCTION_BYTES_MAX) giveUp();
  else if (length > left) setParts(left, 0, 0, NO_REFERENCE);
}

function giveUp(): void {
  setParts(1, 0, 0, NO_REFERENCE);
}

function setParts(headBytes: i32, fieldBytes: i32, restBytes: i32, kind: u32): void {
  head = headBytes;
  field = fieldBytes;
  rest = restBytes;
  fieldKind = kind;
}

// @ts-ignore: decorator
@inline
function byteOf(at: usize): u32 {
  return <u32>load<u8>(at);
}

function split(at: usize): void {
  isNarrow = isAddressNarrow = false;
  rex = 0;
  let opcodeAt = at;
  let shape = oneByte(byteOf(opcodeAt));
  while (shape == PREFIX && <i32>(opcodeAt - at) < INSTRUCTION_BYTES_MAX) {
    if (byteOf(opcodeAt) == 0x66) isNarrow = true;
    else if (byteOf(opcodeAt) == 0x67) isAddressNarrow = true;
    shape = oneByte(byteOf(++opcodeAt));
  }
  if (shape == REX) {
    rex = byteOf(opcodeAt);
    shape = oneByte(byteOf(++opcodeAt));
  }
  if (shape >= MODRM) splitOperands(at, opcodeAt, 0, shape);
  else if (shape < PREFIX) setParts(<i32>(opcodeAt + 1 - at), 0, immediateBytes(shape, isNarrow, isAddressNarrow, rex, 0), NO_REFERENCE);
  else if (shape >= DISTANCE) splitBranch(at, opcodeAt, 0, shape);
  else if (shape == MAP_0F) splitMapped(at, opcodeAt);
  else splitVector(at, opcodeAt, shape);
}

function splitMapped(at: usize, opcodeAt: usize): void {
  const inMap = twoBytes(byteOf(opcodeAt + 1));
  if (inMap >= MODRM) splitOperands(at, opcodeAt + 1, 1, inMap);
  else if (inMap >= DISTANCE) splitBranch(at, opcodeAt + 1, 1, inMap);
  else if (inMap == MAP_0F38) splitOperands(at, opcodeAt + 2, 2, MODRM);
  else if (inMap == MAP_0F3A) splitOperands(at, opcodeAt + 2, 3, MODRM | BYTE);
  else if (inMap == NONE) setParts(<i32>(opcodeAt + 2 - at), 0, 0, NO_REFERENCE);
  else giveUp();
}

function splitVector(at: usize, opcodeAt: usize, shape: u32): void {
  const second = byteOf(opcodeAt + 1);
  const map = second & 0x1f;
  if (shape == VEX2) splitInMap(at, opcodeAt + 2, 1);
  else if (shape == VEX3) splitInMap(at, opcodeAt + 3, map <= 3 ? map : 0);
  else if (shape == EVEX) {
    const hasFixedBits = (second & 8) == 0 && (byteOf(opcodeAt + 2) & 4) != 0;
    splitInMap(at, opcodeAt + 4, hasFixedBits ? second & 7 : 0);
  } else if (shape != POP_OR_XOP) giveUp();
  else if (map >= 8) splitInMap(at, opcodeAt + 3, map);
  else splitOperands(at, opcodeAt, 0, MODRM);
}

function splitInMap(at: usize, opcodeAt: usize, map: u32): void {
  const shape = rex == 0 ? shapeInMap(map, byteOf(opcodeAt)) : INVALID;
  if (shape >= MODRM) splitOperands(at, opcodeAt, map, shape);
  else if (shape == NONE) setParts(<i32>(opcodeAt + 1 - at), 0, 0, NO_REFERENCE);
  else giveUp();
}

function splitBranch(at: usize, opcodeAt: usize, map: u32, shape: u32): void {
  const kind = shape & 15;
  setParts(<i32>(opcodeAt + 1 - at), isShort(kind) ? 1 : 4, 0, kind);
  summary = (map << 24) | (byteOf(opcodeAt) << 16);
}

function splitOperands(at: usize, opcodeAt: usize, map: u32, shape: u32): void {
  const modrm = byteOf(opcodeAt + 1);
  const mod = modrm >> 6;
  const restBytes = immediateBytes(shape & 15, isNarrow, isAddressNarrow, rex, modrm);
  let headBytes = <i32>(opcodeAt + 2 - at);
  let fieldBytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
  let kind = NO_REFERENCE;
  if (mod != 3 && (modrm & 7) == 4) {
    headBytes++;
    if (mod == 0 && (byteOf(opcodeAt + 2) & 7) == 5) fieldBytes = 4;
  } else if ((modrm & 0xc7) == 5) {
    fieldBytes = 4;
    kind = placeByTail(restBytes);
    summary = (map << 24) | (byteOf(opcodeAt) << 16) | (modrm << 8) | rex;
  }
  setParts(headBytes, fieldBytes, restBytes, kind);
}

export function writeX64(kind: u32, va: u32, target: u32): u32 {
  const distance = target - va - toEnd(kind);
  return isShort(kind) ? distance & 0xff : distance;
}

export function resolveX64(kind: u32, actual: u32, va: u32): i64 {
  return kind == NO_REFERENCE ? NOWHERE : <i64>(<u64>reached(actual, kind, va));
}

function reached(word: u32, kind: u32, va: u32): u32 {
  return va + toEnd(kind) + (isShort(kind) ? <u32>(<i32>(word << 24) >> 24) : word);
}
