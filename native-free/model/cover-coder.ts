/**
 * Coding of the plan's covers, written once with the model and read once by it.
 *
 * Covers come in target order, so each is a gap, a length and a displacement (source minus target offset). Covers of
 * one moved function share a displacement with a neighbour, so the last sixteen are kept in move-to-front order; code
 * moves in steps of its word size, hence the "multiple of four" flag.
 * @module
 */
import { LIMITS } from '../limits.ts';
import type { PlanRoom } from '../format/plan.ts';
import { UpdateError } from '../status.ts';
import { emptyCoverList, type CoverList } from '../format/cover.ts';
import { FLAG, NUMBER } from './contexts.ts';
import { bitLength } from './hash.ts';
import type { ModelCoder } from './model-coder.ts';
import { NumberCoder } from './number-coder.ts';
import { allAtOnce, type Steps } from '../steps.ts';
import { WORK, type WorkMeter } from '../format/work.ts';

const RECENT = 16;
/** Covers between two steps: some milliseconds. */
const STEP_COVERS = 256;
export interface ImageSizes {
  readonly sourceBytes: number;
  readonly targetBytes: number;
}

/** Codes cover lists; one instance a plan. */
export class CoverCoder {
  readonly #numbers: NumberCoder;
  readonly #work: WorkMeter;
  readonly #recent = new Float64Array(RECENT);
  /** Of the cover before: sizes of its gap and length, whether each of the last displacements was known, and change. */
  #gap = 0;
  #length = 0;
  #hits = 0;
  #change = 0;
  #fours = 0;

  constructor(coder: ModelCoder) {
    this.#numbers = new NumberCoder(coder);
    this.#work = coder.work;
  }

  /** Codes a whole list at once; see `steps`. */
  code(covers: CoverList | null, sizes: ImageSizes, room?: PlanRoom): CoverList {
    return allAtOnce(this.steps(covers, sizes, room));
  }

  /**
   * Codes a whole list; a decoder passes null, and the room that there is.
   * @throws UpdateError plan_malformed when decoded covers overlap, leave an image or are too many; payload_work
   */
  *steps(covers: CoverList | null, sizes: ImageSizes, room?: PlanRoom): Steps<CoverList> {
    const count = this.#numbers.code(covers?.count ?? 0, NUMBER.coverCount);
    if (count > LIMITS.covers_max) {
      throw new UpdateError('plan_malformed', `${count} covers; at most ${LIMITS.covers_max} are allowed`);
    }
    room?.take('cover', count);
    const list = covers ?? emptyCoverList(count);
    let end = 0;
    for (let i = 0; i < count; i++) {
      this.#work.spent += WORK.cover;
      this.#work.check();
      if (i % STEP_COVERS === 0) yield;
      const gap = this.#step(list.targetOffset[i]! - end, NUMBER.coverGap, this.#length, this.#hits & 7, this.#gap);
      const gapSize = bitLength(Math.min(gap, 2 ** 31));
      const displacement = this.#displacement(list.sourceOffset[i]! - list.targetOffset[i]!, gapSize);
      const length =
        this.#step(
          list.length[i]! - 1,
          NUMBER.coverLength,
          gapSize,
          (this.#change << 1) | (this.#hits & 1),
          this.#length,
        ) + 1;
      this.#gap = gapSize;
      this.#length = bitLength(Math.min(length, 2 ** 31));
      const targetOffset = end + gap;
      end = targetOffset + length;
      if (!this.#numbers.encoding) place(list, i, targetOffset, displacement, length, sizes);
    }
    return list;
  }

  /** A number that is often a multiple of four. */
  #step(value: number, kind: number, a: number, b: number, c: number): number {
    const four = this.#numbers.flag(value % 4 === 0, FLAG.coverFour + kind, this.#fours & 7, a, b);
    this.#fours = (this.#fours << 1) | (four ? 1 : 0);
    return four
      ? this.#numbers.code(Math.floor(value / 4), kind, a, b, c) * 4
      : this.#numbers.code(value, kind + 1, a, b, c);
  }

  #displacement(wanted: number, gapSize: number): number {
    const index = this.#recentIndex(wanted, gapSize);
    const last = this.#recent[0]!;
    const displacement = index < RECENT ? this.#recent[index]! : this.#newDisplacement(wanted, gapSize);
    this.#recent.copyWithin(1, 0, Math.min(index, RECENT - 1));
    this.#recent[0] = displacement;
    this.#hits = (this.#hits << 1) | (index < RECENT ? 1 : 0);
    this.#change = bitLength(Math.min(Math.abs(displacement - last), 2 ** 31));
    return displacement;
  }

  /** Index among the recent displacements, or RECENT. Duplicates are skipped, so no code is wasted on them. */
  #recentIndex(wanted: number, gapSize: number): number {
    const known = this.#numbers.encoding && this.#recent.includes(wanted);
    if (!this.#numbers.flag(known, FLAG.coverKnown, this.#hits & 15, gapSize, this.#length)) return RECENT;
    for (let i = 0; i < RECENT - 1; i++) {
      if (this.#recent.indexOf(this.#recent[i]!) < i) continue;
      const hit = this.#numbers.flag(
        this.#recent[i] === wanted,
        FLAG.coverRecent,
        i,
        (Math.min(gapSize, 7) << 3) | (this.#hits & 7),
        this.#change,
      );
      if (hit) return i;
    }
    return RECENT - 1;
  }

  #newDisplacement(wanted: number, gapSize: number): number {
    const last = this.#recent[0]!;
    const isLess = this.#numbers.flag(wanted < last, FLAG.coverLess, gapSize, this.#hits & 7, this.#change);
    const distance = this.#step(Math.abs(wanted - last), NUMBER.coverDistance, gapSize, this.#change, isLess ? 1 : 0);
    return isLess ? last - distance : last + distance;
  }
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
