/**
 * Coding of the plan's covers, written once with the model and read once by it.
 *
 * Covers come in target order, so each is a gap, a displacement (source minus target offset) and a length. Code moves in
 * steps of its word size, hence the "multiple of four" flag. What is known of the displacement tells of the length, and
 * of the gap to the next cover.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import type { PlanRoom } from '../../format/plan.ts';
import { UpdateError } from '../../status.ts';
import { emptyCoverList, type CoverList } from '../../format/cover.ts';
import { NUMBER } from '../contexts.ts';
import type { ModelCoder } from '../model-coder.ts';
import { NumberCoder } from '../number-coder.ts';
import { allAtOnce, type Steps } from '../../steps.ts';
import { WORK, type WorkMeter } from '../../format/work.ts';
import { DisplacementCoder } from './displacement-coder.ts';
import { FourStepCoder, sizeOf } from './four-step-coder.ts';

/** Covers between two steps: some milliseconds. */
const STEP_COVERS = 256;
export interface ImageSizes {
  readonly sourceBytes: number;
  readonly targetBytes: number;
}

/** Codes cover lists; one instance a plan. */
export class CoverCoder {
  readonly #numbers: NumberCoder;
  readonly #steps: FourStepCoder;
  readonly #displacements: DisplacementCoder;
  readonly #work: WorkMeter;
  /** Sizes of the gap and the length of the cover before. */
  #gap = 0;
  #length = 0;

  constructor(coder: ModelCoder) {
    this.#numbers = new NumberCoder(coder);
    this.#steps = new FourStepCoder(this.#numbers);
    this.#displacements = new DisplacementCoder(this.#numbers, this.#steps);
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
    const steps = this.#steps;
    const displacements = this.#displacements;
    let end = 0;
    for (let i = 0; i < count; i++) {
      this.#work.spent += WORK.cover;
      this.#work.check();
      if (i % STEP_COVERS === 0) yield;
      const wanted = list.sourceOffset[i]! - list.targetOffset[i]!;
      const gap = steps.code(
        list.targetOffset[i]! - end,
        NUMBER.coverGap,
        this.#length,
        displacements.story,
        this.#gap,
      );
      const gapSize = sizeOf(gap);
      const targetOffset = end + gap;
      const displacement = displacements.code(wanted, targetOffset, gapSize, this.#length);
      const length =
        steps.code(list.length[i]! - 1, NUMBER.coverLength, gapSize, displacements.story, this.#length) + 1;
      this.#gap = gapSize;
      this.#length = sizeOf(length);
      end = targetOffset + length;
      displacements.remember(targetOffset + displacement, length);
      if (!this.#numbers.encoding) place(list, i, targetOffset, displacement, length, sizes);
    }
    return list;
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
