/**
 * Making deltas: the pure half. `engraft` (DeltaEngine) does the same on a pool of worker threads and proves it.
 * Throws UpdateError `limit_exceeded` and `usage_invalid`.
 *
 * @example
 * const copies = { source: new Uint8Array(source.length), target: new Uint8Array(target.length) };
 * const images = { source, target };
 * const { layouts, covers } = analyse(images, copies);
 * const window = { covers, start: 0, end: target.length };
 * const rough = joinWindows([matchMasked(copies, window)]);
 * nameReferences(images, layouts, rough, copies);
 * const fine = joinWindows([matchNamed(copies, { ...window, covers: rough })]);
 * const { plan, bytes } = finishPlan(images, layouts, fine);
 * const segment = new SegmentEncoder(source, target, plan).encode(0, target.length);
 * @module
 */
export * from './write/assemble.ts';
export * from './match/cover-search.ts';
export * from './write/encode-segment.ts';
export * from './match/join-covers.ts';
export { layoutOf, type NamedLayout } from './layout/layout.ts';
export { parseCovers, type ParseOptions } from './parse/parse-covers.ts';
export { indexSource, kmersOf, kmerWordsFor, Searcher, type SourceIndex } from './match/source-index.ts';
export * from './stages.ts';
export * from './match/suffix-array.ts';
export { encodePlan, planNeeds, type PlanCosts, type PlanNeeds } from '../model/plan-coder.ts';
