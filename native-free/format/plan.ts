/**
 * The plan: all that a decoder knows before the first segment, and the memory that it takes.
 * @module
 */
import { UpdateError } from '../status.ts';
import type { CoverList } from './cover.ts';
import type { Layout } from './regions.ts';

export interface Plan {
  readonly covers: CoverList;
  /** Modules have the same numbers in both layouts. */
  readonly source: Layout;
  readonly target: Layout;
  /** Base addresses of each region of the source, at most LIMITS.bases_max each. */
  readonly bases: readonly (readonly Base[])[];
}

/** What the words of a table may count in: bytes, words, and entries of ELF symbol tables. */
export const SCALES = [1, 4, 16, 24] as const;

/** A base of one region: a word `w` there means the address `source` + `w` · `scale`. */
export interface Base {
  readonly source: number;
  readonly target: number;
  /** One of SCALES. */
  readonly scale: number;
}

/** Bytes that the parts of a plan take in a decoder, and what is made of them. */
export const PLAN_BYTES = {
  /** Three numbers, and the order in which regions look for them: as it is sorted, and as it is kept. */
  cover: 36,
  /** A stretch of the address map while it is made: as found, in order, laid down. */
  stretch: 40,
  /** Two regions and their pair. */
  pair: 576,
  base: 96,
  module: 128,
  /** A unit and a piece of the virtual stream, with what is made of them. */
  unit: 256,
  unitPiece: 128,
  unitSkip: 64,
  /** What is kept between two units of a stream, so that it can be entered there. */
  unitHistory: 32_768 + 256,
} as const;

/** Memory that is left for a plan. */
export class PlanRoom {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Bytes that nothing has taken yet. */
  get left(): number {
    return this.#left;
  }

  /**
   * Room for `count` parts, taken before they are made.
   * @throws UpdateError plan_malformed
   */
  take(part: keyof typeof PLAN_BYTES, count = 1): void {
    this.#left -= PLAN_BYTES[part] * count;
    if (this.#left >= 0) return;
    throw new UpdateError('plan_malformed', `${count} ${part}s more than the declared memory has room for`);
  }
}

const NO_LAYOUT: Layout = { regions: [], vaHigh: [] };

/** Covers, and nothing known of either image. */
export function plainPlan(covers: CoverList): Plan {
  return { covers, source: NO_LAYOUT, target: NO_LAYOUT, bases: [] };
}
