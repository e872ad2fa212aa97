/**
 * Decisions of the fast profile: four contexts each, where the mix coder has seven to ten.
 *
 * Slots, rates and histories are those of the mix coder (mix-coder.ts says what they mean). A flag is mixed from the
 * opinions of its four contexts, a bit of a byte from those and from what their histories mean; with one set of weights
 * instead of two, and nothing that tells experience. So a decision is one or two vectors of four, and what it waits for
 * are four lines of the cache.
 * @module
 */
import { SQUASH, STRETCH } from '../logistic.ts';
import { clamped, findGroup, findSlot, FRESH, learned, longer } from '../mix-coder.ts';
import type { ModelCoder } from '../model-coder.ts';
import { FAST_BYTE_SETS, FAST_CONTEXTS as CONTEXTS, FAST_FLAG_SETS } from './fast-contexts.ts';

/** First weights in 1/65536. */
const FLAG_WEIGHT = 22000;
const BYTE_WEIGHT = 12000;
const FLAG_LEARNING = 6;
const BYTE_LEARNING = 10;
const GROUP = 16;

/** What the loops code with: a decoder ignores `value` and returns the real one. */
export class FastModels {
  readonly #coder: ModelCoder;
  readonly #flags: Uint32Array;
  readonly #bytes: Uint32Array;
  readonly #meanings = new Uint32Array(CONTEXTS << 8);
  readonly #flagWeights = new Int32Array(CONTEXTS * FAST_FLAG_SETS);
  /** Of opinions, then of meanings. */
  readonly #byteWeights = new Int32Array(2 * CONTEXTS * FAST_BYTE_SETS);
  /** Where the slots of the decision at hand are, what they were before it, and their inputs. */
  readonly #at = new Int32Array(CONTEXTS);
  readonly #slots = new Uint32Array(CONTEXTS);
  readonly #inputs = new Int32Array(2 * CONTEXTS);

  constructor(coder: ModelCoder) {
    const { sizes } = coder;
    this.#coder = coder;
    this.#flags = new Uint32Array(2 ** sizes.flagBits);
    this.#bytes = new Uint32Array(2 ** sizes.byteBits);
  }

  /** A segment begins. */
  reset(): void {
    this.#flags.fill(FRESH);
    this.#bytes.fill(0);
    this.#meanings.fill(FRESH);
    this.#flagWeights.fill(FLAG_WEIGHT);
    this.#byteWeights.fill(BYTE_WEIGHT);
  }

  flag(value: number, set: number, c0: number, c1: number, c2: number, c3: number): number {
    const table = this.#flags;
    const at = this.#at;
    const inputs = this.#inputs;
    const weights = this.#flagWeights;
    const slots = this.#slots;
    const first = set * CONTEXTS;
    at[0] = slotOf(table, c0);
    at[1] = slotOf(table, c1);
    at[2] = slotOf(table, c2);
    at[3] = slotOf(table, c3);
    let sum = 0;
    for (let i = 0; i < CONTEXTS; i++) {
      const slot = table[at[i]!]!;
      slots[i] = slot;
      const opinion = (slot & 0xff00) === 0 ? 0 : STRETCH[slot >>> 20]!;
      inputs[i] = opinion;
      sum += Math.imul(weights[first + i]!, opinion) >> 8;
    }
    const probability = SQUASH[clamped(sum >> 8) + 2048]!;
    this.#coder.work.spent += CONTEXTS;
    const bit = this.#coder.code(value, probability);
    for (let i = 0; i < CONTEXTS; i++) table[at[i]!] = learned(slots[i]!, bit);
    const error = ((bit << 16) - probability) * FLAG_LEARNING;
    for (let i = 0; i < CONTEXTS; i++) weights[first + i]! += (Math.imul(inputs[i]!, error) + 0x20000) >> 18;
    return bit;
  }

  byte(value: number, set: number, c0: number, c1: number, c2: number, c3: number): number {
    const table = this.#bytes;
    const at = this.#at;
    const first = set * 2 * CONTEXTS;
    this.#coder.work.spent += 8 * 2 * CONTEXTS;
    let tree = 1;
    for (let left = 7; left >= 0; left--) {
      if ((left & 3) === 3) {
        const half = left === 7 ? 0 : Math.imul(tree, 0x2c1b3c6d);
        at[0] = groupOf(table, c0 + half);
        at[1] = groupOf(table, c1 + half);
        at[2] = groupOf(table, c2 + half);
        at[3] = groupOf(table, c3 + half);
      }
      const node = left > 3 ? tree : (tree & ((1 << (3 - left)) - 1)) | (1 << (3 - left));
      tree = (tree << 1) | this.#byteBit((value >> left) & 1, node, first);
    }
    return tree & 255;
  }

  #byteBit(value: number, node: number, first: number): number {
    const table = this.#bytes;
    const at = this.#at;
    const inputs = this.#inputs;
    const weights = this.#byteWeights;
    const slots = this.#slots;
    const meanings = this.#meanings;
    let sum = 0;
    for (let i = 0; i < CONTEXTS; i++) {
      const slot = table[at[i]! + node]!;
      slots[i] = slot;
      const history = slot & 255;
      const opinion = history === 0 ? 0 : STRETCH[slot >>> 20]!;
      const meaning = history === 0 ? 0 : STRETCH[meanings[(i << 8) | history]! >>> 20]!;
      inputs[i] = opinion;
      inputs[CONTEXTS + i] = meaning;
      sum += Math.imul(weights[first + i]!, opinion) >> 8;
      sum += Math.imul(weights[first + CONTEXTS + i]!, meaning) >> 8;
    }
    const probability = SQUASH[clamped(sum >> 8) + 2048]!;
    const bit = this.#coder.code(value, probability);
    for (let i = 0; i < CONTEXTS; i++) {
      const slot = slots[i]!;
      const history = slot & 255;
      table[at[i]! + node] = (learned(slot, bit) & 0xffffff00) | longer(history, bit);
      if (history === 0) continue;
      const meaning = (i << 8) | history;
      meanings[meaning] = learned(meanings[meaning]!, bit);
    }
    const error = ((bit << 16) - probability) * BYTE_LEARNING;
    for (let i = 0; i < 2 * CONTEXTS; i++) weights[first + i]! += (Math.imul(inputs[i]!, error) + 0x20000) >> 18;
    return bit;
  }
}

function slotOf(table: Uint32Array, context: number): number {
  const hash = hashed(context);
  return findSlot(table, hash & (table.length - 1), hash >>> 24);
}

function groupOf(table: Uint32Array, context: number): number {
  const hash = hashed(context);
  return findGroup(table, hash & (table.length - GROUP), (hash >>> 16) | 1);
}

function hashed(context: number): number {
  const hash = Math.imul(context, 0x9e3779b1);
  return hash ^ (hash >>> 15);
}
