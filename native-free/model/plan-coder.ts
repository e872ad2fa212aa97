/**
 * The plan section: covers, then the layouts of both images.
 * @module
 */
import { PLAN_BYTES, type Plan, type PlanRoom } from '../format/plan.ts';
import { countStretches } from '../predict/stretches.ts';
import { CoverCoder, type ImageSizes } from './covers/cover-coder.ts';
import { MixCoder, referenceModels } from './mix-coder.ts';
import type { ModelCoder, ModelCoderFactory } from './model-coder.ts';
import { DEFAULT_SIZES, type ModelSizes } from '../format/model-sizes.ts';
import { RegionCoder, type PairedRegions } from './region-coder.ts';
import { allAtOnce, type Steps } from '../steps.ts';
import type { CoverList } from '../format/cover.ts';

/** What a plan's parts cost, in bytes. */
export interface PlanCosts {
  covers: number;
  regions: number;
}

/** What a plan asks of its decoder. */
export interface PlanNeeds {
  readonly memoryBytes: number;
  /** Look-ups. */
  readonly work: number;
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
  models: ModelCoderFactory = referenceModels,
): Uint8Array {
  const coder = models(true, modelSizes);
  coder.start(null);
  new CoverCoder(coder).code(covers, sizes);
  const coversEnd = coder.written;
  new RegionCoder(coder, covers, sizes).code(regions);
  const bytes = coder.finish();
  if (costs !== undefined) {
    costs.covers = coversEnd;
    costs.regions = bytes.length - coversEnd;
  }
  return bytes;
}

/** Reads a plan at once; see `planSteps`. */
export function decodePlan(
  bytes: Uint8Array,
  sizes: ImageSizes,
  room?: PlanRoom,
  coder: ModelCoder = new MixCoder(false, DEFAULT_SIZES),
): Plan {
  return allAtOnce(planSteps(bytes, sizes, room, coder));
}

/**
 * Reads a plan; `coder` decodes and has tables of the payload's sizes. Afterwards there is room for all that is made of it.
 * @throws UpdateError plan_malformed when anything in it leaves an image, overlaps or is out of bounds; payload_work
 */
export function* planSteps(
  bytes: Uint8Array,
  sizes: ImageSizes,
  room: PlanRoom | undefined,
  coder: ModelCoder,
): Steps<Plan> {
  coder.start(bytes);
  const covers = yield* new CoverCoder(coder).steps(null, sizes, room);
  const plan = { covers, ...(yield* new RegionCoder(coder, covers, sizes, room).steps(null)) };
  yield* countStretches(plan, coder.work, room);
  coder.work.check();
  return plan;
}

/** What a decoder of these bytes will need: worked out by being one. */
export function planNeeds(bytes: Uint8Array, sizes: ImageSizes, modelSizes: ModelSizes): PlanNeeds {
  const coder = new MixCoder(false, modelSizes);
  return needsOf(decodePlan(bytes, sizes, undefined, coder), coder);
}

/** What a plan needs that `coder` has just read. */
export function needsOf(plan: Plan, coder: ModelCoder): PlanNeeds {
  const bases = plan.bases.reduce((sum, list) => sum + list.length, 0);
  const memoryBytes =
    PLAN_BYTES.cover * plan.covers.count +
    PLAN_BYTES.stretch * allAtOnce(countStretches(plan)) +
    PLAN_BYTES.pair * plan.source.regions.length +
    PLAN_BYTES.base * bases +
    PLAN_BYTES.module * plan.source.vaHigh.length;
  return { memoryBytes, work: coder.work.spent };
}
