/**
 * The reference coder: adaptive bit models in hashed tables, mixed by gated linear networks, into a range coder.
 *
 * After Mahoney's lpaq ("Adaptive Weighing of Context Models for Lossless Data Compression", 2005): every context has
 * a probability and a count of what it saw; the stretched probabilities are summed with learned weights; the error
 * trains the weights. Each context gives two inputs: its opinion, and its opinion again in so far as it has experience.
 * Integers only, all products below 2^31, so that WebAssembly and every JavaScript engine agree.
 * @module
 */
import { SQUASH, STRETCH } from './logistic.ts';
import {
  BYTE_SETS,
  CONTEXTS_MAX,
  FLAG_SETS,
  PLAIN_BITS,
  type ModelCoder,
  type ModelSizes,
} from './model-coder.ts';
import { RangeCoder } from './range-coder.ts';

/** A slot is probability (16 bits), count (8 bits), check (8 bits); a fresh one knows nothing. */
const FRESH = 0x8000 << 16;
/** A group of byte slots: check and priority first, then the 15 nodes of the tree of four bits. */
const GROUP = 16;
const COUNT_MAX = 250;
/** Step of the n-th observation in 1/65536: about 1/(n + 1.6). */
const RATE = Int32Array.from({ length: 256 }, (_, n) => Math.floor(655360 / (10 * n + 16)));
/** Experience from which a context's second input is half, and all, of its opinion. */
const SOME = 6;
const MUCH = 30;
/** First weight of an opinion, in 1/65536. */
const WEIGHT = 19661;
const LEARNING = 6;
const STRIDE = 2 * CONTEXTS_MAX;

export class MixCoder implements ModelCoder {
  readonly encoding: boolean;
  readonly contexts = new Uint32Array(CONTEXTS_MAX);
  readonly #range: RangeCoder;
  readonly #flags: Uint32Array;
  readonly #bytes: Uint32Array;
  readonly #bits = new Uint32Array(PLAIN_BITS);
  readonly #flagWeights = new Int32Array(FLAG_SETS * STRIDE);
  readonly #byteWeights = new Int32Array(BYTE_SETS * STRIDE);
  /** Slots of the decision at hand, and their inputs. */
  readonly #at = new Int32Array(CONTEXTS_MAX);
  readonly #base = new Int32Array(CONTEXTS_MAX);
  readonly #inputs = new Int32Array(STRIDE);

  constructor(encoding: boolean, sizes: ModelSizes) {
    this.encoding = encoding;
    this.#range = new RangeCoder(encoding);
    this.#flags = new Uint32Array(2 ** sizes.flagBits);
    this.#bytes = new Uint32Array(2 ** sizes.byteBits);
  }

  /** Begins to count; the result tells the bits written so far. */
  metered(): () => number {
    this.#range.metered = true;
    return () => this.#range.bits;
  }

  start(bytes: Uint8Array | null): void {
    this.#range.start(bytes);
    this.#flags.fill(FRESH >>> 0);
    this.#bytes.fill(FRESH >>> 0);
    for (let at = 0; at < this.#bytes.length; at += GROUP) this.#bytes[at] = 0;
    this.#bits.fill(FRESH >>> 0);
    for (const weights of [this.#flagWeights, this.#byteWeights]) {
      for (let i = 0; i < weights.length; i++) weights[i] = i % STRIDE < CONTEXTS_MAX ? WEIGHT : 0;
    }
  }

  finish(): Uint8Array {
    return this.#range.finish();
  }

  bit(value: number, index: number): number {
    const slot = this.#bits[index]!;
    const probability = slot >>> 16;
    const bit = this.#range.code(value, probability < 32 ? 32 : probability > 65504 ? 65504 : probability);
    this.#bits[index] = learned(slot, bit);
    return bit;
  }

  flag(value: number, count: number, set: number): number {
    const table = this.#flags;
    const mask = table.length - 1;
    const contexts = this.contexts;
    const at = this.#at;
    for (let i = 0; i < count; i++) {
      let hash = Math.imul(contexts[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
      at[i] = findSlot(table, hash & mask, hash >>> 24);
    }
    return this.#mixed(value, count, table, this.#flagWeights, set * STRIDE);
  }

  byte(value: number, count: number, set: number): number {
    const table = this.#bytes;
    const at = this.#at;
    const base = this.#base;
    let tree = 1;
    for (let bit = 7; bit >= 0; bit--) {
      if ((bit & 3) === 3) this.#findGroups(count, bit === 7 ? 0 : tree);
      const node = bit > 3 ? tree : (tree & ((1 << (3 - bit)) - 1)) | (1 << (3 - bit));
      for (let i = 0; i < count; i++) at[i] = base[i]! + node;
      tree = (tree << 1) | this.#mixed((value >> bit) & 1, count, table, this.#byteWeights, set * STRIDE);
    }
    return tree & 255;
  }

  /** Groups of the next four bits for all contexts; `tree` is 0 for the upper four, else 16 + the upper four. */
  #findGroups(count: number, tree: number): void {
    const table = this.#bytes;
    const mask = table.length - GROUP;
    const contexts = this.contexts;
    for (let i = 0; i < count; i++) {
      let hash = Math.imul(contexts[i]! + Math.imul(tree, 0x2c1b3c6d), 0x9e3779b1);
      hash ^= hash >>> 15;
      this.#base[i] = findGroup(table, hash & mask, (hash >>> 16) | 1);
    }
  }

  /** One decision from the slots in #at. */
  #mixed(value: number, count: number, table: Uint32Array, weights: Int32Array, set: number): number {
    const at = this.#at;
    const inputs = this.#inputs;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const slot = table[at[i]!]!;
      const seen = (slot >>> 8) & 255;
      if (seen === 0) {
        inputs[i] = 0;
        inputs[CONTEXTS_MAX + i] = 0;
        continue;
      }
      const opinion = STRETCH[slot >>> 20]!;
      const sure = seen >= MUCH ? opinion : seen >= SOME ? opinion >> 1 : 0;
      inputs[i] = opinion;
      inputs[CONTEXTS_MAX + i] = sure;
      sum += (Math.imul(weights[set + i]!, opinion) >> 8) + (Math.imul(weights[set + CONTEXTS_MAX + i]!, sure) >> 8);
    }
    let stretched = sum >> 8;
    if (stretched > 2047) stretched = 2047;
    else if (stretched < -2047) stretched = -2047;
    const probability = SQUASH[stretched + 2048]!;
    const bit = this.#range.code(value, probability);
    const error = Math.imul((bit << 16) - probability, LEARNING);
    for (let i = 0; i < count; i++) {
      const slot = table[at[i]!]!;
      table[at[i]!] = learned(slot, bit);
      if ((slot & 0xff00) === 0) continue;
      weights[set + i]! += (Math.imul(inputs[i]!, error) + 0x20000) >> 18;
      weights[set + CONTEXTS_MAX + i]! += (Math.imul(inputs[CONTEXTS_MAX + i]!, error) + 0x20000) >> 18;
    }
    return bit;
  }
}

/** The slot after it has seen `bit`. */
function learned(slot: number, bit: number): number {
  const seen = (slot >>> 8) & 255;
  const probability = slot >>> 16;
  const rate = RATE[seen]!;
  const moved = bit !== 0 ? probability + (((65535 - probability) * rate) >>> 16) : probability - ((probability * rate) >>> 16);
  return ((moved << 16) | (slot & 0xffff)) + (seen < COUNT_MAX ? 256 : 0);
}

/** The slot at `index` or its neighbour that has this check; else the less experienced of the two, made fresh. */
function findSlot(table: Uint32Array, index: number, check: number): number {
  const first = table[index]!;
  if ((first & 255) === check) return index;
  const second = table[index ^ 1]!;
  if ((second & 255) === check) return index ^ 1;
  const victim = (second & 0xff00) < (first & 0xff00) ? index ^ 1 : index;
  table[victim] = FRESH | check;
  return victim;
}

/** The group at `index` or its neighbour that has this check; else the less experienced of the two, made fresh. */
function findGroup(table: Uint32Array, index: number, check: number): number {
  if (table[index] === check) return index;
  const other = index ^ GROUP;
  if (table[other] === check) return other;
  const victim = (table[other + 1]! & 0xff00) < (table[index + 1]! & 0xff00) ? other : index;
  table[victim] = check;
  table.fill(FRESH, victim + 1, victim + GROUP);
  return victim;
}
