/**
 * The plan: all that a decoder knows before the first segment.
 * @module
 */
import type { Base } from '../predict/data-reader.ts';
import type { CoverList } from './cover.ts';
import type { Layout } from './regions.ts';

export interface Plan {
  readonly covers: CoverList;
  /** Modules have the same numbers in both layouts. */
  readonly source: Layout;
  readonly target: Layout;
  /** Base addresses of each region of the source, at most BASES_MAX each. */
  readonly bases: readonly (readonly Base[])[];
}

export const BASES_MAX = 8;

const NO_LAYOUT: Layout = { regions: [], vaHigh: [] };

/** Covers, and nothing known of either image. */
export function plainPlan(covers: CoverList): Plan {
  return { covers, source: NO_LAYOUT, target: NO_LAYOUT, bases: [] };
}
