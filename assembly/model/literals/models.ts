/** The twin of native-free/model/literals/reference-literals.ts. What the contexts mean is said there. */
import { byte } from '../byte-mixer.ts';
import { contextHash } from '../hash.ts';
import { A32, A64, MIPS, RISCV, T32, X64 } from '../instruction-sets.ts';
import { isEncoder, setContext } from '../mix-coder.ts';
import {
  before,
  beginParts,
  earlier,
  field,
  isAtDistance,
  modrm,
  nextPart,
  opcode,
  place,
  rex,
  tail,
} from '../isa/x64-parts.ts';
import { absolute } from './absolute.ts';
import { beginMatch, expectedAt, followed, forgetMatch, isKnown, matched, matchedWord, passStored, trouble } from './match.ts';
import { forgetFar, history, near, setBlock, wordBefore } from './segment.ts';

const LITERAL: u32 = 41;
const BYTES: u32 = 46;
const MATCH: u32 = 49;
const HALFWORDS: u32 = 51;
const NEAR: u32 = 55;
const WORD: u32 = 61;
const PART: u32 = 141;
const LITERAL_SET: i32 = 6144;
const WORD_SET: i32 = 6656;
const PART_SET: i32 = 7424;
const STEP_BYTES: i32 = 32;
const LITERAL_NEAR: i32 = 256;
const WORD_NEAR: i32 = 512;

let kind: i32 = 0;
let end: i32 = 0;
let ahead: u32 = 0;
let last: u32 = 0;
let older: u32 = 0;
let work: u32 = 0;

/** A segment begins. */
export function resetLiterals(): void {
  forgetMatch();
  forgetFar();
}

/** Look-ups since this was asked last. */
export function spentLiterals(): u32 {
  const sum = work;
  work = 0;
  return sum;
}

/** The run [from, to) begins, at address `va`; its first block is laid down, and so many follow bytes. */
export function beginLiterals(regionKind: i32, from: i32, to: i32, va: u32, follow: i32): void {
  kind = regionKind;
  end = to;
  ahead = va - <u32>from;
  setBlock(from);
  beginMatch(follow, isOfHalfwords() || kind == X64);
  remember(from);
}

function remember(at: i32): void {
  last = history(at);
  older = history(at - 4);
  if (kind == X64) beginPartsAt(at);
}

/** Codes the block [from, to), which is laid down, or a little more; returns where it stopped. */
export function codeLiterals(from: i32, to: i32): i32 {
  setBlock(from);
  let at = from;
  while (at < to) {
    const va = <u32>at + ahead;
    if (isOfWords() && (va & 3) == 0 && at + 4 <= end) {
      codeWord(at, va);
      at += 4;
    } else if (kind == X64) at += codePart(at, va, at + 4 <= end);
    else at += codeUnit(at, min(mostBytes(va), end - at), va);
  }
  return at;
}

/** The block, which is laid down, was stored. */
export function passLiterals(from: i32, to: i32): void {
  setBlock(from);
  passStored(from, to);
  remember(to);
}

export function knowsLiterals(from: i32, to: i32): bool {
  setBlock(from);
  return isKnown(from, to);
}

// @ts-ignore: decorator
@inline
function isOfWords(): bool {
  return kind == A64 || kind == A32 || kind == MIPS;
}

// @ts-ignore: decorator
@inline
function isOfHalfwords(): bool {
  return kind == T32 || kind == RISCV;
}

function mostBytes(va: u32): i32 {
  return isOfHalfwords() && (va & 1) == 0 ? 4 : 1;
}

/** Bytes of a unit of at most `most`, of which the first one coded is known. */
function lengthOf(most: i32, first: u32): i32 {
  if (most < 4) return most;
  return (kind == T32 ? first >= 0xe8 : (first & 3) == 3) ? 4 : 2;
}

/** Which byte of a unit comes as the i-th one. */
function orderOf(length: i32, i: i32): i32 {
  if (kind != T32 || length == 1) return i;
  if (length == 2) return 1 - i;
  return i < 2 ? 2 * i + 1 : 2 * i - 4;
}

function codeUnit(at: i32, wanted: i32, va: u32): i32 {
  const most = wanted == 3 ? 2 : wanted;
  const from = expectedAt(at, most);
  const set = most == 4 ? kind : 0;
  const to = near(at);
  const actual = isEncoder() ? absolute(set, bytesAt(to, most), va, 1) : 0;
  const expected = from < 0 ? 0 : absolute(set, matchedWord(from, most), va, 1);
  // The first byte says how many there are; its place is the same in all orders of a set.
  let length = min(2, most);
  let value: u32 = 0;
  let holds = from >= 0;
  for (let i = 0; i < length; i++) {
    const shift = <u32>(8 * orderOf(length, i));
    const e = holds ? <i32>((expected >> shift) & 255) : -1;
    const phase = most == 1 ? va & 3 : <u32>(i + length) & 7;
    const one = codeByte((actual >> shift) & 255, phase, e);
    value |= one << shift;
    if (<i32>one != e) holds = false;
    if (i == 0) length = lengthOf(most, one);
  }
  const plain = length == 4 ? absolute(kind, value, va, -1) : value;
  if (!isEncoder()) for (let i = 0; i < length; i++) store<u8>(to + i, plain >> (8 * i));
  followed(at, length, from < 0 || holds);
  return length;
}

function bytesAt(from: usize, count: i32): u32 {
  let value: u32 = 0;
  for (let i = 0; i < count; i++) value |= <u32>load<u8>(from + i) << (8 * i);
  return value;
}

function codeByte(value: u32, phase: u32, expected: i32): u32 {
  const tag: u32 = 32 + kind;
  setContext(0, contextHash(LITERAL, tag, phase));
  setContext(1, contextHash(LITERAL + 1, tag, ((last & 0xff) << 3) | phase));
  setContext(2, contextHash(LITERAL + 2, tag, last & 0xffffff));
  setContext(3, contextHash(LITERAL + 3, tag, last, older & 0xffff));
  setContext(4, contextHash(LITERAL + 4, tag, ((older >> 24) << 11) | ((last >> 24) << 3) | phase));
  if (isOfHalfwords()) {
    setContext(5, contextHash(HALFWORDS, tag, ((last & 0xff00) << 3) | phase));
    setContext(6, contextHash(HALFWORDS + 1, tag, ((last & 0xff0000) << 3) | phase));
    setContext(7, contextHash(HALFWORDS + 2, tag, last & 0xff00ff00, phase));
    setContext(9, contextHash(HALFWORDS + 3, tag, ((older & 0xffff) << 3) | phase));
  } else {
    setContext(5, contextHash(BYTES, tag));
    setContext(6, contextHash(BYTES + 1, tag, last & 0xffff));
    setContext(7, contextHash(BYTES + 2, tag, ((last >> 24) << 3) | phase));
    setContext(9, contextHash(NEAR, tag, ((last & 0xff00) << 3) | phase));
  }
  setMatchContext(expected);
  const set = LITERAL_SET + (kind << 5) + (expected < 0 ? 0 : 1 + <i32>min<u32>(15, matched() >> 1));
  work += 8 * 10;
  return coded(<u32>byte(<i32>value, 10, set, LITERAL_NEAR + <i32>(last & 0xff)));
}

function coded(value: u32): u32 {
  older = (older << 8) | (last >> 24);
  last = (last << 8) | value;
  return value;
}

function setMatchContext(expected: i32): void {
  if (expected < 0) return setContext(8, contextHash(MATCH, last & 0xff));
  const what = (min<u32>(24, matched()) << 8) | <u32>expected;
  setContext(8, contextHash(MATCH + 1, what, min<u32>(7, trouble() >> 2)));
}

function beginPartsAt(at: i32): void {
  beginParts();
  for (let i = max(0, at - STEP_BYTES); i < at; i++) nextPart(<u32>load<u8>(near(i)));
}

function codePart(at: i32, va: u32, hasFour: bool): i32 {
  const isWhole = isAtDistance() && hasFour;
  const count = isWhole ? 4 : 1;
  const set = isWhole ? X64 : 0;
  const base = va + tail();
  const from = expectedAt(at, count);
  const to = near(at);
  const actual = isEncoder() ? absolute(set, bytesAt(to, count), base, 1) : 0;
  const expected = from < 0 ? 0 : absolute(set, matchedWord(from, count), base, 1);
  let where = place();
  let value: u32 = 0;
  let holds = from >= 0;
  for (let left = count - 1; left >= 0; left--) {
    const shift = 8 * <u32>left;
    const e = holds ? <i32>((expected >> shift) & 255) : -1;
    setPartContexts(where, isWhole ? value : field());
    const one = codePartByte((actual >> shift) & 255, where, e);
    value = (value << 8) | one;
    if (<i32>one != e) holds = false;
    where--;
  }
  const plain = absolute(set, value, base, -1);
  for (let i = 0; i < count; i++) {
    if (!isEncoder()) store<u8>(to + i, plain >> (8 * i));
    nextPart(<u32>load<u8>(to + i));
  }
  followed(at, count, from < 0 || holds);
  return count;
}

function setPartContexts(where: u32, known: u32): void {
  const at = (where << 12) | opcode();
  const operands = (rex() << 8) | modrm();
  setContext(0, contextHash(PART, where));
  setContext(1, contextHash(PART + 1, where, last & 0xff));
  setContext(2, contextHash(PART + 2, where, last & 0xffff));
  setContext(3, contextHash(PART + 3, where, last & 0xffffff));
  setContext(4, contextHash(PART + 4, last, older & 0xffff));
  setContext(5, contextHash(PART + 5, at, rex(), known));
  setContext(6, contextHash(PART + 6, at, before(), known));
  setContext(7, contextHash(PART + 7, at, operands, known));
  setContext(9, contextHash(PART + 8, at, (before() << 12) | earlier(), operands));
  setContext(10, contextHash(PART + 9, at, known));
  setContext(11, contextHash(PART + 10, at, last, (before() << 8) | modrm()));
}

function codePartByte(value: u32, where: u32, expected: i32): u32 {
  setMatchContext(expected);
  const level = expected < 0 ? 0 : 1 + min<u32>(2, matched() >> 3);
  work += 8 * 12;
  const set = PART_SET + <i32>((where << 2) + level);
  return coded(<u32>byte(<i32>value, 12, set, LITERAL_NEAR + <i32>(last & 0xff)));
}

function codeWord(at: i32, va: u32): void {
  const first = wordBefore(at);
  const second = wordBefore(at - 4);
  const third = wordBefore(at - 8);
  const from = expectedAt(at, 4);
  const to = near(at);
  const expected = from < 0 ? 0 : absolute(kind, matchedWord(from, 4), va, 1);
  const actual = isEncoder() ? absolute(kind, load<u32>(to), va, 1) : 0;
  let value: u32 = 0;
  let holds = from >= 0;
  work += 4 * 8 * 9;
  for (let left: u32 = 3; <i32>left >= 0; left--) {
    const shift = 8 * left;
    const e = (expected >> shift) & 255;
    const tag = (<u32>kind << 2) | left;
    setContext(0, contextHash(WORD, tag, value, first));
    setContext(1, contextHash(WORD + 1, tag, value & 255, (first >> shift) & 255));
    setContext(2, contextHash(WORD + 2, tag, value, second));
    setContext(3, contextHash(WORD + 3, tag, value & 255));
    setContext(4, contextHash(WORD + 4, tag, value, first ^ (third * 0x9e3779b1)));
    setContext(5, contextHash(WORD + 5, tag, value, (first >> 16) | (second & 0xffff0000)));
    const opcodes = ((first >> 24) << 16) | ((second >> 24) << 8) | (third >> 24);
    setContext(6, contextHash(WORD + 6, tag, value, opcodes));
    setContext(7, contextHash(WORD + 7, tag, value & 31, first & 31));
    let set = WORD_SET + (kind << 6) + <i32>left;
    if (holds) {
      const length = matched();
      setContext(8, contextHash(WORD + 8, tag, (min<u32>(16, length) << 8) | e, min<u32>(7, trouble() >> 2)));
      set += 4 + <i32>min<u32>(6, length >> 2) * 4;
    } else setContext(8, contextHash(WORD + 9, tag, value));
    const by = WORD_NEAR + <i32>((left << 8) + (left == 3 ? first >> 24 : value & 255));
    const one = <u32>byte(<i32>((actual >> shift) & 255), 9, set, by);
    if (one != e) holds = false;
    value = (value << 8) | one;
  }
  if (!isEncoder()) store<u32>(to, absolute(kind, value, va, -1));
  followed(at, 4, from < 0 || holds);
  last = history(at + 4);
  older = history(at);
}
