/**
 * The twin of native-free/model/fast/fast-literals.ts, for decoders. The host says which blocks are stored, writes their
 * bytes to the target's window, and what follows the last cover to the source's.
 */
import { contextHash } from '../hash.ts';
import { RISCV, T32 } from '../instruction-sets.ts';
import { TARGET } from '../run.ts';
import { absolute, byWords, mostBytes, orderOf } from './literal-units.ts';
import {
  beginMatch,
  followed,
  forgetMatch,
  hasMatch,
  held,
  last,
  matchBytes,
  older,
  placeMatch,
  put,
  storedMatch,
  trouble,
} from './match.ts';
import { fastByte } from './models.ts';

const LITERAL: u32 = 17;
const HALFWORDS: u32 = 21;
const MATCH: u32 = 23;
const WORD: u32 = 25;
const WORD_MATCH: u32 = 28;
const LITERAL_SET: u32 = 6144;
const WORD_SET: u32 = 7168;
const STORED_STEP: i32 = 16;

let kind: u32 = 0;

/** Lays what literals need out from `at` on; returns where it ends. */
export function placeLiterals(at: usize): usize {
  return placeMatch(at);
}

export function forgetLiterals(): void {
  forgetMatch();
}

/** A run in a region of this kind begins: `before` bytes that stand before it are in the target's window. */
export function beginFastLiterals(regionKind: u32, before: i32, follow: i32): void {
  kind = regionKind;
  for (let i = 0; i < before; i++) put(<u32>load<u8>(TARGET + <usize>i));
  beginMatch(follow);
}

/** The `count` bytes at the start of the target's window were stored. */
export function storedLiterals(count: i32): void {
  for (let i = 0; i < count; i++) {
    put(<u32>load<u8>(TARGET + <usize>i));
    if (i % STORED_STEP == STORED_STEP - 1) storedMatch();
  }
  storedMatch();
}

/**
 * Decodes at least `count` bytes to the start of the target's window, no more than `left`; returns how many. The first one
 * has address `va`.
 */
export function decodeLiterals(count: i32, left: i32, va: u32): i32 {
  let at = 0;
  while (at < count) {
    const address = va + <u32>at;
    if (byWords(kind) && (address & 3) == 0 && at + 4 <= left) {
      decodeWord(at, address);
      at += 4;
      continue;
    }
    const most = min(left - at, mostBytes(kind, last() & 255, address));
    at += decodeBytes(at, most == 3 ? 2 : most, address);
  }
  return at;
}

function decodeBytes(at: i32, most: i32, va: u32): i32 {
  const has = hasMatch(most);
  const seen = has ? matchBytes(most) : 0;
  const expected = most == 4 ? absolute(kind, seen, va, 1) : seen;
  let order = orderOf(kind, most, -1);
  let length = <i32>(order >> 8);
  let value: u32 = 0;
  let holds = has;
  let recent = last();
  for (let i = 0; i < length; i++) {
    const shift = 8 * ((order >> (2 * i)) & 3);
    const e: i32 = holds ? (expected >> shift) & 255 : -1;
    const phase = most == 1 ? va & 3 : <u32>((i + length) & 7);
    const byte = decodeByte(phase, e, recent);
    value |= byte << shift;
    recent = (recent << 8) | byte;
    if (<i32>byte != e) holds = false;
    if (i == 0 && most > 1) {
      order = orderOf(kind, most, byte);
      length = <i32>(order >> 8);
    }
  }
  place(at, length, length == 4 ? absolute(kind, value, va, -1) : value);
  followed(length, holds);
  return length;
}

function decodeByte(phase: u32, expected: i32, recent: u32): u32 {
  const byHalves = kind == T32 || kind == RISCV;
  const set = (kind << 6) + (phase << 3) + (expected < 0 ? 0 : 1 + min<u32>(6, held() >> 1));
  return fastByte(
    <i32>(LITERAL_SET + set),
    contextHash(LITERAL, kind, ((recent & 0xff) << 3) | phase),
    byHalves
      ? contextHash(HALFWORDS, kind, ((recent & 0xffff) << 3) | phase)
      : contextHash(LITERAL + 1, kind, recent & 0xffff),
    byHalves
      ? contextHash(HALFWORDS + 1, kind, recent & 0xff00ff00, phase)
      : contextHash(LITERAL + 2, kind, recent & 0xffffff),
    expected < 0
      ? contextHash(LITERAL + 3, kind, ((recent >> 24) << 3) | phase)
      : contextHash(MATCH, (min<u32>(24, held()) << 8) | <u32>expected, min<u32>(7, trouble() >> 2)),
  );
}

function decodeWord(at: i32, va: u32): void {
  const has = hasMatch(4);
  const expected = has ? absolute(kind, matchBytes(4), va, 1) : 0;
  const recent = last();
  const tops = ((recent & 255) << 8) | (older() & 255);
  let value: u32 = 0;
  let holds = has;
  for (let left: u32 = 3; <i32>left >= 0; left--) {
    const shift = 8 * left;
    const e = (expected >> shift) & 255;
    const tag = (kind << 2) | left;
    const weights = (kind << 5) + (left << 3) + (holds ? 1 + min<u32>(6, held() >> 2) : 0);
    const byte = fastByte(
      <i32>(WORD_SET + weights),
      contextHash(WORD, tag, value, recent),
      contextHash(WORD + 1, tag, value & 255, (recent >> (24 - shift)) & 255),
      contextHash(WORD + 2, tag, value, tops),
      holds
        ? contextHash(WORD_MATCH, tag, (min<u32>(16, held()) << 8) | e, min<u32>(7, trouble() >> 2))
        : contextHash(WORD_MATCH + 1, tag, value),
    );
    if (byte != e) holds = false;
    value = (value << 8) | byte;
  }
  place(at, 4, absolute(kind, value, va, -1));
  followed(4, holds);
}

function place(at: i32, length: i32, value: u32): void {
  for (let i = 0; i < length; i++) {
    const byte = (value >> (8 * i)) & 255;
    store<u8>(TARGET + <usize>(at + i), byte);
    put(byte);
  }
}
