/**
 * Coding of the plan: the list of covers, written once with the model and read once by it.
 *
 * Covers come in target order, so each is a gap, a length and a displacement (source minus target offset). Covers of
 * one moved function share a displacement with a neighbour, so the last eight are kept in move-to-front order; code
 * moves in steps of its word size, hence the "multiple of four" flag.
 * @module
 */
import { LIMITS } from '../limits.ts';
import { UpdateError } from '../status.ts';
import { emptyCoverList, type CoverList } from '../format/cover.ts';
import { BitModels } from './bit-models.ts';
import { NumberModels } from './number-models.ts';
import type { BitCoder } from './range-coder.ts';

const RECENT = 8;
const SIZE_CLASSES = 4;
/** Number contexts, each in a plain and a "multiple of four" variant. */
const COUNT = 0;
const GAP = 1;
const LENGTH = GAP + 2 * SIZE_CLASSES;
const DISTANCE = LENGTH + 2 * SIZE_CLASSES;
const NUMBER_CONTEXTS = DISTANCE + 2 * SIZE_CLASSES;

export interface ImageSizes {
  readonly sourceBytes: number;
  readonly targetBytes: number;
}

/** Codes cover lists; one instance a plan. */
export class CoverCoder {
  readonly #numbers = new NumberModels(NUMBER_CONTEXTS);
  readonly #fours = new BitModels(NUMBER_CONTEXTS, 60);
  readonly #hits = new BitModels(RECENT * 16, 60);
  readonly #signs = new BitModels(4, 60);
  readonly #recent = new Float64Array(RECENT);

  /**
   * Codes a whole list; a decoder passes null and `countMax`.
   * @throws UpdateError plan_malformed when decoded covers overlap, leave an image or are too many
   */
  code(coder: BitCoder, covers: CoverList | null, sizes: ImageSizes, countMax: number = LIMITS.covers_max): CoverList {
    const count = this.#numbers.code(coder, covers?.count ?? 0, COUNT);
    if (count > countMax) throw new UpdateError('plan_malformed', `${count} covers; at most ${countMax} are allowed`);
    const list = covers ?? emptyCoverList(count);
    let end = 0;
    let gapClass = 0;
    let lengthClass = 0;
    let hits = 0;
    for (let i = 0; i < count; i++) {
      const gap = this.#step(coder, list.targetOffset[i]! - end, GAP + 2 * Math.min(lengthClass, SIZE_CLASSES - 1));
      gapClass = sizeClass(gap);
      const length = this.#step(coder, list.length[i]! - 1, LENGTH + 2 * gapClass) + 1;
      lengthClass = sizeClass(length);
      const wanted = list.sourceOffset[i]! - list.targetOffset[i]!;
      const known = this.#displacementIndex(coder, wanted, gapClass * 4 + (hits & 3));
      const displacement = known < RECENT ? this.#recent[known]! : this.#newDisplacement(coder, wanted, gapClass);
      this.#remember(displacement, known);
      hits = (hits << 1) | (known < RECENT ? 1 : 0);
      const targetOffset = end + gap;
      end = targetOffset + length;
      if (!coder.encoding) place(list, i, targetOffset, displacement, length, sizes);
    }
    return list;
  }

  /** A number that is often a multiple of four. */
  #step(coder: BitCoder, value: number, context: number): number {
    const four = this.#fours.code(coder, value % 4 === 0 ? 1 : 0, context);
    return four !== 0
      ? this.#numbers.code(coder, Math.floor(value / 4), context) * 4
      : this.#numbers.code(coder, value, context + 1);
  }

  /** Index among the recent displacements, or RECENT. Duplicates are skipped, so no code is wasted on them. */
  #displacementIndex(coder: BitCoder, wanted: number, context: number): number {
    for (let i = 0; i < RECENT; i++) {
      if (this.#recent.indexOf(this.#recent[i]!) < i) continue;
      if (this.#hits.code(coder, this.#recent[i] === wanted ? 1 : 0, i * 16 + context) !== 0) return i;
    }
    return RECENT;
  }

  #newDisplacement(coder: BitCoder, wanted: number, gapClass: number): number {
    const last = this.#recent[0]!;
    const negative = this.#signs.code(coder, wanted < last ? 1 : 0, gapClass);
    const distance = this.#step(coder, Math.abs(wanted - last), DISTANCE + 2 * gapClass);
    return negative !== 0 ? last - distance : last + distance;
  }

  #remember(displacement: number, known: number): void {
    this.#recent.copyWithin(1, 0, Math.min(known, RECENT - 1));
    this.#recent[0] = displacement;
  }
}

function sizeClass(value: number): number {
  return value === 0 ? 0 : value < 16 ? 1 : value < 256 ? 2 : 3;
}

function place(
  list: CoverList,
  i: number,
  targetOffset: number,
  displacement: number,
  length: number,
  sizes: ImageSizes,
): void {
  const sourceOffset = targetOffset + displacement;
  if (targetOffset + length > sizes.targetBytes || sourceOffset < 0 || sourceOffset + length > sizes.sourceBytes) {
    throw new UpdateError('plan_malformed', `cover ${i} leaves the image`, {
      detail: { cover: i, sourceOffset, targetOffset, length },
    });
  }
  list.sourceOffset[i] = sourceOffset;
  list.targetOffset[i] = targetOffset;
  list.length[i] = length;
}
