/**
 * Coding of bytes under a cover, given what is predicted for them.
 *
 * Most blocks are exactly as predicted and cost one flag; in the others each aligned word has a flag whose context is
 * the predicted word's top byte (the opcode on most RISC machines) and how the last words went. A word that differs
 * is the predicted one plus a difference, and branches that jump over the same insertion share it: hence the recent
 * differences in move-to-front order.
 * @module
 */
import { BitModels } from './bit-models.ts';
import type { BitCoder } from './range-coder.ts';

const BLOCK = 64;
const WORD = 4;
const RECENT = 16;
const WORD_HISTORY = 16;

export class ResidualModels {
  readonly #blocks = new BitModels(256, 255);
  readonly #words = new BitModels(WORD_HISTORY * 256, 255);
  readonly #recentHits = new BitModels(RECENT * 64, 127);
  /** Tree of 8 bits for each byte of a difference, in the context of the byte above it. */
  readonly #differences = new BitModels(WORD * 256 * 256, 30);
  readonly #singles = new BitModels(256 * 2, 60);
  readonly #recent = new Int32Array(RECENT);
  #blockHistory = 0;
  #wordHistory = 0;

  get byteLength(): number {
    return (
      this.#blocks.byteLength + this.#words.byteLength + this.#recentHits.byteLength + this.#differences.byteLength
    );
  }

  reset(): void {
    for (const models of [this.#blocks, this.#words, this.#recentHits, this.#differences, this.#singles])
      models.reset();
    this.#recent.fill(0);
    this.#blockHistory = 0;
    this.#wordHistory = 0;
  }

  /**
   * Codes `length` bytes of `target` from index `start` against `prediction` from index 0. `phase` is the target
   * offset of the first byte, which decides alignment.
   */
  code(
    coder: BitCoder,
    prediction: Uint8Array,
    target: Uint8Array,
    start: number,
    length: number,
    phase: number,
  ): void {
    let i = 0;
    while (i < length) {
      const position = phase + i;
      if (position % BLOCK === 0 && length - i >= BLOCK) {
        this.#block(coder, prediction, i, target, start + i);
        i += BLOCK;
      } else if (position % WORD === 0 && length - i >= WORD) {
        this.#word(coder, prediction, i, target, start + i);
        i += WORD;
      } else {
        this.#single(coder, prediction[i]!, target, start + i);
        i += 1;
      }
    }
  }

  #block(coder: BitCoder, prediction: Uint8Array, from: number, target: Uint8Array, to: number): void {
    let same = 0;
    if (coder.encoding) {
      while (same < BLOCK && prediction[from + same] === target[to + same]) same++;
    }
    const exact = this.#blocks.code(coder, same === BLOCK ? 1 : 0, this.#blockHistory);
    this.#blockHistory = ((this.#blockHistory << 1) | exact) & 255;
    if (exact !== 0) {
      if (!coder.encoding) target.set(prediction.subarray(from, from + BLOCK), to);
      return;
    }
    for (let i = 0; i < BLOCK; i += WORD) this.#word(coder, prediction, from + i, target, to + i);
  }

  #word(coder: BitCoder, prediction: Uint8Array, from: number, target: Uint8Array, to: number): void {
    const predicted = load(prediction, from);
    const difference = coder.encoding ? (load(target, to) - predicted) | 0 : 0;
    const context = (this.#wordHistory & (WORD_HISTORY - 1)) * 256 + (predicted >>> 24);
    const exact = this.#words.code(coder, difference === 0 ? 1 : 0, context);
    this.#wordHistory = (this.#wordHistory << 1) | exact;
    const coded = exact !== 0 ? 0 : this.#difference(coder, difference, predicted >>> 26);
    if (!coder.encoding) store(target, to, (predicted + coded) | 0);
  }

  #difference(coder: BitCoder, difference: number, opcode: number): number {
    let index = 0;
    for (; index < RECENT; index++) {
      const hit = this.#recent[index] === difference ? 1 : 0;
      if (this.#recentHits.code(coder, hit, index * 64 + opcode) !== 0) break;
    }
    const coded = index < RECENT ? this.#recent[index]! : this.#newDifference(coder, difference);
    this.#recent.copyWithin(1, 0, Math.min(index, RECENT - 1));
    this.#recent[0] = coded;
    return coded;
  }

  /** Most significant byte first: it is the sign and mostly 0 or 255. */
  #newDifference(coder: BitCoder, difference: number): number {
    let above = 0;
    let value = 0;
    for (let byte = WORD - 1; byte >= 0; byte--) {
      const base = (byte * 256 + above) * 256;
      let tree = 1;
      for (let bit = 7; bit >= 0; bit--) {
        tree = tree * 2 + this.#differences.code(coder, (difference >>> (byte * 8 + bit)) & 1, base + tree);
      }
      above = tree & 255;
      value = (value << 8) | above;
    }
    return value | 0;
  }

  /** A byte at the ragged edge of a cover. */
  #single(coder: BitCoder, predicted: number, target: Uint8Array, to: number): void {
    const residual = coder.encoding ? (target[to]! - predicted) & 255 : 0;
    let tree = 1;
    for (let bit = 7; bit >= 0; bit--) tree = tree * 2 + this.#singles.code(coder, (residual >> bit) & 1, tree);
    if (!coder.encoding) target[to] = predicted + (tree & 255);
  }
}

function load(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function store(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >> 8;
  bytes[at + 2] = value >> 16;
  bytes[at + 3] = value >> 24;
}
