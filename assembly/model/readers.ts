/**
 * Which reader reads the run at hand, and what it asks of instruction sets: the twin of native-free/predict/readers.ts.
 */
import { add, begin, SAME } from './candidates.ts';
import { beginCode, expectCode, learnCode, passCode, proposeCode, readCode } from './code-reader.ts';
import { beginData, expectData, learnData, proposeData, readData } from './data-reader.ts';
import { A32, A64, MIPS, MIPS_BIG, RISCV, T32, X64 } from './instruction-sets.ts';
import { byteAt, end, push, region, word } from './run.ts';

/** Native-free's REGION_KIND. */
const RAW: i32 = 0;
const DATA_64: i32 = 8;
const DATA_32: i32 = 9;
/** Bytes in no file: nothing is read. */
const BSS: i32 = 10;

let reader: i32 = RAW;

function alignmentOf(kind: i32): u32 {
  switch (kind) {
    case A64:
    case A32:
    case MIPS:
    case MIPS_BIG:
    case DATA_64:
    case DATA_32:
      return 4;
    case T32:
    case RISCV:
      return 2;
    default:
      return 1;
  }
}

/** Whether regions of this kind are read here as the host reads them. */
export function knowsKind(kind: i32): bool {
  return kind >= RAW && kind <= BSS;
}

function isCode(kind: i32): bool {
  return kind >= A64 && kind <= MIPS_BIG;
}

/** A run in a region of this kind begins; `shifted` is the source's address xor the target's. */
export function beginReader(kind: i32, shifted: u32): void {
  const isAligned = (shifted & (alignmentOf(kind) - 1)) == 0;
  reader = isAligned && (isCode(kind) || kind == DATA_64 || kind == DATA_32) ? kind : RAW;
  if (isCode(reader)) beginCode(reader);
  else if (reader != RAW) beginData(reader == DATA_64);
}

export function isBigEndian(): bool {
  return reader == MIPS_BIG;
}

export function read(at: i32, limit: i32): void {
  if (isCode(reader)) readCode(at, limit);
  else if (reader != RAW) readData(at, limit);
  else {
    const last = min(limit, end());
    for (; at < last; at++) push(1, byteAt(at), 0, 0, byteAt(at));
  }
}

export function propose(i: i32, at: i32): void {
  if (isCode(reader)) proposeCode(i, at);
  else if (reader != RAW) proposeData(i, at);
  else {
    begin(region() << 5, 0);
    add(word(i), SAME);
  }
}

/** One value that unit `i` may become, by what usually holds, or of a table's word by this origin. */
export function expectUnit(i: i32, at: i32, origin: i32): u32 {
  if (isCode(reader)) return expectCode(i, at, origin);
  return reader != RAW ? expectData(i, at, origin) : word(i);
}

/** A unit that is to teach nothing: only what registers of the target hold is followed. */
export function passUnit(i: i32, at: i32, actual: u32): void {
  if (isCode(reader)) passCode(i, at, actual);
}

export function learnUnit(i: i32, at: i32, actual: u32): void {
  if (isCode(reader)) learnCode(i, at, actual);
  else if (reader != RAW) learnData(i, actual);
}
