/**
 * Making deltas: the pure half. `makeDelta` does all of it; the others are its steps, for who wants to run them elsewhere.
 * `engraft` (DeltaEngine) does the same on a pool of worker threads and proves it.
 * Throws UpdateError `usage_invalid`; `finishPlan` also `plan_malformed`, what puts a payload together `limit_exceeded`.
 *
 * @example
 * const images = { source, target };
 * const layouts = analyse(images);
 * const covers = await matchImages(images, inlineSteps(images, layouts));
 * const finished = finishPlan(images, { layouts, covers });
 * const segment = new SegmentEncoder(images, finished).encode(0, Math.min(target.length, finished.segmentBytes));
 * @module
 */
export { DEFAULT_SIZES, type ModelSizes } from '../format/model-sizes.ts';
export { PROFILE_SIZES, PROFILES, type Profile } from '../format/profile.ts';
export { withFills, type ImageLike, type SparseImage } from './fills/sparse-image.ts';
export type { Images } from './images.ts';
export { makeDelta, type MakeDeltaOptions } from './make-delta.ts';
export { inlineSteps, matchImages, type MatchSteps } from './match-images.ts';
export { referenceMatching, type Matching, type SuffixSorter } from './match/matching.ts';
export { suffixArray } from './match/suffix-array.ts';
export { analyse, finishPlan, type FinishedPlan, type Matched } from './stages.ts';
export { contentsOf } from './units/contents.ts';
export { assembleDelta, assembleFull, type DeltaParts, type TargetParts } from './write/assemble.ts';
export { SegmentEncoder, type CodedPlan, type SegmentEncoderOptions } from './write/encode-segment.ts';
