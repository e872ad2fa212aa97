/**
 * The plan section: covers, then the layouts of both images.
 * @module
 */
import type { Plan } from '../format/plan.ts';
import { LIMITS } from '../limits.ts';
import { CoverCoder, type ImageSizes } from './cover-coder.ts';
import { MixCoder } from './mix-coder.ts';
import { DEFAULT_SIZES, type ModelCoder, type ModelSizes } from './model-coder.ts';
import { RegionCoder, type PairedRegions } from './region-coder.ts';
import type { CoverList } from '../format/cover.ts';

/** What a plan's parts cost, in bytes. */
export interface PlanCosts {
  covers: number;
  regions: number;
}

/**
 * The plan's bytes, coded with tables of the payload's sizes, so that a decoder needs one coder. Covers are in target order and do not overlap there; regions need the
 * images' real sizes.
 */
export function encodePlan(
  covers: CoverList,
  regions: PairedRegions = { pairs: [], highs: [] },
  sizes: ImageSizes = { sourceBytes: Infinity, targetBytes: Infinity },
  costs?: PlanCosts,
  modelSizes: ModelSizes = DEFAULT_SIZES,
): Uint8Array {
  const coder = new MixCoder(true, modelSizes);
  coder.start(null);
  new CoverCoder(coder).code(covers, sizes);
  const coversEnd = coder.length;
  new RegionCoder(coder, covers, sizes).code(regions);
  const bytes = coder.finish();
  if (costs !== undefined) {
    costs.covers = coversEnd;
    costs.regions = bytes.length - coversEnd;
  }
  return bytes;
}

/**
 * Reads a plan; `coder` decodes and has tables of the payload's sizes.
 * @throws UpdateError plan_malformed when anything in it leaves an image, overlaps or is out of bounds
 */
export function decodePlan(
  bytes: Uint8Array,
  sizes: ImageSizes,
  coversMax: number = LIMITS.covers_max,
  coder: ModelCoder = new MixCoder(false, DEFAULT_SIZES),
): Plan {
  coder.start(bytes);
  const covers = new CoverCoder(coder).code(null, sizes, coversMax);
  return { covers, ...new RegionCoder(coder, covers, sizes).code(null) };
}
