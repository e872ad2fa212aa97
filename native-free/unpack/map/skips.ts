/**
 * The image as its units see it: without what they skip. Everything that takes bytes of a unit from the image, or puts
 * them there, asks here where they lie.
 * @module
 */
import type { Skip } from '../../format/unit-map.ts';
import { firstWhere } from '../../search.ts';

/** Image bytes [from, to), which are the bytes of a stretch from its byte `at` on. */
export interface StretchPart {
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

export class Skips {
  readonly list: readonly Skip[];
  /** Bytes of all skips before each, and of all. */
  readonly #passed: Float64Array;

  /** `list` is checked by VirtualLayout. */
  constructor(list: readonly Skip[]) {
    this.list = list;
    this.#passed = new Float64Array(list.length + 1);
    list.forEach(({ length }, i) => (this.#passed[i + 1] = this.#passed[i]! + length));
  }

  /** Of all skips. */
  get bytes(): number {
    return this.#passed[this.list.length]!;
  }

  /** Where the image has byte `at` of what is left without skips. */
  imageAt(at: number): number {
    return at + this.#passed[this.#firstBehind(at)]!;
  }

  /** How much of image bytes [0, offset) is not skipped. */
  joinedAt(offset: number): number {
    const i = firstWhere(0, this.list.length, (i) => this.list[i]!.offset + this.list[i]!.length > offset);
    return Math.min(offset, this.list[i]?.offset ?? offset) - this.#passed[i]!;
  }

  /** Where the first skip behind byte `at` of what is left begins in the image, or Infinity. */
  nextBehind(at: number): number {
    return this.list[this.#firstBehind(at)]?.offset ?? Infinity;
  }

  /** Where the image has bytes [offset, offset + length) of what is left, in order; one part where there are none. */
  *parts(offset: number, length: number): Generator<StretchPart> {
    for (let i = this.#firstBehind(offset), at = 0; ; i++) {
      const from = offset + at + this.#passed[i]!;
      const to = Math.min(from + length - at, this.list[i]?.offset ?? Infinity);
      yield { from, to, at };
      at += to - from;
      if (at >= length) return;
    }
  }

  /** Index of the first skip that stands behind byte `at` of what is left. */
  #firstBehind(at: number): number {
    return firstWhere(0, this.list.length, (i) => this.list[i]!.offset - this.#passed[i]! > at);
  }
}
