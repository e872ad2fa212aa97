/**
 * The twin of native-free/model/mix-coder.ts: the same integers, in linear memory. What the arithmetic means is said
 * there; here is only where things lie, and in byte-mixer.ts. The mixing itself is done four inputs at a time; inputs
 * that are not used are zero, which changes neither sums nor weights.
 *
 * Contexts are written by the host at `contexts()`; a decoder's bytes at `room(length)`; an encoder's are left
 * there. One instance is one coder.
 */
import { forgetBytes, placeBytes } from './byte-mixer.ts';

export const CONTEXTS_MAX: i32 = 12;
export const STRIDE: i32 = 2 * CONTEXTS_MAX;
const FLAG_CONTEXTS_MAX: i32 = 9;
const FLAG_STRIDE: i32 = 3 * FLAG_CONTEXTS_MAX + 1;
const FLAG_SETS: i32 = 8192;
const PLAIN_BITS: i32 = 1 << 16;
const FLAG_INPUT_BYTES: usize = FLAG_STRIDE * 4;
const SURE: usize = FLAG_CONTEXTS_MAX * 4;
const MEANT: usize = 2 * FLAG_CONTEXTS_MAX * 4;
const SETS_APART: i32 = 64;
const GROUP: i32 = 16;
export const FRESH: u32 = 0x8000 << 16;
export const COUNT_MAX: u32 = 120;
const SOME: u32 = 6;
const MUCH: u32 = 30;
const FLAG_WEIGHT: i32 = 9000;
const FLAG_MEANING_WEIGHT: i32 = 5000;
export const ERROR_MIN: i32 = 128;
const FLAG_LEARNING: i32 = 5;

export const CONTEXTS = memory.data(64, 64);
const AT = memory.data(64, 64);
const INPUTS = memory.data(128, 64);
const SQUASH = memory.data(8192, 64);
export const STRETCH = memory.data(8192, 64);
const RATE = memory.data(1024, 64);
const BITS = memory.data(PLAIN_BITS << 2, 64);
const FLAG_MEANINGS = memory.data(2 * CONTEXTS_MAX * 256 * 4, 64);
const FLAG_WEIGHTS = memory.data(FLAG_SETS * FLAG_STRIDE * 4, 64);

/** Behind what has a fixed size: the tables that `create` was told the size of, the address map, the stream. */
let flags: usize = 0;
let histories: usize = 0;
let map: usize = 0;
let stream: usize = 0;
let flagSlots: i32 = 0;
let capacity: usize = 0;
let length: usize = 0;
let position: usize = 0;
let encoding: bool = false;
let low: u32 = 0;
let high: u32 = 0;
let code: u32 = 0;

/** False where the host has no memory left. */
function reserve(end: usize): bool {
  const pages = <i32>((end + 0xffff) >> 16);
  const have = memory.size();
  return pages <= have || memory.grow(pages - have) >= 0;
}

function knot(i: i32): i32 {
  switch (i) {
    case 0: return 22;
    case 1: return 36;
    case 2: return 60;
    case 3: return 98;
    case 4: return 162;
    case 5: return 267;
    case 6: return 439;
    case 7: return 720;
    case 8: return 1179;
    case 9: return 1921;
    case 10: return 3108;
    case 11: return 4971;
    case 12: return 7812;
    case 13: return 11955;
    case 14: return 17625;
    case 15: return 24743;
    case 16: return 32768;
    case 32: return 65514;
    default: return 65536 - knot(32 - i);
  }
}

function makeTables(): void {
  for (let i = 0; i < 4096; i++) {
    const k = i >> 7;
    const part = i & 127;
    store<u16>(SQUASH + (<usize>i << 1), <u16>((knot(k) * (128 - part) + knot(k + 1) * part + 64) >> 7));
  }
  let next = 0;
  for (let x = -2047; x <= 2047; x++) {
    const reached = <i32>load<u16>(SQUASH + (<usize>(x + 2048) << 1)) >> 4;
    for (; next <= reached; next++) store<i16>(STRETCH + (<usize>next << 1), <i16>x);
  }
  for (; next < 4096; next++) store<i16>(STRETCH + (<usize>next << 1), 2047);
  for (let n = 0; n < 256; n++) store<i32>(RATE + (<usize>n << 2), 655360 / (10 * n + 16));
}

/** Lays out the memory; once. */
export function createCoder(isEncoder: bool, flagBits: i32, byteBits: i32): void {
  encoding = isEncoder;
  flagSlots = 1 << flagBits;
  flags = (__heap_base + 63) & ~63;
  histories = flags + (<usize>flagSlots << 2);
  map = placeBytes(histories + <usize>flagSlots, 1 << byteBits);
  stream = map;
  reserve(stream);
  makeTables();
}

/** Where the tables end, and what else has a fixed size may lie; it ends at `end`. */
export function tablesEnd(): usize {
  return map;
}

export function placeBehindTables(end: usize): void {
  map = (end + 63) & ~63;
  stream = map;
  reserve(stream);
}

export function contexts(): usize {
  return CONTEXTS;
}

/** Room for `count` bytes that outlive streams, the address map; 0 where there is none. A stream that is there is lost. */
export function mapRoom(count: usize): usize {
  if (!reserve(map + count)) return 0;
  stream = map + count;
  return map;
}

/** Room for a stream: a decoder's, which the host writes there before `start`, or an encoder's. */
export function room(count: usize): usize {
  length = count;
  capacity = count;
  reserve(stream + count);
  return stream;
}

export function fill(at: usize, count: i32, value: u32): void {
  const end = at + (<usize>count << 2);
  const four = i32x4.splat(value);
  for (; at + 16 <= end; at += 16) v128.store(at, four);
  for (; at < end; at += 4) store<u32>(at, value);
}

export function start(): void {
  fill(flags, flagSlots, FRESH);
  forgetBytes();
  fill(BITS, PLAIN_BITS, FRESH);
  memory.fill(histories, 0, <usize>flagSlots);
  fill(FLAG_MEANINGS, 2 * CONTEXTS_MAX * 256, FRESH);
  for (let i = 0; i < FLAG_SETS; i++) {
    const at = FLAG_WEIGHTS + <usize>(i * FLAG_STRIDE * 4);
    fill(at, FLAG_CONTEXTS_MAX, FLAG_WEIGHT);
    memory.fill(at + SURE, 0, SURE);
    fill(at + MEANT, FLAG_STRIDE - 2 * FLAG_CONTEXTS_MAX, FLAG_MEANING_WEIGHT);
  }
  low = 0;
  high = 0xffffffff;
  position = 0;
  if (encoding) {
    length = 0;
  } else {
    code = 0;
    for (let i = 0; i < 4; i++) code = (code << 8) | next();
  }
}

// @ts-ignore: decorator
@inline
function next(): u32 {
  return position < length ? <u32>load<u8>(stream + position++) : 0;
}

/** What does not fit is only counted: memory must not grow under the host's views. */
function put(byte: u32): void {
  if (length < capacity) store<u8>(stream + length, <u8>byte);
  length++;
}

// @ts-ignore: decorator
@inline
export function range(bit: i32, probability: u32): i32 {
  const span = high - low;
  const middle = low + (span >> 16) * probability + (((span & 0xffff) * probability) >> 16);
  const coded: i32 = encoding ? bit : i32(code <= middle);
  if (coded != 0) high = middle;
  else low = middle + 1;
  while (((low ^ high) & 0xff000000) == 0) {
    if (encoding) put(high >> 24);
    else code = (code << 8) | next();
    low <<= 8;
    high = (high << 8) | 255;
  }
  return coded;
}

// @ts-ignore: decorator
@inline
export function learned(slot: u32, bit: i32): u32 {
  const seen = (slot >> 8) & 255;
  const probability = slot >> 16;
  const rate = load<u32>(RATE + (<usize>seen << 2));
  // What the bit decides is no branch: it is what cannot be foreseen.
  const down = <u32>(bit - 1);
  const step = ((probability ^ (~down & 0xffff)) * rate) >> 16;
  const moved = probability + ((step ^ down) - down);
  return ((moved << 16) | (slot & 0xffff)) + (seen < COUNT_MAX ? 256 : 0);
}

export function bit(value: i32, index: i32): i32 {
  const at = BITS + (<usize>index << 2);
  const slot = load<u32>(at);
  const probability = slot >> 16;
  const coded = range(value, probability < 32 ? 32 : probability > 65504 ? 65504 : probability);
  store<u32>(at, learned(slot, coded));
  return coded;
}

/** A decision at a probability that the host has. */
export function codeAt(value: i32, probability: i32): i32 {
  return range(value, <u32>probability);
}

export function isEncoder(): bool {
  return encoding;
}

// @ts-ignore: decorator
@inline
export function setContext(i: i32, hash: u32): void {
  store<u32>(CONTEXTS + (<usize>i << 2), hash);
}

// @ts-ignore: decorator
@inline
export function context(i: i32): u32 {
  return load<u32>(CONTEXTS + (<usize>i << 2));
}

export function flag(value: i32, count: i32, set: i32): i32 {
  const mask = <u32>flagSlots - 1;
  clearInputs(FLAG_INPUT_BYTES);
  const end = <usize>count << 2;
  for (let i: usize = 0; i < end; i += 4) {
    let hash = load<u32>(CONTEXTS + i) * 0x9e3779b1;
    hash ^= hash >> 15;
    store<u32>(AT + i, findFlagSlot(hash & mask, hash >> 24));
  }
  const meanings = FLAG_MEANINGS + (set < SETS_APART ? 0 : CONTEXTS_MAX << 10);
  for (let i: usize = 0; i < end; i += 4) {
    const index = load<u32>(AT + i);
    const slot = load<u32>(slotAt(index));
    const seen = (slot >> 8) & 255;
    if (seen == 0) continue;
    const opinion = stretch(slot);
    const history = load<u8>(histories + index);
    store<i32>(INPUTS + i, opinion);
    store<i32>(INPUTS + i, seen >= MUCH ? opinion : seen >= SOME ? opinion >> 1 : 0, SURE);
    store<i32>(INPUTS + i, stretch(load<u32>(meanings + (i << 8) + (<usize>history << 2))), MEANT);
  }
  const weights = FLAG_WEIGHTS + <usize>(set * FLAG_STRIDE * 4);
  const probability = squash(clamped(mixed(weights, FLAG_INPUT_BYTES) >> 8));
  const coded = range(value, <u32>probability);
  for (let i: usize = 0; i < end; i += 4) {
    const index = load<u32>(AT + i);
    const at = slotAt(index);
    store<u32>(at, learned(load<u32>(at), coded));
    const history = <u32>load<u8>(histories + index);
    store<u8>(histories + index, <u8>longer(history, coded));
    if (history == 0) continue;
    const meaning = meanings + (i << 8) + (<usize>history << 2);
    store<u32>(meaning, learned(load<u32>(meaning), coded));
  }
  const miss = (coded << 16) - probability;
  if (miss >= ERROR_MIN || miss <= -ERROR_MIN) train(weights, FLAG_INPUT_BYTES, miss * FLAG_LEARNING);
  return coded;
}

// @ts-ignore: decorator
@inline
function slotAt(index: u32): usize {
  return flags + (<usize>index << 2);
}

// @ts-ignore: decorator
@inline
export function stretch(slot: u32): i32 {
  return <i32>load<i16>(STRETCH + (<usize>(slot >> 20) << 1));
}

// @ts-ignore: decorator
@inline
export function squash(stretched: i32): i32 {
  return <i32>load<u16>(SQUASH + (<usize>(stretched + 2048) << 1));
}

// @ts-ignore: decorator
@inline
export function clamped(stretched: i32): i32 {
  return stretched > 2047 ? 2047 : stretched < -2047 ? -2047 : stretched;
}

// @ts-ignore: decorator
@inline
export function longer(history: u32, bit: i32): u32 {
  if (history == 0) return 2 | bit;
  return history < 128 ? (history << 1) | bit : 128 | ((history << 1) & 127) | bit;
}

// @ts-ignore: decorator
@inline
function clearInputs(count: usize): void {
  const zero = i32x4.splat(0);
  for (let i: usize = 0; i < count; i += 16) v128.store(INPUTS + i, zero);
}

/** The sum over all inputs of input times weight, each divided by 256. */
// @ts-ignore: decorator
@inline
function mixed(weights: usize, count: usize): i32 {
  let sum = i32x4.splat(0);
  for (let i: usize = 0; i < count; i += 16) {
    const product = i32x4.mul(v128.load(weights + i), v128.load(INPUTS + i));
    sum = i32x4.add(sum, i32x4.shr_s(product, 8));
  }
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3)
  );
}

// @ts-ignore: decorator
@inline
function train(weights: usize, count: usize, error: i32): void {
  const errors = i32x4.splat(error);
  const half = i32x4.splat(0x20000);
  for (let i: usize = 0; i < count; i += 16) {
    const step = i32x4.shr_s(i32x4.add(i32x4.mul(v128.load(INPUTS + i), errors), half), 18);
    v128.store(weights + i, i32x4.add(v128.load(weights + i), step));
  }
}

/** As findSlot; gives an index, and a slot that is made fresh has no history. */
// @ts-ignore: decorator
@inline
function findFlagSlot(index: u32, check: u32): u32 {
  const first = load<u32>(slotAt(index));
  if ((first & 255) == check) return index;
  const second = load<u32>(slotAt(index ^ 1));
  if ((second & 255) == check) return index ^ 1;
  const victim = (second & 0xff00) < (first & 0xff00) ? index ^ 1 : index;
  store<u32>(slotAt(victim), FRESH | check);
  store<u8>(histories + victim, 0);
  return victim;
}

// @ts-ignore: decorator
@inline
export function findSlot(table: usize, index: u32, check: u32): usize {
  const at = table + (<usize>index << 2);
  const first = load<u32>(at);
  if ((first & 255) == check) return at;
  const other = table + (<usize>(index ^ 1) << 2);
  const second = load<u32>(other);
  if ((second & 255) == check) return other;
  const victim = (second & 0xff00) < (first & 0xff00) ? other : at;
  store<u32>(victim, FRESH | check);
  return victim;
}

// @ts-ignore: decorator
@inline
export function findGroup(table: usize, index: u32, check: u32): usize {
  const at = table + (<usize>index << 2);
  if (load<u32>(at) == check) return at;
  const other = table + (<usize>(index ^ GROUP) << 2);
  if (load<u32>(other) == check) return other;
  const victim = (load<u32>(other, 4) & 0xff00) < (load<u32>(at, 4) & 0xff00) ? other : at;
  const fresh = i32x4.splat(FRESH);
  for (let i: usize = 0; i < 4 * GROUP; i += 16) v128.store(victim + i, fresh);
  store<u32>(victim, check);
  return victim;
}

/** Bytes that an encoder has written so far. */
export function written(): usize {
  return length;
}

/**
 * Ends an encoder's stream, which stored bytes may follow; returns its length, which is more than there was room for if it
 * did not fit.
 */
export function finish(followed: bool): usize {
  for (let count = 0; count <= 4; count++) {
    const step: u64 = (<u64>1) << (32 - 8 * count);
    const end = ((<u64>low + step - 1) / step) * step;
    if (end + (followed ? step - 1 : 0) > <u64>high) continue;
    for (let i = 0; i < count; i++) put(<u32>(end >> (24 - 8 * i)) & 255);
    break;
  }
  if (!followed && length <= capacity) while (length > 0 && load<u8>(stream + length - 1) == 0) length--;
  return length;
}
