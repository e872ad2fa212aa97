/**
 * Coding of literals: target bytes under no cover.
 *
 * Each byte is a tree of 8 binary decisions, each priced by two contexts: the byte before and the position in a word,
 * and a hash of the three bytes before. The longer context is trusted as it gains experience.
 * @module
 */
import { BitModels } from './bit-models.ts';
import type { BitCoder } from './range-coder.ts';

const HASH_BITS = 20;

export class LiteralModels {
  readonly #short = new BitModels(4 * 256 * 256, 60);
  readonly #long = new BitModels(1 << HASH_BITS, 30);
  #history = 0;

  get byteLength(): number {
    return this.#short.byteLength + this.#long.byteLength;
  }

  reset(): void {
    this.#short.reset();
    this.#long.reset();
    this.#history = 0;
  }

  /** Codes `length` bytes of `target` from index `start`; `phase` is the target offset of the first. */
  code(coder: BitCoder, target: Uint8Array, start: number, length: number, phase: number): void {
    let history = this.#history;
    for (let i = 0; i < length; i++) {
      const short = ((phase + i) % 4) * 65536 + (history & 255) * 256;
      const long = Math.imul(history & 0xffffff, 0x9e3779b1);
      const byte = this.#byte(coder, target[start + i]!, short, long);
      target[start + i] = byte;
      history = (history << 8) | byte;
    }
    this.#history = history;
  }

  #byte(coder: BitCoder, value: number, short: number, long: number): number {
    let tree = 1;
    for (let bit = 7; bit >= 0; bit--) {
      const a = short + tree;
      const b = (long ^ Math.imul(tree, 0x85ebca6b)) >>> (32 - HASH_BITS);
      const seen = this.#long.count(b);
      const trust = seen >= 4 ? 3 : seen >= 1 ? 2 : 0;
      const price = (this.#short.probability(a) * (4 - trust) + this.#long.probability(b) * trust) >> 2;
      const coded = coder.code((value >> bit) & 1, price);
      this.#short.update(a, coded);
      this.#long.update(b, coded);
      tree = tree * 2 + coded;
    }
    return tree & 255;
  }
}
