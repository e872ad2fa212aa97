/**
 * The main idea of the engine: from two images to covers, by way of what references mean.
 *
 * Code that moved differs in every reference, and what a reference means is only known once it is known what moved. So
 * the target is matched twice: first in copies in which all references are masked, which is enough for a map of
 * addresses; then in copies in which each reference is the name of what it refers to by that map.
 *
 * The steps are handed in: a pool of workers runs them on its threads, `inlineSteps` runs them here.
 * @module
 */
import { coverListOf, type CoverList } from '../format/cover.ts';
import type { PairedLayouts } from './layout/pair-regions.ts';
import { joinCovers } from './match/join-covers.ts';
import type { Tables } from './naming/find-bases.ts';
import * as stages from './stages.ts';
import { referenceMatching, type Matching } from './match/matching.ts';
import type { TargetRange, Images } from './images.ts';

/** What is done to one pair of images; all steps share copies of them. */
export interface MatchSteps {
  /** Masks all references in the copies; which long parts of the target resemble which of the source. */
  align(): Promise<CoverList>;
  /** Covers of each window in masked copies, in the order of the windows. */
  matchMasked(windows: readonly TargetRange[], known: CoverList): Promise<CoverList[]>;
  /** Names all references in the copies by what the covers say of them. */
  name(known: CoverList): Promise<Tables>;
  /** Covers by cost of each window in named copies; with `refine` the target is named and matched once more. */
  matchNamed(windows: readonly TargetRange[], known: CoverList, refine: Tables | null): Promise<CoverList[]>;
}

/** Covers of the whole target. */
export async function matchImages({ source, target }: Images, steps: MatchSteps): Promise<CoverList> {
  if (source.length === 0 || target.length === 0) return coverListOf([]);
  const windows = stages.windowsOf(target.length);
  const coarse = await steps.align();
  const rough = joinCovers(await steps.matchMasked(windows, coarse));
  const tables = await steps.name(rough);
  // One window is the whole target: its index is still at hand when better covers give better names.
  const refine = windows.length === 1 ? tables : null;
  return joinCovers(await steps.matchNamed(windows, rough, refine));
}

/** All steps on the caller's thread, each done when it returns. */
export function inlineSteps(
  images: Images,
  layouts: PairedLayouts,
  matching: Matching = referenceMatching(),
): MatchSteps {
  const copies = { source: new Uint8Array(images.source.length), target: new Uint8Array(images.target.length) };
  return {
    async align() {
      stages.maskReferences(images.source, layouts.source, copies.source);
      stages.maskReferences(images.target, layouts.target, copies.target);
      return stages.alignMasked(copies);
    },
    async matchMasked(windows, covers) {
      return windows.map((window) => stages.matchMasked(copies, { ...window, covers }, matching));
    },
    async name(covers) {
      const tables = stages.tablesOf(images, layouts, covers);
      stages.nameSource(images.source, layouts, tables, copies.source);
      stages.nameTarget(images.target, { layouts, tables }, covers, copies.target);
      return tables;
    },
    async matchNamed(windows, covers, tables) {
      const naming = tables && { layouts, tables };
      return windows.map((window) => stages.matchNamed(images, copies, { ...window, covers }, matching, naming));
    },
  };
}
