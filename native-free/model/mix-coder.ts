/**
 * The reference coder: adaptive bit models in hashed tables, mixed by gated linear networks, into a range coder.
 *
 * After Mahoney's PAQ ("Adaptive Weighing of Context Models for Lossless Data Compression", 2005): every context has
 * a probability that learns, fast at first; the stretched probabilities are summed with learned weights; the error
 * trains the weights. Each context gives two inputs. Of a flag: its opinion, and its opinion again in so far as it has
 * experience. Of a byte's bit: its opinion, and what the last few bits seen in this context usually mean (an indirect
 * model: the history of a slot is looked up in a table of its own). Bytes are mixed twice, by the place and by the bits
 * so far, and both mixtures are averaged. Integers only, all products below 2^31, so that WebAssembly and every
 * JavaScript engine agree.
 * @module
 */
import { SQUASH, STRETCH } from './logistic.ts';
import { type ModelCoder, type ModelCoderFactory } from './model-coder.ts';
import { BYTE_SETS, CONTEXTS_MAX, FLAG_SETS, mixingSizes, PLAIN_BITS, type ModelSizes } from '../format/model-sizes.ts';
import { RangeCoder } from './range-coder.ts';
import { StoredBytes } from './literals/stored-bytes.ts';
import { WorkMeter } from '../format/work.ts';

/**
 * A slot is probability (16 bits), count (8 bits), then check (flags) or history (bytes: the last bits seen below a 1,
 * at most seven). A fresh one knows nothing.
 */
export const FRESH = 0x80000000;
/** A group of byte slots: check first, then the 15 nodes of the tree of four bits. */
const GROUP = 16;
const COUNT_MAX = 120;
/** Step of the n-th observation in 1/65536: about 1/(n + 1.6). */
const RATE = Int32Array.from({ length: 256 }, (_, n) => Math.floor(655360 / (10 * n + 16)));
/** Experience from which a context's second input of a flag is half, and all, of its opinion. */
const SOME = 6;
const MUCH = 30;
/** First weights in 1/65536: of flags' opinions, of both inputs of bytes. */
const FLAG_WEIGHT = 19661;
const BYTE_WEIGHT = 10000;
/** A mixture that was wrong by less than this, in 1/65536, is not trained: weights would grow for ever. */
const ERROR_MIN = 128;
const FLAG_LEARNING = 6;
const BYTE_LEARNING = 10;
const STRIDE = 2 * CONTEXTS_MAX;
/** Sets of the second mixture of bytes: one for each value of the bits so far. */
const TREE_SETS = 256;

export class MixCoder implements ModelCoder {
  readonly encoding: boolean;
  readonly sizes: ModelSizes;
  readonly contexts = new Uint32Array(CONTEXTS_MAX);
  readonly work = new WorkMeter();
  readonly #range: RangeCoder;
  readonly #stored = new StoredBytes();
  readonly #flags: Uint32Array;
  readonly #bytes: Uint32Array;
  readonly #bits = new Uint32Array(PLAIN_BITS);
  /** What the histories of each context number mean: slots without history. */
  readonly #meanings = new Uint32Array(CONTEXTS_MAX << 8);
  readonly #flagWeights = new Int32Array(FLAG_SETS * STRIDE);
  readonly #byteWeights = new Int32Array((BYTE_SETS + TREE_SETS) * STRIDE);
  /** Bytes that were stored in streams before, for the meter. */
  #storedBefore = 0;
  /** Slots of the decision at hand, and their inputs. */
  readonly #at = new Int32Array(CONTEXTS_MAX);
  readonly #base = new Int32Array(CONTEXTS_MAX);
  readonly #inputs = new Int32Array(STRIDE);

  constructor(encoding: boolean, sizes: ModelSizes) {
    this.encoding = encoding;
    this.sizes = sizes;
    this.#range = new RangeCoder(encoding);
    const { flagBits, byteBits } = mixingSizes(sizes);
    this.#flags = new Uint32Array(2 ** flagBits);
    this.#bytes = new Uint32Array(2 ** byteBits);
  }

  get written(): number {
    return this.#range.length + this.#stored.length;
  }

  /** Begins to count; the result tells the bits written so far. */
  metered(): () => number {
    this.#range.metered = true;
    return () => this.#range.bits + 8 * this.#storedBefore + 8 * this.#stored.length;
  }

  start(bytes: Uint8Array | null): void {
    this.#range.start(bytes);
    this.#storedBefore += this.#stored.length;
    this.#stored.start(bytes);
    this.work.start(this.sizes);
    this.#flags.fill(FRESH);
    // A group without check is never asked: findGroup makes it fresh first.
    this.#bytes.fill(0);
    this.#bits.fill(FRESH);
    this.#meanings.fill(FRESH);
    for (let i = 0; i < this.#flagWeights.length; i++) {
      this.#flagWeights[i] = i % STRIDE < CONTEXTS_MAX ? FLAG_WEIGHT : 0;
    }
    this.#byteWeights.fill(BYTE_WEIGHT);
  }

  finish(): Uint8Array {
    return this.#stored.behind(this.#range.finish(this.#stored.length > 0));
  }

  stored(block: Uint8Array): void {
    if (this.encoding) this.#stored.write(block);
    else this.#stored.read(block);
  }

  bit(value: number, index: number): number {
    const slot = this.#bits[index]!;
    const probability = slot >>> 16;
    const bit = this.#range.code(value, probability < 32 ? 32 : probability > 65504 ? 65504 : probability);
    this.#bits[index] = learned(slot, bit);
    return bit;
  }

  code(value: number, probability: number): number {
    return this.#range.code(value, probability);
  }

  flag(value: number, count: number, set: number): number {
    const table = this.#flags;
    const mask = table.length - 1;
    const contexts = this.contexts;
    const at = this.#at;
    const inputs = this.#inputs;
    const weights = this.#flagWeights;
    const first = set * STRIDE;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      let hash = Math.imul(contexts[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
      at[i] = findSlot(table, hash & mask, hash >>> 24);
      const slot = table[at[i]!]!;
      const seen = (slot >>> 8) & 255;
      const opinion = seen === 0 ? 0 : STRETCH[slot >>> 20]!;
      const sure = seen >= MUCH ? opinion : seen >= SOME ? opinion >> 1 : 0;
      inputs[i] = opinion;
      inputs[CONTEXTS_MAX + i] = sure;
      sum +=
        (Math.imul(weights[first + i]!, opinion) >> 8) + (Math.imul(weights[first + CONTEXTS_MAX + i]!, sure) >> 8);
    }
    const probability = SQUASH[clamped(sum >> 8) + 2048]!;
    const bit = this.#range.code(value, probability);
    for (let i = 0; i < count; i++) table[at[i]!] = learned(table[at[i]!]!, bit);
    const miss = (bit << 16) - probability;
    if (miss < ERROR_MIN && miss > -ERROR_MIN) return bit;
    const error = miss * FLAG_LEARNING;
    for (let i = 0; i < count; i++) {
      weights[first + i]! += (Math.imul(inputs[i]!, error) + 0x20000) >> 18;
      weights[first + CONTEXTS_MAX + i]! += (Math.imul(inputs[CONTEXTS_MAX + i]!, error) + 0x20000) >> 18;
    }
    return bit;
  }

  byte(value: number, count: number, set: number): number {
    const at = this.#at;
    const base = this.#base;
    let tree = 1;
    for (let left = 7; left >= 0; left--) {
      if ((left & 3) === 3) this.#findGroups(count, left === 7 ? 0 : tree);
      const node = left > 3 ? tree : (tree & ((1 << (3 - left)) - 1)) | (1 << (3 - left));
      for (let i = 0; i < count; i++) at[i] = base[i]! + node;
      tree = (tree << 1) | this.#byteBit((value >> left) & 1, count, set * STRIDE, (BYTE_SETS + tree) * STRIDE);
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

  /** One bit of a byte from the slots in #at; `first` and `second` are where its weights begin. */
  #byteBit(value: number, count: number, first: number, second: number): number {
    const table = this.#bytes;
    const at = this.#at;
    const inputs = this.#inputs;
    const weights = this.#byteWeights;
    const meanings = this.#meanings;
    let sum = 0;
    let sum2 = 0;
    for (let i = 0; i < count; i++) {
      const slot = table[at[i]!]!;
      const history = slot & 255;
      const opinion = history === 0 ? 0 : STRETCH[slot >>> 20]!;
      const meaning = history === 0 ? 0 : STRETCH[meanings[(i << 8) | history]! >>> 20]!;
      inputs[i] = opinion;
      inputs[CONTEXTS_MAX + i] = meaning;
      const other = CONTEXTS_MAX + i;
      sum += (Math.imul(weights[first + i]!, opinion) >> 8) + (Math.imul(weights[first + other]!, meaning) >> 8);
      sum2 += (Math.imul(weights[second + i]!, opinion) >> 8) + (Math.imul(weights[second + other]!, meaning) >> 8);
    }
    const probability = SQUASH[((clamped(sum >> 8) + clamped(sum2 >> 8)) >> 1) + 2048]!;
    const bit = this.#range.code(value, probability);
    for (let i = 0; i < count; i++) {
      const slot = table[at[i]!]!;
      const history = slot & 255;
      table[at[i]!] = (learned(slot, bit) & 0xffffff00) | longer(history, bit);
      if (history === 0) continue;
      const meaning = (i << 8) | history;
      meanings[meaning] = learned(meanings[meaning]!, bit);
    }
    const miss = (bit << 16) - probability;
    if (miss < ERROR_MIN && miss > -ERROR_MIN) return bit;
    const error = miss * BYTE_LEARNING;
    for (let i = 0; i < count; i++) {
      const other = CONTEXTS_MAX + i;
      const step = (Math.imul(inputs[i]!, error) + 0x20000) >> 18;
      const otherStep = (Math.imul(inputs[other]!, error) + 0x20000) >> 18;
      weights[first + i]! += step;
      weights[first + other]! += otherStep;
      weights[second + i]! += step;
      weights[second + other]! += otherStep;
    }
    return bit;
  }
}

/** For who names no other coder. */
export const referenceModels: ModelCoderFactory = (encoding, sizes) => new MixCoder(encoding, sizes);

export function clamped(stretched: number): number {
  return stretched > 2047 ? 2047 : stretched < -2047 ? -2047 : stretched;
}

/** A history after one more bit: a 1, then at most the last seven bits. */
export function longer(history: number, bit: number): number {
  if (history === 0) return 2 | bit;
  return history < 128 ? (history << 1) | bit : 128 | ((history << 1) & 127) | bit;
}

/** The slot after it has seen `bit`. */
export function learned(slot: number, bit: number): number {
  const seen = (slot >>> 8) & 255;
  const probability = slot >>> 16;
  const rate = RATE[seen]!;
  const moved =
    bit !== 0 ? probability + (((65535 - probability) * rate) >>> 16) : probability - ((probability * rate) >>> 16);
  return ((moved << 16) | (slot & 0xffff)) + (seen < COUNT_MAX ? 256 : 0);
}

/** The slot at `index` or its neighbour that has this check; else the less experienced of the two, made fresh. */
export function findSlot(table: Uint32Array, index: number, check: number): number {
  const first = table[index]!;
  if ((first & 255) === check) return index;
  const second = table[index ^ 1]!;
  if ((second & 255) === check) return index ^ 1;
  const victim = (second & 0xff00) < (first & 0xff00) ? index ^ 1 : index;
  table[victim] = FRESH | check;
  return victim;
}

/** The group at `index` or its neighbour that has this check; else the less experienced of the two, made fresh. */
export function findGroup(table: Uint32Array, index: number, check: number): number {
  if (table[index] === check) return index;
  const other = index ^ GROUP;
  if (table[other] === check) return other;
  const victim = (table[other + 1]! & 0xff00) < (table[index + 1]! & 0xff00) ? other : index;
  table[victim] = check;
  table.fill(FRESH, victim + 1, victim + GROUP);
  return victim;
}
