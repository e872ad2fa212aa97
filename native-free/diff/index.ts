/**
 * Making deltas: the pure half. `engraft` (DeltaEngine) does the same on a pool of worker threads and proves it.
 *
 * @example
 * const covers = joinCovers([findCovers(source, target, suffixArray(source), 0, target.length)]);
 * const segment = encodeSegment(source, target, covers, 0, target.length);
 * @module
 */
export * from './assemble.ts';
export * from './cover-search.ts';
export { encodePlan, type PlanCosts } from '../model/plan-coder.ts';
export * from './encode-segment.ts';
export * from './join-covers.ts';
export * from './source-index.ts';
export * from './suffix-array.ts';
