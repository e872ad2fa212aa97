/**
 * The twin of native-free/model/fast/fast-models.ts, for decoders: what is decided is read from the mix coder's stream.
 * Each decision is one vector of four inputs, or two. Everything lies behind the tables of the mix coder, where a payload
 * of another profile has nothing.
 */
import { clamped, COUNT_MAX, fill, findGroup, findSlot, FRESH, range, squash, stretch } from '../mix-coder.ts';

const FLAG_SETS: i32 = 6160;
const BYTE_SETS: i32 = 7680;
const GROUP: u32 = 16;
const FLAG_WEIGHT: i32 = 22000;
const BYTE_WEIGHT: i32 = 12000;
const FLAG_LEARNING: i32 = 6;
const BYTE_LEARNING: i32 = 10;

let flags: usize = 0;
let flagMask: u32 = 0;
let bytes: usize = 0;
let byteSlots: u32 = 0;
let meanings: usize = 0;
let flagWeights: usize = 0;
let byteWeights: usize = 0;
let work: u32 = 0;

/** Lays the models out from `at` on; returns where they end. */
export function placeModels(at: usize, flagBits: i32, byteBits: i32): usize {
  flags = at;
  flagMask = (1 << flagBits) - 1;
  bytes = flags + (<usize>4 << flagBits);
  byteSlots = 1 << byteBits;
  meanings = bytes + (<usize>byteSlots << 2);
  flagWeights = meanings + 4 * 256 * 4;
  byteWeights = flagWeights + FLAG_SETS * 16;
  return byteWeights + BYTE_SETS * 32;
}

/** A segment begins. */
export function resetModels(): void {
  fill(flags, flagMask + 1, FRESH);
  memory.fill(bytes, 0, <usize>byteSlots << 2);
  fill(meanings, 4 * 256, FRESH);
  fill(flagWeights, FLAG_SETS * 4, FLAG_WEIGHT);
  fill(byteWeights, BYTE_SETS * 8, BYTE_WEIGHT);
}

/** Look-ups since this was asked last. */
export function spentByModels(): u32 {
  const sum = work;
  work = 0;
  return sum;
}

// @ts-ignore: decorator
@inline
function hashed(context: u32): u32 {
  const hash = context * 0x9e3779b1;
  return hash ^ (hash >> 15);
}

// @ts-ignore: decorator
@inline
function slotOf(context: u32): usize {
  const hash = hashed(context);
  return findSlot(flags, hash & flagMask, hash >> 24);
}

// @ts-ignore: decorator
@inline
function groupOf(context: u32): usize {
  const hash = hashed(context);
  return findGroup(bytes, hash & (byteSlots - GROUP), (hash >> 16) | 1);
}

// @ts-ignore: decorator
@inline
function sumOf(products: v128): i32 {
  return (
    i32x4.extract_lane(products, 0) +
    i32x4.extract_lane(products, 1) +
    i32x4.extract_lane(products, 2) +
    i32x4.extract_lane(products, 3)
  );
}

// @ts-ignore: decorator
@inline
function weighed(weights: usize, inputs: v128): v128 {
  return i32x4.shr_s(i32x4.mul(v128.load(weights), inputs), 8);
}

// @ts-ignore: decorator
@inline
function train(weights: usize, inputs: v128, error: i32): void {
  const step = i32x4.shr_s(i32x4.add(i32x4.mul(inputs, i32x4.splat(error)), i32x4.splat(0x20000)), 18);
  v128.store(weights, i32x4.add(v128.load(weights), step));
}

/**
 * Four slots after they have seen `bit`: see `learned`. Rates are floor(655360 / (10n + 16)): the quotients of floats are
 * farther from the next integer than they are wrong.
 */
// @ts-ignore: decorator
@inline
function learnedFour(slots: v128, bit: i32): v128 {
  const seen = v128.and(i32x4.shr_u(slots, 8), i32x4.splat(255));
  const divisor = f32x4.convert_i32x4_s(i32x4.add(i32x4.mul(seen, i32x4.splat(10)), i32x4.splat(16)));
  const rate = i32x4.trunc_sat_f32x4_s(f32x4.div(f32x4.splat(655360), divisor));
  const down = i32x4.splat(bit - 1);
  const probability = i32x4.shr_u(slots, 16);
  const distance = v128.xor(probability, v128.andnot(i32x4.splat(0xffff), down));
  const step = i32x4.shr_u(i32x4.mul(distance, rate), 16);
  const moved = i32x4.add(probability, i32x4.sub(v128.xor(step, down), down));
  const more = v128.and(i32x4.lt_s(seen, i32x4.splat(COUNT_MAX)), i32x4.splat(256));
  return i32x4.add(v128.or(i32x4.shl(moved, 16), v128.and(slots, i32x4.splat(0xffff))), more);
}

// @ts-ignore: decorator
@inline
function gathered(a0: usize, a1: usize, a2: usize, a3: usize): v128 {
  const first = v128.load32_lane(a1, v128.load32_zero(a0), 1);
  return v128.load32_lane(a3, v128.load32_lane(a2, first, 2), 3);
}

// @ts-ignore: decorator
@inline
function scatter(a0: usize, a1: usize, a2: usize, a3: usize, values: v128): void {
  v128.store32_lane(a0, values, 0);
  v128.store32_lane(a1, values, 1);
  v128.store32_lane(a2, values, 2);
  v128.store32_lane(a3, values, 3);
}

/** What four slots say, 0 for those that `knows` has no bits of. */
// @ts-ignore: decorator
@inline
function opinions(slots: v128, knows: v128): v128 {
  const stretched = i32x4.replace_lane(
    i32x4.replace_lane(
      i32x4.replace_lane(
        i32x4.splat(stretch(i32x4.extract_lane(slots, 0))),
        1,
        stretch(i32x4.extract_lane(slots, 1)),
      ),
      2,
      stretch(i32x4.extract_lane(slots, 2)),
    ),
    3,
    stretch(i32x4.extract_lane(slots, 3)),
  );
  return v128.andnot(stretched, i32x4.eq(knows, i32x4.splat(0)));
}

export function fastFlag(set: i32, c0: u32, c1: u32, c2: u32, c3: u32): i32 {
  const a0 = slotOf(c0);
  const a1 = slotOf(c1);
  const a2 = slotOf(c2);
  const a3 = slotOf(c3);
  const slots = gathered(a0, a1, a2, a3);
  const inputs = opinions(slots, v128.and(slots, i32x4.splat(0xff00)));
  const weights = flagWeights + (<usize>set << 4);
  const probability = squash(clamped(sumOf(weighed(weights, inputs)) >> 8));
  work += 4;
  const bit = range(0, <u32>probability);
  scatter(a0, a1, a2, a3, learnedFour(slots, bit));
  train(weights, inputs, ((bit << 16) - probability) * FLAG_LEARNING);
  return bit;
}

export function fastByte(set: i32, c0: u32, c1: u32, c2: u32, c3: u32): u32 {
  const weights = byteWeights + (<usize>set << 5);
  work += 64;
  const upper = halfByte(1, weights, groupOf(c0), groupOf(c1), groupOf(c2), groupOf(c3));
  const half = upper * 0x2c1b3c6d;
  const lower = halfByte(1, weights, groupOf(c0 + half), groupOf(c1 + half), groupOf(c2 + half), groupOf(c3 + half));
  return ((upper & 15) << 4) | (lower & 15);
}

function halfByte(tree: u32, weights: usize, g0: usize, g1: usize, g2: usize, g3: usize): u32 {
  for (let i = 0; i < 4; i++) {
    const node = <usize>tree << 2;
    tree = (tree << 1) | <u32>byteBit(weights, g0 + node, g1 + node, g2 + node, g3 + node);
  }
  return tree;
}

/** Histories after one more bit: see `longer`. */
// @ts-ignore: decorator
@inline
function longerFour(histories: v128, bit: i32): v128 {
  const next = v128.or(i32x4.shl(histories, 1), i32x4.splat(bit));
  const cut = v128.or(v128.and(next, i32x4.splat(127)), i32x4.splat(128));
  const long = v128.bitselect(cut, next, i32x4.gt_s(histories, i32x4.splat(127)));
  return v128.bitselect(i32x4.splat(2 | bit), long, i32x4.eq(histories, i32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function byteBit(weights: usize, a0: usize, a1: usize, a2: usize, a3: usize): i32 {
  const slots = gathered(a0, a1, a2, a3);
  const histories = v128.and(slots, i32x4.splat(255));
  // What no history means is learned too, but never asked.
  const at = i32x4.add(i32x4.shl(histories, 2), i32x4.add(i32x4.splat(<i32>meanings), i32x4(0, 1024, 2048, 3072)));
  const m0 = <usize>i32x4.extract_lane(at, 0);
  const m1 = <usize>i32x4.extract_lane(at, 1);
  const m2 = <usize>i32x4.extract_lane(at, 2);
  const m3 = <usize>i32x4.extract_lane(at, 3);
  const means = gathered(m0, m1, m2, m3);
  const first = opinions(slots, histories);
  const second = opinions(means, histories);
  const sum = i32x4.add(weighed(weights, first), weighed(weights + 16, second));
  const probability = squash(clamped(sumOf(sum) >> 8));
  const bit = range(0, <u32>probability);
  const learned = v128.andnot(learnedFour(slots, bit), i32x4.splat(255));
  scatter(a0, a1, a2, a3, v128.or(learned, longerFour(histories, bit)));
  scatter(m0, m1, m2, m3, learnedFour(means, bit));
  const error = ((bit << 16) - probability) * BYTE_LEARNING;
  train(weights, first, error);
  train(weights + 16, second, error);
  return bit;
}
