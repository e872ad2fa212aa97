/**
 * The reference coder: adaptive bit models in hashed tables, mixed by gated linear networks, into a range coder.
 *
 * After Mahoney's PAQ ("Adaptive Weighing of Context Models for Lossless Data Compression", 2005): every context has
 * a probability that learns, fast at first; the stretched probabilities are summed with learned weights; the error
 * trains the weights. Each context gives its opinion, and what the last few bits seen in this context usually mean (an
 * indirect model: the history of a slot is looked up in a table of its own); of a flag also its opinion again in so far
 * as it has experience. Bytes are mixed three times, by the place, by the bits so far and by what is near, and the mixtures
 * are averaged. Integers, all products below 2^31, and two operations on floats of 32 bits, which IEEE 754 leaves no
 * choice: WebAssembly and every JavaScript engine agree.
 *
 * What is done to bytes is what four lanes of a SIMD register do at once: weights and inputs have 16 bits, all contexts are
 * asked before any of them learns, and a slot learns by a quotient in place of a table of steps.
 * @module
 */
import { SQUASH, STRETCH } from './logistic.ts';
import { type ModelCoder, type ModelCoderFactory } from './model-coder.ts';
import {
  BYTE_SETS,
  CONTEXTS_MAX,
  FLAG_CONTEXTS_MAX,
  FLAG_SETS,
  FLAG_STRIDE,
  mixingSizes,
  NEAR_SETS,
  PLAIN_BITS,
  TREE_SETS,
  type ModelSizes,
} from '../format/model-sizes.ts';
import { RangeCoder } from './range-coder.ts';
import { StoredBytes } from './literals/stored-bytes.ts';
import { WorkMeter } from '../format/work.ts';

/**
 * A slot is probability (16 bits), count (8 bits), then check (flags) or history (bytes: the last bits seen below a 1,
 * at most seven). A fresh one knows nothing. Histories of flags stand in a table of their own.
 */
export const FRESH = 0x80000000;
/** A group of byte slots: check first, then the 15 nodes of the tree of four bits. */
const GROUP = 16;
const COUNT_MAX = 120;
/** Step of the n-th observation in 1/65536: about 1/(n + 1.6). */
const RATE = Int32Array.from({ length: 256 }, (_, n) => Math.floor(655360 / (10 * n + 16)));
/** The same of bytes: what is kept of the probability of the other bit, 1 - 1/(n + 1.6). */
const KEPT = Float32Array.from({ length: 256 }, (_, n) => (10 * n + 6) / (10 * n + 16));
/** From here on floats of 32 bits are whole numbers: added, it rounds. */
const WHOLE = 2 ** 23;
/** Experience from which a context's second input of a flag is half, and all, of its opinion. */
const SOME = 6;
const MUCH = 30;
/**
 * First weights: of flags' opinions and of what their histories mean, in 1/65536; of both inputs of bytes in 1/16384, of
 * which they never have more than 2.
 */
const FLAG_WEIGHT = 9000;
const FLAG_MEANING_WEIGHT = 5000;
const BYTE_WEIGHT = 2500;
/** A mixture that was wrong by less than this, in 1/65536, is not trained: weights would grow for ever. */
const ERROR_MIN = 128;
const FLAG_LEARNING = 5;
const BYTE_LEARNING = 10;
const STRIDE = 2 * CONTEXTS_MAX;
/** Where each context's second and third input of a flag stand. */
const SURE = FLAG_CONTEXTS_MAX;
const MEANT = 2 * FLAG_CONTEXTS_MAX;
/** Sets from here on have meanings of flags' histories of their own: under covers, those of candidates. */
const SETS_APART = 64;

export class MixCoder implements ModelCoder {
  readonly encoding: boolean;
  readonly sizes: ModelSizes;
  readonly contexts = new Uint32Array(CONTEXTS_MAX);
  readonly work = new WorkMeter();
  readonly #range: RangeCoder;
  readonly #stored = new StoredBytes();
  readonly #flags: Uint32Array;
  readonly #histories: Uint8Array;
  readonly #bytes: Uint32Array;
  readonly #bits = new Uint32Array(PLAIN_BITS);
  /** What the histories of each context number mean: slots without history. Of flags twice, by their sets. */
  readonly #meanings = new Uint32Array(CONTEXTS_MAX << 8);
  readonly #flagMeanings = new Uint32Array((2 * CONTEXTS_MAX) << 8);
  readonly #flagWeights = new Int32Array(FLAG_SETS * FLAG_STRIDE);
  readonly #byteWeights = new Int16Array((BYTE_SETS + TREE_SETS + NEAR_SETS) * STRIDE);
  /** Bytes that were stored in streams before, for the meter. */
  #storedBefore = 0;
  /** Slots of the decision at hand, and their inputs. */
  readonly #at = new Int32Array(CONTEXTS_MAX);
  readonly #base = new Int32Array(CONTEXTS_MAX);
  readonly #slots = new Uint32Array(CONTEXTS_MAX);
  readonly #inputs = new Int32Array(Math.max(STRIDE, FLAG_STRIDE));

  constructor(encoding: boolean, sizes: ModelSizes) {
    this.encoding = encoding;
    this.sizes = sizes;
    this.#range = new RangeCoder(encoding);
    const { flagBits, byteBits } = mixingSizes(sizes);
    this.#flags = new Uint32Array(2 ** flagBits);
    this.#histories = new Uint8Array(2 ** flagBits);
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
    this.#histories.fill(0);
    this.#flagMeanings.fill(FRESH);
    for (let first = 0; first < this.#flagWeights.length; first += FLAG_STRIDE) {
      this.#flagWeights.fill(FLAG_WEIGHT, first, first + SURE);
      this.#flagWeights.fill(0, first + SURE, first + MEANT);
      this.#flagWeights.fill(FLAG_MEANING_WEIGHT, first + MEANT, first + FLAG_STRIDE);
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
    const histories = this.#histories;
    const meanings = this.#flagMeanings;
    const at = this.#at;
    const inputs = this.#inputs;
    const weights = this.#flagWeights;
    const first = set * FLAG_STRIDE;
    const apart = set < SETS_APART ? 0 : CONTEXTS_MAX;
    this.#findSlots(count);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const slot = table[at[i]!]!;
      const seen = (slot >>> 8) & 255;
      const history = histories[at[i]!]!;
      const opinion = seen === 0 ? 0 : STRETCH[slot >>> 20]!;
      const sure = seen >= MUCH ? opinion : seen >= SOME ? opinion >> 1 : 0;
      const meaning = history === 0 ? 0 : STRETCH[meanings[((apart + i) << 8) | history]! >>> 20]!;
      inputs[i] = opinion;
      inputs[SURE + i] = sure;
      inputs[MEANT + i] = meaning;
      sum += Math.imul(weights[first + i]!, opinion) >> 8;
      sum += Math.imul(weights[first + SURE + i]!, sure) >> 8;
      sum += Math.imul(weights[first + MEANT + i]!, meaning) >> 8;
    }
    const probability = SQUASH[clamped(sum >> 8) + 2048]!;
    const bit = this.#range.code(value, probability);
    for (let i = 0; i < count; i++) {
      table[at[i]!] = learned(table[at[i]!]!, bit);
      const history = histories[at[i]!]!;
      histories[at[i]!] = longer(history, bit);
      if (history === 0) continue;
      const meaning = ((apart + i) << 8) | history;
      meanings[meaning] = learned(meanings[meaning]!, bit);
    }
    const miss = (bit << 16) - probability;
    if (miss < ERROR_MIN && miss > -ERROR_MIN) return bit;
    const error = miss * FLAG_LEARNING;
    for (let i = 0; i < count; i++) {
      for (let input = i; input <= MEANT + i; input += FLAG_CONTEXTS_MAX) {
        weights[first + input]! += (Math.imul(inputs[input]!, error) + 0x20000) >> 18;
      }
    }
    return bit;
  }

  /** Slots of all contexts of a flag. */
  #findSlots(count: number): void {
    const table = this.#flags;
    const mask = table.length - 1;
    for (let i = 0; i < count; i++) {
      let hash = Math.imul(this.contexts[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
      this.#at[i] = findFlagSlot(table, this.#histories, hash & mask, hash >>> 24);
    }
  }

  byte(value: number, count: number, set: number, near: number): number {
    const at = this.#at;
    const base = this.#base;
    const first = set * STRIDE;
    const third = (BYTE_SETS + TREE_SETS + near) * STRIDE;
    let tree = 1;
    for (let left = 7; left >= 0; left--) {
      if ((left & 3) === 3) this.#findGroups(count, left === 7 ? 0 : tree);
      const node = left > 3 ? tree : (tree & ((1 << (3 - left)) - 1)) | (1 << (3 - left));
      for (let i = 0; i < count; i++) at[i] = base[i]! + node;
      const second = (BYTE_SETS + tree) * STRIDE;
      const probability = this.#mixed(count, first, second, third);
      const bit = this.#range.code((value >> left) & 1, probability);
      this.#learnSlots(count, bit);
      const miss = (bit << 16) - probability;
      if (miss >= ERROR_MIN || miss <= -ERROR_MIN) {
        const error = (miss * BYTE_LEARNING) >> 5;
        this.#train(count, first, error);
        this.#train(count, second, error);
        this.#train(count, third, error);
      }
      tree = (tree << 1) | bit;
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

  /** The probability of a bit from the slots in #at, which are kept; the other arguments are where its weights begin. */
  #mixed(count: number, first: number, second: number, third: number): number {
    const table = this.#bytes;
    const inputs = this.#inputs;
    const weights = this.#byteWeights;
    const meanings = this.#meanings;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let i = 0; i < count; i++) {
      const slot = table[this.#at[i]!]!;
      const history = slot & 255;
      const opinion = history === 0 ? 0 : STRETCH[slot >>> 20]!;
      const meaning = history === 0 ? 0 : STRETCH[meanings[(i << 8) | history]! >>> 20]!;
      this.#slots[i] = slot;
      inputs[i] = opinion;
      inputs[CONTEXTS_MAX + i] = meaning;
      const other = CONTEXTS_MAX + i;
      sum1 += weights[first + i]! * opinion + weights[first + other]! * meaning;
      sum2 += weights[second + i]! * opinion + weights[second + other]! * meaning;
      sum3 += weights[third + i]! * opinion + weights[third + other]! * meaning;
    }
    const sum = clamped(sum1 >> 14) + clamped(sum2 >> 14) + clamped(sum3 >> 14);
    // A third of it.
    return SQUASH[((sum * 21845) >> 16) + 2048]!;
  }

  #learnSlots(count: number, bit: number): void {
    const table = this.#bytes;
    const meanings = this.#meanings;
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[i]!;
      const history = slot & 255;
      table[this.#at[i]!] = learnedByQuotient(slot, bit) | longer(history, bit);
      if (history === 0) continue;
      const meaning = (i << 8) | history;
      meanings[meaning] = learnedByQuotient(meanings[meaning]!, bit);
    }
  }

  /** One set of a byte's weights; an error of 32768 is a bit that was wrong by 1.6. */
  #train(count: number, first: number, error: number): void {
    const inputs = this.#inputs;
    const weights = this.#byteWeights;
    for (let i = 0; i < count; i++) {
      const other = first + CONTEXTS_MAX + i;
      weights[first + i] = within16(weights[first + i]! + ((inputs[i]! * error + 0x4000) >> 15));
      weights[other] = within16(weights[other]! + ((inputs[CONTEXTS_MAX + i]! * error + 0x4000) >> 15));
    }
  }
}

/** For who names no other coder. */
export const referenceModels: ModelCoderFactory = (encoding, sizes) => new MixCoder(encoding, sizes);

export function clamped(stretched: number): number {
  return stretched > 2047 ? 2047 : stretched < -2047 ? -2047 : stretched;
}

function within16(weight: number): number {
  return weight > 32767 ? 32767 : weight < -32768 ? -32768 : weight;
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

/** The slot of a byte's bit after it has seen `bit`, without history. */
function learnedByQuotient(slot: number, bit: number): number {
  const seen = (slot >>> 8) & 255;
  const ones = bit !== 0 ? 0xffff : 0;
  const left = Math.fround(Math.fround(((slot >>> 16) ^ ones) * KEPT[seen]!) + WHOLE) - WHOLE;
  return ((left ^ ones) << 16) | ((seen < COUNT_MAX ? seen + 1 : seen) << 8);
}

/** The slot at `index` or its neighbour that has this check; else the less experienced of the two, made fresh. */
function findFlagSlot(table: Uint32Array, histories: Uint8Array, index: number, check: number): number {
  const first = table[index]!;
  if ((first & 255) === check) return index;
  const second = table[index ^ 1]!;
  if ((second & 255) === check) return index ^ 1;
  const victim = (second & 0xff00) < (first & 0xff00) ? index ^ 1 : index;
  table[victim] = FRESH | check;
  histories[victim] = 0;
  return victim;
}

/** The same of a table without histories. */
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
