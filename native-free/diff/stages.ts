/**
 * How a delta is made, stage by stage. Each stage is a pure function of images and of what earlier stages found, so that
 * it can run on any thread; who calls them decides on threads and memory.
 *
 * 1. `analyse`: structure of both images, and covers from a coarse alignment with references masked.
 * 2. `nameReferences`: copies of both images in which references are what they mean, given the covers so far.
 * 3. `matchWindow`, for each window of the target: covers by cost. 2 and 3 are repeated with better covers.
 * 4. `finishPlan`: covers trimmed, bases of tables, the plan's bytes.
 * 5. SegmentEncoder, for each segment.
 * @module
 */
import { coverListOf, type Cover, type CoverList } from '../format/cover.ts';
import type { Plan } from '../format/plan.ts';
import { decodePlan, encodePlan, type PlanCosts } from '../model/plan-coder.ts';
import { AddressMap } from '../predict/address-map.ts';
import { canonicalImage, masked, sourceNames, targetNames } from './canonical.ts';
import { coarseCovers } from './coarse-align.ts';
import { findTables, inverted } from './find-bases.ts';
import { joinCovers } from './join-covers.ts';
import { layoutOf } from './layout/layout.ts';
import { pairModules } from './layout/pair-modules.ts';
import { pairRegions, withBases, type PairedLayouts } from './pair-regions.ts';
import { parseCovers } from './parse-covers.ts';
import { indexSource } from './source-index.ts';
import { sourceViewFor } from './source-view.ts';
import { suffixArray } from './suffix-array.ts';
import { trimCovers } from './trim-covers.ts';

/** Target bytes that are matched at a time, against at most so many source bytes. Part of what decides a patch's bytes. */
export const WINDOW_BYTES = 16 * 2 ** 20;
export const VIEW_BYTES_MAX = 24 * 2 ** 20;

/** Two images, or copies of them. */
export interface Images {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
}

export interface Analysis {
  readonly layouts: PairedLayouts;
  readonly covers: CoverList;
}

/** Nothing known of either image. */
export const NO_LAYOUTS: PairedLayouts = {
  paired: { pairs: [], highs: [] },
  source: { regions: [], vaHigh: [] },
  target: { regions: [], vaHigh: [] },
  counterpart: new Int32Array(0),
  names: [],
};

/** Stage 1. `copies` are overwritten; they have the images' lengths. */
export function analyse(images: Images, copies: Images): Analysis {
  const source = layoutOf(images.source);
  const target = layoutOf(images.target);
  const layouts = pairRegions(source, target, pairModules(source, target));
  canonicalImage(images.source, layouts.source, masked, [], copies.source);
  canonicalImage(images.target, layouts.target, masked, [], copies.target);
  return { layouts, covers: coverListOf(coarseCovers(copies.source, copies.target)) };
}

/** Stage 2. `copies` become canonical: equal bytes mean that the coder will expect the right thing. */
export function nameReferences(images: Images, layouts: PairedLayouts, covers: CoverList, copies: Images): void {
  const { source, target, counterpart } = layouts;
  const tables = findTables(images.source, images.target, { covers, source, target }, counterpart);
  const inverse = new AddressMap(inverted(covers), target, source);
  canonicalImage(images.source, source, sourceNames(), tables.source, copies.source);
  canonicalImage(images.target, target, targetNames(inverse), tables.target, copies.target);
}

/** A suffix sorter; equal output is part of its contract. */
export type SuffixSorter = (bytes: Uint8Array, into?: Int32Array) => Int32Array;

/** Stage 3: covers of target window [start, end) of canonical images, starting from earlier covers of the whole image. */
export function matchWindow(
  copies: Images,
  covers: CoverList,
  start: number,
  end: number,
  sort: SuffixSorter = suffixArray,
): Cover[] {
  const { source, target } = copies;
  const view = sourceViewFor(source, covers, start, end, VIEW_BYTES_MAX);
  const index = indexSource(view.bytes, sort(view.bytes));
  return view.toSource(parseCovers(index, target, start, end, { seeds: view.toView(covers, start, end) }));
}

/** Covers of all windows, in order, as one list. */
export function joinWindows(windows: readonly (readonly Cover[])[]): CoverList {
  return joinCovers(windows);
}

export interface FinishedPlan {
  readonly plan: Plan;
  readonly bytes: Uint8Array;
  readonly costs: PlanCosts;
}

/** Stage 4. */
export function finishPlan(images: Images, layouts: PairedLayouts, covers: CoverList): FinishedPlan {
  const { source, target, counterpart } = layouts;
  const trimmed = trimCovers(covers, source, target);
  const { bases } = findTables(images.source, images.target, { covers: trimmed, source, target }, counterpart);
  const costs: PlanCosts = { covers: 0, regions: 0 };
  const bytes = encodePlan(trimmed, withBases(layouts, bases), costs);
  // What the decoder will know, and nothing else, is what segments are encoded with.
  const sizes = { sourceBytes: images.source.length, targetBytes: images.target.length };
  return { plan: decodePlan(bytes, sizes), bytes, costs };
}
