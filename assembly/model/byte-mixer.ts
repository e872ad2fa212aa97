/**
 * The twin of what native-free/model/mix-coder.ts does with bytes. Four contexts at a time, whose lookups go lane by lane;
 * lanes of no context ask a group that knows nothing.
 */
import {
  clamped,
  context,
  CONTEXTS_MAX,
  COUNT_MAX,
  ERROR_MIN,
  fill,
  FRESH,
  range,
  squash,
  STRETCH,
  STRIDE,
} from './mix-coder.ts';

const BYTE_SETS: i32 = 8192;
const TREE_SETS: i32 = 256;
const NEAR_SETS: i32 = 1536;
const GROUP_BYTES: usize = 64;
const WEIGHT: i32 = 2500;
const LEARNING: i32 = 10;
/** The float from which on floats are whole numbers. */
const WHOLE: f32 = 8388608;

/** Of the byte at hand: its groups, one for lanes of no context, and check words; of the bit: slots, meanings, inputs. */
const BASE = memory.data(64, 64);
const NOBODY = memory.data(64, 64);
const CHECKS = memory.data(64, 64);
const TOUCHED = memory.data(64, 64);
const SLOTS = memory.data(64, 64);
const MEANT = memory.data(64, 64);
const INPUTS = memory.data(64, 64);
/** 256 slots a context. */
const MEANINGS = memory.data(CONTEXTS_MAX * 256 * 4, 64);
/** A set has eight weights for each four contexts: of opinions, then of meanings. */
const WEIGHTS = memory.data((BYTE_SETS + TREE_SETS + NEAR_SETS) * STRIDE * 2, 64);
const SET_BYTES: i32 = STRIDE * 2;

let table: usize = 0;
let slotCount: u32 = 0;

/** Gives the table its place; returns where it ends. */
export function placeBytes(at: usize, slots: u32): usize {
  table = at;
  slotCount = slots;
  return at + (<usize>slots << 2);
}

/** A stream begins. */
export function forgetBytes(): void {
  memory.fill(table, 0, <usize>slotCount << 2);
  fill(MEANINGS, CONTEXTS_MAX * 256, FRESH);
  fill(WEIGHTS, ((BYTE_SETS + TREE_SETS + NEAR_SETS) * STRIDE) >> 1, WEIGHT * 0x10001);
}

export function byte(value: i32, count: i32, set: i32, near: i32): i32 {
  const first = WEIGHTS + <usize>(set * SET_BYTES);
  const third = WEIGHTS + <usize>((BYTE_SETS + TREE_SETS + near) * SET_BYTES);
  for (let i = count; i & 3; i++) store<usize>(BASE + (<usize>i << 2), NOBODY);
  const end = ((<usize>count + 3) & ~3) << 2;
  let tree: i32 = 1;
  for (let left = 7; left >= 0; left--) {
    if ((left & 3) == 3) findGroups(count, left == 7 ? 0 : tree);
    const node = left > 3 ? tree : (tree & ((1 << (3 - left)) - 1)) | (1 << (3 - left));
    const second = WEIGHTS + <usize>((BYTE_SETS + tree) * SET_BYTES);
    tree = (tree << 1) | byteBit((value >> left) & 1, end, <usize>node << 2, first, second, third);
  }
  return tree & 255;
}

/** All groups are asked for before the first one is looked at, so that they are fetched together. */
function findGroups(count: i32, tree: i32): void {
  memory.fill(NOBODY, 0, GROUP_BYTES);
  const mask = slotCount - 16;
  const end = <usize>count << 2;
  for (let i = 0; i < count; i++) {
    let hash = (context(i) + <u32>tree * 0x2c1b3c6d) * 0x9e3779b1;
    hash ^= hash >> 15;
    const at = table + (<usize>(hash & mask) << 2);
    store<usize>(BASE + (<usize>i << 2), at);
    store<u32>(CHECKS + (<usize>i << 2), (hash >> 16) | 1);
    store<u32>(TOUCHED + (<usize>i << 2), load<u32>(at));
  }
  for (let i: usize = 0; i < end; i += 4) {
    store<usize>(BASE + i, findGroup(load<usize>(BASE + i), load<u32>(CHECKS + i)));
  }
}

// @ts-ignore: decorator
@inline
function findGroup(at: usize, check: u32): usize {
  return load<u32>(at) == check ? at : findOther(at, check);
}

function findOther(at: usize, check: u32): usize {
  const other = table + ((at - table) ^ GROUP_BYTES);
  if (load<u32>(other) == check) return other;
  const victim = (load<u32>(other, 4) & 0xff00) < (load<u32>(at, 4) & 0xff00) ? other : at;
  const fresh = i32x4.splat(FRESH);
  v128.store(victim, i32x4.replace_lane(fresh, 0, check));
  v128.store(victim, fresh, 16);
  v128.store(victim, fresh, 32);
  v128.store(victim, fresh, 48);
  return victim;
}

// @ts-ignore: decorator
@inline
function byteBit(value: i32, end: usize, node: usize, first: usize, second: usize, third: usize): i32 {
  let sum1 = i32x4.splat(0);
  let sum2 = i32x4.splat(0);
  let sum3 = i32x4.splat(0);
  for (let i: usize = 0; i < end; i += 16) {
    const slots = slotsOf(BASE + i, node);
    const histories = v128.and(slots, i32x4.splat(255));
    const unknown = i32x4.eq(histories, i32x4.splat(0));
    const meant = meaningsOf(MEANINGS + (i << 8), histories);
    const all = v128.shuffle<i64>(opinionsOf(slots), opinionsOf(meant), 0, 2);
    const inputs = v128.andnot(all, i16x8.narrow_i32x4_s(unknown, unknown));
    v128.store(SLOTS + i, slots);
    v128.store(MEANT + i, meant);
    v128.store(INPUTS + i, inputs);
    sum1 = i32x4.add(sum1, i32x4.dot_i16x8_s(inputs, v128.load(first + i)));
    sum2 = i32x4.add(sum2, i32x4.dot_i16x8_s(inputs, v128.load(second + i)));
    sum3 = i32x4.add(sum3, i32x4.dot_i16x8_s(inputs, v128.load(third + i)));
  }
  const sum = mixtureOf(sum1) + mixtureOf(sum2) + mixtureOf(sum3);
  const probability = squash((sum * 21845) >> 16);
  const coded = range(value, <u32>probability);
  const ones = i32x4.splat(coded != 0 ? 65535 : 0);
  const miss = (coded << 16) - probability;
  const trained = miss >= ERROR_MIN || miss <= -ERROR_MIN;
  const error = i16x8.splat(<i16>((miss * LEARNING) >> 5));
  for (let i: usize = 0; i < end; i += 16) {
    const slots = v128.load(SLOTS + i);
    const histories = v128.and(slots, i32x4.splat(255));
    storeSlots(BASE + i, node, v128.or(learnedAll(slots, ones), longerAll(histories, coded)));
    storeMeanings(MEANINGS + (i << 8), histories, learnedAll(v128.load(MEANT + i), ones));
    if (!trained) continue;
    const change = i16x8.q15mulr_sat_s(v128.load(INPUTS + i), error);
    train(first + i, change);
    train(second + i, change);
    train(third + i, change);
  }
  return coded;
}

// @ts-ignore: decorator
@inline
function slotsOf(base: usize, node: usize): v128 {
  let slots = v128.load32_zero(load<usize>(base) + node);
  slots = v128.load_lane<u32>(load<usize>(base, 4) + node, slots, 1);
  slots = v128.load_lane<u32>(load<usize>(base, 8) + node, slots, 2);
  return v128.load_lane<u32>(load<usize>(base, 12) + node, slots, 3);
}

// @ts-ignore: decorator
@inline
function storeSlots(base: usize, node: usize, slots: v128): void {
  v128.store_lane<u32>(load<usize>(base) + node, slots, 0);
  v128.store_lane<u32>(load<usize>(base, 4) + node, slots, 1);
  v128.store_lane<u32>(load<usize>(base, 8) + node, slots, 2);
  v128.store_lane<u32>(load<usize>(base, 12) + node, slots, 3);
}

/** What four histories mean; that of no history, index 0, is never asked. */
// @ts-ignore: decorator
@inline
function meaningsOf(meanings: usize, histories: v128): v128 {
  let found = v128.load32_zero(meanings + (<usize>i32x4.extract_lane(histories, 0) << 2));
  found = v128.load_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 1) << 2), found, 1, 1024);
  found = v128.load_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 2) << 2), found, 2, 2048);
  return v128.load_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 3) << 2), found, 3, 3072);
}

// @ts-ignore: decorator
@inline
function storeMeanings(meanings: usize, histories: v128, values: v128): void {
  v128.store_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 0) << 2), values, 0);
  v128.store_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 1) << 2), values, 1, 1024);
  v128.store_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 2) << 2), values, 2, 2048);
  v128.store_lane<u32>(meanings + (<usize>i32x4.extract_lane(histories, 3) << 2), values, 3, 3072);
}

/** The opinions of four slots, in the lower half. */
// @ts-ignore: decorator
@inline
function opinionsOf(slots: v128): v128 {
  const places = i32x4.shr_u(slots, 20);
  let opinions = i32x4.splat(0);
  opinions = v128.load_lane<u16>(STRETCH + (<usize>i32x4.extract_lane(places, 0) << 1), opinions, 0);
  opinions = v128.load_lane<u16>(STRETCH + (<usize>i32x4.extract_lane(places, 1) << 1), opinions, 1);
  opinions = v128.load_lane<u16>(STRETCH + (<usize>i32x4.extract_lane(places, 2) << 1), opinions, 2);
  return v128.load_lane<u16>(STRETCH + (<usize>i32x4.extract_lane(places, 3) << 1), opinions, 3);
}

// @ts-ignore: decorator
@inline
function mixtureOf(sum: v128): i32 {
  const half = i32x4.add(sum, i32x4.shuffle(sum, sum, 2, 3, 0, 1));
  return clamped((i32x4.extract_lane(half, 0) + i32x4.extract_lane(half, 1)) >> 14);
}

/** Four slots after a bit that `ones` says (0 or 65535 in each lane), their lowest byte cleared. */
// @ts-ignore: decorator
@inline
function learnedAll(slots: v128, ones: v128): v128 {
  const seen = v128.and(i32x4.shr_u(slots, 8), i32x4.splat(255));
  const tens = f32x4.mul(f32x4.convert_i32x4_s(seen), f32x4.splat(10));
  const kept = f32x4.div(f32x4.add(tens, f32x4.splat(6)), f32x4.add(tens, f32x4.splat(16)));
  const against = f32x4.convert_i32x4_s(v128.xor(i32x4.shr_u(slots, 16), ones));
  // The lowest 16 bits of the sum are the product, rounded.
  const left = f32x4.add(f32x4.mul(against, kept), f32x4.splat(WHOLE));
  const more = i32x4.sub(seen, i32x4.lt_s(seen, i32x4.splat(COUNT_MAX)));
  return v128.or(i32x4.shl(v128.xor(left, ones), 16), i32x4.shl(more, 8));
}

/** Four histories after a bit. */
// @ts-ignore: decorator
@inline
function longerAll(histories: v128, bit: i32): v128 {
  const grown = v128.or(i32x4.shl(i32x4.max_s(histories, i32x4.splat(1)), 1), i32x4.splat(bit));
  return v128.and(v128.or(grown, i32x4.shl(i32x4.shr_u(grown, 8), 7)), i32x4.splat(255));
}

// @ts-ignore: decorator
@inline
function train(weights: usize, change: v128): void {
  v128.store(weights, i16x8.add_sat_s(v128.load(weights), change));
}
