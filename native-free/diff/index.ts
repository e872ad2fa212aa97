/**
 * Making deltas: the pure half. `engraft` (DeltaEngine) does the same on a pool of worker threads and proves it.
 *
 * @example
 * const images = { source, target };
 * const layouts = analyse(images);
 * const covers = await matchImages(images, inlineSteps(images, layouts));
 * const { plan, bytes } = finishPlan(images, { layouts, covers });
 * const segment = new SegmentEncoder(source, target, plan).encode(0, target.length);
 * @module
 */
export * from './write/assemble.ts';
export * from './match/cover-search.ts';
export * from './write/encode-segment.ts';
export * from './match/join-covers.ts';
export * from './match-images.ts';
export { layoutOf, type NamedLayout } from './layout/layout.ts';
export { parseCovers, type ParseOptions } from './parse/parse-covers.ts';
export { indexSource, kmersOf, kmerWordsFor, Searcher, type SourceIndex } from './match/source-index.ts';
export * from './stages.ts';
export * from './match/suffix-array.ts';
export { encodePlan, planNeeds, type PlanCosts, type PlanNeeds } from '../model/plan-coder.ts';
